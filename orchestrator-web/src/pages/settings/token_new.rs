//! Making a token. Its secret is shown on the answer, once.

use askama::Template;
use axum::response::Response;
use orchestrator_proto::v1;

use super::{PATH, ROLES};
use crate::chrome::Chrome;
use crate::error::PageError;
use crate::form::{Fields, Form};
use crate::input::{Faults, Input, Select};
use crate::text::shown_in_line;
use crate::times::parse_duration;
use crate::viewer::Viewer;

const FIELDS: [&str; 4] = ["kind", "name", "role", "lifetime"];
const KINDS: [(&str, &str); 2] = [("USER", "A person or a script"), ("WORKER", "A worker")];

#[derive(Debug, Template)]
#[template(path = "settings/token_new.html")]
struct Page {
    chrome: Chrome,
    part: &'static str,
    faults: Faults,
    kind: Select,
    name: Input,
    role: Select,
    lifetime: Input,
}

impl Page {
    fn new(viewer: &Viewer, fields: &Fields, faults: Faults) -> Self {
        Self {
            chrome: viewer.chrome(PATH, "New token"),
            part: "tokens",
            kind: Select::new("kind", "For", &KINDS, fields, &faults),
            name: Input::new("name", "Name", fields, &faults)
                .hint("Whom the audit trail names. For a worker: the name it works under."),
            role: Select::new("role", "Role", &ROLES, fields, &faults)
                .hint("Of a person or a script; a worker has none."),
            lifetime: Input::new("lifetime", "Good for", fields, &faults).hint("Such as 90 d. For ever when empty."),
            faults,
        }
    }
}

#[derive(Debug, Template)]
#[template(path = "settings/token_made.html")]
struct Made {
    chrome: Chrome,
    part: &'static str,
    name: String,
    secret: String,
    /// What to type on the robot machine, for a worker's.
    command: Option<String>,
}

/// `GET /settings/tokens/new`
pub(crate) async fn ask(viewer: Viewer) -> Result<Response, PageError> {
    let mut fields = Fields::default();
    fields.set("role", "OPERATOR");
    viewer.page(&Page::new(&viewer, &fields, Faults::default()))
}

/// `POST /settings/tokens/new`
pub(crate) async fn create(viewer: Viewer, Form(form): Form) -> Result<Response, PageError> {
    let mut faults = Faults::default();
    let is_worker = form.text("kind") == "WORKER";
    let typed = form.trimmed("lifetime");
    let lifetime = parse_duration(typed).map(|seconds| prost_types::Duration { seconds, nanos: 0 });
    if lifetime.is_none() && !typed.is_empty() {
        faults.add("lifetime", format!("\u{201c}{typed}\u{201d} is no duration; type 90 d, 12 h or nothing"));
    }
    if !faults.is_empty() {
        return viewer.refused(&Page::new(&viewer, &form, faults));
    }
    let request = v1::CreateTokenRequest {
        kind: form.text("kind").to_owned(),
        name: form.trimmed("name").to_owned(),
        role: if is_worker { String::new() } else { form.text("role").to_owned() },
        lifetime,
    };
    match viewer.admin()?.create_token(request).await {
        Ok(answer) => {
            let answer = answer.into_inner();
            let origin = &viewer.origin;
            viewer.page(&Made {
                chrome: viewer.chrome(PATH, "New token"),
                part: "tokens",
                name: shown_in_line(&answer.token.unwrap_or_default().name),
                command: is_worker.then(|| format!("orchestrator-worker start --server {origin} --token-file FILE")),
                secret: answer.secret,
            })
        }
        Err(status) => {
            faults.refuse(&PageError::from(status), &FIELDS);
            viewer.refused(&Page::new(&viewer, &form, faults))
        }
    }
}
