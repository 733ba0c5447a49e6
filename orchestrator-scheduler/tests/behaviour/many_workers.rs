//! Hundreds of workers wait: a tick asks only those it needs, and still finds the right one.

use std::future::ready;
use std::pin::Pin;

use orchestrator_db::{Dialect, Grant};
use orchestrator_scheduler::ClaimError;

use crate::world::{Agent, World, single, worker_name};

behaviours! {
    workers_that_are_not_needed_are_not_locked,
    a_job_finds_the_one_worker_that_it_names,
    a_job_finds_the_one_worker_that_takes_it,
    a_blocking_job_gets_one_that_is_idle,
    all_that_is_due_at_once_is_shared_out,
}

/// More than are all looked at.
const MANY: usize = 300;

type Asking<'a> = Pin<Box<dyn Future<Output = Result<Vec<Grant>, ClaimError>> + Send + 'a>>;

struct Crowd<'a> {
    world: &'a World,
    agents: Vec<Agent>,
    asking: Vec<Option<Asking<'a>>>,
    granted: Vec<(usize, Grant)>,
}

impl<'a> Crowd<'a> {
    /// Workers that wait for one job each; the first so many take only jobs that name them.
    async fn of(world: &'a World, exclusive: usize) -> Self {
        let mut agents = Vec::new();
        for number in 0..MANY {
            agents.push(world.agent(&format!("w{number:03}"), 1, number < exclusive).await);
        }
        let asking = agents.iter().map(|agent| Some(Box::pin(world.server.claim_jobs(World::ask(agent, 1))) as _));
        let asking = asking.collect();
        let mut crowd = Self { world, agents, asking, granted: Vec::new() };
        crowd.look().await;
        crowd
    }

    /// Who has an answer by now.
    async fn look(&mut self) {
        for (number, place) in self.asking.iter_mut().enumerate() {
            let Some(asking) = place else { continue };
            let answer = tokio::select! { biased; answer = asking => Some(answer), () = ready(()) => None };
            if let Some(answer) = answer {
                *place = None;
                self.granted.extend(answer.unwrap().into_iter().map(|grant| (number, grant)));
            }
        }
    }

    /// Lets the engine work until it has nothing more to do.
    async fn tick(&mut self) {
        let now = self.world.server.now();
        while self.world.server.tick_due(now, now).await.unwrap().more {}
        self.look().await;
        self.world.check().await;
    }

    fn names(&self) -> Vec<&str> {
        self.granted.iter().map(|(number, _)| self.agents[*number].name.as_str()).collect()
    }
}

async fn workers_that_are_not_needed_are_not_locked(world: World) {
    let mut crowd = Crowd::of(&world, 0).await;
    world.create(single("t", 0)).await;
    // On SQLite there is one writer: nothing can be held beside it.
    let mut holder = match world.db.dialect() {
        Dialect::Postgres => Some(world.db.begin_write().await.unwrap()),
        Dialect::Sqlite => None,
    };
    if let Some(holder) = &mut holder {
        holder.worker_lock(&worker_name("w299")).await.unwrap();
    }
    crowd.tick().await;
    assert_eq!(crowd.granted.len(), 1);
}

async fn a_job_finds_the_one_worker_that_it_names(world: World) {
    let mut crowd = Crowd::of(&world, MANY).await;
    let mut named = single("t", 0);
    named.worker_whitelist = vec![worker_name("w271")];
    world.create(named).await;
    crowd.tick().await;
    assert_eq!(crowd.names(), ["w271"]);
}

async fn a_job_finds_the_one_worker_that_takes_it(world: World) {
    let mut crowd = Crowd::of(&world, MANY - 1).await;
    world.create(single("t", 0)).await;
    crowd.tick().await;
    assert_eq!(crowd.names(), ["w299"]);
}

async fn a_blocking_job_gets_one_that_is_idle(world: World) {
    let mut crowd = Crowd::of(&world, 0).await;
    let mut blocking = single("t", 0);
    blocking.is_blocking = true;
    world.create(blocking).await;
    crowd.tick().await;
    assert_eq!(crowd.granted.len(), 1);
}

async fn all_that_is_due_at_once_is_shared_out(world: World) {
    let mut crowd = Crowd::of(&world, 0).await;
    for number in 0..20 {
        world.create(single(&format!("t{number}"), 0)).await;
    }
    crowd.tick().await;
    let mut workers = crowd.names();
    workers.sort_unstable();
    workers.dedup();
    assert_eq!((crowd.granted.len(), workers.len()), (20, 20), "one each");
}
