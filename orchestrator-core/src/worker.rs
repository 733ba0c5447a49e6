//! Workers: the agents on robot machines.

use crate::clock::Timestamp;
use crate::id::{InstanceId, SessionId};
use crate::states::named_states;
use crate::text::{Reason, WorkerName};

named_states!(
    /// What a worker does.
    WorkerState, "worker state" {
        /// Connected and taking jobs.
        Up = "UP",
        /// Finishes what it has, takes nothing new.
        Draining = "DRAINING",
        /// Said good-bye.
        Stopped = "STOPPED",
        /// Has not been heard of for longer than a lease.
        Lost = "LOST",
    }
);

/// An agent on a robot machine, as the server knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Worker {
    /// Its name, matched exactly against whitelists.
    pub name: WorkerName,
    /// What it does.
    pub state: WorkerState,
    /// When it was heard of last.
    pub last_heartbeat: Timestamp,
    /// Jobs it can hold at once, at least 1.
    pub slots: u32,
    /// Takes only jobs that name it.
    pub exclusive: bool,
    /// The agent's version.
    pub version: String,
    /// The current registration.
    pub session_id: SessionId,
    /// The current agent process.
    pub instance_id: InstanceId,
    /// When it registered first.
    pub registered_at: Timestamp,
    /// The name of the trigger whose job it started last.
    pub latest_trigger: Option<String>,
    /// When that was.
    pub latest_trigger_time: Option<Timestamp>,
    /// Why its machine can start nothing for now, in its agent's words.
    pub trouble: Option<Reason>,
    /// When another agent with a copy of its data folder was refused last.
    pub contested_at: Option<Timestamp>,
}
