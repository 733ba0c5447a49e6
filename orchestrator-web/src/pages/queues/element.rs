//! One element: everything about it, and the form that changes it.

use askama::Template;
use axum::extract::Path;
use axum::response::Response;
use orchestrator_core::queue::ElementStatus;
use orchestrator_proto::v1;

use super::{PATH, queue_path};
use crate::chrome::Chrome;
use crate::error::PageError;
use crate::form::{Fields, Form};
use crate::input::{Faults, Input, Select};
use crate::link::encoded;
use crate::status::{Badge, badge, word};
use crate::text::{short_id, shown, shown_in_line};
use crate::times::Stamp;
use crate::viewer::Viewer;

const FIELDS: &[&str] = &["reference", "data", "message", "status", "created_by"];

#[derive(Debug, Template)]
#[template(path = "queues/element.html", blocks = ["live"])]
struct Page {
    chrome: Chrome,
    element: Shown,
    reference: Input,
    status: Select,
    data: Input,
    message: Input,
    /// The element as the form was drawn from it.
    seen: String,
    general: Vec<String>,
}

#[derive(Debug)]
struct Shown {
    id: String,
    link: String,
    queue: String,
    queue_link: String,
    reference: String,
    status: Badge,
    data: String,
    message: String,
    created: Stamp,
    start: Stamp,
    end: Stamp,
    created_by: String,
    attempt: u32,
    job: Option<(String, String)>,
    lease: Stamp,
    parked: bool,
}

impl Shown {
    fn new(element: &v1::QueueElement, viewer: &Viewer) -> Self {
        let data = element.data.as_deref().unwrap_or_default();
        Self {
            id: element.id.clone(),
            link: format!("/elements/{}", encoded(&element.id)),
            queue: shown_in_line(&element.queue_name),
            queue_link: queue_path(&element.queue_name),
            reference: shown_in_line(element.reference.as_deref().unwrap_or_default()),
            status: badge(&element.status),
            data: shown(&indented(data)),
            message: shown(element.message.as_deref().unwrap_or_default()),
            created: viewer.stamp(element.created_date),
            start: viewer.stamp(element.start_date),
            end: viewer.stamp(element.end_date),
            created_by: shown_in_line(element.created_by.as_deref().unwrap_or_default()),
            attempt: element.attempt,
            job: (!element.job_id.is_empty())
                .then(|| (format!("/jobs/{}", encoded(&element.job_id)), short_id(&element.job_id))),
            lease: viewer.stamp(element.lease_expires_at),
            parked: element.parked,
        }
    }
}

/// JSON is easier to read over several lines. Only what is shown: what is stored stays as its robot wrote it.
fn indented(data: &str) -> String {
    match serde_json::from_str::<serde_json::Value>(data) {
        Ok(value) if value.is_object() || value.is_array() => {
            serde_json::to_string_pretty(&value).unwrap_or_else(|_| data.to_owned())
        }
        _ => data.to_owned(),
    }
}

fn statuses() -> Vec<(&'static str, String)> {
    ElementStatus::ALL.iter().map(|status| (status.as_str(), word(status.as_str()))).collect()
}

impl Page {
    fn new(viewer: &Viewer, element: &v1::QueueElement, fields: &Fields, faults: &Faults) -> Self {
        let words = statuses();
        let choices: Vec<_> = words.iter().map(|(name, word)| (*name, word.as_str())).collect();
        Self {
            chrome: viewer.chrome(PATH, format!("Element {}", short_id(&element.id))),
            element: Shown::new(element, viewer),
            reference: Input::new("reference", "Reference", fields, faults).hint("At most 100 characters."),
            status: Select::new("status", "Status", &choices, fields, faults),
            data: Input::new("data", "Data", fields, faults),
            message: Input::new("message", "Message", fields, faults),
            seen: fields.text("seen").to_owned(),
            general: faults.general.clone(),
        }
    }
}

/// What identifies one version of an element, for an edit that must not undo somebody else's.
fn version(element: &v1::QueueElement) -> String {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let all = format!(
        "{}\0{}\0{}\0{}\0{}",
        element.status,
        text(&element.reference),
        text(&element.data),
        text(&element.message),
        element.lease_token
    );
    let digest: [u8; 32] = <sha2::Sha256 as sha2::Digest>::digest(all.as_bytes()).into();
    let (half, _) = digest.split_at(16);
    half.try_into().map_or_else(|_| String::new(), |bytes| format!("{:032x}", u128::from_be_bytes(bytes)))
}

fn of(element: &v1::QueueElement) -> Fields {
    let mut fields = Fields::default();
    fields.set("reference", element.reference.as_deref().unwrap_or_default());
    fields.set("status", &element.status);
    fields.set("data", element.data.as_deref().unwrap_or_default());
    fields.set("message", element.message.as_deref().unwrap_or_default());
    fields.set("seen", &version(element));
    fields
}

async fn find(viewer: &Viewer, element: String) -> Result<v1::QueueElement, PageError> {
    let answer = viewer.queues()?.get(v1::GetElementRequest { element }).await?.into_inner();
    Ok(answer.element.unwrap_or_default())
}

/// `GET /elements/{element}`
pub(crate) async fn show(viewer: Viewer, Path(element): Path<String>) -> Result<Response, PageError> {
    let element = find(&viewer, element).await?;
    let page = Page::new(&viewer, &element, &of(&element), &Faults::default());
    viewer.live(&page, &page.as_live(), &page.element.link)
}

/// `POST /elements/{element}`
pub(crate) async fn change(
    viewer: Viewer,
    Path(element): Path<String>,
    Form(mut form): Form,
) -> Result<Response, PageError> {
    let element = find(&viewer, element).await?;
    let mut faults = Faults::default();
    if form.text("seen") != version(&element) {
        faults.general.push(
            "It was changed while this form was open; the panel beside it shows how it is now. What you typed is kept: save \
             again to put it in its place."
                .to_owned(),
        );
        form.set("seen", &version(&element));
        return viewer.refused(&Page::new(&viewer, &element, &form, &faults));
    }
    if let Err(error) = save(&viewer, &element, &form).await {
        faults.refuse(&error, FIELDS);
        // The first of the two changes may have been made.
        let now = find(&viewer, element.id.clone()).await?;
        form.set("seen", &version(&now));
        return viewer.refused(&Page::new(&viewer, &now, &form, &faults));
    }
    Ok(viewer.moved_with(&format!("/elements/{}", encoded(&element.id)), "The element was saved."))
}

async fn save(viewer: &Viewer, element: &v1::QueueElement, form: &Fields) -> Result<(), PageError> {
    let mut queues = viewer.queues()?;
    let is = |text: &Option<String>, name: &str| text.as_deref().unwrap_or_default() == form.text(name);
    let changed = |text: &Option<String>, name: &str| (!is(text, name)).then(|| form.text(name).to_owned());
    let update = v1::UpdateElementRequest {
        element: element.id.clone(),
        reference: changed(&element.reference, "reference"),
        data: changed(&element.data, "data"),
        message: changed(&element.message, "message"),
    };
    if update.reference.is_some() || update.data.is_some() || update.message.is_some() {
        queues.update(update).await?;
    }
    if form.text("status") != element.status {
        let request = v1::SetElementStatusRequest {
            element: element.id.clone(),
            status: form.text("status").to_owned(),
            ..v1::SetElementStatusRequest::default()
        };
        queues.set_status(request).await?;
    }
    Ok(())
}

/// `POST /elements/{element}/delete`
pub(crate) async fn delete(viewer: Viewer, Path(element): Path<String>) -> Result<Response, PageError> {
    let element = find(&viewer, element).await?;
    viewer.queues()?.delete(v1::DeleteElementRequest { element: element.id.clone() }).await?;
    let message = format!("Element {} was deleted.", short_id(&element.id));
    Ok(viewer.moved_with(&queue_path(&element.queue_name), &message))
}

/// A form for an element that is to be.
#[derive(Debug, Template)]
#[template(path = "queues/new.html", blocks = ["dialog"])]
struct NewPage {
    chrome: Chrome,
    queue: String,
    path: String,
    reference: Input,
    data: Input,
    general: Vec<String>,
}

impl NewPage {
    fn new(viewer: &Viewer, queue: &str, fields: &Fields, faults: &Faults) -> Self {
        Self {
            chrome: viewer.chrome(PATH, format!("New element in {}", shown_in_line(queue))),
            queue: shown_in_line(queue),
            path: queue_path(queue),
            reference: Input::new("reference", "Reference", fields, faults)
                .hint("At most 100 characters; may be empty."),
            data: Input::new("data", "Data", fields, faults)
                .hint("What the robot works with, often JSON. At most 2000 characters."),
            general: faults.general.clone(),
        }
    }
}

/// `GET /queues/{queue}/new`
pub(crate) async fn ask(viewer: Viewer, Path(queue): Path<String>) -> Result<Response, PageError> {
    let page = NewPage::new(&viewer, &queue, &Fields::default(), &Faults::default());
    viewer.dialog(&page, NewPage::as_dialog)
}

/// `POST /queues/{queue}/new`
pub(crate) async fn create(viewer: Viewer, Path(queue): Path<String>, Form(form): Form) -> Result<Response, PageError> {
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let element = v1::NewElement {
        reference: some(form.text("reference")),
        data: some(form.text("data")),
        created_by: some(viewer.name()),
        ..v1::NewElement::default()
    };
    let request = v1::CreateElementRequest { queue_name: queue.clone(), element: Some(element), repeat: false };
    match viewer.queues()?.create(request).await {
        Ok(_) => viewer.done("The element was created.", &queue_path(&queue)),
        Err(status) => {
            let mut faults = Faults::default();
            faults.refuse(&status.into(), FIELDS);
            viewer.refused_form(&NewPage::new(&viewer, &queue, &form, &faults), NewPage::as_dialog)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_shown_over_lines_and_other_text_as_it_is() {
        assert_eq!(indented("{\"a\":1}"), "{\n  \"a\": 1\n}");
        assert_eq!(indented("42"), "42");
        assert_eq!(indented("{a"), "{a");
    }

    #[test]
    fn every_change_is_another_version() {
        let element = v1::QueueElement { status: "NEW".to_owned(), ..v1::QueueElement::default() };
        let taken = v1::QueueElement { status: "IN_PROGRESS".to_owned(), ..element.clone() };
        let renamed = v1::QueueElement { reference: Some("1".to_owned()), ..element.clone() };
        assert_eq!(version(&element), version(&element.clone()));
        assert_ne!(version(&element), version(&taken));
        assert_ne!(version(&element), version(&renamed));
    }
}
