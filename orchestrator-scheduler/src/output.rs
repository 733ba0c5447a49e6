//! What robots print, kept in order.

use orchestrator_core::id::JobId;
use orchestrator_core::job::JobStatus;
use orchestrator_core::lease::LeaseToken;
use orchestrator_core::text::WorkerName;
use orchestrator_db::{DbError, Hint, OutputChunk};

use crate::scheduler::Scheduler;
use crate::transaction::{Contended, in_transaction};

/// How long after its end a job still takes output.
const AFTER_END: chrono::Duration = chrono::Duration::minutes(10);

/// Why output was refused.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// The token is stale, or the job ended too long ago.
    #[error("the lease of job {0} is gone; its output is not taken any more")]
    LeaseLost(JobId),
    /// The database failed.
    #[error(transparent)]
    Db(#[from] DbError),
}

impl Contended for OutputError {
    fn is_contention(&self) -> bool {
        matches!(self, Self::Db(error) if error.is_contention())
    }
}

impl Scheduler {
    /// Appends chunks; those whose number is already there are skipped, so that a repeated call adds nothing.
    pub async fn append_output(
        &self,
        worker: &WorkerName,
        job: JobId,
        token: LeaseToken,
        chunks: &[OutputChunk],
    ) -> Result<(), OutputError> {
        in_transaction!(self, |tx| {
            let locked = tx.job_lock(&[job]).await?.into_iter().next();
            let locked = locked.ok_or_else(|| DbError::not_found("job", job))?;
            let holder = locked.job.worker_name.as_ref() == Some(worker) && locked.lease_token == token;
            let status = locked.job.state.status();
            let open = match locked.job.end_time {
                Some(end) => self.now() < end + AFTER_END,
                None => status != JobStatus::Queued,
            };
            if !holder || !open || locked.job.superseded_by.is_some() {
                return Err(OutputError::LeaseLost(job));
            }
            tx.output_append(job, chunks).await?;
            Ok(((), vec![Hint::Job { id: job }]))
        })
    }
}
