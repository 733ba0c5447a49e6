//! What was lost is found: leases that ran out, lost jobs that nobody answers for, robots that run too long, workers that
//! fell silent, claims of elements that expired.

use std::collections::BTreeSet;

use orchestrator_core::clock::Timestamp;
use orchestrator_core::id::{JobId, LogId};
use orchestrator_core::job::{JobState, JobStatus, Outcome};
use orchestrator_core::lease::LEASE;
use orchestrator_core::log::{LogLevel, LogLine};
use orchestrator_core::text::{LogMessage, Reason};
use orchestrator_db::{DbError, Hint, LockedJob, StoredTrigger, Tx};

use crate::end::{Ended, next_attempt};
use crate::finish::lock_with_trigger;
use crate::scheduler::Scheduler;
use crate::transaction::in_transaction;

/// How much longer than its time-out and grace a robot may run before the server asks for its kill: the worker does
/// that itself, unless it is broken.
const OVERTIME_MARGIN: std::time::Duration = std::time::Duration::from_secs(30);

/// Jobs that one look takes on at most.
const BATCH: u32 = 200;

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
        let mut summary = RescueSummary::default();
        if !self.may_rescue(now) {
            return Ok(summary);
        }
        self.flush_beats().await?;
        let (expired, lost, overtime) = self.look(now).await?;
        for job in expired {
            self.rescue_expired(job, now, &mut summary).await?;
        }
        for job in lost {
            self.resolve_lost(job, now, &mut summary).await?;
        }
        for job in overtime {
            self.stop_overtime(job, now, &mut summary).await?;
        }
        summary.silent_workers = self.mark_silent_workers(now).await?;
        Ok(summary)
    }

    /// Finds, without keeping locks, what seems to need rescue. Each is looked at again under its locks.
    async fn look(&self, now: Timestamp) -> Result<(Vec<JobId>, Vec<JobId>, Vec<JobId>), DbError> {
        let mut tx = self.db().begin_write().await?;
        let ids = |jobs: Vec<LockedJob>| jobs.into_iter().map(|job| job.job.id).collect::<Vec<_>>();
        let expired = ids(tx.job_lock_expired(now, BATCH).await?);
        let lost = ids(tx.job_lock_lost(BATCH).await?);
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
            let patience =
                chrono::Duration::from_std(job.job.snapshot.policies.lost_after).unwrap_or(chrono::Duration::MAX);
            if now - since < patience {
                return Ok(((false, false), Vec::new()));
            }
            let reason = Reason::cut("its worker was lost and did not answer in time (lost_after)");
            let hints = end_lost(tx, &trigger, &job, outcome_of_lost(&job), &reason, now).await?;
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
            tx.element_expire_claims(now, BATCH).await?;
            let hints = if silent.is_empty() { Vec::new() } else { vec![Hint::Jobs] };
            Ok::<_, DbError>((silent.len(), hints))
        })?;
        Ok(silent)
    }
}

async fn expire(tx: &mut Tx, trigger: &StoredTrigger, job: &LockedJob, now: Timestamp) -> Result<Vec<Hint>, DbError> {
    let id = job.job.id;
    let mut hints = vec![Hint::Job { id }, Hint::Triggers];
    match job.job.state.status() {
        JobStatus::Assigned if job.job.kill_requested || trigger.deleted => {
            let outcome = if job.job.kill_requested { Outcome::Killed } else { Outcome::Cancelled };
            tx.job_finish(id, job.lease_token, outcome, None, None, now).await?;
            hints.extend(Ended { trigger, job, outcome, reason: None, now }.settle(tx).await?);
        }
        JobStatus::Assigned => {
            tx.job_requeue_expired(&[id]).await?;
            tx.trigger_refresh_status(&[trigger.trigger.id]).await?;
            hints.push(Hint::Jobs);
        }
        JobStatus::Running => {
            tx.job_mark_lost(&[id], now).await?;
            tx.trigger_refresh_status(&[trigger.trigger.id]).await?;
            log_loss(tx, job, now).await?;
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

/// A lost job that somebody wanted killed is KILLED, any other FAILED.
pub(crate) fn outcome_of_lost(job: &LockedJob) -> Outcome {
    if job.job.kill_requested { Outcome::Killed } else { Outcome::Failed }
}

/// Ends a lost job without its worker's word.
pub(crate) async fn end_lost(
    tx: &mut Tx,
    trigger: &StoredTrigger,
    job: &LockedJob,
    outcome: Outcome,
    reason: &Reason,
    now: Timestamp,
) -> Result<Vec<Hint>, DbError> {
    let ended: BTreeSet<JobId> = tx.job_end_lost(&[job.job.id], outcome, reason, now).await?.into_iter().collect();
    if !ended.contains(&job.job.id) {
        return Ok(Vec::new());
    }
    Ended { trigger, job, outcome, reason: Some(reason.as_str()), now }.settle(tx).await
}

/// A robot that stops when lost has stopped one lease and one grace after its worker's last word at the latest.
fn may_supersede(trigger: &StoredTrigger, job: &LockedJob, since: Timestamp, now: Timestamp) -> bool {
    let policies = &job.job.snapshot.policies;
    policies.retry_lost
        && policies.stop_on_lost
        && !trigger.deleted
        && !job.job.kill_requested
        && job.job.attempt < policies.max_attempts
        && now >= since + LEASE + policies.stop_grace
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
    tx.element_release_of_job(&[job.job.id], now).await?;
    tx.trigger_refresh_status(&[trigger.trigger.id]).await?;
    Ok(vec![Hint::Job { id: job.job.id }, Hint::Jobs, Hint::Triggers])
}

fn is_overtime(job: &LockedJob, now: Timestamp) -> bool {
    let policies = &job.job.snapshot.policies;
    let (JobState::Running { started_at, .. }, Some(timeout)) = (job.job.state, policies.timeout) else { return false };
    now >= started_at + timeout + policies.stop_grace + OVERTIME_MARGIN
}
