//! The first administrator of an installation, with the token that the server wrote.

use askama::Template;
use axum::response::Response;
use orchestrator_core::secret::NewPassword;
use orchestrator_core::text::UserName;
use orchestrator_grpc::accounts::FirstAdmin;

use super::{Visit, accounts, welcome};
use crate::chrome::Chrome;
use crate::error::PageError;
use crate::form::{Fields, Form};
use crate::input::{Faults, Input};
use crate::respond::see_other;
use crate::viewer::Viewer;

const FIELDS: [&str; 3] = ["token", "name", "password"];

#[derive(Debug, Template)]
#[template(path = "sign_in/first.html")]
struct Page {
    chrome: Chrome,
    faults: Faults,
    token: Input,
    name: Input,
    password: Input,
}

impl Page {
    fn new(viewer: &Viewer, fields: &Fields, faults: Faults) -> Self {
        // Secrets are not sent back.
        let hidden = Fields::default();
        Self {
            chrome: viewer.chrome("", "First administrator"),
            token: Input::new("token", "Administrator's token", &hidden, &faults)
                .kind("password")
                .hint("The server wrote it to the file admin.token in its data folder when it first started."),
            name: Input::new("name", "Your name", fields, &faults).hint("With it you sign in from now on."),
            password: Input::new("password", "Password", &hidden, &faults)
                .kind("password")
                .hint("12 to 128 characters, and not your name."),
            faults,
        }
    }
}

/// `GET /login/first`
pub(crate) async fn ask(viewer: Viewer) -> Result<Response, PageError> {
    if !accounts(&viewer).needs_first_admin().await? {
        return Ok(see_other("/login"));
    }
    viewer.page(&Page::new(&viewer, &Fields::default(), Faults::default()))
}

/// `POST /login/first`
pub(crate) async fn create(viewer: Viewer, Visit(visitor): Visit, Form(form): Form) -> Result<Response, PageError> {
    let mut faults = Faults::default();
    let name = UserName::parse(form.trimmed("name")).map_err(|error| faults.add("name", error.to_string())).ok();
    let password = NewPassword::parse(form.trimmed("name"), form.text("password").to_owned());
    let password = password.map_err(|error| faults.add("password", error.to_string())).ok();
    let (Some(name), Some(password)) = (name, password) else {
        return viewer.refused(&Page::new(&viewer, &form, faults));
    };
    let wanted = FirstAdmin { token: form.trimmed("token"), name, password };
    match accounts(&viewer).create_first_admin(wanted, &visitor).await {
        Ok(cookie) => Ok(welcome(cookie, "/")),
        Err(status) => {
            faults.refuse(&PageError::Refused(status.clone()), &FIELDS);
            Ok(super::password::said_no(&status, viewer.refused(&Page::new(&viewer, &form, faults))?))
        }
    }
}
