//! What workers carry.

use orchestrator_core::text::WorkerName;

use super::row::{LoadRow, LockedLoadRow};
use super::{LockedLoads, WorkerLoad};
use crate::dialect::{Dialect, Sql, sql};
use crate::error::{DbError, Readable};
use crate::lists::Texts;
use crate::rows::{execute, fetch};
use crate::tx::Tx;

// `IS TRUE` keeps both databases from looking through the whole backlog for each worker.
macro_rules! load_columns {
    () => {
        "w.name, w.state, w.exclusive, w.slots, w.drain_requested, w.last_heartbeat, w.session_id, w.trouble, \
         COALESCE(a.active, 0) AS active, COALESCE(a.active_blocking, 0) AS active_blocking, \
         (SELECT r.id FROM jobs r WHERE r.reserved_worker = w.name AND (r.status = 'QUEUED') IS TRUE \
            ORDER BY r.priority DESC, r.type_rank, r.scheduled_at, r.id LIMIT 1) AS reserved_for"
    };
}

macro_rules! active_counts {
    () => {
        "SELECT worker_name, COUNT(*) AS active, \
            CAST(SUM(CASE WHEN is_blocking THEN 1 ELSE 0 END) AS BIGINT) AS active_blocking \
         FROM jobs"
    };
}

const WORKER_LOCK_ROWS: Sql = sql!["SELECT name FROM workers WHERE name" [in_texts "$1"] " ORDER BY name" [for_update]];

const WORKER_READ_LOADS: Sql = sql!["SELECT " [columns load_columns]
    ", EXISTS (SELECT 1 FROM jobs n WHERE n.status = 'QUEUED') AS any_queued FROM workers w LEFT JOIN (" [columns active_counts]
    [indexed_by "jobs_active_by_worker"] " WHERE status IN ('ASSIGNED', 'RUNNING', 'LOST') AND worker_name" [in_texts "$1"] " GROUP BY worker_name) a ON a.worker_name = w.name
     WHERE w.name" [in_texts "$1"] " ORDER BY w.name"];

const WORKER_LOADS: Sql = sql!["SELECT " [columns load_columns] " FROM workers w LEFT JOIN (" [columns active_counts]
    [indexed_by "jobs_active_by_worker"] " WHERE status IN ('ASSIGNED', 'RUNNING', 'LOST') GROUP BY worker_name) a ON a.worker_name = w.name
     WHERE w.state IN ('UP', 'DRAINING') ORDER BY w.name"];

impl Tx {
    /// Locks workers, one after the other in the order of their names, and only then counts what they carry: whoever holds
    /// the lock sees every job that was given to them before. In the order of names; unknown names are left out.
    pub async fn worker_lock_loads(&mut self, names: &[WorkerName]) -> Result<LockedLoads, DbError> {
        let names: Texts = names.iter().map(WorkerName::as_str).collect();
        // A write transaction of SQLite has the whole database.
        if self.dialect() == Dialect::Postgres {
            execute!(self, "worker_lock_loads", WORKER_LOCK_ROWS, [&names])?;
        }
        let rows = fetch!(
            self,
            "worker_lock_loads",
            WORKER_READ_LOADS,
            table "workers" key "name" as LockedLoadRow,
            [&names]
        )?;
        // Where nobody is known, nobody has looked.
        let any_queued = rows.iter().flatten().next().is_none_or(|row| row.any_queued);
        let workers = Readable::collect(rows.into_iter().map(|row| row?.load.try_into())).rows;
        Ok(LockedLoads { workers, any_queued })
    }

    /// What all workers that are UP or DRAINING carry. Takes no lock.
    pub async fn worker_loads(&mut self) -> Result<Vec<WorkerLoad>, DbError> {
        let rows = fetch!(self, "worker_loads", WORKER_LOADS, table "workers" key "name" as LoadRow, [])?;
        Ok(Readable::collect(rows.into_iter().map(|row| row?.try_into())).rows)
    }
}

#[cfg(test)]
crate::statements::statements![WORKER_LOCK_ROWS, WORKER_READ_LOADS, WORKER_LOADS];
