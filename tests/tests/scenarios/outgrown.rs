//! A team outgrows its SQLite file: everything goes to PostgreSQL, and robots hardly notice.

use anyhow::Result;
use orchestrator_tests::{Database, NewTrigger, World, on};

async fn move_house(world: &World) -> Result<()> {
    let target = orchestrator_test_postgres::database_url();
    let copy = ["db", "copy", "-o", "json", "--database", world.database_url()];
    let to = [("ORCHESTRATOR_COPY_TO", target.as_str())];
    let worker = world.worker("here").start().await;
    let (gate, ledger) = (world.gate("end"), world.ledger("started"));
    world.create(NewTrigger::single("patient", &world.patient_robot(&ledger, &gate))).await;
    world.fill("work", 1234).await;
    world.cli_with(&["credential", "set", "erp", "--username", "robot"], "hunter2", &[]).await.ok();
    let job = world.running_job_of("patient").await;

    world.cli_with(&copy, "", &to).await.refused(5, &["DATABASE_IN_USE", "stop the server first"]);
    world.server().stop().await;
    let said = world.cli_with(&copy, "", &to).await.ok();
    assert_eq!(said.json()["tables"]["queues"], 1234);
    world.cli_with(&copy, "", &to).await.refused(5, &["NOT_EMPTY", "nothing was changed"]);

    world.server().move_to(&target);
    world.server().start().await;
    gate.open();
    let job = world.ended(&job.id).await;
    assert_eq!((job.status.as_str(), ledger.lines().len()), ("DONE", 1), "{}", job.reason);
    assert_eq!(world.queue("work").await?.new_count, 1234);
    let reveal = ["credential", "get", "erp", "--reveal", "-o", "json"];
    assert_eq!(world.cli(&reveal).await.ok().json()["password"], "hunter2");
    // What was made before and what is made now go on beside each other.
    world.fill("work", 1).await;
    world.create(NewTrigger::single("next", &world.quick_robot(&ledger))).await;
    assert_eq!(world.ended_job_of("next").await.status, "DONE");
    drop(worker);
    Ok(())
}

#[tokio::test]
async fn a_running_robot_and_all_that_was_kept_go_on_with_postgresql() {
    on(Database::Sqlite, move_house).await;
}
