//! Section 7.2: one bad row never fails its neighbours.

use std::process::Command;

use orchestrator_core::id::JobId;
use orchestrator_core::job::JobStatus as J;
use orchestrator_db::Dialect;

use crate::world::{World, every_minute, single};

behaviours! {
    a_job_that_cannot_be_read_keeps_no_other_from_being_assigned,
    a_trigger_that_cannot_be_read_keeps_no_other_from_firing,
    a_job_that_cannot_be_read_keeps_no_other_from_being_rescued,
}

/// Breaks a row past the storage, which would refuse to write such a thing.
fn execute(world: &World, statement: &str) {
    let done = match world.db.dialect() {
        Dialect::Sqlite => {
            let script =
                "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], timeout=9); c.execute(sys.argv[2]); c.commit()";
            let file = world.url().trim_start_matches("sqlite:");
            Command::new("python3").args(["-c", script, file, statement]).status()
        }
        Dialect::Postgres => {
            Command::new("psql").args(["-q", "-v", "ON_ERROR_STOP=1", "-c", statement, world.url()]).status()
        }
    };
    assert!(done.unwrap().success());
}

fn literal(world: &World, id: uuid::Uuid) -> String {
    match world.db.dialect() {
        Dialect::Sqlite => format!("X'{}'", id.simple()),
        Dialect::Postgres => format!("'{id}'"),
    }
}

fn spoil(world: &World, job: JobId) {
    execute(world, &format!("UPDATE jobs SET exit_code = 99999999999 WHERE id = {}", literal(world, job.as_uuid())));
}

async fn a_job_that_cannot_be_read_keeps_no_other_from_being_assigned(world: World) {
    let agent = world.worker("w").await;
    let mut triggers = Vec::new();
    for name in ["a", "b", "c"] {
        triggers.push(world.create(single(name, 0)).await);
    }
    world.tick().await;
    spoil(&world, world.jobs(triggers[0]).await[0].id);
    let mut granted = Vec::new();
    for _ in 0..2 {
        granted.extend(world.claim(&agent, 3).await.iter().map(|grant| grant.job.trigger_id));
    }
    granted.sort();
    assert_eq!(granted, triggers[1..]);
}

async fn a_trigger_that_cannot_be_read_keeps_no_other_from_firing(world: World) {
    let bad = world.create(every_minute("bad")).await;
    let good = world.create(every_minute("good")).await;
    execute(&world, &format!("UPDATE triggers SET hold = 'NONSENSE' WHERE id = {}", literal(&world, bad.as_uuid())));
    world.tick_at(60).await;
    assert_eq!(world.history(good).await, [(J::Queued, 60)]);
}

async fn a_job_that_cannot_be_read_keeps_no_other_from_being_rescued(world: World) {
    let agent = world.worker("w").await;
    let mut grants = Vec::new();
    for name in ["assigned", "running", "another"] {
        world.create(single(name, 0)).await;
        grants.push(world.claim_one(&agent).await);
    }
    world.start(&agent, &grants[1]).await;
    for bad in &grants[..2] {
        let id = literal(&world, bad.job.trigger_id.as_uuid());
        execute(&world, &format!("UPDATE triggers SET hold = 'NONSENSE' WHERE id = {id}"));
    }
    world.turn_to(20);
    let summary = world.server.rescue(world.server.now()).await.unwrap();
    // Whether it may run again depends on its trigger; that nothing is heard of its worker does not.
    assert_eq!((summary.lost, summary.requeued), (1, 1));
    assert_eq!(world.status(grants[0].job.id).await, J::Assigned);
    assert_eq!(world.status(grants[1].job.id).await, J::Lost);
    assert_eq!(world.status(grants[2].job.id).await, J::Queued);
}
