//! The list of jobs, newest first.

use askama::Template;
use axum::response::Response;
use chrono::TimeDelta;
use orchestrator_proto::v1;

use crate::chrome::Chrome;
use crate::error::PageError;
use crate::form::{Fields, Query};
use crate::link::{Link, encoded};
use crate::pager::Pager;
use crate::status::{Badge, badge};
use crate::text::{short_id, shown_in_line, summed_up};
use crate::times::{Span, Stamp, parse_duration};
use crate::viewer::Viewer;

const PATH: &str = "/jobs";
const PAGE: u32 = 100;

/// What the menu of statuses offers: a name in the address, words, and the statuses that it means.
const STATUSES: &[(&str, &str, &[&str])] = &[
    ("", "All", &[]),
    ("active", "Active", &["QUEUED", "ASSIGNED", "RUNNING", "LOST"]),
    ("queued", "Queued", &["QUEUED"]),
    ("running", "Running", &["ASSIGNED", "RUNNING"]),
    ("lost", "Lost", &["LOST"]),
    ("failed", "Failed", &["FAILED", "TIMED_OUT"]),
    ("killed", "Killed", &["KILLED"]),
    ("cancelled", "Cancelled", &["CANCELLED"]),
    ("done", "Done", &["DONE"]),
];

/// How far back the list goes.
const SPANS: &[(&str, &str)] =
    &[("", "Any time"), ("1h", "Last hour"), ("24h", "Last 24 hours"), ("7d", "Last 7 days")];

#[derive(Debug, Template)]
#[template(path = "jobs/list.html", blocks = ["list"])]
struct Page {
    chrome: Chrome,
    filter: Filter,
    statuses: Vec<(&'static str, &'static str, bool)>,
    spans: Vec<(&'static str, &'static str, bool)>,
    /// The name of the trigger whose jobs are shown.
    trigger: Option<String>,
    here: String,
    rows: Vec<Row>,
    pager: Pager,
}

#[derive(Debug)]
struct Row {
    id: String,
    short_id: String,
    link: String,
    process: String,
    trigger: String,
    trigger_link: String,
    worker: String,
    start: Stamp,
    end: Stamp,
    span: Span,
    status: Badge,
    attempt: u32,
    /// Why it waits or ended as it did.
    why: String,
}

impl Row {
    fn new(job: v1::Job, viewer: &Viewer) -> Self {
        let why = if job.waiting_reason.is_empty() { &job.reason } else { &job.waiting_reason };
        Self {
            short_id: short_id(&job.id),
            link: format!("/jobs/{}", encoded(&job.id)),
            process: shown_in_line(&job.process_name),
            trigger: shown_in_line(&job.trigger_name),
            trigger_link: Link::to(PATH).with("trigger", &job.trigger_id).into_string(),
            worker: shown_in_line(&job.worker_name),
            start: viewer.stamp(job.start_time),
            end: viewer.stamp(job.end_time),
            span: viewer.span(job.start_time, job.end_time),
            status: badge(&job.status),
            attempt: job.attempt,
            why: summed_up(why, 160),
            id: job.id,
        }
    }
}

#[derive(Debug)]
struct Filter {
    process: String,
    worker: String,
    trigger: String,
    status: String,
    since: String,
    cursor: String,
}

impl Filter {
    fn read(query: &Fields) -> Self {
        Self {
            process: query.trimmed("process").to_owned(),
            worker: query.trimmed("worker").to_owned(),
            trigger: query.trimmed("trigger").to_owned(),
            status: query.text("status").to_owned(),
            since: query.text("since").to_owned(),
            cursor: query.text("cursor").to_owned(),
        }
    }

    fn link(&self) -> Link {
        Link::to(PATH)
            .with("process", &self.process)
            .with("worker", &self.worker)
            .with("trigger", &self.trigger)
            .with("status", &self.status)
            .with("since", &self.since)
    }

    fn is_set(&self) -> bool {
        [&self.process, &self.worker, &self.trigger, &self.status, &self.since].iter().any(|text| !text.is_empty())
    }

    fn request(&self, viewer: &Viewer) -> v1::ListJobsRequest {
        let statuses = STATUSES.iter().find(|(name, _, _)| *name == self.status).map_or(&[][..], |(_, _, list)| list);
        let since = parse_duration(&self.since).and_then(TimeDelta::try_seconds);
        v1::ListJobsRequest {
            page: Some(v1::Page { limit: PAGE, cursor: self.cursor.clone() }),
            trigger: self.trigger.clone(),
            process_name: self.process.clone(),
            statuses: statuses.iter().map(|&status| status.to_owned()).collect(),
            worker_name: self.worker.clone(),
            queued_from: since
                .map(|since| prost_types::Timestamp { seconds: (viewer.now - since).timestamp(), nanos: 0 }),
            queued_to: None,
        }
    }
}

/// `GET /jobs`
pub(crate) async fn show(viewer: Viewer, Query(query): Query) -> Result<Response, PageError> {
    let filter = Filter::read(&query);
    let answer = viewer.jobs()?.list(filter.request(&viewer)).await?.into_inner();
    let trigger = (!filter.trigger.is_empty()).then(|| {
        // Jobs keep their trigger's name; that of a trigger without jobs is not worth another call.
        answer.jobs.first().map_or_else(|| short_id(&filter.trigger), |job| shown_in_line(&job.trigger_name))
    });
    let page = Page {
        chrome: viewer.chrome(PATH, "Jobs"),
        statuses: STATUSES.iter().map(|(name, word, _)| (*name, *word, *name == filter.status)).collect(),
        spans: SPANS.iter().map(|(name, word)| (*name, *word, *name == filter.since)).collect(),
        trigger,
        here: filter.link().with("cursor", &filter.cursor).into_string(),
        pager: Pager::new(&filter.link(), &filter.cursor, &answer.next_cursor).searched(answer.jobs.len(), PAGE),
        rows: answer.jobs.into_iter().map(|job| Row::new(job, &viewer)).collect(),
        filter,
    };
    viewer.live(&page, &page.as_list(), &page.here)
}
