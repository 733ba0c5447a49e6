//! Workers and candidates in few words.

use chrono::{TimeZone as _, Utc};
use orchestrator_core::clock::Timestamp;
use orchestrator_core::id::{JobId, SessionId, TriggerId};
use orchestrator_core::text::WorkerName;
use orchestrator_core::worker::WorkerState;
use orchestrator_db::{Candidate, Rank, WorkerLoad};
use orchestrator_scheduler::Ask;

pub(crate) fn at(second: i64) -> Timestamp {
    Utc.timestamp_opt(1_800_000_000 + second, 0).unwrap()
}

pub(crate) fn name(text: &str) -> WorkerName {
    WorkerName::parse(text).unwrap()
}

pub(crate) fn worker(text: &str) -> WorkerLoad {
    WorkerLoad {
        name: name(text),
        state: WorkerState::Up,
        exclusive: false,
        slots: 4,
        drain_requested: false,
        last_heartbeat: at(0),
        session_id: SessionId::generate(),
        trouble: None,
        active: 0,
        active_blocking: 0,
        reserved_for: None,
    }
}

pub(crate) fn ask(text: &str, free_slots: u32) -> Ask {
    Ask { worker: name(text), free_slots }
}

pub(crate) fn job() -> Candidate {
    let id = JobId::generate();
    Candidate {
        id,
        trigger_id: TriggerId::generate(),
        is_blocking: false,
        whitelist: Vec::new(),
        reserved_worker: None,
        rank: Rank { priority: 0, type_rank: 1, scheduled_at: at(0), id },
    }
}

pub(crate) fn blocking() -> Candidate {
    Candidate { is_blocking: true, ..job() }
}
