//! What robots print, kept in order.

use orchestrator_core::id::JobId;
use orchestrator_core::lease::LeaseToken;
use orchestrator_core::text::WorkerName;
use orchestrator_db::{AppendError, LaneError, OutputCall, OutputChunk};

use crate::scheduler::Scheduler;

/// How long after its end a job still takes output.
const AFTER_END: chrono::Duration = chrono::Duration::minutes(10);

/// Why output was refused.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// Its job does not take it.
    #[error(transparent)]
    Refused(#[from] AppendError),
    /// Too much waits, or the database failed.
    #[error(transparent)]
    Lane(#[from] LaneError),
}

impl Scheduler {
    /// Appends chunks; those whose number is already there are skipped, so that a repeated call adds nothing. Calls that come
    /// together share a transaction.
    pub async fn append_output(
        &self,
        worker: &WorkerName,
        job: JobId,
        token: LeaseToken,
        chunks: Vec<OutputChunk>,
    ) -> Result<(), OutputError> {
        let call = OutputCall { worker: worker.clone(), job, token, chunks, after_end: AFTER_END };
        Ok(self.lanes().output(call).await??)
    }
}
