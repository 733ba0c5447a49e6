//! One constant: made, changed, deleted.

use askama::Template;
use axum::extract::Path;
use axum::response::Response;
use orchestrator_proto::v1;

use super::PATH;
use crate::chrome::Chrome;
use crate::error::PageError;
use crate::form::{Fields, Form};
use crate::input::{Faults, Input};
use crate::link::encoded;
use crate::text::shown_in_line;
use crate::times::Stamp;
use crate::viewer::Viewer;

const FIELDS: &[&str] = &["name", "value"];

#[derive(Debug, Template)]
#[template(path = "access/constant.html", blocks = ["dialog"])]
struct Page {
    chrome: Chrome,
    title: String,
    action: String,
    /// Absent for a constant that is to be made.
    existing: Option<Existing>,
    name: Input,
    value: Input,
    /// When the form was drawn, so that somebody else's change in between is seen.
    seen: String,
    general: Vec<String>,
}

#[derive(Debug)]
struct Existing {
    name: String,
    link: String,
    changed_at: Stamp,
    changed_by: String,
}

impl Page {
    fn new(viewer: &Viewer, existing: Option<&v1::Constant>, fields: &Fields, faults: &Faults) -> Self {
        let title = existing.map_or_else(|| "New constant".to_owned(), |one| format!("Constant “{}”", one.name));
        let title = shown_in_line(&title);
        let existing = existing.map(|one| Existing {
            name: shown_in_line(&one.name),
            link: format!("{PATH}/constant/{}", encoded(&one.name)),
            changed_at: viewer.stamp(one.changed_at),
            changed_by: shown_in_line(&one.changed_by),
        });
        Self {
            chrome: viewer.chrome(PATH, title.clone()),
            title,
            action: existing.as_ref().map_or_else(|| format!("{PATH}/constant"), |one| one.link.clone()),
            existing,
            name: Input::new("name", "Name", fields, faults)
                .hint("At most 100 characters. Robots ask for it by this name."),
            value: Input::new("value", "Value", fields, faults),
            seen: fields.text("seen").to_owned(),
            general: faults.general.clone(),
        }
    }

    fn draw(&self, viewer: &Viewer) -> Result<Response, PageError> {
        if viewer.wants_part { viewer.page(&self.as_dialog()) } else { viewer.page(self) }
    }
}

async fn find(viewer: &Viewer, name: String) -> Result<v1::Constant, PageError> {
    let answer = viewer.constants()?.get(v1::GetConstantRequest { name }).await?.into_inner();
    Ok(answer.constant.unwrap_or_default())
}

/// What identifies one version of a constant.
fn version(constant: &v1::Constant) -> String {
    constant.changed_at.map_or_else(String::new, |at| format!("{}.{:09}", at.seconds, at.nanos))
}

fn of(constant: &v1::Constant) -> Fields {
    let mut fields = Fields::default();
    fields.set("name", &constant.name);
    fields.set("value", &constant.value);
    fields.set("seen", &version(constant));
    fields
}

/// `GET /constants/constant`
pub(crate) async fn ask_new(viewer: Viewer) -> Result<Response, PageError> {
    Page::new(&viewer, None, &Fields::default(), &Faults::default()).draw(&viewer)
}

/// `POST /constants/constant`
pub(crate) async fn create(viewer: Viewer, Form(form): Form) -> Result<Response, PageError> {
    let name = form.trimmed("name").to_owned();
    let request =
        v1::SetConstantRequest { name: name.clone(), value: form.text("value").to_owned(), create_only: true };
    match viewer.constants()?.set(request).await {
        Ok(_) => viewer.done(&format!("Constant “{name}” was created."), PATH),
        Err(status) => {
            let mut faults = Faults::default();
            faults.refuse(&status.into(), FIELDS);
            viewer.refused_form(&Page::new(&viewer, None, &form, &faults), Page::as_dialog)
        }
    }
}

/// `GET /constants/constant/{name}`
pub(crate) async fn ask(viewer: Viewer, Path(name): Path<String>) -> Result<Response, PageError> {
    let constant = find(&viewer, name).await?;
    Page::new(&viewer, Some(&constant), &of(&constant), &Faults::default()).draw(&viewer)
}

/// `POST /constants/constant/{name}`
pub(crate) async fn change(viewer: Viewer, Path(name): Path<String>, Form(form): Form) -> Result<Response, PageError> {
    let constant = find(&viewer, name).await?;
    let mut faults = Faults::default();
    let mut form = form;
    form.set("name", &constant.name);
    if !form.text("seen").is_empty() && form.text("seen") != version(&constant) {
        faults.general.push(format!(
            "{} changed it {} to: {}. What you typed is kept below; save again to replace it.",
            shown_in_line(&constant.changed_by),
            viewer.stamp(constant.changed_at).relative(),
            shown_in_line(&constant.value)
        ));
        form.set("seen", &version(&constant));
        return viewer.refused_form(&Page::new(&viewer, Some(&constant), &form, &faults), Page::as_dialog);
    }
    let request = v1::SetConstantRequest {
        name: constant.name.clone(),
        value: form.text("value").to_owned(),
        create_only: false,
    };
    match viewer.constants()?.set(request).await {
        Ok(_) => viewer.done(&format!("Constant “{}” was changed.", constant.name), PATH),
        Err(status) => {
            faults.refuse(&status.into(), FIELDS);
            viewer.refused_form(&Page::new(&viewer, Some(&constant), &form, &faults), Page::as_dialog)
        }
    }
}

/// `POST /constants/constant/{name}/delete`
pub(crate) async fn delete(viewer: Viewer, Path(name): Path<String>) -> Result<Response, PageError> {
    viewer.constants()?.delete(v1::DeleteConstantRequest { name: name.clone() }).await?;
    viewer.done(&format!("Constant “{name}” was deleted."), PATH)
}
