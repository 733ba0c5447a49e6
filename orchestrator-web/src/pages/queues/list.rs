//! Every queue with its counts per status.

use askama::Template;
use axum::response::Response;
use orchestrator_proto::v1;

use super::{PATH, queue_path};
use crate::chrome::Chrome;
use crate::error::PageError;
use crate::link::Link;
use crate::text::shown_in_line;
use crate::viewer::Viewer;

#[derive(Debug, Template)]
#[template(path = "queues/list.html", blocks = ["list"])]
struct Page {
    chrome: Chrome,
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    id: String,
    name: String,
    link: String,
    /// Word, count and the list of them.
    counts: Vec<(&'static str, i64, String)>,
    total: i64,
    max_attempts: u32,
}

impl Row {
    fn new(queue: &v1::Queue) -> Self {
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
            link,
        }
    }
}

/// `GET /queues`
pub(crate) async fn show(viewer: Viewer) -> Result<Response, PageError> {
    let answer = viewer.queues()?.list_queues(v1::ListQueuesRequest::default()).await?.into_inner();
    let page = Page { chrome: viewer.chrome(PATH, "Queues"), rows: answer.queues.iter().map(Row::new).collect() };
    viewer.live(&page, &page.as_list(), PATH)
}
