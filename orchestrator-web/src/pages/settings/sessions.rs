//! Everyone's sessions.

use askama::Template;
use axum::extract::Path;
use axum::response::Response;
use orchestrator_proto::v1;

use super::PATH;
use super::session_row::SessionRow;
use crate::chrome::Chrome;
use crate::error::PageError;
use crate::form::Form;
use crate::viewer::Viewer;

const HERE: &str = "/settings/sessions";

#[derive(Debug, Template)]
#[template(path = "settings/sessions.html", blocks = ["list"])]
struct Page {
    chrome: Chrome,
    part: &'static str,
    sessions: Vec<SessionRow>,
}

/// `GET /settings/sessions`
pub(crate) async fn show(viewer: Viewer) -> Result<Response, PageError> {
    let request = v1::ListSessionsRequest { all: true, ..Default::default() };
    let answer = viewer.admin()?.list_sessions(request).await?.into_inner();
    let page = Page {
        chrome: viewer.chrome(PATH, "Sessions"),
        part: "sessions",
        sessions: answer.sessions.into_iter().map(|session| SessionRow::new(session, &viewer)).collect(),
    };
    viewer.live(&page, &page.as_list(), HERE)
}

/// `POST /settings/sessions/{session}/end`
pub(crate) async fn end(viewer: Viewer, Path(session): Path<String>, Form(form): Form) -> Result<Response, PageError> {
    let user = form.text("user").to_owned();
    viewer.admin()?.end_sessions(v1::EndSessionsRequest { user: user.clone(), session, keep_current: false }).await?;
    viewer.done(&format!("The session of \u{201c}{user}\u{201d} has ended."), HERE)
}
