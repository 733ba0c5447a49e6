use std::collections::{BTreeSet, HashMap};

use chrono::TimeDelta;
use orchestrator_core::clock::Timestamp;
use orchestrator_core::id::JobId;
use orchestrator_core::job::{JobStatus, OutputChunk};
use orchestrator_core::lease::LeaseToken;
use orchestrator_core::text::WorkerName;

use super::waiting::Weight;
use super::work::{Done, Work};
use crate::error::DbError;
use crate::hint::Hint;
use crate::job::LockedJob;
use crate::tx::Tx;

/// A chunk counts as a row for each of these that it begins: others that wait for the transaction wait for its bytes.
const BYTES_OF_A_ROW: usize = 4096;

/// What a robot printed, as the worker tells that holds its job.
#[derive(Debug, Clone)]
pub struct OutputCall {
    /// Who tells it.
    pub worker: WorkerName,
    /// The job.
    pub job: JobId,
    /// The token of its lease.
    pub token: LeaseToken,
    /// Pieces of output. Those whose number is there already are skipped.
    pub chunks: Vec<OutputChunk>,
    /// How long after its end the job still takes output.
    pub after_end: TimeDelta,
}

/// Why output was not taken.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// There is no such job.
    #[error("there is no job {0}")]
    NotFound(JobId),
    /// The token is stale, or the job ended too long ago.
    #[error("the lease of job {0} is gone; its output is not taken any more")]
    LeaseLost(JobId),
}

/// Writes what many robots print with one statement.
pub(super) struct Outputs;

impl Work for Outputs {
    type Call = OutputCall;
    type Answer = Result<(), AppendError>;

    fn key(call: &OutputCall) -> String {
        call.job.to_string()
    }

    fn weight(call: &OutputCall) -> Weight {
        let sizes = || call.chunks.iter().map(|chunk| chunk.content.len());
        Weight {
            rows: sizes().map(|size| 1 + size / BYTES_OF_A_ROW).sum(),
            bytes: 200 + sizes().map(|size| 100 + size).sum::<usize>(),
        }
    }

    async fn run(
        &self,
        tx: &mut Tx,
        calls: &[OutputCall],
        now: Timestamp,
    ) -> Result<Done<Result<(), AppendError>>, DbError> {
        let jobs: BTreeSet<JobId> = calls.iter().map(|call| call.job).collect();
        let locked = tx.job_lock(&jobs.into_iter().collect::<Vec<_>>()).await?;
        let locked: HashMap<JobId, LockedJob> = locked.into_iter().map(|locked| (locked.job.id, locked)).collect();
        let answers: Vec<_> = calls.iter().map(|call| decide(call, locked.get(&call.job), now)).collect();
        let taken = || calls.iter().zip(&answers).filter(|(_, answer)| answer.is_ok()).map(|(call, _)| call);
        tx.output_append(&taken().map(|call| (call.job, call.chunks.as_slice())).collect::<Vec<_>>()).await?;
        let told: BTreeSet<JobId> = taken().map(|call| call.job).collect();
        Ok(Done { answers, hints: told.into_iter().map(|id| Hint::Job { id }).collect(), here: Vec::new() })
    }
}

/// Whether the job, under its lock, takes what is said about it.
fn decide(call: &OutputCall, locked: Option<&LockedJob>, now: Timestamp) -> Result<(), AppendError> {
    let LockedJob { job, lease_token, .. } = locked.ok_or(AppendError::NotFound(call.job))?;
    let is_holder = job.worker_name.as_ref() == Some(&call.worker) && *lease_token == call.token;
    let is_open = match job.end_time {
        Some(end) => now < end + call.after_end,
        None => job.state.status() != JobStatus::Queued,
    };
    if is_holder && is_open && job.superseded_by.is_none() { Ok(()) } else { Err(AppendError::LeaseLost(call.job)) }
}
