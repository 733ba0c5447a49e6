//! One credential: made, changed, shown with its password, deleted.

use askama::Template;
use axum::extract::Path;
use axum::response::Response;
use http::{HeaderValue, header};
use orchestrator_proto::v1;

use super::item::Item;
use super::{NAME_HINT, PATH};
use crate::chrome::Chrome;
use crate::error::PageError;
use crate::form::{Fields, Form};
use crate::input::{Faults, Input};
use crate::text::shown_in_line;
use crate::viewer::Viewer;

const KIND: &str = "credential";
const FIELDS: &[&str] = &["name", "username", "password"];

#[derive(Debug, Template)]
#[template(path = "access/credential.html", blocks = ["dialog"])]
struct Page {
    chrome: Chrome,
    item: Item,
    name: Input,
    username: Input,
    password: Input,
    general: Vec<String>,
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
    fn new(viewer: &Viewer, item: Item, fields: &Fields, faults: &Faults) -> Self {
        let password = Input::new("password", "Password", fields, faults).kind("password");
        // A password that was refused is typed again: it goes back to no page.
        let password = Input { value: String::new(), ..password };
        let password = password.hint(if item.existing.is_some() {
            "The one that is stored cannot be kept: type it again, or the new one. At most 700 bytes."
        } else {
            "Stored encrypted. At most 700 bytes."
        });
        Self {
            chrome: viewer.chrome(PATH, item.title.clone()),
            item,
            name: Input::new("name", "Name", fields, faults).hint(NAME_HINT),
            username: Input::new("username", "Username", fields, faults),
            password,
            general: faults.general.clone(),
        }
    }
}

async fn find(viewer: &Viewer, name: String) -> Result<v1::Credential, PageError> {
    let answer = viewer.credentials()?.get(v1::GetCredentialRequest { name }).await?.into_inner();
    Ok(answer.credential.unwrap_or_default())
}

fn item(viewer: &Viewer, credential: &v1::Credential) -> Item {
    Item::existing(viewer, KIND, &credential.name, credential.changed_at, &credential.changed_by)
}

/// `GET /constants/credential`
pub(crate) async fn ask_new(viewer: Viewer) -> Result<Response, PageError> {
    let page = Page::new(&viewer, Item::new(KIND), &Fields::default(), &Faults::default());
    viewer.dialog(&page, Page::as_dialog)
}

/// `POST /constants/credential`
pub(crate) async fn create(viewer: Viewer, Form(form): Form) -> Result<Response, PageError> {
    let name = form.trimmed("name").to_owned();
    save(&viewer, Item::new(KIND), name, &form).await
}

/// `GET /constants/credential/{name}`
pub(crate) async fn ask(viewer: Viewer, Path(name): Path<String>) -> Result<Response, PageError> {
    let credential = find(&viewer, name).await?;
    let mut fields = Fields::default();
    fields.set("username", &credential.username);
    let page = Page::new(&viewer, item(&viewer, &credential), &fields, &Faults::default());
    viewer.dialog(&page, Page::as_dialog)
}

/// `POST /constants/credential/{name}`
pub(crate) async fn change(viewer: Viewer, Path(name): Path<String>, Form(form): Form) -> Result<Response, PageError> {
    let credential = find(&viewer, name).await?;
    let item = item(&viewer, &credential);
    if let Some(who) = item.conflict(&form) {
        let mut faults = Faults::default();
        let username = shown_in_line(&credential.username);
        faults.general.push(format!(
            "{who}; its username is now: {username}. What you typed is kept below; type the password and save again to replace it."
        ));
        return viewer.refused_form(&Page::new(&viewer, item, &form, &faults), Page::as_dialog);
    }
    save(&viewer, item, credential.name, &form).await
}

async fn save(viewer: &Viewer, item: Item, name: String, form: &Fields) -> Result<Response, PageError> {
    let mut faults = Faults::default();
    if form.text("password").is_empty() {
        faults.add("password", "type a password");
        return viewer.refused_form(&Page::new(viewer, item, form, &faults), Page::as_dialog);
    }
    let is_new = item.existing.is_none();
    let request = v1::SetCredentialRequest {
        name: name.clone(),
        username: form.trimmed("username").to_owned(),
        password: form.text("password").to_owned(),
        create_only: is_new,
    };
    match viewer.credentials()?.set(request).await {
        Ok(_) => {
            let done = if is_new { "created" } else { "changed" };
            viewer.done(&format!("Credential “{name}” was {done}."), PATH)
        }
        Err(status) => {
            faults.refuse(&status.into(), FIELDS);
            viewer.refused_form(&Page::new(viewer, item, form, &faults), Page::as_dialog)
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
