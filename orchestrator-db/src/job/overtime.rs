//! Jobs that their worker should have stopped long ago.

use chrono::TimeDelta;
use orchestrator_core::clock::Timestamp;
use orchestrator_core::id::JobId;
use orchestrator_core::job::Job;
use orchestrator_core::text::{Reason, WorkerName};
use uuid::Uuid;

use super::LockedJob;
use super::row::{JobRow, job_columns};
use crate::dialect::{Sql, sql};
use crate::error::{DbError, Readable};
use crate::lists::Ids;
use crate::rows::{fetch, fetch_scalars};
use crate::tx::Tx;

/// What the worker gets beyond time-out and grace to tell the end, before the server steps in.
const BACKSTOP: TimeDelta = TimeDelta::seconds(30);

const JOB_RUNNING_WITH_TIMEOUT: Sql = sql!["SELECT " [columns job_columns] " FROM jobs
     WHERE status IN ('ASSIGNED', 'RUNNING', 'LOST') AND status = 'RUNNING' AND start_time < $1 AND "
    [only sqlite "snapshot->>'$.policies.timeout' IS NOT NULL"]
    [only postgres "snapshot->'policies'->>'timeout' IS NOT NULL"]];

const JOB_LOCK_RUNNING: Sql = sql!["SELECT " [columns job_columns] " FROM jobs
     WHERE id" [in_ids "$1"] " AND status = 'RUNNING' ORDER BY id" [skip_locked]];

const JOB_STOP_OVERTIME: Sql = sql![
    "UPDATE jobs SET kill_requested = TRUE, reason = $2
     WHERE id = $1 AND status = 'RUNNING' AND worker_name IS NOT NULL AND NOT kill_requested RETURNING worker_name"
];

impl Tx {
    /// Locks running jobs that are past their time-out, its grace and half a minute, without waiting for those that another
    /// server has. Those that `is_watched` does not hold for are left out.
    pub async fn job_lock_overtime(
        &mut self,
        now: Timestamp,
        limit: u32,
        is_watched: impl Fn(&Job) -> bool + Send + Sync,
    ) -> Result<Vec<LockedJob>, DbError> {
        let rows = fetch!(
            self,
            "job_lock_overtime",
            JOB_RUNNING_WITH_TIMEOUT,
            table "jobs" key "id" as JobRow,
            [now - BACKSTOP]
        )?;
        let running: Vec<Job> = Readable::collect(rows.into_iter().map(|row| row?.try_into())).rows;
        let overtime: Vec<Uuid> = running
            .iter()
            .filter(|job| stop_by(job).is_some_and(|by| by < now) && is_watched(job))
            .map(|job| job.id.as_uuid())
            .take(limit as usize)
            .collect();
        if overtime.is_empty() {
            return Ok(Vec::new());
        }
        let rows = fetch!(
            self,
            "job_lock_overtime",
            JOB_LOCK_RUNNING,
            table "jobs" key "id" as JobRow,
            [Ids(overtime)]
        )?;
        Ok(Readable::collect(rows.into_iter().map(|row| row?.try_into())).rows)
    }

    /// Asks for the kill of a running job that nobody has asked for, and keeps why. Its worker, when it was asked for.
    pub async fn job_stop_overtime(&mut self, job: JobId, reason: &Reason) -> Result<Option<WorkerName>, DbError> {
        let stopped =
            fetch_scalars!(self, "job_stop_overtime", JOB_STOP_OVERTIME, as String, [job.as_uuid(), reason.as_str()])?;
        Ok(stopped.into_iter().next().map(WorkerName::from_stored))
    }
}

/// When a job has to be over at the latest, if it has a time-out.
fn stop_by(job: &Job) -> Option<Timestamp> {
    let policies = &job.snapshot.policies;
    let most = policies.timeout?.checked_add(policies.stop_grace)?;
    job.start_time?.checked_add_signed(TimeDelta::from_std(most).ok()?)?.checked_add_signed(BACKSTOP)
}

#[cfg(test)]
crate::statements::statements![JOB_RUNNING_WITH_TIMEOUT, JOB_LOCK_RUNNING, JOB_STOP_OVERTIME];
