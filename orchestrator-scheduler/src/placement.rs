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
    slots: u32,
    active: u32,
    blocked: bool,
    /// A higher-ranked blocking job waits for this worker.
    reserved: bool,
}

impl Room {
    fn of(load: &WorkerLoad) -> Self {
        Self {
            exclusive: load.exclusive,
            takes_jobs: load.state == WorkerState::Up && !load.drain_requested && load.trouble.is_none(),
            slots: load.slots,
            active: load.active,
            blocked: load.active_blocking > 0,
            reserved: false,
        }
    }

    fn may_run(&self, name: &WorkerName, job: &Candidate) -> bool {
        self.takes_jobs && if job.whitelist.is_empty() { !self.exclusive } else { job.whitelist.contains(name) }
    }

    /// Whether anything more fits. Counted from what the worker holds, whatever it believes to have free: an earlier
    /// grant whose answer got lost takes a slot until it expires.
    fn is_open(&self) -> bool {
        self.takes_jobs && !self.blocked && !self.reserved && self.active < self.slots
    }
}

/// Distributes candidates, given in claim order, over the asks. `fleet` are all live workers, the asking ones among
/// them; their locked loads win over what `fleet` says.
pub fn place(asks: &[Ask], asking: &[WorkerLoad], fleet: &[WorkerLoad], candidates: &[Candidate]) -> Placement {
    let mut placer = Placer::new(asks, asking);
    placer.know(fleet);
    for job in candidates {
        placer.place(job);
    }
    placer.placement
}

/// Places candidates as they are read, page by page.
#[derive(Debug)]
pub(crate) struct Placer<'a> {
    asks: &'a [Ask],
    /// By name, which decides between equals.
    rooms: BTreeMap<WorkerName, usize>,
    room: Vec<Room>,
    /// The room of each ask's worker.
    of_ask: Vec<Option<usize>>,
    free: Vec<u32>,
    pub(crate) placement: Placement,
}

impl<'a> Placer<'a> {
    pub(crate) fn new(asks: &'a [Ask], asking: &[WorkerLoad]) -> Self {
        let rooms: BTreeMap<WorkerName, usize> =
            asking.iter().enumerate().map(|(place, load)| (load.name.clone(), place)).collect();
        Self {
            asks,
            of_ask: asks.iter().map(|ask| rooms.get(&ask.worker).copied()).collect(),
            rooms,
            room: asking.iter().map(Room::of).collect(),
            free: asks.iter().map(|ask| ask.free_slots).collect(),
            placement: Placement::default(),
        }
    }

    /// Adds the workers that do not ask: a blocking job may reserve one of them.
    pub(crate) fn know(&mut self, fleet: &[WorkerLoad]) {
        for load in fleet {
            if !self.rooms.contains_key(&load.name) {
                self.rooms.insert(load.name.clone(), self.room.len());
                self.room.push(Room::of(load));
            }
        }
    }

    /// Whether any ask can still be answered. What ranks lower need not be looked at when none can.
    pub(crate) fn is_open(&self) -> bool {
        (0..self.asks.len()).any(|index| self.has_room(index))
    }

    /// Looks at the next candidate in claim order.
    pub(crate) fn place(&mut self, job: &Candidate) {
        if job.is_blocking {
            self.place_blocking(job);
        } else {
            self.place_shared(job);
        }
    }

    fn room(&self, index: usize) -> Option<&Room> {
        self.of_ask[index].map(|room| &self.room[room])
    }

    fn has_room(&self, index: usize) -> bool {
        self.free[index] > 0 && self.room(index).is_some_and(Room::is_open)
    }

    fn fits(&self, index: usize, job: &Candidate) -> bool {
        self.has_room(index) && self.room(index).is_some_and(|room| room.may_run(&self.asks[index].worker, job))
    }

    fn place_shared(&mut self, job: &Candidate) {
        let fitting = (0..self.asks.len()).filter(|index| self.fits(*index, job));
        if let Some(index) = fitting.max_by_key(|index| (self.free[*index], std::cmp::Reverse(*index))) {
            self.assign(job, index);
        }
    }

    fn place_blocking(&mut self, job: &Candidate) {
        let idle = |index: &usize| self.fits(*index, job) && self.room(*index).is_some_and(|room| room.active == 0);
        let kept = |index: &usize| job.reserved_worker.as_ref() == Some(&self.asks[*index].worker);
        let idle: Vec<usize> = (0..self.asks.len()).filter(idle).collect();
        if let Some(index) = idle.iter().copied().find(kept).or_else(|| idle.first().copied()) {
            self.assign(job, index);
            return;
        }
        let chosen = self.reservation(job);
        if let Some(room) = chosen.as_ref().and_then(|name| self.rooms.get(name)) {
            self.room[*room].reserved = true;
        }
        if chosen != job.reserved_worker {
            self.placement.reservations.push((job.id, chosen));
        }
    }

    fn assign(&mut self, job: &Candidate, index: usize) {
        self.free[index] -= 1;
        if let Some(room) = self.of_ask[index] {
            self.room[room].active += 1;
            self.room[room].blocked |= job.is_blocking;
        }
        self.placement.assignments.push((job.id, index));
    }

    /// The worker that a blocking job waits for: the one it has, while that still fits, else the one with the fewest
    /// jobs.
    fn reservation(&self, job: &Candidate) -> Option<WorkerName> {
        let eligible: BTreeSet<(u32, &WorkerName)> = self
            .rooms
            .iter()
            .map(|(name, room)| (name, &self.room[*room]))
            .filter(|(name, room)| !room.reserved && room.may_run(name, job))
            .map(|(name, room)| (room.active, name))
            .collect();
        let kept = job.reserved_worker.as_ref().filter(|kept| eligible.iter().any(|(_, name)| name == kept));
        kept.or_else(|| eligible.first().map(|(_, name)| *name)).cloned()
    }
}
