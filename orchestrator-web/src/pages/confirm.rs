//! Asking before something is stopped or goes for good.

use askama::Template;
use axum::response::Response;

use crate::chrome::Chrome;
use crate::error::PageError;
use crate::viewer::Viewer;

/// What is asked.
#[derive(Debug)]
pub(crate) struct Question {
    /// The tab that it belongs to.
    pub(crate) tab: &'static str,
    pub(crate) text: String,
    /// What happens then.
    pub(crate) consequence: String,
    /// Where the answer goes.
    pub(crate) action: String,
    /// The button, which names the thing.
    pub(crate) submit: String,
    /// Where those go who do not want it.
    pub(crate) back: String,
}

#[derive(Debug, Template)]
#[template(path = "confirm.html", blocks = ["dialog"])]
struct Page {
    chrome: Chrome,
    asked: Question,
}

impl Viewer {
    /// Asks, in a dialog where there is a page around it.
    pub(crate) fn ask(&self, asked: Question) -> Result<Response, PageError> {
        let page = Page { chrome: self.chrome(asked.tab, asked.submit.clone()), asked };
        self.dialog(&page, Page::as_dialog)
    }
}
