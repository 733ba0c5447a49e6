//! Links that sign in once. Opening one shows whom it would sign in; only the button uses it up, so that a program which
//! looks at links in mails does not.

use askama::Template;
use axum::response::Response;

use super::{Visit, accounts, welcome};
use crate::chrome::Chrome;
use crate::error::{PageError, sentence};
use crate::form::Form;
use crate::link::safe_return;
use crate::text::shown_in_line;
use crate::viewer::Viewer;

#[derive(Debug, Template)]
#[template(path = "sign_in/link.html")]
struct Page {
    chrome: Chrome,
    /// Whom it signs in; nobody when it is over.
    user: Option<String>,
    refusal: Option<String>,
    link: String,
    next: String,
}

/// `GET /login?t=…`
pub(super) async fn ask(viewer: &Viewer, link: &str, next: &str) -> Result<Response, PageError> {
    let user = accounts(viewer).link_user(link).await?;
    viewer.page(&Page {
        chrome: viewer.chrome("", "Sign in"),
        user: user.map(|name| shown_in_line(name.as_str())),
        refusal: None,
        link: link.to_owned(),
        next: next.to_owned(),
    })
}

/// `POST /login/link`
pub(crate) async fn redeem(viewer: Viewer, Visit(visitor): Visit, Form(form): Form) -> Result<Response, PageError> {
    let next = safe_return(form.text("next"));
    match accounts(&viewer).redeem_link(form.text("t"), &visitor).await {
        Ok(cookie) => Ok(welcome(cookie, next)),
        Err(status) => {
            let page = Page {
                chrome: viewer.chrome("", "Sign in"),
                user: None,
                refusal: Some(sentence(status.message())),
                link: String::new(),
                next: next.to_owned(),
            };
            Ok(super::password::said_no(&status, viewer.refused(&page)?))
        }
    }
}
