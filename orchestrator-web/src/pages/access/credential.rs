//! One credential: made, changed, shown with its password, deleted.

use askama::Template;
use axum::extract::Path;
use axum::response::Response;
use http::{HeaderValue, header};
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

const FIELDS: &[&str] = &["name", "username", "password"];

#[derive(Debug, Template)]
#[template(path = "access/credential.html", blocks = ["dialog"])]
struct Page {
    chrome: Chrome,
    title: String,
    action: String,
    existing: Option<Existing>,
    name: Input,
    username: Input,
    password: Input,
    general: Vec<String>,
}

#[derive(Debug)]
struct Existing {
    name: String,
    link: String,
    changed_at: Stamp,
    changed_by: String,
}

/// The password, for as long as the dialog is open.
#[derive(Template)]
#[template(path = "access/revealed.html", blocks = ["dialog"])]
struct Revealed {
    chrome: Chrome,
    name: String,
    username: String,
    password: String,
}

impl Page {
    fn new(viewer: &Viewer, existing: Option<&v1::Credential>, fields: &Fields, faults: &Faults) -> Self {
        let title = existing.map_or_else(|| "New credential".to_owned(), |one| format!("Credential “{}”", one.name));
        let title = shown_in_line(&title);
        let existing = existing.map(|one| Existing {
            name: shown_in_line(&one.name),
            link: format!("{PATH}/credential/{}", encoded(&one.name)),
            changed_at: viewer.stamp(one.changed_at),
            changed_by: shown_in_line(&one.changed_by),
        });
        let password = Input::new("password", "Password", fields, faults).kind("password");
        // A password that was refused is typed again: it goes back to no page.
        let password = Input { value: String::new(), ..password };
        let password = password.hint(if existing.is_some() {
            "The one that is stored cannot be kept: type it again, or the new one. At most 700 bytes."
        } else {
            "Stored encrypted. At most 700 bytes."
        });
        Self {
            chrome: viewer.chrome(PATH, title.clone()),
            title,
            action: existing.as_ref().map_or_else(|| format!("{PATH}/credential"), |one| one.link.clone()),
            existing,
            name: Input::new("name", "Name", fields, faults)
                .hint("At most 100 characters. Robots ask for it by this name."),
            username: Input::new("username", "Username", fields, faults),
            password,
            general: faults.general.clone(),
        }
    }

    fn draw(&self, viewer: &Viewer) -> Result<Response, PageError> {
        if viewer.wants_part { viewer.page(&self.as_dialog()) } else { viewer.page(self) }
    }
}

async fn find(viewer: &Viewer, name: String) -> Result<v1::Credential, PageError> {
    let answer = viewer.credentials()?.get(v1::GetCredentialRequest { name }).await?.into_inner();
    Ok(answer.credential.unwrap_or_default())
}

/// `GET /constants/credential`
pub(crate) async fn ask_new(viewer: Viewer) -> Result<Response, PageError> {
    Page::new(&viewer, None, &Fields::default(), &Faults::default()).draw(&viewer)
}

/// `POST /constants/credential`
pub(crate) async fn create(viewer: Viewer, Form(form): Form) -> Result<Response, PageError> {
    save(&viewer, None, form).await
}

/// `GET /constants/credential/{name}`
pub(crate) async fn ask(viewer: Viewer, Path(name): Path<String>) -> Result<Response, PageError> {
    let credential = find(&viewer, name).await?;
    let mut fields = Fields::default();
    fields.set("name", &credential.name);
    fields.set("username", &credential.username);
    Page::new(&viewer, Some(&credential), &fields, &Faults::default()).draw(&viewer)
}

/// `POST /constants/credential/{name}`
pub(crate) async fn change(viewer: Viewer, Path(name): Path<String>, Form(form): Form) -> Result<Response, PageError> {
    let credential = find(&viewer, name).await?;
    save(&viewer, Some(&credential), form).await
}

async fn save(viewer: &Viewer, existing: Option<&v1::Credential>, mut form: Fields) -> Result<Response, PageError> {
    let mut faults = Faults::default();
    if let Some(existing) = existing {
        form.set("name", &existing.name);
    }
    let name = form.trimmed("name").to_owned();
    if form.text("password").is_empty() {
        faults.add("password", "type a password");
        return viewer.refused_form(&Page::new(viewer, existing, &form, &faults), Page::as_dialog);
    }
    let request = v1::SetCredentialRequest {
        name: name.clone(),
        username: form.trimmed("username").to_owned(),
        password: form.text("password").to_owned(),
        create_only: existing.is_none(),
    };
    match viewer.credentials()?.set(request).await {
        Ok(_) if existing.is_some() => viewer.done(&format!("Credential “{name}” was changed."), PATH),
        Ok(_) => viewer.done(&format!("Credential “{name}” was created."), PATH),
        Err(status) => {
            faults.refuse(&status.into(), FIELDS);
            viewer.refused_form(&Page::new(viewer, existing, &form, &faults), Page::as_dialog)
        }
    }
}

/// `POST /constants/credential/{name}/reveal`: a change of the audit trail, so it is not something that a link can do.
pub(crate) async fn reveal(viewer: Viewer, Path(name): Path<String>) -> Result<Response, PageError> {
    let answer = viewer.credentials()?.reveal(v1::RevealCredentialRequest { name }).await?.into_inner();
    let credential = answer.credential.unwrap_or_default();
    let page = Revealed {
        chrome: viewer.chrome(PATH, shown_in_line(&credential.name)),
        name: shown_in_line(&credential.name),
        username: shown_in_line(&credential.username),
        password: answer.password,
    };
    let mut response = if viewer.by_script { viewer.page(&page.as_dialog())? } else { viewer.page(&page)? };
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// `POST /constants/credential/{name}/delete`
pub(crate) async fn delete(viewer: Viewer, Path(name): Path<String>) -> Result<Response, PageError> {
    viewer.credentials()?.delete(v1::DeleteCredentialRequest { name: name.clone() }).await?;
    viewer.done(&format!("Credential “{name}” was deleted."), PATH)
}
