//! A worker tells the end of a job, or hands it back.

use std::collections::BTreeSet;

use orchestrator_core::clock::Timestamp;
use orchestrator_core::id::JobId;
use orchestrator_core::job::{JobStatus, Outcome};
use orchestrator_core::lease::LeaseToken;
use orchestrator_core::text::{Reason, WorkerName};
use orchestrator_db::{DbError, Hint, LockedJob, StoredTrigger, Tx};

use crate::end::{Ended, may_run_again};
use crate::explain;
use crate::rescue::was_overtime;
use crate::scheduler::Scheduler;
use crate::transaction::{Contended, in_transaction};

/// Hand-backs without a start after which a job is FAILED.
pub(crate) const MOST_HAND_BACKS: u32 = 3;

/// Before a job that was handed back more than once is claimed again.
pub(crate) const HAND_BACK_PAUSE: chrono::Duration = chrono::Duration::seconds(5);

/// What a worker says about the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FinishReport {
    /// The job is over.
    Ended(Outcome),
    /// The robot was never started; someone else may take the job.
    NeverStarted,
}

/// A worker's word about the end of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FinishRequest {
    /// Who says it.
    pub worker: WorkerName,
    /// The job.
    pub job: JobId,
    /// The token of its lease.
    pub token: LeaseToken,
    /// What happened.
    pub report: FinishReport,
    /// The robot's exit code.
    pub exit_code: Option<i32>,
    /// Why, in words.
    pub reason: Option<Reason>,
    /// When the robot ended, by the worker's clock; the server's instant when absent.
    pub ended_at: Option<Timestamp>,
}

/// Why a finish was refused.
#[derive(Debug, thiserror::Error)]
pub enum FinishError {
    /// The token is stale: the job was given to another, or superseded.
    #[error("the lease of job {0} is gone; what happened to its robot is not recorded")]
    LeaseLost(JobId),
    /// The job has ended otherwise already; the first end counts.
    #[error("job {job} has already ended as {status}")]
    AlreadyEnded {
        /// The job.
        job: JobId,
        /// How it ended.
        status: JobStatus,
    },
    /// The database failed.
    #[error(transparent)]
    Db(#[from] DbError),
}

impl Contended for FinishError {
    fn is_contention(&self) -> bool {
        matches!(self, Self::Db(error) if error.is_contention())
    }
}

/// A job and its trigger, locked in the order that everyone keeps.
pub(crate) async fn lock_with_trigger(tx: &mut Tx, job: JobId) -> Result<(StoredTrigger, LockedJob), DbError> {
    let trigger = tx.trigger_lock_of_job(job).await?.ok_or_else(|| DbError::not_found("job", job))?;
    let locked = tx.job_lock(&[job]).await?.into_iter().next();
    let locked = locked.ok_or_else(|| DbError::not_found("job", job))?;
    Ok((trigger, locked))
}

/// Locks jobs and, before them, their triggers, in the order that everyone keeps. Locks that are held already cost
/// nothing, so that each can then be looked at with [`lock_with_trigger`].
pub(crate) async fn lock_all_with_triggers(tx: &mut Tx, jobs: &[JobId]) -> Result<(), DbError> {
    let mut triggers = BTreeSet::new();
    for job in jobs {
        triggers.insert(tx.job_get(*job).await?.trigger_id);
    }
    tx.trigger_lock(&triggers.into_iter().collect::<Vec<_>>()).await?;
    tx.job_lock(jobs).await?;
    Ok(())
}

impl Scheduler {
    /// Records the end of a job once; the same word again gets the same answer, a different one is refused.
    pub async fn finish_job(&self, request: FinishRequest) -> Result<JobStatus, FinishError> {
        in_transaction!(self, |tx| {
            let now = self.now();
            let (trigger, job) = lock_with_trigger(tx, request.job).await?;
            if job.job.worker_name.as_ref() != Some(&request.worker) || job.lease_token != request.token {
                return repeated_hand_back(&job, &request);
            }
            match request.report {
                FinishReport::Ended(outcome) => end(tx, &trigger, &job, outcome, &request, now).await,
                FinishReport::NeverStarted => hand_back(tx, &trigger, &job, &request, now).await,
            }
        })
    }
}

type Outcomes = (JobStatus, Vec<Hint>);

/// A hand-back whose answer was lost finds the job queued again, with the token it had.
fn repeated_hand_back(job: &LockedJob, request: &FinishRequest) -> Result<Outcomes, FinishError> {
    let handed_back = request.report == FinishReport::NeverStarted
        && job.lease_token == request.token
        && matches!(job.job.state.status(), JobStatus::Queued | JobStatus::Failed | JobStatus::Cancelled);
    if handed_back { Ok((job.job.state.status(), Vec::new())) } else { Err(FinishError::LeaseLost(request.job)) }
}

async fn end(
    tx: &mut Tx,
    trigger: &StoredTrigger,
    job: &LockedJob,
    outcome: Outcome,
    request: &FinishRequest,
    now: Timestamp,
) -> Result<Outcomes, FinishError> {
    let status = job.job.state.status();
    if job.job.superseded_by.is_some() {
        return Err(FinishError::LeaseLost(request.job));
    }
    // A worker's clock may be off; an end before the start or in the future would confuse every report.
    let earliest = job.job.start_time.unwrap_or(job.job.queued_at);
    let ended_at = request.ended_at.unwrap_or(now).clamp(earliest.min(now), now);
    // The server itself asks for the kill of a robot whose worker does not end it in time.
    let overtime = outcome == Outcome::Killed && was_overtime(job);
    let outcome = if overtime { Outcome::TimedOut } else { outcome };
    if !status.is_active() {
        return if status == outcome.status() {
            Ok((status, Vec::new()))
        } else {
            Err(FinishError::AlreadyEnded { job: request.job, status })
        };
    }
    let reason = if overtime { job.job.reason.clone() } else { explain::reason(tx, outcome, request).await? };
    let written =
        tx.job_finish(request.job, request.token, outcome, request.exit_code, reason.as_ref(), ended_at).await?;
    if !written {
        return Err(FinishError::LeaseLost(request.job));
    }
    let reason = reason.as_ref().map(Reason::as_str);
    let hints = Ended { trigger, job, outcome, reason, now, robot_unknown: false }.settle(tx).await?;
    Ok((outcome.status(), hints))
}

async fn hand_back(
    tx: &mut Tx,
    trigger: &StoredTrigger,
    job: &LockedJob,
    request: &FinishRequest,
    now: Timestamp,
) -> Result<Outcomes, FinishError> {
    if job.job.superseded_by.is_some() {
        return Err(FinishError::LeaseLost(request.job));
    }
    let status = job.job.state.status();
    let end_instead = end_of_hand_back(trigger, job);
    match (status, end_instead) {
        (JobStatus::Assigned | JobStatus::Running | JobStatus::Lost, Some(outcome)) => {
            end(tx, trigger, job, outcome, request, now).await
        }
        (JobStatus::Assigned | JobStatus::Running | JobStatus::Lost, None) => {
            let reason = request.reason.clone().unwrap_or_else(|| Reason::cut("handed back"));
            // The first goes back at once: its worker was stopping. From the second on, what was wrong gets time to pass.
            let not_before = (job.hand_back_count > 0).then(|| now + HAND_BACK_PAUSE);
            if !tx.job_hand_back(request.job, request.token, &reason, not_before).await? {
                return Err(FinishError::LeaseLost(request.job));
            }
            tx.trigger_refresh_status(&[trigger.trigger.id]).await?;
            Ok((JobStatus::Queued, vec![Hint::Job { id: request.job }, Hint::Jobs, Hint::Triggers]))
        }
        // The same word again, after it ended the job.
        (_, Some(outcome)) if outcome.status() == status => Ok((status, Vec::new())),
        _ => Err(FinishError::AlreadyEnded { job: request.job, status }),
    }
}

/// How a job ends that comes back without having been started, where it may not go back to the queue.
fn end_of_hand_back(trigger: &StoredTrigger, job: &LockedJob) -> Option<Outcome> {
    if job.job.kill_requested {
        return Some(Outcome::Killed);
    }
    if !may_run_again(trigger, job) {
        return Some(Outcome::Cancelled);
    }
    (job.hand_back_count + 1 >= MOST_HAND_BACKS).then_some(Outcome::Failed)
}

/// Gives back what its worker never started and does not have any more, or ends it where it may not go back to the queue.
/// How it ended, if it did.
pub(crate) async fn back_or_end(
    tx: &mut Tx,
    trigger: &StoredTrigger,
    job: &LockedJob,
    reason: &Reason,
    now: Timestamp,
) -> Result<(Option<Outcome>, Vec<Hint>), DbError> {
    let id = job.job.id;
    let Some(outcome) = end_of_hand_back(trigger, job) else {
        tx.job_hand_back(id, job.lease_token, reason, None).await?;
        tx.trigger_refresh_status(&[trigger.trigger.id]).await?;
        return Ok((None, vec![Hint::Job { id }, Hint::Jobs, Hint::Triggers]));
    };
    tx.job_finish(id, job.lease_token, outcome, None, Some(reason), now).await?;
    let ended = Ended { trigger, job, outcome, reason: Some(reason.as_str()), now, robot_unknown: false };
    Ok((Some(outcome), ended.settle(tx).await?))
}
