//! Which waiting job goes to which waiting worker. A pure function of what the claim transaction has read, so that its
//! rules can be tested without a database.
//!
//! Jobs are looked at in claim order. A non-blocking job goes to the eligible worker with the most room. A blocking job
//! goes to an idle one; where there is none it reserves the eligible worker with the fewest active jobs, which then
//! takes nothing that ranks lower until the blocking job has started: a stream of small jobs cannot starve it.

use std::collections::{BTreeMap, BTreeSet};

use orchestrator_core::id::JobId;
use orchestrator_core::text::WorkerName;
use orchestrator_core::worker::WorkerState;
use orchestrator_db::{Candidate, WorkerLoad};

/// A worker that waits for jobs, with the slots it holds free for the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// Who asks.
    pub worker: WorkerName,
    /// How many jobs it can take.
    pub free_slots: u32,
}

/// What the claim transaction is to write.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Placement {
    /// The job, and the index of the ask that gets it.
    pub assignments: Vec<(JobId, usize)>,
    /// Reservations that change; `None` clears one.
    pub reservations: Vec<(JobId, Option<WorkerName>)>,
}

/// What one worker can still take, while candidates are looked at.
#[derive(Debug)]
struct Room {
    exclusive: bool,
    takes_jobs: bool,
    active: u32,
    blocked: bool,
    /// A higher-ranked blocking job waits for this worker.
    reserved: bool,
}

impl Room {
    fn of(load: &WorkerLoad) -> Self {
        Self {
            exclusive: load.exclusive,
            takes_jobs: load.state == WorkerState::Up && !load.drain_requested,
            active: load.active,
            blocked: load.active_blocking > 0,
            reserved: false,
        }
    }

    fn may_run(&self, name: &WorkerName, job: &Candidate) -> bool {
        self.takes_jobs && if job.whitelist.is_empty() { !self.exclusive } else { job.whitelist.contains(name) }
    }
}

/// Distributes candidates, given in claim order, over the asks. `fleet` are all live workers, the asking ones among
/// them; their locked loads win over what `fleet` says.
pub fn place(asks: &[Ask], asking: &[WorkerLoad], fleet: &[WorkerLoad], candidates: &[Candidate]) -> Placement {
    let mut rooms: BTreeMap<&WorkerName, Room> = fleet.iter().map(|load| (&load.name, Room::of(load))).collect();
    rooms.extend(asking.iter().map(|load| (&load.name, Room::of(load))));
    let mut free: Vec<u32> = asks.iter().map(|ask| ask.free_slots).collect();
    let mut placement = Placement::default();
    for job in candidates {
        if job.is_blocking {
            place_blocking(job, asks, &mut free, &mut rooms, &mut placement);
        } else {
            place_shared(job, asks, &mut free, &mut rooms, &mut placement);
        }
    }
    placement
}

fn place_shared(
    job: &Candidate,
    asks: &[Ask],
    free: &mut [u32],
    rooms: &mut BTreeMap<&WorkerName, Room>,
    placement: &mut Placement,
) {
    let fits = |index: &usize| {
        free[*index] > 0
            && rooms
                .get(&asks[*index].worker)
                .is_some_and(|room| !room.blocked && !room.reserved && room.may_run(&asks[*index].worker, job))
    };
    let Some(index) = (0..asks.len()).filter(fits).max_by_key(|index| (free[*index], std::cmp::Reverse(*index))) else {
        return;
    };
    free[index] -= 1;
    if let Some(room) = rooms.get_mut(&asks[index].worker) {
        room.active += 1;
    }
    placement.assignments.push((job.id, index));
}

fn place_blocking(
    job: &Candidate,
    asks: &[Ask],
    free: &mut [u32],
    rooms: &mut BTreeMap<&WorkerName, Room>,
    placement: &mut Placement,
) {
    let idle = |index: &usize| {
        let name = &asks[*index].worker;
        free[*index] > 0
            && rooms.get(name).is_some_and(|room| room.active == 0 && !room.reserved && room.may_run(name, job))
    };
    let kept = |index: &usize| job.reserved_worker.as_ref() == Some(&asks[*index].worker);
    let idle: Vec<usize> = (0..asks.len()).filter(idle).collect();
    if let Some(index) = idle.iter().copied().find(kept).or_else(|| idle.first().copied()) {
        free[index] -= 1;
        if let Some(room) = rooms.get_mut(&asks[index].worker) {
            room.active += 1;
            room.blocked = true;
        }
        placement.assignments.push((job.id, index));
        return;
    }
    let chosen = reservation(job, rooms);
    if let Some(room) = chosen.as_ref().and_then(|name| rooms.get_mut(name)) {
        room.reserved = true;
    }
    if chosen != job.reserved_worker {
        placement.reservations.push((job.id, chosen));
    }
}

/// The worker that a blocking job waits for: the one it has, while that still fits, else the one with the fewest jobs.
fn reservation(job: &Candidate, rooms: &BTreeMap<&WorkerName, Room>) -> Option<WorkerName> {
    let eligible: BTreeSet<(u32, &WorkerName)> = rooms
        .iter()
        .filter(|(name, room)| !room.reserved && room.may_run(name, job))
        .map(|(name, room)| (room.active, *name))
        .collect();
    let kept = job.reserved_worker.as_ref().filter(|kept| eligible.iter().any(|(_, name)| name == kept));
    kept.or_else(|| eligible.first().map(|(_, name)| *name)).cloned()
}
