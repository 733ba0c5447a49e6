//! Workers: sessions, heartbeats, and how much each carries.

mod beat;
mod load;
mod row;
mod session;

use std::collections::BTreeMap;

use orchestrator_core::clock::Timestamp;
use orchestrator_core::id::{InstanceId, JobId, SessionId};
use orchestrator_core::text::{Reason, WorkerName};
use orchestrator_core::worker::{Worker, WorkerState};

/// A worker with what an administrator asked of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredWorker {
    /// The worker.
    pub worker: Worker,
    /// It is to take nothing new.
    pub drain_requested: bool,
}

/// A worker as its own command stream needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorkerStanding {
    /// Its registration.
    pub session_id: SessionId,
    /// It is to take nothing new.
    pub drain_requested: bool,
}

/// What a worker said, when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerBeat {
    /// The worker.
    pub worker: WorkerName,
    /// Its registration.
    pub session: SessionId,
    /// When it was heard of.
    pub at: Timestamp,
    /// It drains by itself.
    pub draining: bool,
    /// Why its machine can start nothing for now.
    pub trouble: Option<Reason>,
}

/// A registration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSession {
    /// The worker.
    pub name: WorkerName,
    /// The registration; it ends the one before.
    pub session: SessionId,
    /// The agent process.
    pub instance: InstanceId,
    /// Jobs it can hold at once.
    pub slots: u32,
    /// Takes only jobs that name it.
    pub exclusive: bool,
    /// The agent's version.
    pub version: String,
    /// What its configuration says of it.
    pub labels: BTreeMap<String, String>,
}

/// What a worker carries, for placing jobs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerLoad {
    /// The worker.
    pub name: WorkerName,
    /// What it does.
    pub state: WorkerState,
    /// Takes only jobs that name it.
    pub exclusive: bool,
    /// Jobs it can hold at once.
    pub slots: u32,
    /// It is to take nothing new.
    pub drain_requested: bool,
    /// When it was heard of last.
    pub last_heartbeat: Timestamp,
    /// Its registration.
    pub session_id: SessionId,
    /// Why its machine can start nothing for now, in its agent's words.
    pub trouble: Option<Reason>,
    /// Jobs it holds: assigned, running or lost.
    pub active: u32,
    /// Those of them that run alone.
    pub active_blocking: u32,
    /// The queued job it is kept free for.
    pub reserved_for: Option<JobId>,
}

/// What locked workers carry.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LockedLoads {
    /// The workers.
    pub workers: Vec<WorkerLoad>,
    /// Some job is queued, read under the same locks; true where that is not known.
    pub any_queued: bool,
}

#[cfg(test)]
crate::statements::statements![; beat, load, session];
