//! Verbs on jobs, one file each.

mod dismiss;
mod kill;
mod retry;
mod waiting_reason;

use orchestrator_core::id::JobId;
use orchestrator_core::job::JobStatus;
use orchestrator_db::DbError;

use crate::transaction::Contended;

/// Why a verb on a job was refused.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// The job is over.
    #[error("job {job} has already ended as {status}")]
    AlreadyEnded {
        /// The job.
        job: JobId,
        /// How it ended.
        status: JobStatus,
    },
    /// The job is still to end.
    #[error("job {job} is {status}; only a job that has ended can be retried")]
    StillActive {
        /// The job.
        job: JobId,
        /// Where it stands.
        status: JobStatus,
    },
    /// Only lost jobs can be dismissed.
    #[error("job {job} is {status}; only a LOST job can be dismissed (kill a running one)")]
    NotLost {
        /// The job.
        job: JobId,
        /// Where it stands.
        status: JobStatus,
    },
    /// Its trigger is gone.
    #[error("the trigger of job {0} was deleted; it cannot be retried")]
    TriggerDeleted(JobId),
    /// The database failed.
    #[error(transparent)]
    Db(#[from] DbError),
}

impl Contended for JobError {
    fn is_contention(&self) -> bool {
        matches!(self, Self::Db(error) if error.is_contention())
    }
}
