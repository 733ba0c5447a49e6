//! One trigger: what it is, what it did, what it will do.

use askama::Template;
use axum::extract::Path;
use axum::response::Response;
use orchestrator_proto::v1;

use super::draft::Shape;
use super::preview::{self, Preview};
use super::view::Row;
use crate::chrome::Chrome;
use crate::error::{PageError, capital};
use crate::link::{Link, encoded};
use crate::status::{Badge, badge, word};
use crate::text::{short_id, shown, shown_in_line, summed_up};
use crate::times::{Span, Stamp, plain_duration};
use crate::viewer::Viewer;

/// How many of its jobs and decisions are shown.
const MOST: u32 = 20;

#[derive(Debug, Template)]
#[template(path = "triggers/show.html", blocks = ["live"])]
struct Page {
    chrome: Chrome,
    row: Row,
    preview: Preview,
    hold: Option<Held>,
    wait: Option<Wait>,
    facts: Vec<(&'static str, String)>,
    policies: Vec<(&'static str, String)>,
    args: Option<String>,
    workers: Vec<String>,
    failures: u32,
    change: Option<Change>,
    jobs: Vec<Job>,
    all_jobs: String,
    decisions: Vec<Decision>,
    copy: String,
}

/// Why it is on hold.
#[derive(Debug)]
struct Held {
    reason: String,
    since: Stamp,
    /// The short id of the job behind it; empty without one.
    job: String,
    job_link: String,
    status: Badge,
    job_reason: String,
}

impl Held {
    fn new(cause: &v1::HoldCause, viewer: &Viewer) -> Self {
        Self {
            reason: shown_in_line(&cause.reason),
            since: viewer.stamp(cause.since),
            job: short_id(&cause.job_id),
            job_link: format!("/jobs/{}", encoded(&cause.job_id)),
            status: badge(&cause.job_status),
            job_reason: summed_up(&cause.job_reason, 160),
        }
    }
}

/// What stands between a queue trigger and its next job.
#[derive(Debug)]
struct Wait {
    reason: String,
    until: Stamp,
}

impl Wait {
    fn new(wait: &v1::QueueWait, viewer: &Viewer) -> Self {
        // Nothing happens at that time while the queue is paused.
        let until = wait.backs_off_until.filter(|_| !wait.queue_paused);
        Self { reason: capital(&shown_in_line(&wait.reason)), until: viewer.stamp(until) }
    }
}

/// Who changed it last.
#[derive(Debug)]
struct Change {
    who: String,
    what: &'static str,
    at: Stamp,
}

#[derive(Debug)]
struct Job {
    id: String,
    link: String,
    short_id: String,
    status: Badge,
    worker: String,
    scheduled: Stamp,
    span: Span,
    reason: String,
}

/// An instant that did not become a job.
#[derive(Debug)]
struct Decision {
    id: String,
    instant: Stamp,
    word: String,
    reason: String,
}

/// `GET /triggers/{trigger}`
pub(crate) async fn show(viewer: Viewer, Path(trigger): Path<String>) -> Result<Response, PageError> {
    let answer = viewer.triggers()?.get(v1::GetTriggerRequest { trigger }).await?.into_inner();
    let mut trigger = answer.trigger.unwrap_or_default();
    let hold = trigger.hold_cause.take().map(|cause| Held::new(&cause, &viewer));
    let wait = trigger.queue_wait.take().map(|wait| Wait::new(&wait, &viewer));
    let mut preview = preview::of(&viewer, &trigger.id).await?;
    if hold.is_some() {
        // None of them comes.
        preview.runs.clear();
    }
    let jobs = jobs(&viewer, &trigger.id).await?;
    let decisions = decisions(&viewer, &trigger.id).await?;
    let page = Page {
        chrome: viewer.chrome("/triggers", shown_in_line(&trigger.name)),
        preview,
        hold,
        wait,
        facts: facts(&trigger),
        policies: policies(&trigger.policies.clone().unwrap_or_default()),
        args: trigger.process_args.as_deref().filter(|args| !args.is_empty()).map(shown),
        workers: trigger.worker_whitelist.iter().map(|name| shown_in_line(name)).collect(),
        failures: trigger.consecutive_failures,
        change: answer.last_change.map(|change| Change {
            who: shown_in_line(&change.actor),
            what: match change.action.as_str() {
                "trigger.create" => "Created",
                "trigger.update" => "Edited",
                "trigger.enable" => "Enabled",
                "trigger.disable" => "Disabled",
                "trigger.kill" => "Killed",
                _ => "Changed",
            },
            at: viewer.stamp(change.at),
        }),
        jobs,
        all_jobs: Link::to("/jobs").with("trigger", &trigger.id).into_string(),
        decisions,
        copy: Link::to(format!("/triggers/new/{}", Shape::of(&trigger).as_str()))
            .with("copy", &trigger.id)
            .into_string(),
        row: Row::new(trigger, &viewer),
    };
    viewer.live(&page, &page.as_live(), &page.row.link)
}

fn facts(trigger: &v1::Trigger) -> Vec<(&'static str, String)> {
    let mut facts = vec![
        ("Process Name", shown_in_line(&trigger.process_name)),
        ("Process Path", shown_in_line(&trigger.process_path)),
    ];
    if trigger.is_git_repo {
        let branch = trigger.git_branch.as_deref().map_or_else(|| "the default branch".to_owned(), shown_in_line);
        facts.push(("Branch or tag", branch));
    }
    if let Some(entry) = &trigger.entry_point {
        facts.push(("File to run", shown_in_line(entry)));
    }
    match &trigger.kind {
        Some(v1::trigger::Kind::Scheduled(kind)) => {
            facts.push(("Cron expression", shown_in_line(&kind.cron_expr)));
            facts.push(("Time zone", kind.time_zone.clone()));
        }
        Some(v1::trigger::Kind::Queue(kind)) => {
            facts.push(("Queue Name", shown_in_line(&kind.queue_name)));
            facts.push(("Minimum batch size", kind.min_batch_size.to_string()));
            facts.push(("Jobs at once", kind.max_parallel.to_string()));
        }
        Some(v1::trigger::Kind::Single(_)) | None => {}
    }
    let blocking = if trigger.is_blocking.unwrap_or(true) { "Yes, it runs alone on its worker" } else { "No" };
    facts.push(("Blocking", blocking.to_owned()));
    facts.push(("Priority", trigger.priority.to_string()));
    facts
}

fn policies(policies: &v1::Policies) -> Vec<(&'static str, String)> {
    let duration = |given: Option<prost_types::Duration>, none: &str| {
        given.map_or_else(|| none.to_owned(), |given| plain_duration(given.seconds))
    };
    let mut list = vec![
        ("Time limit", duration(policies.timeout, "none")),
        ("Attempts", policies.max_attempts.to_string()),
        ("Failures until it stops", policies.max_consecutive_failures.to_string()),
        (
            "Due while it runs",
            match policies.overlap.as_str() {
                "SKIP" => "skipped".to_owned(),
                "ALLOW" => format!("runs beside it, {} at most", policies.overlap_most),
                _ => "the latest is remembered".to_owned(),
            },
        ),
        (
            "Missed while servers were down",
            match policies.missed.as_str() {
                "SKIP" => "skipped".to_owned(),
                "ALL" => format!("all run, {} at most", policies.missed_most),
                _ => "one run for the latest".to_owned(),
            },
        ),
        ("Time to stop", duration(policies.stop_grace, "10 s")),
        ("Time to die", duration(policies.kill_grace, "0 s")),
        ("Wait for a lost job", duration(policies.lost_after, "1 h")),
    ];
    if policies.max_attempts > 1 {
        list.push(("Between attempts", duration(policies.retry_delay, "0 s")));
    }
    if policies.max_lateness.is_some() {
        list.push(("Too late after", duration(policies.max_lateness, "")));
    }
    for (is_set, label, text) in [
        (policies.stop_on_lost, "Server out of reach", "the robot is stopped"),
        (policies.retry_lost, "Lost", "tried again"),
        (policies.keep_children, "What it started", "is kept"),
    ] {
        if is_set {
            list.push((label, text.to_owned()));
        }
    }
    list
}

async fn jobs(viewer: &Viewer, trigger: &str) -> Result<Vec<Job>, PageError> {
    let request = v1::ListJobsRequest {
        page: Some(v1::Page { limit: MOST, cursor: String::new() }),
        trigger: trigger.to_owned(),
        ..v1::ListJobsRequest::default()
    };
    let row = |job: v1::Job| Job {
        link: format!("/jobs/{}", encoded(&job.id)),
        short_id: short_id(&job.id),
        status: badge(&job.status),
        worker: shown_in_line(&job.worker_name),
        scheduled: viewer.stamp(job.scheduled_at),
        span: viewer.span(job.start_time, job.end_time),
        reason: summed_up(if job.reason.is_empty() { &job.waiting_reason } else { &job.reason }, 160),
        id: job.id,
    };
    Ok(viewer.jobs()?.list(request).await?.into_inner().jobs.into_iter().map(row).collect())
}

async fn decisions(viewer: &Viewer, trigger: &str) -> Result<Vec<Decision>, PageError> {
    let request = v1::ListDecisionsRequest {
        trigger: trigger.to_owned(),
        page: Some(v1::Page { limit: MOST, cursor: String::new() }),
    };
    let row = |decision: v1::Decision| Decision {
        instant: viewer.stamp(decision.scheduled_at),
        word: word(&decision.decision),
        reason: shown_in_line(&decision.reason),
        id: decision.id,
    };
    Ok(viewer.triggers()?.list_decisions(request).await?.into_inner().decisions.into_iter().map(row).collect())
}
