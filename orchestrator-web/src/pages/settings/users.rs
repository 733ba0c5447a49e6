//! The list of people who may sign in.

use askama::Template;
use axum::response::Response;
use orchestrator_proto::v1;

use super::PATH;
use crate::chrome::Chrome;
use crate::error::PageError;
use crate::link::encoded;
use crate::status::word;
use crate::text::shown_in_line;
use crate::times::Stamp;
use crate::viewer::Viewer;

#[derive(Debug, Template)]
#[template(path = "settings/users.html", blocks = ["list"])]
struct Page {
    chrome: Chrome,
    part: &'static str,
    users: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    id: String,
    name: String,
    display_name: String,
    role: String,
    link: String,
    has_password: bool,
    is_disabled: bool,
    last_sign_in: Stamp,
}

impl Row {
    fn new(user: v1::User, viewer: &Viewer) -> Self {
        Self {
            name: shown_in_line(&user.name),
            display_name: shown_in_line(&user.display_name),
            role: word(&user.role),
            link: format!("/settings/users/{}", encoded(&user.id)),
            has_password: user.has_password,
            is_disabled: user.disabled_at.is_some(),
            last_sign_in: viewer.stamp(user.last_sign_in_at),
            id: user.id,
        }
    }
}

/// `GET /settings/users`
pub(crate) async fn show(viewer: Viewer) -> Result<Response, PageError> {
    let answer = viewer.admin()?.list_users(v1::ListUsersRequest {}).await?.into_inner();
    let page = Page {
        chrome: viewer.chrome(PATH, "Users"),
        part: "users",
        users: answer.users.into_iter().map(|user| Row::new(user, &viewer)).collect(),
    };
    viewer.live(&page, &page.as_list(), "/settings/users")
}
