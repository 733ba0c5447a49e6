//! A worker and a server that cannot hear each other for longer than a lease, and what becomes of the robot.

use anyhow::{Result, ensure};
use orchestrator_tests::{NewTrigger, SOON, World, eventually, instant, on_both_databases, on_sqlite, seconds};

on_both_databases!(
    a_worker_that_was_frozen_past_its_lease_comes_back_with_the_true_end,
    a_robot_that_stops_when_lost_is_dead_before_the_next_attempt_begins,
);
on_sqlite!(
    a_lost_job_that_an_operator_dismisses_is_failed_and_its_robot_is_killed_on_return,
    a_server_that_was_frozen_rescues_nothing_at_once,
    short_cuts_of_the_wire_disturb_nobody,
);

async fn a_worker_that_was_frozen_past_its_lease_comes_back_with_the_true_end(world: &World) -> Result<()> {
    let worker = world.worker("here").slots(2).start().await;
    let (ledger, gate) = (world.ledger("started"), world.gate("end"));
    let ends_meanwhile =
        world.shell("meanwhile", &format!("{}\n{}\necho ended; exit 6", ledger.add("$job_id"), gate.wait()));
    world.create(NewTrigger::single("meanwhile", &ends_meanwhile)).await;
    let later = world.gate("later");
    world.create(NewTrigger::single("later", &world.patient_robot(&ledger, &later))).await;
    let meanwhile = world.running_job_of("meanwhile").await;
    let runs_on = world.running_job_of("later").await;
    worker.pause();
    world.job_becomes(&meanwhile.id, "LOST", seconds(19)).await;
    world.job_becomes(&runs_on.id, "LOST", seconds(5)).await;
    gate.open();
    worker.resume();
    let meanwhile = world.ended(&meanwhile.id).await;
    assert_eq!((meanwhile.status.as_str(), meanwhile.exit_code), ("FAILED", Some(6)), "{}", meanwhile.reason);
    world.job_becomes(&runs_on.id, "RUNNING", SOON).await;
    later.open();
    assert_eq!(world.ended(&runs_on.id).await.status, "DONE");
    assert_eq!(ledger.lines().len(), 2, "each was started once");
    Ok(())
}

async fn a_robot_that_stops_when_lost_is_dead_before_the_next_attempt_begins(world: &World) -> Result<()> {
    let wire = world.wire().await;
    let _cut_off = world.worker("cut-off").over(&wire).start().await;
    let ledger = world.ledger("started");
    let robot = world.shell("robot", &format!("{}\n[ $job_id = never ] || sleep 1000", ledger.add("$job_id")));
    let trigger = NewTrigger::single("careful", &robot).started_again_when_lost();
    world.create(trigger).await;
    let first = world.running_job_of("careful").await;
    let _other = world.worker("other").start().await;
    wire.cut();
    let second = eventually("the next attempt takes over", seconds(40), async || {
        let jobs = world.jobs_of("careful").await?;
        ensure!(jobs.len() == 2, "there is {} job, {}", jobs.len(), jobs[0].status);
        if jobs[0].status != "RUNNING" {
            anyhow::bail!("it is {}", jobs[0].status);
        }
        Ok(jobs[0].clone())
    })
    .await;
    assert!(world.processes_of(&first.id).is_empty(), "the first robot was stopped before");
    assert_eq!((second.attempt, second.worker_name.as_str()), (2, "other"));
    assert_eq!(second.scheduled_at, first.scheduled_at);
    let first = world.job(&first.id).await?;
    assert_eq!(first.superseded_by, second.id, "{first:#?}");
    wire.mend();
    world.cli(&["job", "kill", &second.id, "--yes"]).await.ok();
    assert_eq!(world.ended(&second.id).await.status, "KILLED");
    assert_eq!(ledger.lines(), [first.id, second.id]);
    Ok(())
}

async fn a_lost_job_that_an_operator_dismisses_is_failed_and_its_robot_is_killed_on_return(
    world: &World,
) -> Result<()> {
    let wire = world.wire().await;
    let worker = world.worker("here").over(&wire).start().await;
    world.create(NewTrigger::single("gone", &world.shell("robot", "sleep 1000"))).await;
    let job = world.running_job_of("gone").await;
    wire.cut();
    world.job_becomes(&job.id, "LOST", seconds(19)).await;
    assert!(!world.processes_of(&job.id).is_empty(), "it goes on while nobody knows");
    world.cli(&["job", "dismiss", &job.id, "--yes"]).await.ok();
    let ended = world.ended(&job.id).await;
    assert_eq!(ended.status, "FAILED", "{}", ended.reason);
    wire.mend();
    world.no_process_of(&job.id, SOON).await;
    worker.is_up(world).await;
    assert_eq!(world.job(&job.id).await?.end_time, ended.end_time);
    Ok(())
}

async fn a_server_that_was_frozen_rescues_nothing_at_once(world: &World) -> Result<()> {
    let _worker = world.worker("here").start().await;
    let (ledger, gate) = (world.ledger("started"), world.gate("end"));
    world.create(NewTrigger::single("patient", &world.patient_robot(&ledger, &gate))).await;
    let job = world.running_job_of("patient").await;
    world.server().pause();
    let thaw = world.in_ms(17_000);
    eventually("longer than a lease has passed", seconds(20), async || {
        ensure!(world.now() > thaw, "it has not");
        Ok(())
    })
    .await;
    world.server().resume();
    orchestrator_tests::holds_for("the job runs on", seconds(4), async || {
        let status = world.job(&job.id).await?.status;
        ensure!(status == "RUNNING", "it is {status}");
        Ok(())
    })
    .await;
    gate.open();
    assert_eq!(world.ended(&job.id).await.status, "DONE");
    Ok(())
}

async fn short_cuts_of_the_wire_disturb_nobody(world: &World) -> Result<()> {
    let wire = world.wire().await;
    let _worker = world.worker("here").slots(2).over(&wire).start().await;
    let ledger = world.ledger("started");
    let robot =
        world.shell("robot", &format!("{}\nfor i in 1 2 3 4 5; do echo $i; sleep 0.1; done", ledger.add("$job_id")));
    let mut jobs = Vec::new();
    for round in 0..10 {
        let name = format!("round {round}");
        let due = world.in_ms(150);
        world.create(NewTrigger::single(&name, &robot).at(due)).await;
        let cut = due + chrono::Duration::milliseconds(round * 70 - 50);
        eventually("the cut", SOON, async || {
            ensure!(world.now() >= cut, "it is to come");
            Ok(())
        })
        .await;
        wire.cut();
        wire.mend();
        jobs.push(name);
    }
    for name in &jobs {
        let job = world.first_job_of(name).await;
        let job = world.ended_within(&job.id, seconds(40)).await;
        assert_eq!(job.status, "DONE", "{name}: {}", job.reason);
        assert!(instant(job.end_time) >= instant(job.start_time));
        eventually("its output arrives once", SOON, async || {
            let said = world.output(&job.id).await?.stdout;
            ensure!(said == "1\n2\n3\n4\n5\n", "{said:?}");
            Ok(())
        })
        .await;
    }
    assert_eq!(ledger.lines().len(), jobs.len(), "each was started once");
    Ok(())
}
