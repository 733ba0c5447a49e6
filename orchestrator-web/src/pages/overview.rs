//! The start page: what is wrong, what runs, what comes.

use askama::Template;
use axum::response::Response;
use orchestrator_proto::v1;

use crate::chrome::Chrome;
use crate::error::PageError;
use crate::link::Link;
use crate::status::{Badge, badge};
use crate::text::{shortened, shown_in_line};
use crate::times::{Span, Stamp};
use crate::viewer::Viewer;

/// Rows of each list.
const MOST: u32 = 8;

#[derive(Debug, Template)]
#[template(path = "overview.html", blocks = ["live"])]
struct Page {
    chrome: Chrome,
    tiles: Vec<Tile>,
    running: Vec<JobRow>,
    failed: Vec<JobRow>,
    queues: Vec<QueueRow>,
}

/// A number with what it counts.
#[derive(Debug)]
struct Tile {
    number: String,
    label: &'static str,
    look: &'static str,
    /// The list that it counts, where there is one.
    link: Option<String>,
}

#[derive(Debug)]
struct JobRow {
    id: String,
    process: String,
    trigger: String,
    worker: String,
    status: Badge,
    span: Span,
    ended: Stamp,
    reason: String,
}

#[derive(Debug)]
struct QueueRow {
    name: String,
    new: i64,
    in_progress: i64,
    failed: i64,
    abandoned: i64,
}

/// `GET /`
pub(crate) async fn show(viewer: Viewer) -> Result<Response, PageError> {
    let status = viewer.admin()?.get_status(v1::GetStatusRequest {}).await?.into_inner();
    let queues = viewer.queues()?.list_queues(v1::ListQueuesRequest {}).await?.into_inner().queues;
    let page = Page {
        chrome: viewer.chrome("/", "Overview"),
        tiles: tiles(&status),
        running: jobs(&viewer, &["ASSIGNED", "RUNNING", "LOST", "QUEUED"]).await?,
        failed: jobs(&viewer, &["FAILED", "TIMED_OUT", "KILLED"]).await?,
        queues: queues.iter().map(queue).collect(),
    };
    viewer.live(&page, &page.as_live(), "/")
}

fn tiles(status: &v1::GetStatusResponse) -> Vec<Tile> {
    let triggers = |status: &str| Some(Link::to("/triggers").with("status", status).into_string());
    let tile = |number: u32, label, look: &'static str, link| {
        // What is nothing to look at has no colour.
        let look = if number == 0 { "" } else { look };
        Tile { number: number.to_string(), label, look, link }
    };
    vec![
        tile(status.jobs_running, "running", "busy", triggers("RUNNING")),
        tile(status.jobs_queued, "waiting for a worker", "busy", triggers("QUEUED")),
        tile(status.triggers_overdue, "overdue", "bad", None),
        tile(status.triggers_failed, "triggers stopped by failures", "bad", triggers("FAILED")),
        tile(status.jobs_lost, "lost", "bad", None),
        Tile {
            number: status.workers_up.to_string(),
            label: if status.workers_up == 1 { "worker up" } else { "workers up" },
            look: if status.workers_up == 0 { "bad" } else { "good" },
            link: None,
        },
    ]
}

async fn jobs(viewer: &Viewer, statuses: &[&str]) -> Result<Vec<JobRow>, PageError> {
    let request = v1::ListJobsRequest {
        page: Some(v1::Page { limit: MOST, cursor: String::new() }),
        statuses: statuses.iter().map(|&status| status.to_owned()).collect(),
        ..v1::ListJobsRequest::default()
    };
    let answer = viewer.jobs()?.list(request).await?.into_inner();
    let row = |job: v1::Job| JobRow {
        process: shown_in_line(&job.process_name),
        trigger: shown_in_line(&job.trigger_name),
        worker: shown_in_line(&job.worker_name),
        status: badge(&job.status),
        span: viewer.span(job.start_time, job.end_time),
        ended: viewer.stamp(job.end_time),
        reason: shortened(&job.reason, 120),
        id: job.id,
    };
    Ok(answer.jobs.into_iter().map(row).collect())
}

fn queue(queue: &v1::Queue) -> QueueRow {
    QueueRow {
        name: shown_in_line(&queue.queue_name),
        new: queue.new_count,
        in_progress: queue.in_progress_count,
        failed: queue.failed_count,
        abandoned: queue.abandoned_count,
    }
}
