//! One constant: made, changed, deleted.

use askama::Template;
use axum::extract::Path;
use axum::response::Response;
use orchestrator_proto::v1;

use super::item::Item;
use super::{NAME_HINT, PATH};
use crate::chrome::Chrome;
use crate::error::PageError;
use crate::form::{Fields, Form};
use crate::input::{Faults, Input};
use crate::text::shown_in_line;
use crate::viewer::Viewer;

const KIND: &str = "constant";
const FIELDS: &[&str] = &["name", "value"];

#[derive(Debug, Template)]
#[template(path = "access/constant.html", blocks = ["dialog"])]
struct Page {
    chrome: Chrome,
    item: Item,
    name: Input,
    value: Input,
    general: Vec<String>,
}

impl Page {
    fn new(viewer: &Viewer, item: Item, fields: &Fields, faults: &Faults) -> Self {
        Self {
            chrome: viewer.chrome(PATH, item.title.clone()),
            item,
            name: Input::new("name", "Name", fields, faults).hint(NAME_HINT),
            value: Input::new("value", "Value", fields, faults),
            general: faults.general.clone(),
        }
    }
}

async fn find(viewer: &Viewer, name: String) -> Result<v1::Constant, PageError> {
    let answer = viewer.constants()?.get(v1::GetConstantRequest { name }).await?.into_inner();
    Ok(answer.constant.unwrap_or_default())
}

fn item(viewer: &Viewer, constant: &v1::Constant) -> Item {
    Item::existing(viewer, KIND, &constant.name, constant.changed_at, &constant.changed_by)
}

/// `GET /constants/constant`
pub(crate) async fn ask_new(viewer: Viewer) -> Result<Response, PageError> {
    let page = Page::new(&viewer, Item::new(KIND), &Fields::default(), &Faults::default());
    viewer.dialog(&page, Page::as_dialog)
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
            viewer.refused_form(&Page::new(&viewer, Item::new(KIND), &form, &faults), Page::as_dialog)
        }
    }
}

/// `GET /constants/constant/{name}`
pub(crate) async fn ask(viewer: Viewer, Path(name): Path<String>) -> Result<Response, PageError> {
    let constant = find(&viewer, name).await?;
    let mut fields = Fields::default();
    fields.set("value", &constant.value);
    let page = Page::new(&viewer, item(&viewer, &constant), &fields, &Faults::default());
    viewer.dialog(&page, Page::as_dialog)
}

/// `POST /constants/constant/{name}`
pub(crate) async fn change(viewer: Viewer, Path(name): Path<String>, Form(form): Form) -> Result<Response, PageError> {
    let constant = find(&viewer, name).await?;
    let item = item(&viewer, &constant);
    let mut faults = Faults::default();
    if let Some(who) = item.conflict(&form) {
        let value = shown_in_line(&constant.value);
        faults.general.push(format!("{who} to: {value}. What you typed is kept below; save again to replace it."));
        return viewer.refused_form(&Page::new(&viewer, item, &form, &faults), Page::as_dialog);
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
            viewer.refused_form(&Page::new(&viewer, item, &form, &faults), Page::as_dialog)
        }
    }
}

/// `POST /constants/constant/{name}/delete`
pub(crate) async fn delete(viewer: Viewer, Path(name): Path<String>) -> Result<Response, PageError> {
    viewer.constants()?.delete(v1::DeleteConstantRequest { name: name.clone() }).await?;
    viewer.done(&format!("Constant “{name}” was deleted."), PATH)
}
