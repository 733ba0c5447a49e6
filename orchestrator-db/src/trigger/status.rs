//! The status that people see, and the active jobs behind it.

use std::collections::HashMap;

use orchestrator_core::id::TriggerId;
use orchestrator_core::trigger::ActiveJobs;
use uuid::Uuid;

use crate::dialect::{Sql, sql};
use crate::error::DbError;
use crate::lists::Ids;
use crate::rows::{execute, fetch_plain};
use crate::tx::Tx;

/// `shown_status` of the core as an expression over `triggers` and a hold; a test holds the two against each other.
macro_rules! shown_status {
    (sqlite) => {
        shown_status!(" INDEXED BY jobs_active_by_trigger", "triggers.hold")
    };
    (postgres) => {
        shown_status!("", "triggers.hold")
    };
    ($hint:literal, $hold:literal) => {
        concat!(
            "CASE WHEN ",
            active_job!($hint, "j.kill_requested"),
            " THEN 'KILLING' WHEN ",
            active_job!($hint, "j.status <> 'QUEUED'"),
            " THEN CASE WHEN ",
            $hold,
            " = 'NONE' THEN 'RUNNING' ELSE 'PAUSING' END WHEN ",
            active_job!($hint, "(j.status = 'QUEUED') IS TRUE"),
            " THEN 'QUEUED' WHEN ",
            $hold,
            " = 'NONE' THEN 'IDLE' ELSE ",
            $hold,
            " END"
        )
    };
}
pub(crate) use shown_status;

/// Whether the trigger has such an active job. What `EXISTS` asks for, PostgreSQL may read all active jobs to know.
macro_rules! active_job {
    ($hint:literal, $such:literal) => {
        concat!(
            "(SELECT 1 FROM jobs j",
            $hint,
            " WHERE j.trigger_id = triggers.id AND j.status IN ('QUEUED', 'ASSIGNED', 'RUNNING', 'LOST') AND ",
            $such,
            " LIMIT 1) IS NOT NULL"
        )
    };
}
pub(crate) use active_job;

// What would not change is not written: most starts and ends of parallel jobs change nothing that is seen.
const TRIGGER_REFRESH_STATUS: Sql = sql!["UPDATE triggers SET process_status = " [text shown_status]
    " WHERE id" [in_ids "$1"] " AND process_status <> " [text shown_status]];

const TRIGGER_ACTIVE_JOBS: Sql = sql!["SELECT trigger_id,
        CAST(SUM(CASE WHEN status = 'QUEUED' THEN 1 ELSE 0 END) AS BIGINT),
        CAST(SUM(CASE WHEN status <> 'QUEUED' THEN 1 ELSE 0 END) AS BIGINT),
        CAST(SUM(CASE WHEN kill_requested THEN 1 ELSE 0 END) AS BIGINT)
     FROM jobs" [indexed_by "jobs_active_by_trigger"] " WHERE trigger_id" [in_ids "$1"] " AND status IN ('QUEUED', 'ASSIGNED', 'RUNNING', 'LOST')
     GROUP BY trigger_id"];

impl Tx {
    /// Writes what people see of these triggers, from their hold and their active jobs. Called in the transaction that
    /// changes either, which holds the triggers' locks: without them two transactions would miss each other's jobs.
    pub async fn trigger_refresh_status(&mut self, ids: &[TriggerId]) -> Result<(), DbError> {
        let ids: Ids = ids.iter().map(|id| id.as_uuid()).collect();
        execute!(self, "trigger_refresh_status", TRIGGER_REFRESH_STATUS, [&ids])?;
        Ok(())
    }

    /// The active jobs of each of these triggers, none included.
    pub async fn trigger_active_jobs(&mut self, ids: &[TriggerId]) -> Result<HashMap<TriggerId, ActiveJobs>, DbError> {
        let bound: Ids = ids.iter().map(|id| id.as_uuid()).collect();
        let counts =
            fetch_plain!(self, "trigger_active_jobs", TRIGGER_ACTIVE_JOBS, as (Uuid, i64, i64, i64), [&bound])?;
        let mut active: HashMap<TriggerId, ActiveJobs> = ids.iter().map(|id| (*id, ActiveJobs::default())).collect();
        for (id, queued, started, kill_requested) in counts {
            let count = |value: i64| u32::try_from(value).unwrap_or(u32::MAX);
            active.insert(
                TriggerId::from_uuid(id),
                ActiveJobs { queued: count(queued), started: count(started), kill_requested: count(kill_requested) },
            );
        }
        Ok(active)
    }
}

#[cfg(test)]
crate::statements::statements![TRIGGER_REFRESH_STATUS, TRIGGER_ACTIVE_JOBS];
