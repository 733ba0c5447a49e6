//! Instants of jobs that lie further ahead than a clock that is right could have written them.

use orchestrator_core::clock::Timestamp;
use orchestrator_core::id::{JobId, TriggerId};

use super::LockedJob;
use super::row::{JobRow, job_columns};
use crate::dialect::{Sql, sql};
use crate::error::{DbError, Readable};
use crate::rows::{execute, fetch};
use crate::tx::Tx;

// Looked through as `JOB_LOCK_EXPIRED` does: the few jobs that workers hold.
const JOB_LEASES_AHEAD: Sql = sql![
    "UPDATE jobs SET
        lease_expires_at = CASE WHEN lease_expires_at > $2 THEN $1 ELSE lease_expires_at END,
        lost_since = CASE WHEN lost_since > $4 THEN $3 ELSE lost_since END
     WHERE status IN ('ASSIGNED', 'RUNNING', 'LOST') AND (lease_expires_at > $2 OR lost_since > $4)
        AND trigger_id <> $5"
];

const JOB_POSTPONED: Sql = sql!["SELECT " [columns job_columns] " FROM jobs" [indexed_by "jobs_not_before"]
    " WHERE status = 'QUEUED' AND not_before IS NOT NULL AND not_before > $1 ORDER BY not_before DESC LIMIT $2" [skip_locked]];

const JOB_SET_NOT_BEFORE: Sql = sql!["UPDATE jobs SET not_before = $2 WHERE id = $1 AND status = 'QUEUED'"];

/// What is too far ahead, and where it is lowered to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lowering {
    /// Instants after it are not believed.
    pub ahead: Timestamp,
    /// What takes their place.
    pub to: Timestamp,
}

impl Tx {
    /// Lowers leases that end too far ahead, and since when jobs are lost; those of `except` keep theirs. How many jobs that were.
    pub async fn job_lower_leases(
        &mut self,
        leases: Lowering,
        lost: Lowering,
        except: TriggerId,
    ) -> Result<u64, DbError> {
        execute!(
            self,
            "job_lower_leases",
            JOB_LEASES_AHEAD,
            [leases.to, leases.ahead, lost.to, lost.ahead, except.as_uuid()]
        )
    }

    /// Locks queued jobs that may not be claimed before an instant after `ahead`, the latest first, without waiting for those
    /// that another server has.
    pub async fn job_lock_postponed(&mut self, ahead: Timestamp, limit: u32) -> Result<Vec<LockedJob>, DbError> {
        let rows = fetch!(
            self,
            "job_lock_postponed",
            JOB_POSTPONED,
            table "jobs" key "id" as JobRow,
            [ahead, i64::from(limit)]
        )?;
        Ok(Readable::collect(rows.into_iter().map(|row| row?.try_into())).rows)
    }

    /// Lets a queued job be claimed from another instant on.
    pub async fn job_set_not_before(&mut self, job: JobId, not_before: Timestamp) -> Result<(), DbError> {
        execute!(self, "job_set_not_before", JOB_SET_NOT_BEFORE, [job.as_uuid(), not_before])?;
        Ok(())
    }
}

#[cfg(test)]
crate::statements::statements![JOB_LEASES_AHEAD, JOB_POSTPONED, JOB_SET_NOT_BEFORE];
