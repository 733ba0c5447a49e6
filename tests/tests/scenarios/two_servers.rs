//! Two servers on one PostgreSQL.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::Duration;

use anyhow::{Result, ensure};
use orchestrator_tests::{
    Database, FakeWorker, NewTrigger, SOON, World, eventually, instant, pb, rounds, run, seconds,
};

const TRIGGERS: usize = 300;

#[tokio::test]
async fn triggers_due_at_one_instant_fire_once_though_a_server_dies() {
    run(World::start_servers(Database::Postgres, 2).await, async |world: &World| {
        for round in 0..rounds() {
            let lead = time_to_create(world, round).await * 2;
            fire_while_one_dies(world, round, lead).await?;
        }
        Ok(())
    })
    .await;
}

/// How many milliseconds it takes to make all triggers, by making a few that are never due.
async fn time_to_create(world: &World, round: u32) -> i64 {
    const FEW: i64 = 20;
    let began = world.now();
    let never = began + chrono::Duration::days(365);
    for number in 0..FEW {
        let trigger = NewTrigger::single(&format!("never {round} {number}"), "/bin/true".as_ref()).at(never);
        world.create(trigger).await;
    }
    (world.now() - began).num_milliseconds() * i64::try_from(TRIGGERS).unwrap_or(i64::MAX) / FEW
}

/// 300 triggers are due at one instant; a server is killed at it, a little earlier or later each round.
async fn fire_while_one_dies(world: &World, round: u32, lead: i64) -> Result<()> {
    let due = world.in_ms(lead.max(4000));
    let survivor = usize::try_from(round % 2)?;
    let victim = &world.servers()[1 - survivor];
    let api = world.api_at(&world.servers()[survivor].url());
    let robot = world.shell("nothing", "true");
    for number in 0..TRIGGERS {
        let name = format!("round {round} number {number}");
        // No worker has this name: the jobs stay where they are.
        let trigger = NewTrigger::single(&name, &robot).only_on("nobody").at(due).message();
        api.triggers().create(pb::CreateTriggerRequest { trigger: Some(trigger), ..Default::default() }).await?;
    }
    ensure!(world.now() < due, "the machine is too slow: the triggers were made too late");
    let death = due + chrono::Duration::milliseconds(i64::from(round % 10) * 12 - 20);
    eventually("the time of death", Duration::from_mins(2), async || {
        ensure!(world.now() >= death, "it is to come");
        Ok(())
    })
    .await;
    victim.kill_9();

    let api = &api;
    let jobs = eventually("every trigger has its job", seconds(20), async || {
        let jobs = all_jobs(api).await?;
        let of_round: Vec<_> = jobs.into_iter().filter(|job| instant(job.scheduled_at) == due).collect();
        ensure!(of_round.len() >= TRIGGERS, "there are {}", of_round.len());
        Ok(of_round)
    })
    .await;
    let triggers: BTreeSet<_> = jobs.iter().map(|job| job.trigger_id.as_str()).collect();
    assert_eq!((jobs.len(), triggers.len()), (TRIGGERS, TRIGGERS), "one job each");
    victim.start().await;
    Ok(())
}

async fn all_jobs(api: &orchestrator_tests::Api) -> Result<Vec<pb::Job>> {
    let mut all = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = Some(pb::Page { limit: 1000, cursor });
        let answer =
            api.jobs().list(pb::ListJobsRequest { page, ..pb::ListJobsRequest::default() }).await?.into_inner();
        all.extend(answer.jobs);
        cursor = answer.next_cursor;
        if cursor.is_empty() {
            return Ok(all);
        }
    }
}

#[tokio::test]
async fn a_worker_that_loses_its_server_goes_on_at_the_other() {
    run(World::start_servers(Database::Postgres, 2).await, async |world: &World| {
        let _worker = world.worker("here").start().await;
        let ledger = world.ledger("started");
        // Made at the second server; the worker listens at the first.
        let api = world.api_at(&world.servers()[1].url());
        let trigger = NewTrigger::single("told", &world.quick_robot(&ledger)).message();
        api.triggers().create(pb::CreateTriggerRequest { trigger: Some(trigger), ..Default::default() }).await?;
        let job = world.ended_job_of("told").await;
        assert_eq!((job.status.as_str(), ledger.lines()), ("DONE", vec![job.id.clone()]));
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_kill_asked_of_one_server_reaches_the_worker_of_the_other_at_once() {
    run(World::start_servers(Database::Postgres, 2).await, async |world: &World| {
        let _worker = world.worker("here").start().await;
        world.create(NewTrigger::single("long", &world.shell("long", "sleep 1000"))).await;
        let job = world.running_job_of("long").await;
        let api = world.api_at(&world.servers()[1].url());
        api.jobs().kill(pb::KillJobRequest { job: job.id.clone() }).await?;
        world.no_process_of(&job.id, seconds(2)).await;
        assert_eq!(world.ended(&job.id).await.status, "KILLED");
        Ok(())
    })
    .await;
}

/// What one worker holds, as it learns it: never a blocking job beside another.
#[derive(Debug, Default)]
struct Held(Mutex<BTreeMap<String, pb::Assignment>>);

impl Held {
    fn take(&self, jobs: &[pb::Assignment]) {
        let mut held = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        held.extend(jobs.iter().map(|job| (job.job_id.clone(), job.clone())));
        let blocking = held.values().filter(|job| job.process_name == "blocking").count();
        assert!(blocking == 0 || held.len() == 1, "{held:#?}");
    }

    fn drop(&self, job: &pb::Assignment) {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).remove(&job.job_id);
    }

    fn count(&self) -> usize {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).len()
    }
}

#[tokio::test]
async fn two_servers_that_hand_out_to_one_worker_keep_a_blocking_job_alone() {
    run(World::start_servers(Database::Postgres, 2).await, async |world: &World| {
        let first = world.fake_worker("shared", 4).await;
        let second = first.at(&world.servers()[1].url());
        let robot = world.shell("nothing", "true");
        let mut expected = 0;
        for number in 0..10 {
            for beside in 0..3 {
                world.create(NewTrigger::single(&format!("beside {number} {beside}"), &robot)).await;
            }
            let mut blocking = NewTrigger::single(&format!("blocking {number}"), &robot).blocking().message();
            "blocking".clone_into(&mut blocking.process_name);
            let request = pb::CreateTriggerRequest { trigger: Some(blocking), ..Default::default() };
            world.api().triggers().create(request).await?;
            expected += 4;
        }
        let held = Held::default();
        let done = Mutex::new(0);
        let (one, other) = tokio::join!(work(&first, &held, &done, expected), work(&second, &held, &done, expected));
        one?;
        other?;
        let jobs = world.jobs_of("").await?;
        assert_eq!(jobs.iter().filter(|job| job.status == "DONE").count(), expected);
        Ok(())
    })
    .await;
}

/// Claims, starts and ends jobs until all are done.
async fn work(worker: &FakeWorker, held: &Held, done: &Mutex<usize>, expected: usize) -> Result<()> {
    let deadline = tokio::time::Instant::now() + SOON * 2;
    let count = || *done.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    while count() < expected {
        ensure!(tokio::time::Instant::now() < deadline, "{} of {expected} were done", count());
        let free = u32::try_from(4 - held.count().min(3))?;
        let jobs = worker.claim(free.min(2), seconds(1)).await?;
        held.take(&jobs);
        for job in &jobs {
            worker.start(job).await?;
        }
        for job in &jobs {
            // Off the list first: the server may hand out the next as soon as it knows of the end.
            held.drop(job);
            worker.finish(job, "DONE").await?;
            *done.lock().unwrap_or_else(std::sync::PoisonError::into_inner) += 1;
        }
    }
    Ok(())
}
