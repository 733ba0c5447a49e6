//! Making a person who may sign in.

use askama::Template;
use axum::response::Response;
use orchestrator_proto::v1;

use super::{PATH, ROLES};
use crate::chrome::Chrome;
use crate::error::PageError;
use crate::form::{Fields, Form};
use crate::input::{Faults, Input, Select};
use crate::link::encoded;
use crate::viewer::Viewer;

const FIELDS: [&str; 4] = ["name", "display_name", "role", "password"];

#[derive(Debug, Template)]
#[template(path = "settings/user_new.html")]
struct Page {
    chrome: Chrome,
    part: &'static str,
    faults: Faults,
    name: Input,
    display_name: Input,
    role: Select,
    password: Input,
}

impl Page {
    fn new(viewer: &Viewer, fields: &Fields, faults: Faults) -> Self {
        Self {
            chrome: viewer.chrome(PATH, "New user"),
            part: "users",
            name: Input::new("name", "Name", fields, &faults).hint("To sign in with. Case does not matter."),
            display_name: Input::new("display_name", "Called", fields, &faults)
                .hint("What pages call the person; the name when empty."),
            role: Select::new("role", "Role", &ROLES, fields, &faults),
            // A secret is not sent back.
            password: Input::new("password", "Password", &Fields::default(), &faults).kind("password").hint(
                "12 to 128 characters. Leave it empty and make a link with which the person signs in and sets one.",
            ),
            faults,
        }
    }
}

/// `GET /settings/users/new`
pub(crate) async fn ask(viewer: Viewer) -> Result<Response, PageError> {
    let mut fields = Fields::default();
    fields.set("role", "OPERATOR");
    viewer.page(&Page::new(&viewer, &fields, Faults::default()))
}

/// `POST /settings/users/new`
pub(crate) async fn create(viewer: Viewer, Form(form): Form) -> Result<Response, PageError> {
    let request = v1::CreateUserRequest {
        name: form.trimmed("name").to_owned(),
        display_name: form.trimmed("display_name").to_owned(),
        role: form.text("role").to_owned(),
        password: form.text("password").to_owned(),
    };
    match viewer.admin()?.create_user(request).await {
        Ok(answer) => {
            let user = answer.into_inner().user.unwrap_or_default();
            let to = format!("/settings/users/{}", encoded(&user.id));
            Ok(viewer.moved_with(&to, &format!("User \u{201c}{}\u{201d} is made.", user.name)))
        }
        Err(status) => {
            let mut faults = Faults::default();
            faults.refuse(&PageError::from(status), &FIELDS);
            viewer.refused(&Page::new(&viewer, &form, faults))
        }
    }
}
