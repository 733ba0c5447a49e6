//! Why a trigger is on hold, and since when.

use orchestrator_core::clock::Timestamp;
use orchestrator_core::job::{Job, JobOrigin, JobStatus};
use orchestrator_core::trigger::{Hold, Trigger, TriggerType};
use orchestrator_db::{AuditEntry, DbError, DecisionKind, JobFilter, PageRequest, Tx};
use orchestrator_proto::{convert, v1};
use serde_json::Value;

/// How many of the trigger's latest jobs are looked through: those that someone ran by hand since stand before the one that
/// put it on hold.
const LOOKED_THROUGH: u32 = 100;

/// Why it is on hold, where it is.
pub(super) async fn of(tx: &mut Tx, trigger: &Trigger, trail: &[AuditEntry]) -> Result<Option<v1::HoldCause>, DbError> {
    let cause = match trigger.hold {
        Hold::None => return Ok(None),
        Hold::Paused => by_person("paused", "trigger.disable", Hold::Paused, trail),
        Hold::Killed => by_person("killed", "trigger.kill", Hold::Killed, trail),
        Hold::Failed => {
            let job = latest(tx, trigger, |status| matches!(status, JobStatus::Failed | JobStatus::TimedOut)).await?;
            of_job(failed(trigger), job.as_ref())
        }
        Hold::Done => done(tx, trigger).await?,
    };
    Ok(Some(cause))
}

/// Why a single trigger has nothing before it: its run ended, however it did, or its instant was skipped.
async fn done(tx: &mut Tx, trigger: &Trigger) -> Result<v1::HoldCause, DbError> {
    let job = latest(tx, trigger, |status| !status.is_active()).await?;
    let ended_at = job.as_ref().and_then(|job| job.end_time);
    let (decisions, _) = tx.decision_list(Some(trigger.id), &PageRequest::first(1)).await?;
    let skipped = decisions.into_iter().find(|latest| is_skipped(latest.decision));
    if let Some(decision) = skipped.filter(|decision| ended_at.is_none_or(|at| at < decision.decided_at)) {
        return Ok(v1::HoldCause {
            reason: format!("{}: {}", skipped_instant(trigger, job.as_ref()), decision.reason),
            since: Some(convert::timestamp(decision.decided_at)),
            ..v1::HoldCause::default()
        });
    }
    let reason = match &job {
        Some(job) => ended(job.state.status()).to_owned(),
        // What is told of it was pruned, but for when a job of it started last.
        None if trigger.last_run.is_some() => "it has had its run".to_owned(),
        None => skipped_instant(trigger, None).to_owned(),
    };
    Ok(of_job(reason, job.as_ref()))
}

/// Whether the instant of such a decision is over without a job.
fn is_skipped(decision: DecisionKind) -> bool {
    match decision {
        DecisionKind::Missed | DecisionKind::TooLate | DecisionKind::Overlap | DecisionKind::OnHold => true,
        DecisionKind::Buffered | DecisionKind::Backoff => false,
    }
}

fn skipped_instant(trigger: &Trigger, job: Option<&Job>) -> &'static str {
    if trigger.last_run.is_none() && job.is_none() {
        "its instant was skipped and it never ran"
    } else {
        "its instant was skipped"
    }
}

fn ended(status: JobStatus) -> &'static str {
    match status {
        JobStatus::Killed => "its run was killed",
        JobStatus::Cancelled => "its run was cancelled",
        JobStatus::Failed | JobStatus::TimedOut => "its run failed",
        JobStatus::Done | JobStatus::Queued | JobStatus::Assigned | JobStatus::Running | JobStatus::Lost => {
            "it has had its run"
        }
    }
}

fn failed(trigger: &Trigger) -> String {
    match (trigger.kind.trigger_type(), trigger.consecutive_failures) {
        (TriggerType::Single, _) => "its run failed".to_owned(),
        (TriggerType::Scheduled | TriggerType::Queue, 0 | 1) => "a run failed".to_owned(),
        (TriggerType::Scheduled | TriggerType::Queue, failures) => format!("{failures} runs in a row failed"),
    }
}

/// The job of the trigger's own that was the last to end so. What people ran by hand changes no hold.
async fn latest(tx: &mut Tx, trigger: &Trigger, ended: fn(JobStatus) -> bool) -> Result<Option<Job>, DbError> {
    let filter = JobFilter { trigger_id: Some(trigger.id), ..JobFilter::default() };
    let (jobs, _) = tx.job_list(&filter, &PageRequest::first(LOOKED_THROUGH)).await?;
    let own =
        jobs.rows.into_iter().filter(|job| job.snapshot.origin == JobOrigin::Trigger && ended(job.state.status()));
    // The list begins with the newest, which is the one that counts of several that ended at once.
    Ok(own.rev().max_by_key(|job| job.end_time))
}

fn of_job(reason: String, job: Option<&Job>) -> v1::HoldCause {
    let Some(job) = job else { return v1::HoldCause { reason, ..v1::HoldCause::default() } };
    v1::HoldCause {
        reason,
        since: job.end_time.map(convert::timestamp),
        actor: String::new(),
        job_id: job.id.to_string(),
        job_status: job.state.status().to_string(),
        job_reason: job.reason.as_ref().map(|reason| reason.as_str().to_owned()).unwrap_or_default(),
    }
}

/// What the trail tells of a hold that a person put on the trigger.
fn by_person(what: &str, action: &str, hold: Hold, trail: &[AuditEntry]) -> v1::HoldCause {
    let found = trail.iter().find_map(|entry| began(entry, action, hold));
    let Some((at, actor, is_created)) = found else {
        return v1::HoldCause { reason: what.to_owned(), ..v1::HoldCause::default() };
    };
    let reason = if is_created { format!("created on hold by {actor}") } else { format!("{what} by {actor}") };
    v1::HoldCause { reason, since: Some(convert::timestamp(at)), actor, ..v1::HoldCause::default() }
}

/// When and by whom the hold was put on, where this entry did it; and whether the trigger was made so.
fn began(entry: &AuditEntry, action: &str, hold: Hold) -> Option<(Timestamp, String, bool)> {
    let hold_of = |document: &Option<Value>| document.as_ref()?.get("hold")?.as_str()?.parse::<Hold>().ok();
    let is_created = entry.action == "trigger.create" && hold_of(&entry.after) == Some(hold);
    // Asked for again it changes nothing, and is on hold since the first time.
    let is_first = entry.action == action && hold_of(&entry.before) != Some(hold);
    (is_created || is_first).then(|| (entry.at, entry.actor.name.as_str().to_owned(), is_created))
}
