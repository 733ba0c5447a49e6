//! What goes wrong, as a page.

use askama::Template;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::app::App;
use crate::chrome::Chrome;
use crate::viewer::Viewer;

/// Why there is no page. Handlers return it; the guard in front of them, which knows the viewer, draws it.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum PageError {
    /// Nobody is signed in.
    #[error("nobody is signed in")]
    SignedOut,
    /// A service said no.
    #[error("{}", .0.message())]
    Refused(Status),
    /// The page could not be drawn: a mistake of ours.
    #[error("the page could not be drawn")]
    Undrawn,
}

impl From<Status> for PageError {
    fn from(status: Status) -> Self {
        Self::Refused(status)
    }
}

impl From<askama::Error> for PageError {
    fn from(error: askama::Error) -> Self {
        tracing::error!(error = %error, "a page could not be drawn");
        Self::Undrawn
    }
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        let mut response = self.code().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl PageError {
    pub(crate) fn not_found(what: &str) -> Self {
        Self::Refused(Status::new(Code::NotFound, what))
    }

    pub(crate) fn code(&self) -> StatusCode {
        match self {
            Self::SignedOut => StatusCode::UNAUTHORIZED,
            Self::Undrawn => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Refused(status) => match status.code() {
                Code::InvalidArgument | Code::OutOfRange => StatusCode::UNPROCESSABLE_ENTITY,
                Code::NotFound => StatusCode::NOT_FOUND,
                Code::AlreadyExists | Code::Aborted | Code::FailedPrecondition => StatusCode::CONFLICT,
                Code::PermissionDenied => StatusCode::FORBIDDEN,
                Code::Unauthenticated => StatusCode::UNAUTHORIZED,
                Code::ResourceExhausted => StatusCode::TOO_MANY_REQUESTS,
                Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled => StatusCode::SERVICE_UNAVAILABLE,
                _ => StatusCode::INTERNAL_SERVER_ERROR,
            },
        }
    }

    /// A headline for people.
    pub(crate) fn headline(&self) -> &'static str {
        match self.code() {
            StatusCode::NOT_FOUND => "Not found",
            StatusCode::FORBIDDEN => "Not allowed",
            StatusCode::UNAUTHORIZED => "Signed out",
            StatusCode::UNPROCESSABLE_ENTITY => "Not accepted",
            StatusCode::CONFLICT => "Changed meanwhile",
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => "Not available right now",
            _ => "Something broke",
        }
    }

    /// The stable code of a refusal, such as `ROLE_TOO_LOW`.
    pub(crate) fn reason(&self) -> String {
        match self {
            Self::Refused(status) => {
                status.get_error_details().error_info().map(|info| info.reason.clone()).unwrap_or_default()
            }
            Self::SignedOut | Self::Undrawn => String::new(),
        }
    }

    /// The field that was refused, if it was one.
    pub(crate) fn field(&self) -> Option<String> {
        match self {
            Self::Refused(status) => status.get_error_details().error_info()?.metadata.get("field").cloned(),
            Self::SignedOut | Self::Undrawn => None,
        }
    }
}

/// The page that says so.
#[derive(Debug, Template)]
#[template(path = "error.html")]
struct ErrorPage {
    chrome: Chrome,
    headline: &'static str,
    message: String,
    reason: String,
}

impl Viewer {
    /// Says what went wrong: as a page, or as a word on the page that asked.
    pub(crate) fn fail(&self, error: &PageError) -> Response {
        if matches!(error.code(), StatusCode::UNAUTHORIZED) {
            return self.to_sign_in();
        }
        let message = sentence(&error.to_string());
        if self.by_script {
            return self.problem(error.code(), &message);
        }
        let page = ErrorPage {
            chrome: self.chrome("", error.headline()),
            headline: error.headline(),
            message,
            reason: error.reason(),
        };
        match page.render() {
            Ok(html) => (error.code(), axum::response::Html(html)).into_response(),
            Err(_) => error.code().into_response(),
        }
    }
}

/// A message as the beginning of a sentence.
pub(crate) fn capital(message: &str) -> String {
    let mut characters = message.chars();
    let Some(first) = characters.next() else { return String::new() };
    first.to_uppercase().chain(characters).collect()
}

/// A message as a sentence: services speak in fragments.
pub(crate) fn sentence(message: &str) -> String {
    let text = capital(message);
    if text.is_empty() || text.ends_with(['.', '!', '?', ':']) { text } else { format!("{text}.") }
}

/// The fallback: addresses that lead nowhere.
pub(crate) async fn nothing_there(State(app): State<App>, request: Request) -> Response {
    let (mut parts, _) = request.into_parts();
    let viewer = Viewer::from_parts(&mut parts, &app);
    viewer.fail(&PageError::not_found("there is no page at this address"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_of_services_become_sentences() {
        assert_eq!(sentence("the name is taken"), "The name is taken.");
        assert_eq!(sentence("Why?"), "Why?");
        assert_eq!(sentence(""), "");
    }
}
