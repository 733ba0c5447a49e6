//! Answers: a page, a part of one, the word after a change.

use askama::Template;
use axum::response::{Html, IntoResponse as _, Response};
use http::{HeaderName, HeaderValue, StatusCode, header};

use crate::error::{PageError, sentence};
use crate::flash::Flash;
use crate::link::{Link, safe_return};
use crate::viewer::Viewer;

const REDIRECT: HeaderName = HeaderName::from_static("hx-redirect");
const REPLACE_URL: HeaderName = HeaderName::from_static("hx-replace-url");
const RETARGET: HeaderName = HeaderName::from_static("hx-retarget");
const RESWAP: HeaderName = HeaderName::from_static("hx-reswap");
const TRIGGER: HeaderName = HeaderName::from_static("hx-trigger");

/// A word at the edge of the page.
#[derive(Debug, Template)]
#[template(path = "toast.html")]
struct Toast {
    flash: Flash,
}

/// A word that stays until the next answer that went well.
#[derive(Debug, Template)]
#[template(path = "problem.html")]
struct Problem<'a> {
    message: &'a str,
}

impl Viewer {
    /// A whole page, or a part of one.
    pub(crate) fn page(&self, template: &impl Template) -> Result<Response, PageError> {
        let mut response = Html(template.render()?).into_response();
        if self.flash.is_some() && !self.wants_part {
            response.headers_mut().append(header::SET_COOKIE, Flash::spent());
        }
        Ok(response)
    }

    /// A page with a live part: the part alone when that is asked for. It lives at `address`, which the browser then shows
    /// as where it is.
    pub(crate) fn live(
        &self,
        page: &impl Template,
        part: &impl Template,
        address: &str,
    ) -> Result<Response, PageError> {
        if !self.wants_part {
            return self.page(page);
        }
        let mut response = Html(part.render()?).into_response();
        if let Ok(address) = HeaderValue::from_str(address) {
            response.headers_mut().insert(REPLACE_URL, address);
        }
        Ok(response)
    }

    /// A page with a form that was not accepted, with what was typed and why.
    #[expect(clippy::unused_self, reason = "reads like the other answers")]
    pub(crate) fn refused(&self, template: &impl Template) -> Result<Response, PageError> {
        Ok((StatusCode::UNPROCESSABLE_ENTITY, Html(template.render()?)).into_response())
    }

    /// A page that may stand in a dialog of another page: then what is in the dialog alone.
    pub(crate) fn dialog<'page, Whole: Template, Part: Template>(
        &self,
        page: &'page Whole,
        part: impl FnOnce(&'page Whole) -> Part,
    ) -> Result<Response, PageError> {
        if self.wants_part { self.page(&part(page)) } else { self.page(page) }
    }

    /// A form that was refused and may stand in a dialog.
    pub(crate) fn refused_form<'page, Whole: Template, Part: Template>(
        &self,
        page: &'page Whole,
        part: impl FnOnce(&'page Whole) -> Part,
    ) -> Result<Response, PageError> {
        if self.by_script { self.refused(&part(page)) } else { self.refused(page) }
    }

    /// Says that a change was made. On a page with script that is a word at its edge, and the page hears of the change
    /// by a tick; otherwise the browser goes to `back`, which says it.
    pub(crate) fn done(&self, message: &str, back: &str) -> Result<Response, PageError> {
        if !self.by_script {
            return Ok(Self::moved(back, &Flash::done(message)));
        }
        let mut response = Html(Toast { flash: Flash::done(message) }.render()?).into_response();
        let headers = response.headers_mut();
        headers.insert(RETARGET, HeaderValue::from_static("#toasts"));
        headers.insert(RESWAP, HeaderValue::from_static("beforeend"));
        headers.insert(TRIGGER, HeaderValue::from_static("done"));
        Ok(response)
    }

    /// Goes to another page, which says the word.
    pub(crate) fn moved_with(&self, to: &str, message: &str) -> Response {
        let mut response = Self::moved(to, &Flash::done(message));
        if self.by_script {
            *response.status_mut() = StatusCode::OK;
            if let Some(to) = response.headers_mut().remove(header::LOCATION) {
                response.headers_mut().insert(REDIRECT, to);
            }
        }
        response
    }

    fn moved(to: &str, flash: &Flash) -> Response {
        let mut response = see_other(to);
        if let Some(cookie) = flash.cookie() {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
        response
    }

    /// What went wrong, for a page that asks by script: changes say it at the edge, what only looks says it at the top,
    /// in the place of what it said before.
    pub(crate) fn problem(&self, code: StatusCode, message: &str) -> Response {
        let (html, target, swap) = if self.changes {
            (Toast { flash: Flash::error(message) }.render(), "#toasts", "beforeend")
        } else {
            (Problem { message }.render(), "#problem", "innerHTML")
        };
        let mut response = (code, Html(html.unwrap_or_default())).into_response();
        let headers = response.headers_mut();
        headers.insert(RETARGET, HeaderValue::from_static(target));
        headers.insert(RESWAP, HeaderValue::from_static(swap));
        response
    }

    /// To the sign-in page, which brings people back to where they were.
    pub(crate) fn to_sign_in(&self) -> Response {
        let next = if self.changes && !self.by_script { "/" } else { self.shown.as_str() };
        let to = Link::to("/login").with("next", next).into_string();
        if !self.by_script {
            return see_other(&to);
        }
        let mut response = StatusCode::UNAUTHORIZED.into_response();
        if let Ok(to) = HeaderValue::from_str(&to) {
            response.headers_mut().insert(REDIRECT, to);
        }
        response
    }
}

/// To another page of this server.
pub(crate) fn see_other(to: &str) -> Response {
    let mut response = StatusCode::SEE_OTHER.into_response();
    let to = HeaderValue::from_str(safe_return(to)).unwrap_or(HeaderValue::from_static("/"));
    response.headers_mut().insert(header::LOCATION, to);
    response
}

impl Flash {
    /// What a service said no with, as a sentence.
    pub(crate) fn refusal(error: &PageError) -> Self {
        Self::error(sentence(&error.to_string()))
    }
}
