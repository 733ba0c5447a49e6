//! PostgreSQL goes away and comes back.

use anyhow::{Result, ensure};
use orchestrator_tests::{Database, NewTrigger, SOON, World, eventually, run, seconds};

#[tokio::test]
async fn postgres_stops_and_starts_again_and_nothing_is_lost() {
    run(World::start(Database::OwnPostgres).await, stopped_and_started).await;
}

async fn stopped_and_started(world: &World) -> Result<()> {
    let _worker = world.worker("here").slots(2).start().await;
    let (ledger, gate) = (world.ledger("started"), world.gate("end"));
    world.create(NewTrigger::single("runs", &world.patient_robot(&ledger, &gate))).await;
    let running = world.running_job_of("runs").await;
    let due = world.in_ms(3000);
    world.create(NewTrigger::single("due meanwhile", &world.quick_robot(&ledger)).at(due)).await;
    world.fill("acknowledged", 10).await;

    world.postgres().stop();
    let said = world.cli(&["queue", "list"]).await;
    assert!([Some(6), Some(1)].contains(&said.code), "{said}");
    assert!(!said.stderr.contains("panicked") && !said.stderr.is_empty(), "{said}");
    eventually("the instant has passed", seconds(6), async || {
        ensure!(world.now() > due, "it is to come");
        Ok(())
    })
    .await;
    world.server().still_runs()?;
    gate.open();
    world.postgres().start_again();

    let running = world.ended(&running.id).await;
    assert_eq!(running.status, "DONE", "{}", running.reason);
    let missed = world.ended_job_of("due meanwhile").await;
    assert_eq!(missed.status, "DONE", "{}", missed.reason);
    assert_eq!(ledger.lines(), [running.id, missed.id]);
    assert_eq!(world.queue("acknowledged").await?.new_count, 10);
    world.server().still_runs()
}

#[tokio::test]
async fn postgres_crashes_under_claims_and_every_element_is_where_it_was_acknowledged() {
    run(World::start(Database::OwnPostgres).await, async |world: &World| {
        world.fill("work", 50).await;
        for _ in 0..10 {
            world.cli(&["queue", "element", "claim", "work"]).await.ok();
        }
        world.postgres().crash();
        world.postgres().start_again();
        let queue = eventually("the server answers again", SOON, async || world.queue("work").await).await;
        assert_eq!((queue.new_count, queue.in_progress_count), (40, 10));
        Ok(())
    })
    .await;
}
