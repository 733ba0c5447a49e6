//! A worker is about to spawn the robot.

use orchestrator_core::id::{JobId, SessionId};
use orchestrator_core::lease::{LEASE, LeaseToken};
use orchestrator_core::text::WorkerName;
use orchestrator_db::{DbError, Hint};

use crate::scheduler::Scheduler;
use crate::transaction::{Contended, in_transaction};

/// Why a job may not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The lease is gone, the job is lost, or another one took over.
    #[error("the lease of job {0} is gone; it must not be started")]
    LeaseLost(JobId),
    /// The database failed.
    #[error(transparent)]
    Db(#[from] DbError),
}

impl Contended for StartError {
    fn is_contention(&self) -> bool {
        matches!(self, Self::Db(error) if error.is_contention())
    }
}

/// What a worker learns when it starts a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Started {
    /// The job's kill was requested meanwhile: it is not to be spawned.
    pub kill_requested: bool,
}

impl Scheduler {
    /// Marks a job as running, from the moment before its robot is spawned. The same call again is no error.
    pub async fn start_job(
        &self,
        worker: &WorkerName,
        session: SessionId,
        job: JobId,
        token: LeaseToken,
        token_hash: &[u8],
        commit: Option<&str>,
    ) -> Result<Started, StartError> {
        in_transaction!(self, |tx| {
            let now = self.now();
            let found = tx.job_get(job).await?;
            // The worker's row comes before the trigger's, as everywhere; what is refused below undoes it.
            tx.worker_stamp_trigger(worker, &found.trigger_name, now).await?;
            tx.trigger_lock(&[found.trigger_id]).await?;
            let locked = tx.job_lock(&[job]).await?.into_iter().next().ok_or(StartError::LeaseLost(job))?;
            if locked.session_id != Some(session) || locked.job.worker_name.as_ref() != Some(worker) {
                return Err(StartError::LeaseLost(job));
            }
            if !tx.job_start(job, token, token_hash, commit, now, now + LEASE).await? {
                return Err(StartError::LeaseLost(job));
            }
            if locked.job.start_time.is_none() {
                tx.trigger_stamp_last_run(found.trigger_id, now).await?;
            }
            tx.trigger_refresh_status(&[found.trigger_id]).await?;
            let started = Started { kill_requested: locked.job.kill_requested };
            Ok((started, vec![Hint::Job { id: job }]))
        })
    }
}
