//! Workers die, and nothing is doubled or forgotten.

use anyhow::{Result, ensure};
use orchestrator_tests::{NewTrigger, SOON, World, eventually, on_both_databases, seconds};
use tokio::time::Instant;

on_both_databases!(
    a_worker_killed_before_the_start_costs_nothing,
    a_worker_killed_while_its_robot_runs_loses_the_job_and_says_so_when_it_is_back,
);

async fn a_worker_killed_before_the_start_costs_nothing(world: &World) -> Result<()> {
    let wire = world.wire().await;
    let doomed = world.worker("doomed").over(&wire).start().await;
    let ledger = world.ledger("started");
    wire.hold("StartJob");
    world.create(NewTrigger::single("robot", &world.quick_robot(&ledger))).await;
    let job = world.first_job_of("robot").await;
    world.job_becomes(&job.id, "ASSIGNED", SOON).await;
    wire.has_call("StartJob").await;
    doomed.kill_9();
    wire.cut();
    let killed = Instant::now();
    assert!(ledger.lines().is_empty());

    let again = world.worker("again").start().await;
    let job = world.ended_within(&job.id, seconds(25)).await;
    let took = killed.elapsed();
    assert_eq!((job.status.as_str(), job.worker_name.as_str(), job.attempt), ("DONE", again.name(), 1));
    assert!(took < seconds(18), "it took {took:?}");
    assert_eq!(ledger.lines(), [job.id]);
    Ok(())
}

async fn a_worker_killed_while_its_robot_runs_loses_the_job_and_says_so_when_it_is_back(world: &World) -> Result<()> {
    let worker = world.worker("here").start().await;
    let ledger = world.ledger("started");
    let gate = world.gate("never");
    let robot = world.shell("robot", &format!("{}\nsleep 1000 &\n{}", ledger.add("$job_id"), gate.wait()));
    let trigger = NewTrigger::scheduled("robot", &robot, "* * * * *").at(world.now());
    world.create(trigger).await;
    let job = world.running_job_of("robot").await;
    eventually("the robot runs", SOON, async || {
        ensure!(world.processes_of(&job.id).len() >= 2, "it does not");
        Ok(())
    })
    .await;

    worker.kill_9();
    let killed = Instant::now();
    world.job_becomes(&job.id, "LOST", seconds(19)).await;
    let took = killed.elapsed();
    assert!(took < seconds(17) + seconds(1), "it took {took:?}");
    assert_eq!(world.trigger("robot").await?.status, "RUNNING");
    assert!(!world.processes_of(&job.id).is_empty(), "the robot is still there");
    let another = world.worker("another").start().await;
    assert_eq!(ledger.lines(), std::slice::from_ref(&job.id), "a job that may have run is not started again");

    worker.start();
    worker.is_up(world).await;
    let job = world.ended(&job.id).await;
    assert_eq!(job.status, "FAILED", "{}", job.reason);
    assert!(world.processes_of(&job.id).is_empty(), "it killed what was left before it registered");
    another.still_runs()?;
    Ok(())
}
