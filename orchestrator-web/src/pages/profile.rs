//! One's own account: password and sessions.

use askama::Template;
use axum::Extension;
use axum::extract::Path;
use axum::response::Response;
use orchestrator_grpc::accounts::SignedIn;
use orchestrator_proto::v1;

use super::settings::session_row::SessionRow;
use crate::chrome::Chrome;
use crate::error::PageError;
use crate::form::{Fields, Form};
use crate::input::{Faults, Input};
use crate::status::word;
use crate::text::shown_in_line;
use crate::viewer::Viewer;

const PATH: &str = "/profile";
const FIELDS: [&str; 2] = ["old_password", "password"];

#[derive(Debug, Template)]
#[template(path = "profile.html", blocks = ["sessions"])]
struct Page {
    chrome: Chrome,
    name: String,
    shown_name: String,
    role: String,
    has_password: bool,
    faults: Faults,
    old_password: Input,
    password: Input,
    sessions: Vec<SessionRow>,
    others: usize,
}

impl Page {
    async fn new(viewer: &Viewer, who: &SignedIn, faults: Faults) -> Result<Self, PageError> {
        let answer = viewer.admin()?.list_sessions(v1::ListSessionsRequest::default()).await?.into_inner();
        let sessions: Vec<SessionRow> =
            answer.sessions.into_iter().map(|session| SessionRow::new(session, viewer)).collect();
        // Secrets are not sent back.
        let hidden = Fields::default();
        Ok(Self {
            chrome: viewer.chrome(PATH, "Your account"),
            name: shown_in_line(who.name.as_str()),
            shown_name: shown_in_line(who.shown_name()),
            role: word(who.role.as_str()),
            has_password: who.has_password,
            old_password: Input::new("old_password", "Password until now", &hidden, &faults).kind("password"),
            password: Input::new("password", "New password", &hidden, &faults)
                .kind("password")
                .hint("12 to 128 characters, and not your name. Your other sessions end."),
            faults,
            others: sessions.iter().filter(|session| !session.is_current).count(),
            sessions,
        })
    }
}

/// `GET /profile`
pub(crate) async fn show(viewer: Viewer, Extension(who): Extension<SignedIn>) -> Result<Response, PageError> {
    let page = Page::new(&viewer, &who, Faults::default()).await?;
    viewer.live(&page, &page.as_sessions(), PATH)
}

/// `POST /profile/password`
pub(crate) async fn set_password(
    viewer: Viewer,
    Extension(who): Extension<SignedIn>,
    Form(form): Form,
) -> Result<Response, PageError> {
    let mut faults = Faults::default();
    if form.text("password") != form.text("again") {
        faults.add("password", "the two new passwords are not the same");
        return viewer.refused(&Page::new(&viewer, &who, faults).await?);
    }
    let request = v1::SetPasswordRequest {
        user: String::new(),
        password: form.text("password").to_owned(),
        old_password: form.text("old_password").to_owned(),
    };
    match viewer.admin()?.set_password(request).await {
        Ok(_) => viewer.done("Your password is set. Your other sessions have ended.", PATH),
        Err(status) => {
            faults.refuse(&PageError::from(status), &FIELDS);
            viewer.refused(&Page::new(&viewer, &who, faults).await?)
        }
    }
}

/// `POST /profile/sign-out-others`
pub(crate) async fn sign_out_others(viewer: Viewer) -> Result<Response, PageError> {
    let request = v1::EndSessionsRequest { keep_current: true, ..Default::default() };
    let ended = viewer.admin()?.end_sessions(request).await?.into_inner().ended;
    let message = match ended {
        0 => "There was no other session.".to_owned(),
        1 => "One other session has ended.".to_owned(),
        count => format!("{count} other sessions have ended."),
    };
    viewer.done(&message, PATH)
}

/// `POST /profile/sessions/{session}/end`
pub(crate) async fn end_session(viewer: Viewer, Path(session): Path<String>) -> Result<Response, PageError> {
    let request = v1::EndSessionsRequest { session, ..Default::default() };
    viewer.admin()?.end_sessions(request).await?;
    viewer.done("The session has ended.", PATH)
}
