//! Jobs that are held, and their locks.

use orchestrator_core::id::{JobId, SessionId, TriggerId};
use orchestrator_core::text::WorkerName;

use super::LockedJob;
use super::row::{JobRow, job_columns};
use crate::dialect::{Sql, sql};
use crate::error::{DbError, Readable};
use crate::lists::Ids;
use crate::rows::{execute, fetch, fetch_scalars};
use crate::tx::Tx;

const JOB_LOCK: Sql =
    sql!["SELECT " [columns job_columns] " FROM jobs WHERE id" [in_ids "$1"] " ORDER BY id" [for_update]];

const JOB_HELD_BY: Sql = sql!["SELECT " [columns job_columns] " FROM jobs" [indexed_by "jobs_active_by_worker"] "
     WHERE worker_name = $1 AND status IN ('ASSIGNED', 'RUNNING', 'LOST') ORDER BY id" [for_update]];

const JOB_IDS_HELD_BY: Sql = sql!["SELECT id FROM jobs" [indexed_by "jobs_active_by_worker"] " WHERE worker_name = $1 AND status IN ('ASSIGNED', 'RUNNING', 'LOST') ORDER BY id"];

const JOB_STARTED_OF: Sql = sql![
    "SELECT id FROM jobs" [indexed_by "jobs_active_by_trigger"] "
     WHERE trigger_id = $1 AND status IN ('QUEUED', 'ASSIGNED', 'RUNNING', 'LOST') AND status <> 'QUEUED' ORDER BY id"
];

const JOB_MOVE_SESSION: Sql = sql!["UPDATE jobs SET session_id = $2
     WHERE id" [in_ids "$1"] " AND (status IN ('ASSIGNED', 'RUNNING', 'LOST')) IS TRUE"];

impl Tx {
    /// Locks jobs, one after the other in the order of their ids, and returns them in that order. Ids that nothing has are
    /// left out; so are rows that cannot be read, after a log line.
    pub async fn job_lock(&mut self, ids: &[JobId]) -> Result<Vec<LockedJob>, DbError> {
        let ids: Ids = ids.iter().map(|id| id.as_uuid()).collect();
        let rows = fetch!(self, "job_lock", JOB_LOCK, table "jobs" key "id" as JobRow, [&ids])?;
        Ok(Readable::collect(rows.into_iter().map(|row| row?.try_into())).rows)
    }

    /// Locks the jobs that a worker holds: assigned, running or lost.
    pub async fn job_held_by(&mut self, worker: &WorkerName) -> Result<Vec<LockedJob>, DbError> {
        let rows = fetch!(self, "job_held_by", JOB_HELD_BY, table "jobs" key "id" as JobRow, [worker.as_str()])?;
        Ok(Readable::collect(rows.into_iter().map(|row| row?.try_into())).rows)
    }

    /// The jobs that a worker holds: assigned, running or lost. Takes no lock, so that their triggers can be locked first.
    pub async fn job_ids_held_by(&mut self, worker: &WorkerName) -> Result<Vec<JobId>, DbError> {
        let ids = fetch_scalars!(self, "job_ids_held_by", JOB_IDS_HELD_BY, as uuid::Uuid, [worker.as_str()])?;
        Ok(ids.into_iter().map(JobId::from_uuid).collect())
    }

    /// The jobs of a trigger that workers hold: assigned, running or lost. Takes no lock.
    pub async fn job_started_of(&mut self, trigger: TriggerId) -> Result<Vec<JobId>, DbError> {
        let ids = fetch_scalars!(self, "job_started_of", JOB_STARTED_OF, as uuid::Uuid, [trigger.as_uuid()])?;
        Ok(ids.into_iter().map(JobId::from_uuid).collect())
    }

    /// Takes jobs over into a worker's new registration.
    pub async fn job_move_session(&mut self, jobs: &[JobId], session: SessionId) -> Result<(), DbError> {
        let ids: Ids = jobs.iter().map(|id| id.as_uuid()).collect();
        execute!(self, "job_move_session", JOB_MOVE_SESSION, [&ids, session.as_uuid()])?;
        Ok(())
    }
}

#[cfg(test)]
crate::statements::statements![JOB_LOCK, JOB_HELD_BY, JOB_IDS_HELD_BY, JOB_STARTED_OF, JOB_MOVE_SESSION];
