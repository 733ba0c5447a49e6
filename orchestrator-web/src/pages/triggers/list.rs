//! The list of triggers: OpenOrchestrator's columns, with search, filters and pages in the address.

use askama::Template;
use axum::response::Response;
use orchestrator_core::trigger::{TriggerStatus, TriggerType};
use orchestrator_proto::v1;

use super::view::Row;
use crate::chrome::Chrome;
use crate::error::PageError;
use crate::form::{Fields, Query};
use crate::link::Link;
use crate::pager::Pager;
use crate::status::word;
use crate::viewer::Viewer;

const PATH: &str = "/triggers";
const PAGE: u32 = 100;

#[derive(Debug, Template)]
#[template(path = "triggers/list.html", blocks = ["list"])]
struct Page {
    chrome: Chrome,
    filter: Filter,
    statuses: Vec<Choice>,
    types: Vec<Choice>,
    /// Where this list lives, with its filters and cursor.
    here: String,
    rows: Vec<Row>,
    pager: Pager,
}

/// One line of a menu.
#[derive(Debug)]
struct Choice {
    name: &'static str,
    word: String,
    is_chosen: bool,
}

/// What the list shows, as the address says it.
#[derive(Debug)]
struct Filter {
    search: String,
    status: String,
    kind: String,
    cursor: String,
}

impl Filter {
    fn read(query: &Fields) -> Self {
        Self {
            search: query.trimmed("q").to_owned(),
            status: query.text("status").to_owned(),
            kind: query.text("type").to_owned(),
            cursor: query.text("cursor").to_owned(),
        }
    }

    /// The first page of this list.
    fn link(&self) -> Link {
        Link::to(PATH).with("q", &self.search).with("status", &self.status).with("type", &self.kind)
    }

    fn is_set(&self) -> bool {
        !(self.search.is_empty() && self.status.is_empty() && self.kind.is_empty())
    }

    fn request(&self) -> v1::ListTriggersRequest {
        v1::ListTriggersRequest {
            page: Some(v1::Page { limit: PAGE, cursor: self.cursor.clone() }),
            search: self.search.clone(),
            status: self.status.clone(),
            r#type: self.kind.clone(),
        }
    }
}

/// `GET /triggers`
pub(crate) async fn show(viewer: Viewer, Query(query): Query) -> Result<Response, PageError> {
    let filter = Filter::read(&query);
    let answer = viewer.triggers()?.list(filter.request()).await?.into_inner();
    let page = Page {
        chrome: viewer.chrome(PATH, "Triggers"),
        statuses: choices(TriggerStatus::ALL.iter().map(|status| status.as_str()), &filter.status),
        types: choices(TriggerType::ALL.iter().map(|kind| kind.as_str()), &filter.kind),
        here: filter.link().with("cursor", &filter.cursor).into_string(),
        pager: Pager::new(&filter.link(), &filter.cursor, &answer.next_cursor),
        rows: answer.triggers.into_iter().map(|trigger| Row::new(trigger, &viewer)).collect(),
        filter,
    };
    viewer.live(&page, &page.as_list(), &page.here)
}

fn choices(names: impl Iterator<Item = &'static str>, chosen: &str) -> Vec<Choice> {
    names.map(|name| Choice { name, word: word(name), is_chosen: name == chosen }).collect()
}
