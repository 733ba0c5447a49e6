//! Leases that ran out. What runs becomes LOST, all of a look in one transaction: the bound on noticing a dead worker
//! holds for a thousand jobs as for one. What was not started goes back to the queue.

use std::collections::BTreeSet;

use orchestrator_core::chain::Chain;
use orchestrator_core::clock::Timestamp;
use orchestrator_core::id::{JobId, LogId, TriggerId};
use orchestrator_core::job::{JobStatus, Outcome};
use orchestrator_core::log::{LogLevel, LogLine};
use orchestrator_core::text::{LogMessage, Reason};
use orchestrator_db::{DbError, Hint, LockedJob, StoredTrigger, Tx};

use crate::development::{DEVELOPMENT_TRIGGER, end_development, idle, is_development};
use crate::finish::{back_or_end, lock_with_trigger};
use crate::rescue::{RescueSummary, pass_over_bad};
use crate::scheduler::Scheduler;
use crate::transaction::in_transaction;

impl Scheduler {
    /// Deals with all of these, as they were found.
    pub(super) async fn rescue_expired(
        &self,
        found: &[LockedJob],
        now: Timestamp,
        summary: &mut RescueSummary,
    ) -> Result<(), DbError> {
        let running: Vec<&LockedJob> = found.iter().filter(|job| would_be_lost(job, now)).collect();
        let lost = match self.lose(&running, now).await {
            Err(error) if !error.is_transient() => {
                tracing::warn!(error = %Chain(&error), "jobs cannot be marked lost together; each is, alone");
                BTreeSet::new()
            }
            lost => lost?,
        };
        summary.lost += lost.len();
        for job in found.iter().filter(|found| !lost.contains(&found.job.id)) {
            let done = self.rescue_one(job.job.id, now, summary).await;
            pass_over_bad(job.job.id, done)?;
        }
        Ok(())
    }

    /// Marks running jobs as LOST together. Which they are.
    async fn lose(&self, running: &[&LockedJob], now: Timestamp) -> Result<BTreeSet<JobId>, DbError> {
        if running.is_empty() {
            return Ok(BTreeSet::new());
        }
        let ids: Vec<JobId> = running.iter().map(|job| job.job.id).collect();
        let triggers: BTreeSet<TriggerId> = running.iter().map(|job| job.job.trigger_id).collect();
        let triggers: Vec<TriggerId> = triggers.into_iter().collect();
        in_transaction!(self, |tx| {
            tx.trigger_lock(&triggers).await?;
            let jobs = tx.job_lock(&ids).await?;
            let jobs: Vec<&LockedJob> = jobs.iter().filter(|job| would_be_lost(job, now)).collect();
            let hints = mark_lost(tx, &jobs, now).await?;
            Ok::<_, DbError>((jobs.iter().map(|job| job.job.id).collect(), hints))
        })
    }

    async fn rescue_one(&self, job: JobId, now: Timestamp, summary: &mut RescueSummary) -> Result<(), DbError> {
        let expired: Expired = in_transaction!(self, |tx| {
            let (trigger, job) = lock_with_trigger(tx, job).await?;
            if !has_expired(&job, now) {
                return Ok((Expired::Nothing, Vec::new()));
            }
            expire(tx, &trigger, &job, now).await
        })?;
        match expired {
            Expired::Nothing => {}
            Expired::Requeued => summary.requeued += 1,
            Expired::Lost => summary.lost += 1,
            Expired::Ended => summary.ended += 1,
        }
        Ok(())
    }
}

/// What became of a job whose lease had run out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expired {
    /// It was renewed or ended meanwhile.
    Nothing,
    Requeued,
    Lost,
    Ended,
}

fn has_expired(job: &LockedJob, now: Timestamp) -> bool {
    job.lease_expires_at.is_some_and(|expires_at| expires_at <= now)
}

fn would_be_lost(job: &LockedJob, now: Timestamp) -> bool {
    let runs = job.job.state.status() == JobStatus::Running;
    runs && has_expired(job, now) && job.job.trigger_id != DEVELOPMENT_TRIGGER
}

async fn expire(
    tx: &mut Tx,
    trigger: &StoredTrigger,
    job: &LockedJob,
    now: Timestamp,
) -> Result<(Expired, Vec<Hint>), DbError> {
    match job.job.state.status() {
        JobStatus::Assigned => {
            let reason = Reason::cut("nothing was heard of its worker for a whole lease before it had started the job");
            let (ended, hints) = back_or_end(tx, trigger, job, &reason, now).await?;
            Ok((if ended.is_some() { Expired::Ended } else { Expired::Requeued }, hints))
        }
        JobStatus::Running if is_development(trigger) => {
            Ok((Expired::Ended, end_development(tx, trigger, job, Outcome::Done, &idle(), now).await?))
        }
        JobStatus::Running => Ok((Expired::Lost, mark_lost(tx, &[job], now).await?)),
        JobStatus::Queued
        | JobStatus::Lost
        | JobStatus::Done
        | JobStatus::Failed
        | JobStatus::Killed
        | JobStatus::TimedOut
        | JobStatus::Cancelled => Ok((Expired::Nothing, Vec::new())),
    }
}

/// Marks jobs as LOST that are locked and run, and says so in their logs.
async fn mark_lost(tx: &mut Tx, jobs: &[&LockedJob], now: Timestamp) -> Result<Vec<Hint>, DbError> {
    if jobs.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<JobId> = jobs.iter().map(|job| job.job.id).collect();
    let triggers: BTreeSet<TriggerId> = jobs.iter().map(|job| job.job.trigger_id).collect();
    tx.job_mark_lost(&ids, now).await?;
    tx.trigger_refresh_status(&triggers.into_iter().collect::<Vec<_>>()).await?;
    tx.log_insert(&jobs.iter().map(|job| word_of_loss(job, now)).collect::<Vec<_>>()).await?;
    let mut hints: Vec<Hint> = ids.into_iter().map(|id| Hint::Job { id }).collect();
    hints.extend([Hint::Triggers, Hint::Logs]);
    Ok(hints)
}

fn word_of_loss(job: &LockedJob, now: Timestamp) -> LogLine {
    let worker = job.job.worker_name.as_ref().map_or("its worker", |name| name.as_str());
    let text = format!(
        "The job is LOST: nothing was heard from worker {worker} for a whole lease. Its robot may still be running."
    );
    LogLine {
        id: LogId::generate(),
        log_time: now,
        level: LogLevel::Error,
        process_name: job.job.process_name.clone(),
        message: LogMessage::cut(&text),
        job_id: Some(job.job.id),
    }
}
