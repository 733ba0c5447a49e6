//! The start page: what is wrong, what runs, what comes.

use askama::Template;
use axum::response::Response;
use orchestrator_proto::v1;

use crate::chrome::Chrome;
use crate::error::PageError;
use crate::link::{Link, encoded};
use crate::pages::queues::list::Row as QueueRow;
use crate::status::{Badge, badge};
use crate::text::{shown_in_line, summed_up};
use crate::times::{Span, Stamp};
use crate::viewer::Viewer;

/// Rows of each list of jobs.
const MOST: u32 = 8;

/// Queues that are shown.
const QUEUES: u32 = 100;

/// Runs that come.
const NEXT: u32 = 10;

#[derive(Debug, Template)]
#[template(path = "overview.html", blocks = ["live"])]
struct Page {
    chrome: Chrome,
    tiles: Vec<Tile>,
    hours: Chart,
    running: Vec<JobRow>,
    failed: Vec<JobRow>,
    next: Vec<NextRow>,
    queues: Vec<QueueRow>,
    has_more_queues: bool,
    has_workers: bool,
}

/// A number with what it counts.
#[derive(Debug)]
struct Tile {
    number: String,
    label: &'static str,
    look: &'static str,
    /// The list that it counts.
    link: String,
}

#[derive(Debug)]
struct JobRow {
    id: String,
    link: String,
    process: String,
    trigger: String,
    worker: String,
    status: Badge,
    span: Span,
    ended: Stamp,
    why: String,
}

#[derive(Debug)]
struct NextRow {
    trigger: String,
    link: String,
    process: String,
    at: Stamp,
}

/// The jobs of the last day, by outcome.
#[derive(Debug)]
struct Chart {
    bars: Vec<Bar>,
    most: u32,
    done: u32,
    failed: u32,
    killed: u32,
}

/// A part of an hour's column, in units of a hundredth of the drawing.
#[derive(Debug)]
struct Bar {
    look: &'static str,
    x: u32,
    y: u32,
    height: u32,
    title: String,
}

/// The drawing's height, and the width of a column with the gap beside it.
const HEIGHT: u32 = 1000;
const COLUMN: u32 = 100;

impl Chart {
    fn new(hours: &[v1::HourOfJobs], viewer: &Viewer) -> Self {
        let sum = |hour: &v1::HourOfJobs| hour.done + hour.failed + hour.killed + hour.active;
        let most = hours.iter().map(sum).max().unwrap_or_default();
        let mut bars = Vec::new();
        for (place, hour) in (0..).zip(hours) {
            let at = viewer.stamp(hour.start).short();
            let mut below = 0;
            for (look, word, count) in [
                ("done", "done", hour.done),
                ("failed", "failed", hour.failed),
                ("killed", "killed or cancelled", hour.killed),
                ("running", "active", hour.active),
            ] {
                if count == 0 {
                    continue;
                }
                let (foot, top) = (scaled(below, most), scaled(below + count, most));
                below += count;
                let title = format!("{at}: {count} {word}");
                bars.push(Bar { look, x: place * COLUMN, y: HEIGHT - top, height: top - foot, title });
            }
        }
        let total = |part: fn(&v1::HourOfJobs) -> u32| hours.iter().map(part).sum();
        Self {
            bars,
            most,
            done: total(|hour| hour.done),
            failed: total(|hour| hour.failed),
            killed: total(|hour| hour.killed),
        }
    }
}

fn scaled(count: u32, most: u32) -> u32 {
    let height = u64::from(count) * u64::from(HEIGHT) / u64::from(most.max(1));
    u32::try_from(height).unwrap_or(HEIGHT)
}

/// `GET /`
pub(crate) async fn show(viewer: Viewer) -> Result<Response, PageError> {
    let mut admin = viewer.admin()?;
    let status = admin.get_status(v1::GetStatusRequest {}).await?.into_inner();
    let history = admin.get_job_history(v1::GetJobHistoryRequest { hours: 24 }).await?.into_inner();
    let asked =
        v1::ListQueuesRequest { page: Some(v1::Page { limit: QUEUES, ..v1::Page::default() }), ..Default::default() };
    let queues = viewer.queues()?.list_queues(asked).await?.into_inner();
    let hours = Chart::new(&history.hours, &viewer);
    let page = Page {
        chrome: viewer.chrome("/", "Overview"),
        tiles: tiles(&status, hours.failed),
        hours,
        running: jobs(&viewer, &["ASSIGNED", "RUNNING", "LOST", "QUEUED"]).await?,
        failed: jobs(&viewer, &["FAILED", "TIMED_OUT", "KILLED"]).await?,
        next: next(&viewer).await?,
        has_more_queues: !queues.next_cursor.is_empty(),
        queues: QueueRow::all(&queues.queues, &viewer),
        has_workers: status.workers_up > 0,
    };
    viewer.live(&page, &page.as_live(), "/")
}

fn tiles(status: &v1::GetStatusResponse, failed: u32) -> Vec<Tile> {
    let triggers = |status: &str| Link::to("/triggers").with("status", status).into_string();
    let jobs = |status: &str, since: &str| Link::to("/jobs").with("status", status).with("since", since).into_string();
    let tile = |number: u32, label, look: &'static str, link| {
        // What is nothing to look at has no colour.
        let look = if number == 0 { "" } else { look };
        Tile { number: number.to_string(), label, look, link }
    };
    let outage = match status.database_outage.as_str() {
        "" => None,
        "NO_WRITES" => Some("the database takes no writes"),
        "DISK_FULL" => Some("the database's disk is full"),
        _ => Some("the database does not answer in time"),
    };
    let outage = outage.map(|label| Tile { number: "!".to_owned(), label, look: "bad", link: "/".to_owned() });
    let tiles = [
        tile(status.triggers_overdue, "overdue", "bad", triggers("OVERDUE")),
        tile(status.triggers_failed, "stopped by failures", "bad", triggers("FAILED")),
        tile(status.jobs_lost, "lost", "bad", jobs("lost", "")),
        tile(failed, "failed in 24 hours", "bad", jobs("failed", "24h")),
        tile(status.jobs_queued, "waiting", "warn", jobs("queued", "")),
        tile(status.jobs_running, "running", "busy", jobs("running", "")),
        Tile {
            number: status.workers_up.to_string(),
            label: if status.workers_up == 1 { "worker up" } else { "workers up" },
            look: if status.workers_up == 0 { "bad" } else { "good" },
            link: "/workers".to_owned(),
        },
    ];
    outage.into_iter().chain(tiles).collect()
}

async fn jobs(viewer: &Viewer, statuses: &[&str]) -> Result<Vec<JobRow>, PageError> {
    let request = v1::ListJobsRequest {
        page: Some(v1::Page { limit: MOST, cursor: String::new() }),
        statuses: statuses.iter().map(|&status| status.to_owned()).collect(),
        ..v1::ListJobsRequest::default()
    };
    let row = |job: v1::Job| JobRow {
        link: format!("/jobs/{}", encoded(&job.id)),
        process: shown_in_line(&job.process_name),
        trigger: shown_in_line(&job.trigger_name),
        worker: shown_in_line(&job.worker_name),
        status: badge(&job.status),
        span: viewer.span(job.start_time, job.end_time),
        ended: viewer.stamp(job.end_time),
        why: summed_up(if job.waiting_reason.is_empty() { &job.reason } else { &job.waiting_reason }, 120),
        id: job.id,
    };
    Ok(viewer.jobs()?.list(request).await?.into_inner().jobs.into_iter().map(row).collect())
}

async fn next(viewer: &Viewer) -> Result<Vec<NextRow>, PageError> {
    let request = v1::ListPlannedRunsRequest { limit: NEXT, ..v1::ListPlannedRunsRequest::default() };
    let row = |run: v1::PlannedRun| NextRow {
        trigger: shown_in_line(&run.trigger_name),
        link: format!("/triggers/{}", encoded(&run.trigger_id)),
        process: shown_in_line(&run.process_name),
        at: viewer.stamp(run.at),
    };
    Ok(viewer.triggers()?.list_planned_runs(request).await?.into_inner().runs.into_iter().map(row).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_fill_the_height_and_their_parts_leave_no_gap() {
        for (count, most, height) in [(0, 0, 0), (1, 3, 333), (3, 3, 1000), (5, 10, 500)] {
            assert_eq!(scaled(count, most), height);
        }
        assert_eq!(scaled(u32::MAX, 1), HEIGHT, "never above the top");
    }
}
