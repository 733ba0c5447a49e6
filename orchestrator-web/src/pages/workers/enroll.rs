//! A token for a new worker, with the one line that starts it.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, header};
use orchestrator_proto::v1;

use crate::app::App;
use crate::chrome::Chrome;
use crate::error::PageError;
use crate::form::{Fields, Form};
use crate::input::{Faults, Input};
use crate::text::shown_in_line;
use crate::viewer::Viewer;

#[derive(Debug, Template)]
#[template(path = "workers/enroll.html", blocks = ["dialog"])]
struct Page {
    chrome: Chrome,
    name: Input,
    faults: Vec<String>,
    made: Option<Made>,
}

/// What is shown once.
#[derive(Debug)]
struct Made {
    name: String,
    secret: String,
    unix: String,
    windows: String,
}

impl Page {
    fn new(viewer: &Viewer, fields: &Fields, faults: &Faults) -> Self {
        Self {
            chrome: viewer.chrome(super::PATH, "New worker"),
            name: Input::new("name", "Machine Name", fields, faults)
                .hint("What triggers and jobs call it; usually the machine\u{2019}s own name."),
            faults: faults.general.clone(),
            made: None,
        }
    }

    fn answer(&self, viewer: &Viewer) -> Result<Response, PageError> {
        viewer.dialog(self, Self::as_dialog)
    }
}

/// `GET /workers/enroll`
pub(crate) async fn ask(viewer: Viewer) -> Result<Response, PageError> {
    Page::new(&viewer, &Fields::default(), &Faults::default()).answer(&viewer)
}

/// `POST /workers/enroll`
pub(crate) async fn enroll(
    viewer: Viewer,
    State(app): State<App>,
    headers: HeaderMap,
    Form(fields): Form,
) -> Result<Response, PageError> {
    let name = fields.trimmed("name").to_owned();
    let request = v1::CreateTokenRequest { kind: "WORKER".to_owned(), name, ..v1::CreateTokenRequest::default() };
    match viewer.admin()?.create_token(request).await {
        Ok(answer) => {
            let answer = answer.into_inner();
            let server = server(&headers, app.inside().tls);
            let mut page = Page::new(&viewer, &fields, &Faults::default());
            page.made = Some(Made {
                name: shown_in_line(&answer.token.unwrap_or_default().name),
                unix: format!(
                    "ORCHESTRATOR_WORKER_TOKEN={} orchestrator-worker start --server {server}",
                    answer.secret
                ),
                windows: format!(
                    "$env:ORCHESTRATOR_WORKER_TOKEN=\"{}\"; orchestrator-worker start --server {server}",
                    answer.secret
                ),
                secret: answer.secret,
            });
            page.answer(&viewer)
        }
        Err(status) if status.code() == tonic::Code::InvalidArgument => {
            let mut faults = Faults::default();
            faults.refuse(&status.into(), &["name"]);
            Page::new(&viewer, &fields, &faults).answer(&viewer)
        }
        Err(status) => Err(status.into()),
    }
}

/// The server's address as this browser knows it. The gate has checked that it is one of the server's names.
fn server(headers: &HeaderMap, tls: bool) -> String {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("SERVER:8420");
    let is_plain = host.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | ':' | '-' | '[' | ']' | '_'));
    let host = if is_plain { host } else { "SERVER:8420" };
    format!("{}://{host}", if tls { "https" } else { "http" })
}
