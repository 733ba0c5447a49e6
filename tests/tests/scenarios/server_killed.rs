//! Servers die and come back: no robot is lost, nothing acknowledged is forgotten.

use anyhow::{Result, ensure};
use orchestrator_tests::{NewTrigger, SOON, World, eventually, holds_for, on_both_databases, seconds};

on_both_databases!(
    a_server_killed_while_a_robot_runs_learns_its_true_end,
    a_robot_that_ends_while_the_server_is_away_is_recorded_with_all_it_wrote,
    a_server_away_for_longer_than_a_lease_loses_no_job,
);

async fn a_server_killed_while_a_robot_runs_learns_its_true_end(world: &World) -> Result<()> {
    let _worker = world.worker("here").slots(2).start().await;
    let gate = world.gate("end");
    for (name, end) in [("well", "exit 0"), ("badly", "exit 5")] {
        let robot = world.shell(name, &format!("echo before\n{}\necho after\n{end}", gate.wait()));
        world.create(NewTrigger::single(name, &robot)).await;
        world.running_job_of(name).await;
    }
    world.server().kill_9();
    world.server().start().await;
    world.fill("acknowledged", 7).await;
    world.server().kill_9();
    world.server().start().await;
    gate.open();
    let well = world.ended_job_of("well").await;
    let badly = world.ended_job_of("badly").await;
    assert_eq!((well.status.as_str(), well.exit_code), ("DONE", Some(0)), "{}", well.reason);
    assert_eq!((badly.status.as_str(), badly.exit_code), ("FAILED", Some(5)), "{}", badly.reason);
    assert_eq!(world.output(&well.id).await?.stdout, "before\nafter\n");
    assert_eq!(world.queue("acknowledged").await?.new_count, 7);
    Ok(())
}

async fn a_robot_that_ends_while_the_server_is_away_is_recorded_with_all_it_wrote(world: &World) -> Result<()> {
    let _worker = world.worker("here").start().await;
    let gate = world.gate("end");
    let ledger = world.ledger("ended");
    let robot = world.python(
        "robot",
        &format!(
            "{}\nprint('written while nobody listened')\nos.system(\"\"\"{}\"\"\")\nsys.exit(4)",
            gate.wait_in_python(),
            ledger.add("ended"),
        ),
    );
    world.create(NewTrigger::single("alone", &robot)).await;
    let job = world.running_job_of("alone").await;
    world.server().kill_9();
    gate.open();
    eventually("the robot ends", SOON, async || {
        ensure!(!ledger.lines().is_empty() && world.processes_of(&job.id).is_empty(), "it runs");
        Ok(())
    })
    .await;
    world.server().start().await;
    let job = world.ended(&job.id).await;
    assert_eq!((job.status.as_str(), job.exit_code), ("FAILED", Some(4)), "{}", job.reason);
    eventually("the output arrives", SOON, async || {
        let output = world.output(&job.id).await?;
        ensure!(output.stdout == "written while nobody listened\n", "it is {:?}", output.stdout);
        Ok(())
    })
    .await;
    Ok(())
}

async fn a_server_away_for_longer_than_a_lease_loses_no_job(world: &World) -> Result<()> {
    let _worker = world.worker("here").start().await;
    let gate = world.gate("end");
    let ledger = world.ledger("started");
    world.create(NewTrigger::single("patient", &world.patient_robot(&ledger, &gate))).await;
    let job = world.running_job_of("patient").await;
    world.server().kill_9();
    let back = world.in_ms(17_000);
    eventually("longer than a lease has passed", seconds(20), async || {
        ensure!(world.now() > back, "it has not");
        Ok(())
    })
    .await;
    world.server().start().await;
    holds_for("the job runs on", seconds(4), async || {
        let job = world.job(&job.id).await?;
        ensure!(job.status == "RUNNING", "it is {}", job.status);
        Ok(())
    })
    .await;
    gate.open();
    let job = world.ended(&job.id).await;
    assert_eq!(job.status, "DONE", "{}", job.reason);
    assert_eq!(ledger.lines(), [job.id]);
    Ok(())
}
