//! Lost jobs that nobody answers for, and lost attempts that the next one takes over from.

use orchestrator_core::clock::Timestamp;
use orchestrator_core::id::JobId;
use orchestrator_core::job::{JobState, Outcome};
use orchestrator_core::lease::LEASE;
use orchestrator_core::text::Reason;
use orchestrator_db::{DbError, Hint, LockedJob, StoredTrigger, Tx};

use crate::end::{Ended, may_run_again, next_attempt, released};
use crate::finish::lock_with_trigger;
use crate::rescue::RescueSummary;
use crate::rescue::overtime::was_overtime;
use crate::scheduler::Scheduler;
use crate::transaction::in_transaction;

impl Scheduler {
    pub(super) async fn resolve_lost(
        &self,
        job: JobId,
        now: Timestamp,
        summary: &mut RescueSummary,
    ) -> Result<(), DbError> {
        let done: (bool, bool) = in_transaction!(self, |tx| {
            let (trigger, job) = lock_with_trigger(tx, job).await?;
            let JobState::Lost { since, .. } = job.job.state else { return Ok(((false, false), Vec::new())) };
            if may_supersede(&trigger, &job, since, now) {
                let hints = supersede(tx, &trigger, &job, now).await?;
                return Ok(((false, true), hints));
            }
            if now - since < patience(&job) {
                return Ok(((false, false), Vec::new()));
            }
            let reason = Reason::cut("its worker was lost and did not answer in time (lost_after)");
            let end = EndOfLost { outcome: outcome_of_lost(&job), reason: &reason, robot_unknown: true };
            let hints = end_lost(tx, &trigger, &job, end, now).await?;
            Ok::<_, DbError>(((true, false), hints))
        })?;
        summary.ended += usize::from(done.0);
        summary.superseded += usize::from(done.1);
        Ok(())
    }
}

/// A lost job that somebody wanted killed is KILLED, one that ran too long TIMED_OUT, any other FAILED.
pub(crate) fn outcome_of_lost(job: &LockedJob) -> Outcome {
    match job.job.kill_requested {
        true if was_overtime(job) => Outcome::TimedOut,
        true => Outcome::Killed,
        false => Outcome::Failed,
    }
}

/// How a lost job ends without its worker's word.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EndOfLost<'a> {
    pub(crate) outcome: Outcome,
    pub(crate) reason: &'a Reason,
    /// Nobody knows whether its robot still runs.
    pub(crate) robot_unknown: bool,
}

impl<'a> EndOfLost<'a> {
    /// On somebody's word.
    pub(crate) fn killed(reason: &'a Reason) -> Self {
        Self { outcome: Outcome::Killed, reason, robot_unknown: true }
    }
}

/// Ends a lost job without its worker's word.
pub(crate) async fn end_lost(
    tx: &mut Tx,
    trigger: &StoredTrigger,
    job: &LockedJob,
    end: EndOfLost<'_>,
    now: Timestamp,
) -> Result<Vec<Hint>, DbError> {
    let EndOfLost { outcome, reason, robot_unknown } = end;
    if tx.job_end_lost(&[job.job.id], outcome, reason, now).await?.is_empty() {
        return Ok(Vec::new());
    }
    Ended { trigger, job, outcome, reason: Some(reason.as_str()), now, robot_unknown }.settle(tx).await
}

fn patience(job: &LockedJob) -> chrono::Duration {
    chrono::Duration::from_std(job.job.snapshot.policies.lost_after).unwrap_or(chrono::Duration::MAX)
}

/// Whether a closer look, under locks, is worth while.
pub(super) fn may_be_resolved(job: &LockedJob, now: Timestamp) -> bool {
    job.lost_since.is_some_and(|since| now - since >= patience(job) || is_stopped(job, since, now))
}

/// A robot that stops when lost has stopped one lease and one grace after its worker's last word at the latest.
fn is_stopped(job: &LockedJob, since: Timestamp, now: Timestamp) -> bool {
    let policies = &job.job.snapshot.policies;
    policies.retry_lost
        && policies.stop_on_lost
        && job.job.attempt < policies.max_attempts
        && now >= since + LEASE + policies.stop_grace
}

fn may_supersede(trigger: &StoredTrigger, job: &LockedJob, since: Timestamp, now: Timestamp) -> bool {
    is_stopped(job, since, now) && may_run_again(trigger, job)
}

async fn supersede(
    tx: &mut Tx,
    trigger: &StoredTrigger,
    job: &LockedJob,
    now: Timestamp,
) -> Result<Vec<Hint>, DbError> {
    let next = next_attempt(job, now);
    if tx.job_insert(std::slice::from_ref(&next), now).await?.is_empty()
        || !tx.job_supersede(job.job.id, next.id).await?
    {
        return Ok(Vec::new());
    }
    let (_, mut hints) = released(tx, job.job.id, now).await?;
    tx.trigger_refresh_status(&[trigger.trigger.id]).await?;
    hints.extend([Hint::Job { id: job.job.id }, Hint::Jobs, Hint::Triggers]);
    Ok(hints)
}
