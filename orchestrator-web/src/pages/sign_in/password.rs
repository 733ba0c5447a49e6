//! The sign-in page.

use askama::Template;
use axum::Extension;
use axum::response::Response;
use http::{StatusCode, header};
use orchestrator_core::secret::Plaintext;
use orchestrator_grpc::accounts::{SessionOver, SignedIn};

use super::{Visit, accounts, welcome};
use crate::chrome::Chrome;
use crate::error::{PageError, sentence};
use crate::form::{Form, Query};
use crate::link::safe_return;
use crate::respond::see_other;
use crate::viewer::Viewer;

#[derive(Debug, Template)]
#[template(path = "sign_in/password.html")]
struct Page {
    chrome: Chrome,
    /// Their session has ended, which is why they are here.
    is_over: bool,
    refusal: Option<String>,
    name: String,
    next: String,
    /// No administrator can sign in with a password yet.
    needs_first_admin: bool,
}

impl Page {
    async fn new(viewer: &Viewer, next: &str) -> Result<Self, PageError> {
        Ok(Self {
            chrome: viewer.chrome("", "Sign in"),
            is_over: false,
            refusal: None,
            name: String::new(),
            next: safe_return(next).to_owned(),
            needs_first_admin: accounts(viewer).needs_first_admin().await?,
        })
    }
}

/// `GET /login`
pub(crate) async fn ask(
    viewer: Viewer,
    Query(query): Query,
    who: Option<Extension<SignedIn>>,
    over: Option<Extension<SessionOver>>,
) -> Result<Response, PageError> {
    let next = safe_return(query.text("next"));
    let link = query.text("t");
    if !link.is_empty() {
        return super::link::ask(&viewer, link, next).await;
    }
    if who.is_some() {
        return Ok(see_other(next));
    }
    let page = Page { is_over: over.is_some(), ..Page::new(&viewer, next).await? };
    let mut response = viewer.page(&page)?;
    if over.is_some() {
        // The message is said once.
        let cookie = accounts(&viewer).no_cookie().into_header();
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

/// `POST /login`
pub(crate) async fn sign_in(viewer: Viewer, Visit(visitor): Visit, Form(form): Form) -> Result<Response, PageError> {
    let (name, next) = (form.trimmed("name"), safe_return(form.text("next")));
    let password = Plaintext::new(form.text("password").to_owned());
    match accounts(&viewer).sign_in(name, password, &visitor).await {
        Ok(cookie) => Ok(welcome(cookie, next)),
        Err(status) => {
            let refusal = Some(sentence(status.message()));
            let page = Page { refusal, name: name.to_owned(), ..Page::new(&viewer, next).await? };
            Ok(said_no(&status, viewer.refused(&page)?))
        }
    }
}

/// A refusal with the code that fits.
pub(super) fn said_no(status: &tonic::Status, mut response: Response) -> Response {
    if status.code() == tonic::Code::ResourceExhausted {
        *response.status_mut() = StatusCode::TOO_MANY_REQUESTS;
    }
    response
}
