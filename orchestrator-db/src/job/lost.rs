//! Jobs whose lease ran out.

use orchestrator_core::clock::Timestamp;
use orchestrator_core::id::JobId;

use super::LockedJob;
use super::row::{JobRow, job_columns};
use super::stop::sorted;
use crate::dialect::{Sql, sql};
use crate::error::{DbError, Readable};
use crate::lists::Ids;
use crate::rows::{execute, fetch, fetch_scalars};
use crate::tx::Tx;

// The expiry is in no index: every renewal changes it. The few jobs that workers hold are looked through instead.
const JOB_LOCK_EXPIRED: Sql = sql!["SELECT " [columns job_columns] " FROM jobs
     WHERE status IN ('ASSIGNED', 'RUNNING', 'LOST') AND status <> 'LOST' AND lease_expires_at <= $1
     LIMIT $2" [skip_locked]];

const JOB_LOCK_LOST: Sql = sql!["SELECT " [columns job_columns] " FROM jobs
     WHERE status IN ('ASSIGNED', 'RUNNING', 'LOST') AND status = 'LOST' AND superseded_by IS NULL
     ORDER BY lost_since, id LIMIT $1" [skip_locked]];

const JOB_MARK_LOST: Sql = sql!["UPDATE jobs SET status = 'LOST', lost_since = $2
     WHERE id" [in_ids "$1"] " AND status = 'RUNNING' RETURNING id"];

// The next attempt was queued when this one was given up.
const JOB_SUPERSEDE: Sql = sql![
    "UPDATE jobs SET superseded_by = $2, status = 'FAILED', reason = 'lost; the next attempt took over',
        end_time = COALESCE((SELECT n.queued_at FROM jobs n WHERE n.id = $2), lost_since),
        job_token_hash = NULL, lease_expires_at = NULL
     WHERE id = $1 AND status = 'LOST' AND superseded_by IS NULL"
];

impl Tx {
    /// Locks jobs that a worker holds and whose lease has run out, without waiting for those that another server has.
    pub async fn job_lock_expired(&mut self, now: Timestamp, limit: u32) -> Result<Vec<LockedJob>, DbError> {
        let rows = fetch!(
            self,
            "job_lock_expired",
            JOB_LOCK_EXPIRED,
            table "jobs" key "id" as JobRow,
            [now, i64::from(limit)]
        )?;
        let mut jobs: Vec<LockedJob> = Readable::collect(rows.into_iter().map(|row| row?.try_into())).rows;
        jobs.sort_by_key(|locked| locked.job.id);
        Ok(jobs)
    }

    /// Locks LOST jobs, the longest lost first, without waiting for those that another server has.
    pub async fn job_lock_lost(&mut self, limit: u32) -> Result<Vec<LockedJob>, DbError> {
        let rows = fetch!(self, "job_lock_lost", JOB_LOCK_LOST, table "jobs" key "id" as JobRow, [i64::from(limit)])?;
        Ok(Readable::collect(rows.into_iter().map(|row| row?.try_into())).rows)
    }

    /// Marks RUNNING jobs as LOST. Returns those, in the order of their ids.
    pub async fn job_mark_lost(&mut self, ids: &[JobId], now: Timestamp) -> Result<Vec<JobId>, DbError> {
        let ids: Ids = ids.iter().map(|id| id.as_uuid()).collect();
        Ok(sorted(fetch_scalars!(self, "job_mark_lost", JOB_MARK_LOST, as uuid::Uuid, [&ids, now])?))
    }

    /// Lets the next attempt, which is queued already, take over from a LOST job; what its worker says later is refused.
    /// False when it is not lost any more.
    pub async fn job_supersede(&mut self, lost: JobId, by: JobId) -> Result<bool, DbError> {
        Ok(execute!(self, "job_supersede", JOB_SUPERSEDE, [lost.as_uuid(), by.as_uuid()])? == 1)
    }
}

#[cfg(test)]
crate::statements::statements![JOB_LOCK_EXPIRED, JOB_LOCK_LOST, JOB_MARK_LOST, JOB_SUPERSEDE];
