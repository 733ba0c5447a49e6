//! The elements of a queue, in the order in which they came, with search, filters and pages in the address.

use askama::Template;
use axum::extract::Path;
use axum::response::Response;
use orchestrator_core::queue::ElementStatus;
use orchestrator_proto::v1;

use super::past::Past;
use super::{PATH, queue_path};
use crate::chrome::Chrome;
use crate::error::PageError;
use crate::form::{Fields, Query};
use crate::link::{Link, encoded};
use crate::pager::Pager;
use crate::pages::logs::instant;
use crate::status::{Badge, badge, word};
use crate::text::{short_id, shortened, shown_in_line};
use crate::times::Stamp;
use crate::viewer::Viewer;

const PAGE: u32 = 100;

#[derive(Debug, Template)]
#[template(path = "queues/elements.html", blocks = ["list"])]
struct Page {
    chrome: Chrome,
    queue: String,
    path: String,
    /// Nothing of it is handed out.
    paused: Option<Badge>,
    past: Past,
    filter: Filter,
    statuses: Vec<(&'static str, String, bool)>,
    fault: Option<String>,
    here: String,
    export: String,
    rows: Vec<Row>,
    pager: Pager,
}

#[derive(Debug)]
struct Row {
    id: String,
    short_id: String,
    link: String,
    reference: String,
    status: Badge,
    data: String,
    created: Stamp,
    start: Stamp,
    end: Stamp,
    message: String,
    created_by: String,
}

impl Row {
    fn new(element: v1::QueueElement, viewer: &Viewer) -> Self {
        let text = |text: &Option<String>| shortened(text.as_deref().unwrap_or_default(), 120);
        Self {
            short_id: short_id(&element.id),
            link: format!("/elements/{}", encoded(&element.id)),
            reference: text(&element.reference),
            status: badge(&element.status),
            data: text(&element.data),
            created: viewer.stamp(element.created_date),
            start: viewer.stamp(element.start_date),
            end: viewer.stamp(element.end_date),
            message: text(&element.message),
            created_by: text(&element.created_by),
            id: element.id,
        }
    }
}

/// What the list shows, as the address says it.
#[derive(Debug)]
pub(super) struct Filter {
    search: String,
    reference: String,
    status: String,
    from: String,
    to: String,
    /// `new` for the newest first.
    order: String,
    pub(super) cursor: String,
}

impl Filter {
    pub(super) fn read(query: &Fields) -> Self {
        Self {
            search: query.trimmed("q").to_owned(),
            reference: query.text("reference").to_owned(),
            status: query.text("status").to_owned(),
            from: query.text("from").to_owned(),
            to: query.text("to").to_owned(),
            order: query.text("order").to_owned(),
            cursor: query.text("cursor").to_owned(),
        }
    }

    fn link_to(&self, path: &str) -> Link {
        Link::to(path)
            .with("q", &self.search)
            .with("reference", &self.reference)
            .with("status", &self.status)
            .with("from", &self.from)
            .with("to", &self.to)
            .with("order", &self.order)
    }

    fn is_set(&self) -> bool {
        ![&self.search, &self.reference, &self.status, &self.from, &self.to].iter().all(|text| text.is_empty())
    }

    /// What is asked of the server; the error names the time that is none.
    pub(super) fn request(&self, viewer: &Viewer, queue: &str, limit: u32) -> Result<v1::ListElementsRequest, String> {
        Ok(v1::ListElementsRequest {
            queue_name: queue.to_owned(),
            page: Some(v1::Page { limit, cursor: self.cursor.clone() }),
            reference: (!self.reference.is_empty()).then(|| self.reference.clone()),
            statuses: if self.status.is_empty() { Vec::new() } else { vec![self.status.clone()] },
            created_from: instant(viewer, "From", &self.from)?,
            created_to: instant(viewer, "To", &self.to)?,
            search: self.search.clone(),
            newest_first: self.order == "new",
        })
    }
}

/// `GET /queues/{queue}`
pub(crate) async fn show(
    viewer: Viewer,
    Path(queue): Path<String>,
    Query(query): Query,
) -> Result<Response, PageError> {
    let filter = Filter::read(&query);
    let (answer, fault) = match filter.request(&viewer, &queue, PAGE) {
        Ok(request) => (viewer.queues()?.list(request).await?.into_inner(), None),
        Err(fault) => (v1::ListElementsResponse::default(), Some(fault)),
    };
    let known = super::known(&viewer, &queue).await?;
    let asked = v1::GetQueueHistoryRequest { queue_name: queue.clone(), hours: 24 };
    let history = viewer.queues()?.get_history(asked).await?.into_inner().intervals;
    let path = queue_path(&queue);
    let page = Page {
        chrome: viewer.chrome(PATH, format!("Queue {}", shown_in_line(&queue))),
        queue: shown_in_line(&queue),
        paused: known.paused.then(|| badge("PAUSED")),
        past: Past::new(&history, known.done_last_hour_count, &viewer),
        statuses: ElementStatus::ALL
            .iter()
            .map(|status| (status.as_str(), word(status.as_str()), status.as_str() == filter.status))
            .collect(),
        fault,
        here: filter.link_to(&path).with("cursor", &filter.cursor).into_string(),
        export: filter.link_to(&format!("{path}/export")).into_string(),
        pager: Pager::new(&filter.link_to(&path), &filter.cursor, &answer.next_cursor)
            .searched(answer.elements.len(), PAGE),
        rows: answer.elements.into_iter().map(|element| Row::new(element, &viewer)).collect(),
        path,
        filter,
    };
    viewer.live(&page, &page.as_list(), &page.here)
}
