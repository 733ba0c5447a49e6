//! Workers that are asked to stop, and workers that share a name.

use anyhow::{Result, ensure};
use orchestrator_tests::{NewTrigger, SOON, World, eventually, holds_for, on_both_databases, on_sqlite, pb, seconds};

on_both_databases!(a_worker_that_is_asked_to_stop_lets_robots_end_and_takes_nothing_new);
on_sqlite!(
    a_second_signal_kills_what_runs,
    a_worker_that_is_drained_by_command_takes_nothing_until_it_is_resumed,
    a_second_installation_under_a_live_name_is_refused,
    a_second_agent_in_one_folder_is_refused,
);

async fn a_worker_that_is_asked_to_stop_lets_robots_end_and_takes_nothing_new(world: &World) -> Result<()> {
    let worker = world.worker("here").slots(3).start().await;
    let (ledger, gate) = (world.ledger("started"), world.gate("end"));
    let wait = gate.wait();
    let deaf = world.shell("deaf", &format!("trap '' TERM\necho ready\n{wait}"));
    let polite = world.shell("polite", &format!("trap 'echo saved; exit 0' TERM\necho ready\n{wait}"));
    for (name, robot) in [("deaf", &deaf), ("polite", &polite)] {
        let patient = |policies: &mut pb::Policies| {
            policies.stop_grace = Some(prost_types::Duration { seconds: 60, nanos: 0 });
        };
        world.create(NewTrigger::single(name, robot).policies(patient)).await;
        let job = world.running_job_of(name).await;
        eventually("the robot is ready", SOON, async || {
            ensure!(world.output(&job.id).await?.stdout == "ready\n", "it is not");
            Ok(())
        })
        .await;
    }
    worker.ask_to_stop();
    let polite = world.ended_job_of("polite").await;
    assert_eq!((polite.status.as_str(), world.output(&polite.id).await?.stdout.as_str()), ("DONE", "ready\nsaved\n"));
    eventually("the server knows that it drains", SOON, async || {
        let state = world.shown_worker("here").await?.state;
        ensure!(state == "DRAINING", "it is {state}");
        Ok(())
    })
    .await;
    world.create(NewTrigger::single("waits", &world.quick_robot(&ledger))).await;
    holds_for("it takes nothing new and goes on", seconds(2), async || {
        worker.still_runs()?;
        let waiting = world.first_job_of("waits").await;
        ensure!(waiting.status == "QUEUED", "the new job is {}", waiting.status);
        Ok(())
    })
    .await;
    gate.open();
    assert!(worker.end_within(SOON).await.success());
    assert_eq!(world.ended_job_of("deaf").await.status, "DONE");
    assert_eq!(world.shown_worker("here").await?.state, "STOPPED");
    assert!(ledger.lines().is_empty());
    Ok(())
}

async fn a_second_signal_kills_what_runs(world: &World) -> Result<()> {
    let worker = world.worker("here").start().await;
    let robot = world.shell("robot", "trap '' TERM\nsetsid sleep 1000 &\nwhile true; do sleep 0.05; done");
    world.create(NewTrigger::single("stubborn", &robot)).await;
    let job = world.running_job_of("stubborn").await;
    eventually("the robot runs", SOON, async || {
        ensure!(world.processes_of(&job.id).len() >= 2, "it does not");
        Ok(())
    })
    .await;
    worker.ask_to_stop();
    eventually("it drains", SOON, async || {
        ensure!(world.shown_worker("here").await?.state == "DRAINING", "it does not");
        Ok(())
    })
    .await;
    worker.still_runs()?;
    worker.ask_to_stop();
    worker.end_within(seconds(15)).await;
    world.no_process_of(&job.id, seconds(1)).await;
    let job = world.ended(&job.id).await;
    assert!(["KILLED", "FAILED"].contains(&job.status.as_str()), "{job:#?}");
    Ok(())
}

async fn a_worker_that_is_drained_by_command_takes_nothing_until_it_is_resumed(world: &World) -> Result<()> {
    let worker = world.worker("here").start().await;
    let ledger = world.ledger("started");
    world.cli(&["worker", "drain", "here"]).await.ok();
    world.create(NewTrigger::single("waits", &world.quick_robot(&ledger))).await;
    holds_for("it takes nothing", seconds(2), async || {
        worker.still_runs()?;
        ensure!(world.first_job_of("waits").await.status == "QUEUED", "the job was taken");
        Ok(())
    })
    .await;
    world.cli(&["worker", "resume", "here"]).await.ok();
    assert_eq!(world.ended_job_of("waits").await.status, "DONE");
    Ok(())
}

async fn a_second_installation_under_a_live_name_is_refused(world: &World) -> Result<()> {
    let first = world.worker("here").start().await;
    let (ledger, gate) = (world.ledger("started"), world.gate("end"));
    world.create(NewTrigger::single("runs", &world.patient_robot(&ledger, &gate))).await;
    let running = world.running_job_of("runs").await;
    let second = world.worker("here").installed_in("elsewhere").install().await;
    second.start();
    let status = second.end_within(SOON).await;
    assert!(!status.success());
    assert!(second.words().contains("here"), "it names the name: {}", second.words());
    first.still_runs()?;
    gate.open();
    assert_eq!(world.ended(&running.id).await.status, "DONE");
    Ok(())
}

async fn a_second_agent_in_one_folder_is_refused(world: &World) -> Result<()> {
    let first = world.worker("here").start().await;
    let second = world.worker("here").install().await;
    second.start();
    assert!(!second.end_within(SOON).await.success());
    first.still_runs()?;
    Ok(())
}
