//! One job: when what happened to it, what it printed, logged and touched.

use askama::Template;
use axum::extract::Path;
use axum::response::Response;
use orchestrator_proto::v1;

use super::output::Output;
use crate::chrome::Chrome;
use crate::error::PageError;
use crate::link::{Link, encoded};
use crate::status::{Badge, badge};
use crate::text::{short_id, shortened, shown, shown_in_line};
use crate::times::{Span, Stamp};
use crate::viewer::Viewer;

/// Lines and elements that are shown.
const MOST: u32 = 100;

#[derive(Debug, Template)]
#[template(path = "jobs/show.html", blocks = ["live"])]
struct Page {
    chrome: Chrome,
    id: String,
    link: String,
    process: String,
    status: Badge,
    span: Span,
    why: String,
    is_waiting: bool,
    kill_requested: bool,
    can_kill: bool,
    can_dismiss: bool,
    can_retry: bool,
    /// It may do work twice.
    retry_asks: bool,
    steps: Vec<Step>,
    facts: Vec<Fact>,
    args: Option<String>,
    output: Output,
    logs: Vec<LogRow>,
    has_more_logs: bool,
    elements: Vec<ElementRow>,
}

/// One thing that happened to it.
#[derive(Debug)]
struct Step {
    word: &'static str,
    at: Stamp,
    /// Since the step before.
    after: Span,
}

#[derive(Debug)]
struct Fact {
    label: &'static str,
    text: String,
    link: Option<String>,
}

#[derive(Debug)]
struct LogRow {
    id: String,
    at: Stamp,
    level: Badge,
    message: String,
}

#[derive(Debug)]
struct ElementRow {
    id: String,
    queue: String,
    reference: String,
    status: Badge,
    message: String,
}

/// `GET /jobs/{job}`
pub(crate) async fn show(viewer: Viewer, Path(job): Path<String>) -> Result<Response, PageError> {
    let answer = viewer.jobs()?.get(v1::GetJobRequest { job }).await?.into_inner();
    let job = answer.job.unwrap_or_default();
    // What the robot prints is added to the page by itself; the part that is drawn again does not have it.
    let output = if viewer.wants_part { Output::default() } else { Output::last(&viewer, &job.id).await? };
    let (logs, has_more_logs) = logs(&viewer, &job.id).await?;
    let elements = elements(&viewer, &job.id).await?;
    let is_ended = !matches!(job.status.as_str(), "QUEUED" | "ASSIGNED" | "RUNNING" | "LOST");
    let page = Page {
        chrome: viewer.chrome("/jobs", format!("{} {}", shown_in_line(&job.process_name), short_id(&job.id))),
        link: format!("/jobs/{}", encoded(&job.id)),
        process: shown_in_line(&job.process_name),
        status: badge(&job.status),
        span: viewer.span(job.start_time, job.end_time),
        why: shown(if job.waiting_reason.is_empty() { &job.reason } else { &job.waiting_reason }),
        is_waiting: job.status == "QUEUED",
        kill_requested: job.kill_requested && !is_ended,
        can_kill: viewer.can_operate() && !is_ended && !job.kill_requested,
        can_dismiss: viewer.can_operate() && job.status == "LOST",
        can_retry: viewer.can_operate() && is_ended,
        retry_asks: job.status == "DONE" || !job.retried_as.is_empty(),
        steps: steps(&job, &viewer),
        facts: facts(&job),
        args: job.process_args.as_deref().filter(|args| !args.is_empty()).map(shown),
        output,
        logs,
        has_more_logs,
        elements,
        id: job.id,
    };
    viewer.live(&page, &page.as_live(), &page.link)
}

fn steps(job: &v1::Job, viewer: &Viewer) -> Vec<Step> {
    let happened = [
        ("Due", job.scheduled_at),
        ("Queued", job.queued_at),
        ("Not before", job.not_before),
        ("Started", job.start_time),
        ("Ended", job.end_time),
    ];
    let mut before = None;
    let mut steps = Vec::new();
    for (word, at) in happened {
        if at.is_none() {
            continue;
        }
        let after = if before.is_none() { viewer.span(None, None) } else { viewer.span(before, at) };
        steps.push(Step { word, at: viewer.stamp(at), after });
        before = at;
    }
    steps
}

fn facts(job: &v1::Job) -> Vec<Fact> {
    let plain = |label, text: String| Fact { label, text, link: None };
    let mut facts = vec![Fact {
        label: "Trigger",
        text: shown_in_line(&job.trigger_name),
        link: Some(format!("/triggers/{}", encoded(&job.trigger_id))),
    }];
    if !job.worker_name.is_empty() {
        let link = Link::to("/jobs").with("worker", &job.worker_name).into_string();
        facts.push(Fact { label: "Worker", text: shown_in_line(&job.worker_name), link: Some(link) });
    }
    facts.push(plain("Process Path", shown_in_line(&job.process_path)));
    if job.is_git_repo {
        let branch = job.git_branch.as_deref().map_or_else(|| "the default branch".to_owned(), shown_in_line);
        facts.push(plain("Branch or tag", branch));
    }
    if !job.commit.is_empty() {
        facts.push(plain("Commit", shown_in_line(&job.commit)));
    }
    facts.push(plain("Attempt", job.attempt.to_string()));
    if let Some(code) = job.exit_code {
        facts.push(plain("Exit code", code.to_string()));
    }
    if !job.superseded_by.is_empty() {
        let link = Some(format!("/jobs/{}", encoded(&job.superseded_by)));
        facts.push(Fact { label: "Taken over by", text: short_id(&job.superseded_by), link });
    }
    let blocking = if job.is_blocking { "Yes, it runs alone on its worker" } else { "No" };
    facts.push(plain("Blocking", blocking.to_owned()));
    facts.push(plain("Priority", job.priority.to_string()));
    if !job.worker_whitelist.is_empty() {
        facts.push(plain("Only on", shown_in_line(&job.worker_whitelist.join(", "))));
    }
    facts
}

/// The latest lines, in order, and whether there are more.
async fn logs(viewer: &Viewer, job: &str) -> Result<(Vec<LogRow>, bool), PageError> {
    let request = v1::ListLogsRequest {
        page: Some(v1::Page { limit: MOST, cursor: String::new() }),
        job: job.to_owned(),
        ..v1::ListLogsRequest::default()
    };
    let answer = viewer.logs()?.list(request).await?.into_inner();
    let row = |log: v1::Log| LogRow {
        id: log.id,
        at: viewer.stamp(log.log_time),
        level: badge(&log.log_level),
        message: shown(&log.log_message),
    };
    Ok((answer.logs.into_iter().rev().map(row).collect(), !answer.next_cursor.is_empty()))
}

async fn elements(viewer: &Viewer, job: &str) -> Result<Vec<ElementRow>, PageError> {
    let request = v1::ListElementsOfJobRequest { job: job.to_owned(), limit: MOST };
    let row = |element: v1::QueueElement| ElementRow {
        queue: shown_in_line(&element.queue_name),
        reference: shortened(element.reference.as_deref().unwrap_or_default(), 60),
        status: badge(&element.status),
        message: shortened(element.message.as_deref().unwrap_or_default(), 160),
        id: element.id,
    };
    Ok(viewer.queues()?.list_of_job(request).await?.into_inner().elements.into_iter().map(row).collect())
}
