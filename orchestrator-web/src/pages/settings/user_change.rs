//! One person: role, password, links, sessions.

use askama::Template;
use axum::extract::Path;
use axum::response::Response;
use orchestrator_proto::v1;
use tonic::{Code, Status};

use super::session_row::SessionRow;
use super::{PATH, ROLES};
use crate::chrome::Chrome;
use crate::error::PageError;
use crate::form::{Fields, Form};
use crate::input::{Faults, Input, Select};
use crate::link::encoded;
use crate::pages::confirm::Question;
use crate::text::shown_in_line;
use crate::times::Stamp;
use crate::viewer::Viewer;

const FIELDS: [&str; 3] = ["display_name", "role", "password"];

#[derive(Debug, Template)]
#[template(path = "settings/user.html")]
struct Page {
    chrome: Chrome,
    link: String,
    name: String,
    is_disabled: bool,
    has_password: bool,
    /// The one who looks at it.
    is_self: bool,
    created: Stamp,
    created_by: String,
    changed: Stamp,
    changed_by: String,
    last_sign_in: Stamp,
    password_changed: Stamp,
    /// The state that the form was drawn from.
    version: String,
    faults: Faults,
    display_name: Input,
    role: Select,
    password: Input,
    sessions: Vec<SessionRow>,
    /// A link that was just made, with the address of this server.
    sign_in: Option<String>,
}

/// The user with this id.
async fn find(viewer: &Viewer, id: &str) -> Result<v1::User, PageError> {
    let users = viewer.admin()?.list_users(v1::ListUsersRequest {}).await?.into_inner().users;
    users.into_iter().find(|user| user.id == id).ok_or_else(|| PageError::not_found("there is no such user"))
}

impl Page {
    async fn new(viewer: &Viewer, user: v1::User, typed: Option<&Fields>, faults: Faults) -> Result<Self, PageError> {
        let request = v1::ListSessionsRequest { user: user.id.clone(), all: false };
        let sessions = viewer.admin()?.list_sessions(request).await?.into_inner().sessions;
        let mut stored = Fields::default();
        stored.set("display_name", &user.display_name);
        stored.set("role", &user.role);
        let fields = typed.unwrap_or(&stored);
        // What was typed belongs to the state that it was typed over.
        let version = typed.map_or_else(|| version(&user), |typed| typed.text("version").to_owned());
        Ok(Self {
            chrome: viewer.chrome(PATH, format!("User {}", shown_in_line(&user.name))),
            link: format!("/settings/users/{}", encoded(&user.id)),
            name: shown_in_line(&user.name),
            is_disabled: user.disabled_at.is_some(),
            has_password: user.has_password,
            is_self: viewer.person().is_some_and(|person| person.to_string() == user.id),
            created: viewer.stamp(user.created_at),
            created_by: shown_in_line(&user.created_by),
            changed: viewer.stamp(user.changed_at),
            changed_by: shown_in_line(&user.changed_by),
            last_sign_in: viewer.stamp(user.last_sign_in_at),
            password_changed: viewer.stamp(user.password_changed_at),
            version,
            display_name: Input::new("display_name", "Called", fields, &faults),
            role: Select::new("role", "Role", &ROLES, fields, &faults).hint("Another role ends the user's sessions."),
            password: Input::new("password", "New password", &Fields::default(), &faults)
                .kind("password")
                .hint("12 to 128 characters. The user's sessions end."),
            faults,
            sessions: sessions.into_iter().map(|session| SessionRow::new(session, viewer)).collect(),
            sign_in: None,
        })
    }
}

fn version(user: &v1::User) -> String {
    user.changed_at.map(|at| format!("{}.{:09}", at.seconds, at.nanos)).unwrap_or_default()
}

fn read_version(text: &str) -> Option<prost_types::Timestamp> {
    let (seconds, nanos) = text.split_once('.')?;
    Some(prost_types::Timestamp { seconds: seconds.parse().ok()?, nanos: nanos.parse().ok()? })
}

fn back(id: &str) -> String {
    format!("/settings/users/{}", encoded(id))
}

/// `GET /settings/users/{user}`
pub(crate) async fn show(viewer: Viewer, Path(id): Path<String>) -> Result<Response, PageError> {
    let user = find(&viewer, &id).await?;
    viewer.page(&Page::new(&viewer, user, None, Faults::default()).await?)
}

/// `POST /settings/users/{user}`
pub(crate) async fn update(viewer: Viewer, Path(id): Path<String>, Form(form): Form) -> Result<Response, PageError> {
    let user = find(&viewer, &id).await?;
    let request = v1::UpdateUserRequest {
        user: id.clone(),
        role: Some(form.text("role").to_owned()),
        display_name: Some(form.trimmed("display_name").to_owned()),
        disabled: None,
        changed_at: read_version(form.text("version")),
    };
    match viewer.admin()?.update_user(request).await {
        Ok(_) => Ok(viewer.moved_with(&back(&id), &format!("User \u{201c}{}\u{201d} is changed.", user.name))),
        Err(status) => refuse(&viewer, user, &form, status).await,
    }
}

/// Draws the form again with what was typed. After a change by someone else it goes on from the state of now.
async fn refuse(viewer: &Viewer, user: v1::User, form: &Fields, status: Status) -> Result<Response, PageError> {
    let mut typed = form.clone();
    if status.code() == Code::Aborted {
        typed.set("version", &version(&user));
    }
    let mut faults = Faults::default();
    faults.refuse(&PageError::from(status), &FIELDS);
    viewer.refused(&Page::new(viewer, user, Some(&typed), faults).await?)
}

/// `POST /settings/users/{user}/password`
pub(crate) async fn set_password(
    viewer: Viewer,
    Path(id): Path<String>,
    Form(form): Form,
) -> Result<Response, PageError> {
    let user = find(&viewer, &id).await?;
    let request = v1::SetPasswordRequest {
        user: id.clone(),
        password: form.text("password").to_owned(),
        old_password: form.text("old_password").to_owned(),
    };
    match viewer.admin()?.set_password(request).await {
        Ok(_) => {
            let message = format!("The password of \u{201c}{}\u{201d} is set; its sessions have ended.", user.name);
            Ok(viewer.moved_with(&back(&id), &message))
        }
        Err(status) => {
            let mut faults = Faults::default();
            faults.refuse(&PageError::from(status), &FIELDS);
            viewer.refused(&Page::new(&viewer, user, None, faults).await?)
        }
    }
}

/// `POST /settings/users/{user}/disable`
pub(crate) async fn disable(viewer: Viewer, Path(id): Path<String>) -> Result<Response, PageError> {
    set_disabled(&viewer, id, true).await
}

/// `POST /settings/users/{user}/enable`
pub(crate) async fn enable(viewer: Viewer, Path(id): Path<String>) -> Result<Response, PageError> {
    set_disabled(&viewer, id, false).await
}

async fn set_disabled(viewer: &Viewer, id: String, disabled: bool) -> Result<Response, PageError> {
    let request = v1::UpdateUserRequest { user: id.clone(), disabled: Some(disabled), ..Default::default() };
    let user = viewer.admin()?.update_user(request).await?.into_inner().user.unwrap_or_default();
    let what = if disabled { "may not sign in any more; its sessions have ended" } else { "may sign in again" };
    Ok(viewer.moved_with(&back(&id), &format!("User \u{201c}{}\u{201d} {what}.", user.name)))
}

/// `GET /settings/users/{user}/delete`
pub(crate) async fn ask_delete(viewer: Viewer, Path(id): Path<String>) -> Result<Response, PageError> {
    let name = shown_in_line(&find(&viewer, &id).await?.name);
    viewer.ask(Question {
        tab: PATH,
        text: format!("Delete user \u{201c}{name}\u{201d}?"),
        consequence:
            "Its sessions end at once, and it cannot sign in any more. What it did and made keeps its name. This \
                      cannot be undone; a user who is disabled instead can come back."
                .to_owned(),
        action: format!("{}/delete", back(&id)),
        submit: format!("Delete user {name}"),
        back: back(&id),
    })
}

/// `POST /settings/users/{user}/delete`
pub(crate) async fn delete(viewer: Viewer, Path(id): Path<String>) -> Result<Response, PageError> {
    let request = v1::DeleteUserRequest { user: id, oneself: false };
    let user = viewer.admin()?.delete_user(request).await?.into_inner().user.unwrap_or_default();
    let message = format!("User \u{201c}{}\u{201d} is deleted. What it did keeps its name.", user.name);
    Ok(viewer.moved_with("/settings/users", &message))
}

/// `POST /settings/users/{user}/sign-out`
pub(crate) async fn sign_out(viewer: Viewer, Path(id): Path<String>) -> Result<Response, PageError> {
    let request = v1::EndSessionsRequest { user: id.clone(), ..Default::default() };
    let ended = viewer.admin()?.end_sessions(request).await?.into_inner().ended;
    let sessions =
        if ended == 1 { "One session has ended.".to_owned() } else { format!("{ended} sessions have ended.") };
    Ok(viewer.moved_with(&back(&id), &sessions))
}

/// `POST /settings/users/{user}/link`
pub(crate) async fn make_link(viewer: Viewer, Path(id): Path<String>) -> Result<Response, PageError> {
    let request = v1::CreateSignInLinkRequest { user: id.clone() };
    let path = viewer.admin()?.create_sign_in_link(request).await?.into_inner().path;
    let page = Page::new(&viewer, find(&viewer, &id).await?, None, Faults::default()).await?;
    viewer.page(&Page { sign_in: Some(format!("{}{path}", viewer.origin)), ..page })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_of_a_user_survives_the_form_to_the_last_digit() {
        let at = prost_types::Timestamp { seconds: 1_800_000_000, nanos: 1_000 };
        let user = v1::User { changed_at: Some(at), ..Default::default() };
        assert_eq!(read_version(&version(&user)), Some(at));
        assert_eq!(read_version(""), None);
    }
}
