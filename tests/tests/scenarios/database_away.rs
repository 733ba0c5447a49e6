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
async fn postgres_takes_no_writes_for_a_while_and_what_a_robot_writes_is_kept() {
    run(World::start(Database::OwnPostgres).await, written_meanwhile).await;
}

/// As after a failover to a standby that is not promoted yet.
async fn written_meanwhile(world: &World) -> Result<()> {
    let _worker = world.worker("here").start().await;
    let (claimed, read_only, written) = (world.ledger("claimed"), world.gate("read-only"), world.ledger("written"));
    world.fill("work", 1).await;
    let body = format!(
        r#"
element = get("ClaimQueueElement", queueName="work")["element"]["id"]
{claimed}
{read_only}
get("SetQueueElementStatus", element=element, status="DONE", message="sent")
get("Log", logs=[{{"logLevel": "INFO", "logMessage": "sent"}}])
{written}
"#,
        claimed = claimed.add_in_python("element"),
        read_only = read_only.wait_in_python(),
        written = written.add_in_python("element"),
    );
    world.create(NewTrigger::single("robot", &world.python("robot", &body))).await;
    let job = world.running_job_of("robot").await;
    claimed.is_written().await;
    world.sql("ALTER SYSTEM SET default_transaction_read_only = on");
    world.sql("SELECT pg_reload_conf()");
    eventually("nothing can be written", SOON, async || {
        let said = world.cli(&["queue", "element", "add", "other"]).await;
        ensure!(said.code != Some(0), "{said}");
        ensure!(said.stderr.contains("not available"), "{said}");
        Ok(())
    })
    .await;
    read_only.open();
    written.is_written().await;
    world.no_process_of(&job.id, SOON).await;
    world.sql("ALTER SYSTEM RESET default_transaction_read_only");
    world.sql("SELECT pg_reload_conf()");
    let ended = world.ended_within(&job.id, seconds(40)).await;
    ensure!(ended.status == "DONE", "it is {}: {}", ended.status, ended.reason);
    let queue = world.queue("work").await?;
    ensure!((queue.done_count, queue.abandoned_count) == (1, 0), "{queue:?}");
    let log = world.cli(&["log", "list", "--job", &job.id]).await.ok();
    ensure!(log.stdout.contains("sent"), "{log}");
    Ok(())
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
