//! Decoding of a worker.

use orchestrator_core::clock::Timestamp;
use orchestrator_core::id::{InstanceId, JobId, SessionId};
use orchestrator_core::text::{Reason, WorkerName};
use orchestrator_core::worker::Worker;
use uuid::Uuid;

use super::{StoredWorker, WorkerLoad};
use crate::error::{Corrupt, RowAddress};

/// What [`WorkerRow`] needs.
macro_rules! worker_columns {
    () => {
        "w.name, w.state, w.last_heartbeat, w.slots, w.exclusive, w.version, w.session_id, w.instance_id, \
         w.drain_requested, w.registered_at, w.latest_trigger, w.latest_trigger_time, \
         w.trouble, w.contested_at"
    };
}
pub(super) use worker_columns;

#[derive(Debug, sqlx::FromRow)]
pub(super) struct WorkerRow {
    name: String,
    state: String,
    last_heartbeat: Timestamp,
    slots: i64,
    exclusive: bool,
    version: String,
    session_id: Uuid,
    instance_id: Uuid,
    drain_requested: bool,
    registered_at: Timestamp,
    latest_trigger: Option<String>,
    latest_trigger_time: Option<Timestamp>,
    trouble: Option<String>,
    contested_at: Option<Timestamp>,
}

impl TryFrom<WorkerRow> for StoredWorker {
    type Error = Corrupt;

    fn try_from(row: WorkerRow) -> Result<Self, Corrupt> {
        Ok(Self { drain_requested: row.drain_requested, worker: row.try_into()? })
    }
}

impl TryFrom<WorkerRow> for Worker {
    type Error = Corrupt;

    fn try_from(row: WorkerRow) -> Result<Self, Corrupt> {
        let at = RowAddress::new("workers", &row.name);
        Ok(Self {
            state: row.state.parse().map_err(at.column("state"))?,
            slots: row.slots.try_into().map_err(at.column("slots"))?,
            name: WorkerName::from_stored(row.name),
            last_heartbeat: row.last_heartbeat,
            exclusive: row.exclusive,
            version: row.version,
            session_id: SessionId::from_uuid(row.session_id),
            instance_id: InstanceId::from_uuid(row.instance_id),
            registered_at: row.registered_at,
            latest_trigger: row.latest_trigger,
            latest_trigger_time: row.latest_trigger_time,
            trouble: row.trouble.as_deref().map(Reason::cut),
            contested_at: row.contested_at,
        })
    }
}

#[derive(Debug, sqlx::FromRow)]
pub(super) struct ListedRow {
    #[sqlx(flatten)]
    worker: WorkerRow,
    active: i64,
}

impl TryFrom<ListedRow> for (Worker, u32) {
    type Error = Corrupt;

    fn try_from(row: ListedRow) -> Result<Self, Corrupt> {
        Ok((row.worker.try_into()?, u32::try_from(row.active).unwrap_or(u32::MAX)))
    }
}

#[derive(Debug, sqlx::FromRow)]
pub(super) struct LoadRow {
    name: String,
    state: String,
    exclusive: bool,
    slots: i64,
    drain_requested: bool,
    last_heartbeat: Timestamp,
    session_id: Uuid,
    trouble: Option<String>,
    active: i64,
    active_blocking: i64,
    reserved_for: Option<Uuid>,
}

#[derive(Debug, sqlx::FromRow)]
pub(super) struct LockedLoadRow {
    #[sqlx(flatten)]
    pub(super) load: LoadRow,
    pub(super) any_queued: bool,
}

impl TryFrom<LoadRow> for WorkerLoad {
    type Error = Corrupt;

    fn try_from(row: LoadRow) -> Result<Self, Corrupt> {
        let at = RowAddress::new("workers", &row.name);
        Ok(Self {
            state: row.state.parse().map_err(at.column("state"))?,
            slots: row.slots.try_into().map_err(at.column("slots"))?,
            name: WorkerName::from_stored(row.name),
            exclusive: row.exclusive,
            drain_requested: row.drain_requested,
            last_heartbeat: row.last_heartbeat,
            session_id: SessionId::from_uuid(row.session_id),
            trouble: row.trouble.as_deref().map(Reason::cut),
            active: u32::try_from(row.active).unwrap_or(u32::MAX),
            active_blocking: u32::try_from(row.active_blocking).unwrap_or(u32::MAX),
            reserved_for: row.reserved_for.map(JobId::from_uuid),
        })
    }
}
