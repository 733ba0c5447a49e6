//! A worker is about to spawn the robot.

use std::collections::BTreeSet;

use orchestrator_core::id::{JobId, SessionId};
use orchestrator_core::lease::{LEASE, LeaseToken};
use orchestrator_core::text::WorkerName;
use orchestrator_db::{DbError, Hint, JobStart, StartedJob, Tx};

use crate::lane::Lane;
use crate::scheduler::Scheduler;
use crate::transaction::MOST_RERUNS;

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

/// What a worker learns when it starts a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Started {
    /// The job's kill was requested meanwhile: it is not to be spawned.
    pub kill_requested: bool,
}

/// Where starts meet.
pub(crate) type Starts = Lane<JobStart, Result<Started, StartError>>;

impl Scheduler {
    /// Marks a job as running, from the moment before its robot is spawned. The same call again is no error. Calls that come
    /// together share a transaction.
    pub async fn start_job(
        &self,
        worker: &WorkerName,
        session: SessionId,
        job: JobId,
        token: LeaseToken,
        token_hash: &[u8],
        commit: Option<&str>,
    ) -> Result<Started, StartError> {
        let call = JobStart {
            worker: worker.clone(),
            session,
            job,
            token,
            token_hash: token_hash.to_vec(),
            commit: commit.map(ToOwned::to_owned),
        };
        self.starts().ask(call, |calls| self.start_all(calls)).await
    }

    /// Starts jobs in one transaction; where that fails, each in one of its own, so that one bad call fails no other.
    async fn start_all(&self, calls: Vec<JobStart>) -> Vec<Result<Started, StartError>> {
        let error = match self.start_together(&calls).await {
            Ok(answers) => return answers,
            Err(error) => error,
        };
        if let Some(answers) = calls.iter().map(|_| error.for_another().map(|error| Err(error.into()))).collect() {
            return answers;
        }
        if calls.len() == 1 {
            return vec![Err(error.into())];
        }
        let mut answers = Vec::with_capacity(calls.len());
        for call in calls {
            let alone = self.start_together(&[call]).await;
            answers.extend(alone.unwrap_or_else(|error| vec![Err(error.into())]));
        }
        answers
    }

    async fn start_together(&self, calls: &[JobStart]) -> Result<Vec<Result<Started, StartError>>, DbError> {
        let mut reruns = 0;
        let started = loop {
            let now = self.now();
            match self.db().jobs_start_at_once(calls, now, now + LEASE).await {
                Err(error) if reruns < MOST_RERUNS && error.is_contention() => reruns += 1,
                started => break started?,
            }
        };
        let jobs: BTreeSet<JobId> = started.iter().map(|started| started.job).collect();
        self.wake(&jobs.into_iter().map(|id| Hint::Job { id }).collect::<Vec<_>>());
        let all: Option<Vec<_>> = calls.iter().map(|call| find(&started, call).map(Ok)).collect();
        match all {
            Some(answers) => Ok(answers),
            None => Ok(answers(&mut self.db().begin_read().await?, calls, &started).await),
        }
    }
}

fn find(started: &[StartedJob], call: &JobStart) -> Option<Started> {
    let found = started.iter().find(|it| it.job == call.job && it.token_hash == call.token_hash)?;
    Some(Started { kill_requested: found.kill_requested })
}

/// One a call. Who may not start is told why.
async fn answers(tx: &mut Tx, calls: &[JobStart], started: &[StartedJob]) -> Vec<Result<Started, StartError>> {
    let mut answers = Vec::with_capacity(calls.len());
    for call in calls {
        answers.push(match find(started, call) {
            Some(started) => Ok(started),
            None => refusal(tx, call.job).await,
        });
    }
    answers
}

async fn refusal(tx: &mut Tx, job: JobId) -> Result<Started, StartError> {
    tx.job_get(job).await?;
    Err(StartError::LeaseLost(job))
}
