//! Kills, cancellations and dismissals.

use orchestrator_core::clock::Timestamp;
use orchestrator_core::id::{JobId, TriggerId};
use orchestrator_core::job::Outcome;
use orchestrator_core::lease::LeaseToken;
use orchestrator_core::text::{Reason, WorkerName};
use uuid::Uuid;

use crate::dialect::{Sql, sql};
use crate::error::DbError;
use crate::lists::Ids;
use crate::rows::{fetch_plain, fetch_scalars};
use crate::tx::Tx;

/// Which queued jobs are cancelled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CancelBy {
    /// All of a trigger.
    Trigger(TriggerId),
    /// These.
    Jobs(Vec<JobId>),
}

const JOB_KILLS_OF: Sql = sql![
    "SELECT id, lease_token FROM jobs" [indexed_by "jobs_active_by_worker"] "
     WHERE worker_name = $1 AND status IN ('ASSIGNED', 'RUNNING', 'LOST') AND kill_requested ORDER BY id"
];

const JOB_REQUEST_KILL: Sql = sql!["UPDATE jobs SET kill_requested = TRUE
     WHERE id" [in_ids "$1"] " AND status IN ('ASSIGNED', 'RUNNING', 'LOST') AND worker_name IS NOT NULL
     RETURNING id, worker_name, lease_token"];

const JOB_CANCEL_OF_TRIGGER: Sql = sql![
    "UPDATE jobs" [indexed_by "jobs_active_by_trigger"] " SET status = 'CANCELLED', end_time = $3,
        reason = $2, reserved_worker = NULL
     WHERE trigger_id = $1 AND status IN ('QUEUED', 'ASSIGNED', 'RUNNING', 'LOST') AND status = 'QUEUED' RETURNING id"
];

const JOB_CANCEL: Sql = sql!["UPDATE jobs SET status = 'CANCELLED', end_time = $3, reason = $2, reserved_worker = NULL
     WHERE id" [in_ids "$1"] " AND (status = 'QUEUED') IS TRUE RETURNING id"];

const JOB_END_LOST: Sql = sql!["UPDATE jobs SET status = $2, end_time = $4, reason = $3, job_token_hash = NULL,
        lease_expires_at = NULL
     WHERE id" [in_ids "$1"] " AND status = 'LOST' AND superseded_by IS NULL RETURNING id"];

impl Tx {
    /// Asks for the kill of jobs that workers hold. Returns those, with who holds them by which token; asking again returns
    /// them again.
    pub async fn job_request_kill(&mut self, ids: &[JobId]) -> Result<Vec<(JobId, WorkerName, LeaseToken)>, DbError> {
        let ids: Ids = ids.iter().map(|id| id.as_uuid()).collect();
        let asked = fetch_plain!(self, "job_request_kill", JOB_REQUEST_KILL, as (Uuid, String, i64), [&ids])?;
        let mut asked: Vec<_> = asked
            .into_iter()
            .map(|(id, worker, token)| (JobId::from_uuid(id), WorkerName::from_stored(worker), LeaseToken::new(token)))
            .collect();
        asked.sort_by_key(|(id, ..)| *id);
        Ok(asked)
    }

    /// The jobs of a worker whose kill was requested, by which token it holds them. Takes no lock.
    pub async fn job_kills_of(&mut self, worker: &WorkerName) -> Result<Vec<(JobId, LeaseToken)>, DbError> {
        let kills = fetch_plain!(self, "job_kills_of", JOB_KILLS_OF, as (Uuid, i64), [worker.as_str()])?;
        Ok(kills.into_iter().map(|(id, token)| (JobId::from_uuid(id), LeaseToken::new(token))).collect())
    }

    /// Cancels jobs that nobody has claimed. Returns those, in the order of their ids.
    pub async fn job_cancel_queued(
        &mut self,
        by: &CancelBy,
        reason: &Reason,
        now: Timestamp,
    ) -> Result<Vec<JobId>, DbError> {
        let cancelled = match by {
            CancelBy::Trigger(trigger) => fetch_scalars!(
                self,
                "job_cancel_queued",
                JOB_CANCEL_OF_TRIGGER,
                as Uuid,
                [trigger.as_uuid(), reason.as_str(), now]
            )?,
            CancelBy::Jobs(jobs) => {
                let ids: Ids = jobs.iter().map(|id| id.as_uuid()).collect();
                fetch_scalars!(self, "job_cancel_queued", JOB_CANCEL, as Uuid, [&ids, reason.as_str(), now])?
            }
        };
        Ok(sorted(cancelled))
    }

    /// Ends jobs that are LOST. Returns those, in the order of their ids.
    pub async fn job_end_lost(
        &mut self,
        ids: &[JobId],
        outcome: Outcome,
        reason: &Reason,
        now: Timestamp,
    ) -> Result<Vec<JobId>, DbError> {
        let ids: Ids = ids.iter().map(|id| id.as_uuid()).collect();
        let status = outcome.status().as_str();
        let ended = fetch_scalars!(self, "job_end_lost", JOB_END_LOST, as Uuid, [&ids, status, reason.as_str(), now])?;
        Ok(sorted(ended))
    }
}

/// `RETURNING` keeps no order.
pub(super) fn sorted(ids: Vec<Uuid>) -> Vec<JobId> {
    let mut ids: Vec<JobId> = ids.into_iter().map(JobId::from_uuid).collect();
    ids.sort();
    ids
}

#[cfg(test)]
crate::statements::statements![JOB_KILLS_OF, JOB_REQUEST_KILL, JOB_CANCEL_OF_TRIGGER, JOB_CANCEL, JOB_END_LOST];
