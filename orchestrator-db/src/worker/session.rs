//! Registrations, and what people see and change of workers.

use std::collections::BTreeSet;

use orchestrator_core::clock::Timestamp;
use orchestrator_core::id::SessionId;
use orchestrator_core::text::WorkerName;
use orchestrator_core::worker::Worker;
use sqlx::types::Json;

use super::row::{ListedRow, WorkerRow, worker_columns};
use super::{NewSession, StoredWorker, WorkerStanding};
use crate::dialect::{Sql, sql};
use crate::error::{DbError, Readable};
use crate::rows::{execute, fetch, fetch_plain, fetch_scalars};
use crate::tx::Tx;

const WORKER_GET: Sql = sql!["SELECT " [columns worker_columns] " FROM workers w WHERE w.name = $1"];

const WORKER_LOCK: Sql = sql!["SELECT " [columns worker_columns] " FROM workers w WHERE w.name = $1" [for_update]];

const WORKER_STANDING: Sql = sql!["SELECT session_id, drain_requested FROM workers WHERE name = $1"];

const WORKER_LIST: Sql = sql!["SELECT " [columns worker_columns] ", COALESCE(a.active, 0) AS active
     FROM workers w LEFT JOIN (SELECT worker_name, COUNT(*) AS active
        FROM jobs" [indexed_by "jobs_active_by_worker"] " WHERE status IN ('ASSIGNED', 'RUNNING', 'LOST') GROUP BY worker_name) a ON a.worker_name = w.name
     ORDER BY w.name"];

const WORKER_AND_ACTIVE: Sql = sql!["SELECT " [columns worker_columns] ", (SELECT COUNT(*)
        FROM jobs j" [indexed_by "jobs_active_by_worker"] " WHERE j.worker_name = w.name AND j.status IN ('ASSIGNED', 'RUNNING', 'LOST')) AS active
     FROM workers w WHERE w.name = $1"];

const WORKER_UPSERT: Sql = sql![
    "INSERT INTO workers (name, state, last_heartbeat, slots, exclusive, version, labels, session_id,
        instance_id, drain_requested, registered_at)
     VALUES ($1, 'UP', $2, $3, $4, $5, $6, $7, $8, FALSE, $2)
     ON CONFLICT (name) DO UPDATE SET state = CASE WHEN workers.drain_requested THEN 'DRAINING' ELSE 'UP' END,
        last_heartbeat = excluded.last_heartbeat, slots = excluded.slots, exclusive = excluded.exclusive,
        version = excluded.version, labels = excluded.labels, session_id = excluded.session_id,
        instance_id = excluded.instance_id, trouble = NULL"
];

const WORKER_CONTESTED: Sql = sql!["UPDATE workers SET contested_at = $2 WHERE name = $1"];

const WORKER_SET_DRAIN: Sql = sql![
    "UPDATE workers SET drain_requested = $2,
        state = CASE WHEN state NOT IN ('UP', 'DRAINING') THEN state WHEN $2 THEN 'DRAINING' ELSE 'UP' END
     WHERE name = $1"
];

const WORKER_STOP: Sql =
    sql!["UPDATE workers SET state = 'STOPPED', trouble = NULL WHERE name = $1 AND session_id = $2"];

const WORKER_REMOVE: Sql = sql![
    "DELETE FROM workers WHERE name = $1 AND state IN ('STOPPED', 'LOST')
     AND NOT EXISTS (SELECT 1 FROM jobs j" [indexed_by "jobs_active_by_worker"] " WHERE j.worker_name = $1 AND j.status IN ('ASSIGNED', 'RUNNING', 'LOST'))"
];

const WORKER_RELEASE_RESERVATIONS: Sql = sql!["UPDATE jobs" [indexed_by "jobs_reserved"] " SET reserved_worker = NULL WHERE reserved_worker = $1 AND status = 'QUEUED'"];

const WORKERS_DRAINING: Sql = sql!["SELECT name FROM workers WHERE drain_requested"];

impl Tx {
    /// The workers that were asked to take nothing new.
    pub async fn workers_draining(&mut self) -> Result<BTreeSet<WorkerName>, DbError> {
        let names = fetch_scalars!(self, "workers_draining", WORKERS_DRAINING, as String, [])?;
        Ok(names.into_iter().map(WorkerName::from_stored).collect())
    }

    /// A worker by name.
    pub async fn worker_get(&mut self, name: &WorkerName) -> Result<Option<Worker>, DbError> {
        let rows = fetch!(self, "worker_get", WORKER_GET, table "workers" key "name" as WorkerRow, [name.as_str()])?;
        rows.into_iter().next().map(|row| Ok(row?.try_into()?)).transpose()
    }

    /// All workers by name, each with how many jobs it holds.
    pub async fn worker_list(&mut self) -> Result<Vec<(Worker, u32)>, DbError> {
        let rows = fetch!(self, "worker_list", WORKER_LIST, table "workers" key "name" as ListedRow, [])?;
        Ok(Readable::collect(rows.into_iter().map(|row| row?.try_into())).rows)
    }

    /// A worker by name, with how many jobs it holds.
    pub async fn worker_and_active(&mut self, name: &WorkerName) -> Result<Option<(Worker, u32)>, DbError> {
        let rows = fetch!(self, "worker_and_active", WORKER_AND_ACTIVE, table "workers" key "name" as ListedRow, [name.as_str()])?;
        rows.into_iter().next().map(|row| Ok(row?.try_into()?)).transpose()
    }

    /// Locks a worker.
    pub async fn worker_lock(&mut self, name: &WorkerName) -> Result<Option<StoredWorker>, DbError> {
        let rows = fetch!(self, "worker_lock", WORKER_LOCK, table "workers" key "name" as WorkerRow, [name.as_str()])?;
        rows.into_iter().next().map(|row| Ok(row?.try_into()?)).transpose()
    }

    /// The registration of a worker, and whether it is to drain. Takes no lock.
    pub async fn worker_standing(&mut self, name: &WorkerName) -> Result<Option<WorkerStanding>, DbError> {
        let rows = fetch_plain!(self, "worker_standing", WORKER_STANDING, as (uuid::Uuid, bool), [name.as_str()])?;
        Ok(rows.into_iter().next().map(|(session, drain_requested)| WorkerStanding {
            session_id: SessionId::from_uuid(session),
            drain_requested,
        }))
    }

    /// Stores a registration: the worker is UP, or DRAINING where an administrator asked for that.
    pub async fn worker_upsert(&mut self, session: &NewSession, now: Timestamp) -> Result<(), DbError> {
        execute!(
            self,
            "worker_upsert",
            WORKER_UPSERT,
            [
                session.name.as_str(),
                now,
                i64::from(session.slots),
                session.exclusive,
                session.version.as_str(),
                Json(&session.labels),
                session.session.as_uuid(),
                session.instance.as_uuid()
            ]
        )?;
        Ok(())
    }

    /// Notes that another agent with a copy of a worker's data folder was refused.
    pub async fn worker_note_contested(&mut self, name: &WorkerName, now: Timestamp) -> Result<(), DbError> {
        execute!(self, "worker_note_contested", WORKER_CONTESTED, [name.as_str(), now])?;
        Ok(())
    }

    /// Asks a worker to take nothing new, or to take jobs again. False when there is no such worker.
    pub async fn worker_set_drain(&mut self, name: &WorkerName, drain: bool) -> Result<bool, DbError> {
        Ok(execute!(self, "worker_set_drain", WORKER_SET_DRAIN, [name.as_str(), drain])? == 1)
    }

    /// Notes that a worker said good-bye. False when the session is not its current one.
    pub async fn worker_stop(&mut self, name: &WorkerName, session: SessionId) -> Result<bool, DbError> {
        Ok(execute!(self, "worker_stop", WORKER_STOP, [name.as_str(), session.as_uuid()])? == 1)
    }

    /// Forgets a worker that is stopped or lost and holds nothing. False when it may not be forgotten, or is gone.
    pub async fn worker_remove(&mut self, name: &WorkerName) -> Result<bool, DbError> {
        Ok(execute!(self, "worker_remove", WORKER_REMOVE, [name.as_str()])? == 1)
    }

    /// Gives up what a worker is kept free for; how many jobs look for another one now.
    pub async fn worker_release_reservations(&mut self, name: &WorkerName) -> Result<u64, DbError> {
        execute!(self, "worker_release_reservations", WORKER_RELEASE_RESERVATIONS, [name.as_str()])
    }
}

#[cfg(test)]
crate::statements::statements![
    WORKER_GET,
    WORKER_LOCK,
    WORKER_STANDING,
    WORKER_LIST,
    WORKER_AND_ACTIVE,
    WORKER_UPSERT,
    WORKER_CONTESTED,
    WORKER_SET_DRAIN,
    WORKER_STOP,
    WORKER_REMOVE,
    WORKER_RELEASE_RESERVATIONS,
    WORKERS_DRAINING
];
