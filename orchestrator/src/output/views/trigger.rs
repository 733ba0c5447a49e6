//! Triggers, their schedules and the decisions about them.

use orchestrator_proto::v1 as pb;
use pb::trigger::Kind;

use super::{listing, single};
use crate::output::times::{duration, exact, time};
use crate::output::{Cell, Column, Look, Row};

const EMPTY: &str =
    "No triggers yet. Create one: orchestrator trigger create single NAME --process PROCESS --path PATH";

listing!(ListTriggersResponse, triggers, Trigger, EMPTY, next_cursor);
listing!(ListDecisionsResponse, decisions, Decision, "No instant was passed over.", next_cursor);
single!(Trigger, trigger, "trigger":
    CreateTriggerResponse, DisableTriggerResponse, EnableTriggerResponse, GetTriggerResponse, KillTriggerResponse,
    UpdateTriggerResponse);

/// The columns of OpenOrchestrator's list, in its order.
impl Row for pb::Trigger {
    const COLUMNS: &'static [Column<Self>] = &[
        Column::new("Trigger name", |t, _| Cell::text(&t.name)),
        Column::new("Priority", |t, _| Cell::number(t.priority)),
        Column::new("Type", |t, _| Cell::text(&t.r#type)),
        Column::new("Status", |t, _| Cell::state(&t.status)),
        Column::new("Process name", |t, _| Cell::text(&t.process_name)),
        Column::new("Last run", |t, look| Cell::text(time(look, t.last_run.as_ref()))),
        Column::new("Next run", next_run),
        Column::wide("Fires", |t, _| Cell::text(fires(t))),
        Column::wide("Path", |t, _| Cell::text(&t.process_path)),
        Column::wide("Workers", |t, _| Cell::text(t.worker_whitelist.join(", "))),
        Column::new("ID", |t, look| Cell::id(look, &t.id)),
    ];

    const FACTS: &'static [Column<Self>] = &[
        Column::new("Trigger name", |t, _| Cell::text(&t.name)),
        Column::new("ID", |t, _| Cell::text(&t.id)),
        Column::new("Status", |t, _| Cell::state(&t.status)),
        Column::new("Hold", |t, _| if t.hold == "NONE" { Cell::text("") } else { Cell::state(&t.hold) }),
        Column::new("Held because", |t, look| {
            Cell::text(t.hold_cause.as_ref().map(|cause| held_because(cause, look)).unwrap_or_default())
        }),
        Column::new("Fires", |t, _| Cell::text(fires(t))),
        Column::new("Waits", |t, look| Cell::text(waits(t, look))),
        Column::new("Next run", next_run),
        Column::new("Last run", |t, look| Cell::text(time(look, t.last_run.as_ref()))),
        Column::new("Failures in a row", |t, _| count(t.consecutive_failures)),
        Column::new("Process name", |t, _| Cell::text(&t.process_name)),
        Column::new("Path", |t, _| Cell::text(&t.process_path)),
        Column::new("Git", |t, _| Cell::text(git(t))),
        Column::new("Entry point", |t, _| Cell::text(t.entry_point())),
        Column::new("Arguments", |t, _| Cell::text(t.process_args())),
        Column::new("Blocking", |t, _| {
            Cell::text(if t.is_blocking() { "yes: runs alone on its worker" } else { "no" })
        }),
        Column::new("Priority", |t, _| Cell::number(t.priority)),
        Column::new("Only on", |t, _| Cell::text(t.worker_whitelist.join(", "))),
        Column::new("Time-out", |t, _| policy(t, |p| duration(p.timeout.as_ref()))),
        Column::new("Stop grace", |t, _| policy(t, |p| duration(p.stop_grace.as_ref()))),
        Column::new("Kill grace", |t, _| policy(t, |p| duration(p.kill_grace.as_ref()))),
        Column::new("Lost after", |t, _| policy(t, |p| duration(p.lost_after.as_ref()))),
        Column::new("Stop on lost", |t, _| policy(t, |p| yes(p.stop_on_lost))),
        Column::new("Keep children", |t, _| policy(t, |p| yes(p.keep_children))),
        Column::new("Attempts", |t, _| policy(t, attempts)),
        Column::new("Held after", |t, _| policy(t, |p| format!("{} failures in a row", p.max_consecutive_failures))),
        Column::new("Overlap", |t, _| policy(t, |p| with_most(&p.overlap, p.overlap_most))),
        Column::new("Missed", |t, _| policy(t, |p| with_most(&p.missed, p.missed_most))),
        Column::new("Latest start", |t, _| policy(t, |p| duration(p.max_lateness.as_ref()))),
        Column::new("Created", |t, look| Cell::text(time(look, t.created_at.as_ref()))),
        Column::new("Changed", |t, look| Cell::text(time(look, t.updated_at.as_ref()))),
    ];

    fn handle(&self) -> &str {
        &self.name
    }
}

impl Row for pb::Decision {
    const COLUMNS: &'static [Column<Self>] = &[
        Column::new("Instant", |d, look| Cell::text(exact(look, d.scheduled_at.as_ref()))),
        Column::new("Decided", |d, look| Cell::text(time(look, d.decided_at.as_ref()))),
        Column::new("Decision", |d, _| Cell::text(&d.decision)),
        Column::new("Reason", |d, _| Cell::text(&d.reason)),
    ];

    fn handle(&self) -> &str {
        &self.id
    }
}

/// What makes it fire, in words.
fn fires(trigger: &pb::Trigger) -> String {
    match &trigger.kind {
        Some(Kind::Single(_)) => "once".to_owned(),
        Some(Kind::Scheduled(s)) => format!("{} ({})", s.cron_expr, s.time_zone),
        Some(Kind::Queue(q)) => {
            format!("{} new in {}, at most {} at once", q.min_batch_size, q.queue_name, q.max_parallel.max(1))
        }
        None => String::new(),
    }
}

/// When it starts by itself, which it does not on hold.
fn next_run(trigger: &pb::Trigger, look: &Look) -> Cell {
    match trigger.hold.as_str() {
        "" | "NONE" => Cell::text(time(look, trigger.next_run.as_ref())),
        // It has had its run.
        "DONE" => Cell::text(""),
        _ => Cell::text("on hold"),
    }
}

/// Why it is on hold, since when, and what became of the job behind that.
pub(crate) fn held_because(cause: &pb::HoldCause, look: &Look) -> String {
    let since = time(look, cause.since.as_ref());
    let since = if since.is_empty() { since } else { format!(" ({since})") };
    let job = match (cause.job_id.as_str(), cause.job_reason.as_str()) {
        ("", _) => String::new(),
        (id, "") => format!("; job {id}: {}", cause.job_status),
        (id, reason) => format!("; job {id}: {}, {reason}", cause.job_status),
    };
    format!("{}{since}{job}", cause.reason)
}

/// What stands between a queue trigger and its next job.
fn waits(trigger: &pb::Trigger, look: &Look) -> String {
    let Some(wait) = &trigger.queue_wait else { return String::new() };
    match &wait.backs_off_until {
        Some(until) if !wait.queue_paused => format!("{}; it looks again {}", wait.reason, at(look, until)),
        _ => wait.reason.clone(),
    }
}

/// "in 5 min", or "at" a time of a clock.
fn at(look: &Look, wire: &prost_types::Timestamp) -> String {
    let time = time(look, Some(wire));
    if time.starts_with(|c: char| c.is_ascii_digit()) { format!("at {time}") } else { time }
}

fn git(trigger: &pb::Trigger) -> String {
    match (trigger.is_git_repo, trigger.git_branch()) {
        (false, _) => String::new(),
        (true, "") => "default branch".to_owned(),
        (true, branch) => branch.to_owned(),
    }
}

fn count(number: u32) -> Cell {
    if number == 0 { Cell::text("") } else { Cell::number(number) }
}

fn policy(trigger: &pb::Trigger, say: fn(&pb::Policies) -> String) -> Cell {
    Cell::text(trigger.policies.as_ref().map(say).unwrap_or_default())
}

fn yes(flag: bool) -> String {
    if flag { "yes".to_owned() } else { String::new() }
}

fn attempts(policies: &pb::Policies) -> String {
    let lost = if policies.retry_lost { ", lost ones too" } else { "" };
    match duration(policies.retry_delay.as_ref()).as_str() {
        "" | "0s" => format!("{}{lost}", policies.max_attempts),
        delay => format!("{}, {delay} apart{lost}", policies.max_attempts),
    }
}

fn with_most(choice: &str, most: u32) -> String {
    let choice = choice.to_lowercase().replace('_', "-");
    if most == 0 { choice } else { format!("{choice}, at most {most}") }
}
