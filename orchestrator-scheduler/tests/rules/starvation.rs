//! However small jobs stream in, a blocking one starts within one job length of its arrival at the head.

use std::collections::BTreeMap;

use orchestrator_core::id::JobId;
use orchestrator_core::text::WorkerName;
use orchestrator_db::{Candidate, Rank, WorkerLoad};
use orchestrator_scheduler::{Ask, place};
use proptest::prelude::*;

use crate::fleet::{at, blocking, job, worker};

const LENGTH: i64 = 10;

#[derive(Debug, Default)]
struct Machine {
    /// Running jobs: when they end, and whether they block.
    running: Vec<(i64, bool)>,
}

#[derive(Debug)]
struct World {
    machines: BTreeMap<WorkerName, Machine>,
    slots: u32,
    queue: Vec<Candidate>,
    started: BTreeMap<JobId, i64>,
}

impl World {
    fn new(workers: usize, slots: u32) -> Self {
        let machines = (0..workers).map(|n| (worker(&format!("w{n}")).name, Machine::default())).collect();
        Self { machines, slots, queue: Vec::new(), started: BTreeMap::new() }
    }

    fn load(&self, name: &WorkerName) -> WorkerLoad {
        let machine = &self.machines[name];
        WorkerLoad {
            name: name.clone(),
            slots: self.slots,
            active: u32::try_from(machine.running.len()).unwrap(),
            active_blocking: u32::try_from(machine.running.iter().filter(|(_, blocking)| *blocking).count()).unwrap(),
            ..worker("x")
        }
    }

    fn step(&mut self, now: i64) {
        for machine in self.machines.values_mut() {
            machine.running.retain(|(end, _)| *end > now);
        }
        let loads: Vec<WorkerLoad> = self.machines.keys().map(|name| self.load(name)).collect();
        let asks: Vec<Ask> = loads
            .iter()
            .filter(|load| load.active < self.slots)
            .map(|load| Ask { worker: load.name.clone(), free_slots: self.slots - load.active })
            .collect();
        self.queue.sort_by_key(|candidate| candidate.rank);
        let asking: Vec<WorkerLoad> =
            loads.iter().filter(|load| asks.iter().any(|ask| ask.worker == load.name)).cloned().collect();
        let placement = place(&asks, &asking, &loads, &self.queue);
        for (job, reserved) in placement.reservations {
            self.queue.iter_mut().find(|candidate| candidate.id == job).unwrap().reserved_worker = reserved;
        }
        for (job, ask) in placement.assignments {
            let index = self.queue.iter().position(|candidate| candidate.id == job).unwrap();
            let candidate = self.queue.remove(index);
            let machine = self.machines.get_mut(&asks[ask].worker).unwrap();
            machine.running.push((now + LENGTH, candidate.is_blocking));
            self.started.insert(job, now);
            let blocked = machine.running.iter().filter(|(_, blocking)| *blocking).count();
            assert!(blocked == 0 || machine.running.len() == 1, "something runs beside a blocking job");
        }
    }
}

proptest! {
    #[test]
    fn a_blocking_job_starts_within_one_job_length(
        workers in 1_usize..4,
        slots in 1_u32..4,
        arrivals in proptest::collection::vec(0_usize..4, 60),
        at_step in 5_usize..30,
    ) {
        let mut world = World::new(workers, slots);
        let mut urgent = None;
        for (step, count) in arrivals.iter().enumerate() {
            let now = i64::try_from(step).unwrap();
            for _ in 0..*count {
                let mut small = job();
                small.rank.scheduled_at = at(now);
                world.queue.push(small);
            }
            if step == at_step {
                let mut lone = blocking();
                // At the head from its arrival on.
                lone.rank = Rank { priority: 10, scheduled_at: at(now), ..lone.rank };
                urgent = Some((lone.id, now));
                world.queue.push(lone);
            }
            world.step(now);
        }
        let (id, arrived) = urgent.unwrap();
        let started = world.started.get(&id).copied();
        prop_assert!(started.is_some_and(|started| started <= arrived + LENGTH), "arrived {arrived}, started {started:?}");
    }
}
