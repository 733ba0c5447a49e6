//! Every queue with its counts per status.

use askama::Template;
use axum::response::Response;
use orchestrator_proto::v1;

use super::depth::{Depth, depths};
use super::past::Line;
use super::{PATH, queue_path};
use crate::chrome::Chrome;
use crate::error::PageError;
use crate::form::Query;
use crate::link::Link;
use crate::pager::Pager;
use crate::status::{Badge, badge};
use crate::text::shown_in_line;
use crate::times::Stamp;
use crate::viewer::Viewer;

/// Queues of a page.
const PAGE: u32 = 200;

#[derive(Debug, Template)]
#[template(path = "queues/list.html", blocks = ["list"])]
struct Page {
    chrome: Chrome,
    here: String,
    rows: Vec<Row>,
    pager: Pager,
}

/// A queue.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) link: String,
    /// Word, count and the list of them.
    pub(crate) counts: Vec<(&'static str, i64, String)>,
    total: i64,
    max_attempts: u32,
    pub(crate) paused: Option<Badge>,
    pub(crate) depth: Depth,
    /// When the element was created that waits longest.
    oldest: Stamp,
    /// How many waited in the last day, where that is known.
    past: Option<Line>,
    done_last_hour: Option<i64>,
}

impl Row {
    /// All of them.
    pub(crate) fn all(queues: &[v1::Queue], viewer: &Viewer) -> Vec<Self> {
        queues.iter().zip(depths(queues)).map(|(queue, depth)| Self::new(queue, depth, viewer)).collect()
    }

    fn new(queue: &v1::Queue, depth: Depth, viewer: &Viewer) -> Self {
        let link = queue_path(&queue.queue_name);
        let counted = [
            ("New", "NEW", queue.new_count),
            ("In Progress", "IN_PROGRESS", queue.in_progress_count),
            ("Done", "DONE", queue.done_count),
            ("Failed", "FAILED", queue.failed_count),
            ("Abandoned", "ABANDONED", queue.abandoned_count),
        ];
        Self {
            id: crate::link::encoded(&queue.queue_name),
            name: shown_in_line(&queue.queue_name),
            counts: counted
                .iter()
                .map(|(word, status, count)| {
                    (*word, *count, Link::to(link.clone()).with("status", status).into_string())
                })
                .collect(),
            total: counted.iter().map(|(_, _, count)| count).sum(),
            max_attempts: queue.max_attempts,
            paused: queue.paused.then(|| badge("PAUSED")),
            oldest: viewer.stamp(queue.oldest_new_at),
            past: Line::of_day(queue, viewer),
            done_last_hour: queue.done_last_hour_count,
            link,
            depth,
        }
    }
}

/// `GET /queues`
pub(crate) async fn show(viewer: Viewer, Query(query): Query) -> Result<Response, PageError> {
    let cursor = query.text("cursor").to_owned();
    let asked = v1::Page { limit: PAGE, cursor: cursor.clone() };
    let request = v1::ListQueuesRequest { with_depths: true, page: Some(asked) };
    let answer = viewer.queues()?.list_queues(request).await?.into_inner();
    let rows = Row::all(&answer.queues, &viewer);
    let page = Page {
        chrome: viewer.chrome(PATH, "Queues"),
        here: Link::to(PATH).with("cursor", &cursor).into_string(),
        pager: Pager::new(&Link::to(PATH), &cursor, &answer.next_cursor),
        rows,
    };
    viewer.live(&page, &page.as_list(), &page.here)
}
