//! What was lost is found: leases that ran out, lost jobs that nobody answers for, robots that run too long, workers that
//! fell silent, claims of elements that expired.

use orchestrator_core::clock::Timestamp;
use orchestrator_core::id::{JobId, LogId};
use orchestrator_core::job::{JobState, JobStatus, Outcome};
use orchestrator_core::lease::LEASE;
use orchestrator_core::log::{LogLevel, LogLine};
use orchestrator_core::text::{LogMessage, Reason};
use orchestrator_db::{DbError, Hint, LockedJob, StoredTrigger, Tx};

use crate::development::{end_development, idle, is_development};
use crate::end::{Ended, hints_of_new, may_run_again, next_attempt, released};
use crate::finish::lock_with_trigger;
use crate::scheduler::Scheduler;
use crate::transaction::in_transaction;

/// How much longer than its time-out and grace a robot may run before the server asks for its kill: the worker does
/// that itself, unless it is broken.
const OVERTIME_MARGIN: std::time::Duration = std::time::Duration::from_secs(30);

/// Jobs that one look takes on at most.
const BATCH: u32 = 200;

/// Lost jobs that one look looks at. They are few, and most of them only wait.
const MOST_LOST: u32 = 5_000;

/// What one look found and did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RescueSummary {
    /// Assigned jobs that went back to the queue.
    pub requeued: usize,
    /// Running jobs that became LOST.
    pub lost: usize,
    /// Lost jobs that ended.
    pub ended: usize,
    /// Lost attempts that the next attempt took over from.
    pub superseded: usize,
    /// Jobs whose kill was requested because they ran too long.
    pub overtime: usize,
    /// Workers that fell silent.
    pub silent_workers: usize,
}

impl Scheduler {
    /// Looks once. Nothing is rescued within one lease of the start of duty: the leases of a worker that is there are
    /// renewed by then.
    pub async fn rescue(&self, now: Timestamp) -> Result<RescueSummary, DbError> {
        // Beats are written whether or not anything may be rescued: once in a look, for all workers.
        self.flush_beats().await?;
        let mut summary = RescueSummary::default();
        if !self.duty().may_rescue(now) {
            return Ok(summary);
        }
        let (expired, lost, overtime) = self.look(now).await?;
        for job in expired {
            let done = self.rescue_expired(job, now, &mut summary).await;
            pass_over_bad(job, done)?;
        }
        for job in lost {
            let done = self.resolve_lost(job, now, &mut summary).await;
            pass_over_bad(job, done)?;
        }
        for job in overtime {
            let done = self.stop_overtime(job, now, &mut summary).await;
            pass_over_bad(job, done)?;
        }
        summary.silent_workers = self.mark_silent_workers(now).await?;
        Ok(summary)
    }

    /// Finds, without keeping locks, what seems to need rescue. Each is looked at again under its locks.
    async fn look(&self, now: Timestamp) -> Result<(Vec<JobId>, Vec<JobId>, Vec<JobId>), DbError> {
        let mut tx = self.db().begin_write().await?;
        let ids = |jobs: Vec<LockedJob>| jobs.into_iter().map(|job| job.job.id).collect::<Vec<_>>();
        let expired = ids(tx.job_lock_expired(now, BATCH).await?);
        let lost = tx.job_lock_lost(MOST_LOST).await?;
        let lost = ids(lost.into_iter().filter(|job| may_be_resolved(job, now)).collect());
        let overtime = ids(tx.job_lock_overtime(now, BATCH).await?);
        tx.rollback().await?;
        Ok((expired, lost, overtime))
    }

    async fn rescue_expired(&self, job: JobId, now: Timestamp, summary: &mut RescueSummary) -> Result<(), DbError> {
        let status: Option<JobStatus> = in_transaction!(self, |tx| {
            let (trigger, job) = lock_with_trigger(tx, job).await?;
            if job.lease_expires_at.is_none_or(|expires_at| now < expires_at) {
                return Ok((None, Vec::new()));
            }
            let hints = expire(tx, &trigger, &job, now).await?;
            Ok::<_, DbError>((Some(job.job.state.status()), hints))
        })?;
        match status {
            Some(JobStatus::Assigned) => summary.requeued += 1,
            Some(JobStatus::Running) => summary.lost += 1,
            _ => {}
        }
        Ok(())
    }

    async fn resolve_lost(&self, job: JobId, now: Timestamp, summary: &mut RescueSummary) -> Result<(), DbError> {
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

    async fn stop_overtime(&self, job: JobId, now: Timestamp, summary: &mut RescueSummary) -> Result<(), DbError> {
        let asked: bool = in_transaction!(self, |tx| {
            let (trigger, job) = lock_with_trigger(tx, job).await?;
            if job.job.kill_requested || !is_overtime(&job, now) {
                return Ok((false, Vec::new()));
            }
            let killed = tx.job_request_kill(&[job.job.id]).await?;
            tx.trigger_refresh_status(&[trigger.trigger.id]).await?;
            let hints = killed.into_iter().map(|(_, worker, _)| Hint::Worker { name: worker.into_string() });
            Ok::<_, DbError>((true, hints.collect()))
        })?;
        summary.overtime += usize::from(asked);
        Ok(())
    }

    async fn mark_silent_workers(&self, now: Timestamp) -> Result<usize, DbError> {
        let silent: usize = in_transaction!(self, |tx| {
            let silent = tx.worker_mark_lost(now - LEASE).await?;
            for worker in &silent {
                tx.worker_release_reservations(worker).await?;
            }
            let mut hints = hints_of_new(&tx.element_expire_claims(now, BATCH).await?);
            if !silent.is_empty() {
                hints.push(Hint::Jobs);
            }
            Ok::<_, DbError>((silent.len(), hints))
        })?;
        Ok(silent)
    }
}

async fn expire(tx: &mut Tx, trigger: &StoredTrigger, job: &LockedJob, now: Timestamp) -> Result<Vec<Hint>, DbError> {
    let id = job.job.id;
    let mut hints = vec![Hint::Job { id }, Hint::Triggers];
    match job.job.state.status() {
        JobStatus::Assigned if !may_run_again(trigger, job) => {
            let outcome = if job.job.kill_requested { Outcome::Killed } else { Outcome::Cancelled };
            tx.job_finish(id, job.lease_token, outcome, None, None, now).await?;
            let ended = Ended { trigger, job, outcome, reason: None, now, robot_unknown: false };
            hints.extend(ended.settle(tx).await?);
        }
        JobStatus::Assigned => {
            tx.job_requeue_expired(&[id]).await?;
            tx.trigger_refresh_status(&[trigger.trigger.id]).await?;
            hints.push(Hint::Jobs);
        }
        JobStatus::Running if is_development(trigger) => {
            hints.extend(end_development(tx, trigger, job, Outcome::Done, &idle(), now).await?);
        }
        JobStatus::Running => {
            tx.job_mark_lost(&[id], now).await?;
            tx.trigger_refresh_status(&[trigger.trigger.id]).await?;
            log_loss(tx, job, now).await?;
            hints.push(Hint::Logs);
        }
        JobStatus::Queued
        | JobStatus::Lost
        | JobStatus::Done
        | JobStatus::Failed
        | JobStatus::Killed
        | JobStatus::TimedOut
        | JobStatus::Cancelled => {}
    }
    Ok(hints)
}

/// One job that cannot be dealt with must not keep the others from being rescued.
fn pass_over_bad(job: JobId, done: Result<(), DbError>) -> Result<(), DbError> {
    match done {
        Err(error) if !error.is_transient() => {
            tracing::error!(%job, %error, "a job cannot be rescued");
            Ok(())
        }
        done => done,
    }
}

async fn log_loss(tx: &mut Tx, job: &LockedJob, now: Timestamp) -> Result<(), DbError> {
    let worker = job.job.worker_name.as_ref().map_or("its worker", |name| name.as_str());
    let text = format!(
        "The job is LOST: nothing was heard from worker {worker} for a whole lease. Its robot may still be running."
    );
    let line = LogLine {
        id: LogId::generate(),
        log_time: now,
        level: LogLevel::Error,
        process_name: job.job.process_name.clone(),
        message: LogMessage::cut(&text),
        job_id: Some(job.job.id),
    };
    tx.log_insert(&[line]).await
}

/// A lost job that somebody wanted killed is KILLED, one that ran too long TIMED_OUT, any other FAILED.
pub(crate) fn outcome_of_lost(job: &LockedJob) -> Outcome {
    match (job.job.kill_requested, job.lost_since) {
        (true, Some(since)) if was_overtime(job, since) => Outcome::TimedOut,
        (true, _) => Outcome::Killed,
        (false, _) => Outcome::Failed,
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
fn may_be_resolved(job: &LockedJob, now: Timestamp) -> bool {
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
    let mut hints = released(tx, job.job.id, now).await?;
    tx.trigger_refresh_status(&[trigger.trigger.id]).await?;
    hints.extend([Hint::Job { id: job.job.id }, Hint::Jobs, Hint::Triggers]);
    Ok(hints)
}

fn is_overtime(job: &LockedJob, now: Timestamp) -> bool {
    matches!(job.job.state, JobState::Running { .. }) && is_past_backstop(job, now)
}

/// Whether the server had asked for the kill by `at`, because the robot ran too long.
pub(crate) fn was_overtime(job: &LockedJob, at: Timestamp) -> bool {
    job.job.kill_requested && is_past_backstop(job, at)
}

fn is_past_backstop(job: &LockedJob, at: Timestamp) -> bool {
    let policies = &job.job.snapshot.policies;
    let (Some(started_at), Some(timeout)) = (job.job.start_time, policies.timeout) else { return false };
    at >= started_at + timeout + policies.stop_grace + OVERTIME_MARGIN
}
