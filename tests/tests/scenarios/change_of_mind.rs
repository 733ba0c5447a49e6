//! Disable, delete and edit, while jobs wait and while they run.

use anyhow::{Result, ensure};
use orchestrator_tests::{NewTrigger, SOON, World, eventually, on_both_databases, pb, seconds};

on_both_databases!(
    disable_while_running_lets_it_end_and_starts_no_other,
    a_robot_sees_that_its_trigger_is_disabled,
    disable_while_queued_cancels,
    delete_while_running_lets_it_end,
    edit_while_queued_rewrites_what_will_run,
    a_change_by_somebody_else_is_not_overwritten,
);

async fn disable_while_running_lets_it_end_and_starts_no_other(world: &World) -> Result<()> {
    let _worker = world.worker("here").slots(2).start().await;
    let (ledger, gate) = (world.ledger("started"), world.gate("end"));
    let due = world.in_ms(2500);
    world.create(NewTrigger::scheduled("long", &world.patient_robot(&ledger, &gate), "0 0 1 1 *").at(due)).await;
    let job = world.run_now("long").await;
    world.job_becomes(&job.id, "RUNNING", SOON).await;
    world.cli(&["trigger", "pause", "long"]).await.ok();
    assert_eq!(world.trigger("long").await?.status, "PAUSING");
    eventually("the instant has passed and is dropped", SOON, async || {
        let decisions = world.decisions("long").await?;
        ensure!(decisions.iter().any(|decision| decision.decision == "ON_HOLD"), "{decisions:?}");
        Ok(())
    })
    .await;
    assert_eq!(world.job(&job.id).await?.status, "RUNNING");
    gate.open();
    assert_eq!(world.ended(&job.id).await.status, "DONE");
    world.trigger_becomes("long", "PAUSED", SOON).await;
    world.cli(&["trigger", "enable", "long"]).await.ok();
    assert_eq!(ledger.lines(), [job.id]);
    assert_eq!(world.jobs_of("long").await?.len(), 1);
    Ok(())
}

async fn a_robot_sees_that_its_trigger_is_disabled(world: &World) -> Result<()> {
    let worker = world.fake_worker("fake", 1).await;
    world.create(NewTrigger::scheduled("long", &world.shell("robot", "true"), "0 0 1 1 *")).await;
    world.run_now("long").await;
    let job = worker.claim(1, seconds(5)).await?.remove(0);
    let robot = worker.start(&job).await?;
    let pausing = async || anyhow::Ok(robot.calls().is_pausing(pb::IsPausingRequest {}).await?.into_inner().pausing);
    assert!(!pausing().await?);
    world.cli(&["trigger", "pause", "long"]).await.ok();
    assert!(pausing().await?);
    let told = worker.heartbeat(std::slice::from_ref(&job)).await?;
    assert_eq!((told.pausing.as_slice(), told.kills.len()), (std::slice::from_ref(&job.job_id), 0));
    assert_eq!(worker.finish(&job, "DONE").await?, "DONE");
    world.trigger_becomes("long", "PAUSED", SOON).await;
    Ok(())
}

async fn disable_while_queued_cancels(world: &World) -> Result<()> {
    let ledger = world.ledger("started");
    world.create(NewTrigger::scheduled("waits", &world.quick_robot(&ledger), "0 0 1 1 *").at(world.now())).await;
    let job = world.first_job_of("waits").await;
    assert_eq!((job.status.as_str(), world.trigger("waits").await?.status.as_str()), ("QUEUED", "QUEUED"));
    world.cli(&["trigger", "pause", "waits"]).await.ok();
    assert_eq!(world.job(&job.id).await?.status, "CANCELLED");
    assert_eq!(world.trigger("waits").await?.status, "PAUSED");
    let _worker = world.worker("here").start().await;
    world.cli(&["trigger", "enable", "waits"]).await.ok();
    assert_eq!(world.trigger("waits").await?.status, "IDLE");
    let again = world.run_now("waits").await;
    assert_eq!(world.ended(&again.id).await.status, "DONE");
    assert_eq!(ledger.lines(), [again.id]);
    Ok(())
}

async fn delete_while_running_lets_it_end(world: &World) -> Result<()> {
    let _worker = world.worker("here").start().await;
    let (ledger, gate) = (world.ledger("started"), world.gate("end"));
    let robot = world.patient_robot(&ledger, &gate);
    let trigger = world.create(NewTrigger::scheduled("goes", &robot, "0 0 1 1 *")).await;
    let running = world.run_now("goes").await;
    world.job_becomes(&running.id, "RUNNING", SOON).await;
    let waiting = world.run_now("goes").await;
    world.cli(&["trigger", "delete", "goes", "--yes"]).await.ok();
    world.cli(&["trigger", "show", "goes"]).await.refused(3, &["goes"]);
    assert_eq!(world.job(&waiting.id).await?.status, "CANCELLED");
    assert_eq!(world.job(&running.id).await?.status, "RUNNING");
    gate.open();
    let ended = world.ended(&running.id).await;
    assert_eq!((ended.status.as_str(), ended.trigger_id.as_str()), ("DONE", trigger.id.as_str()));
    // The name is free again.
    world.create(NewTrigger::scheduled("goes", &robot, "0 0 1 1 *")).await;
    assert_eq!(ledger.lines(), [running.id]);
    Ok(())
}

async fn edit_while_queued_rewrites_what_will_run(world: &World) -> Result<()> {
    let gate = world.gate("end");
    let old = world.shell("old", &format!("echo old $process_args\n{}", gate.wait()));
    let new = world.shell("new", "echo new $process_args");
    world.create(NewTrigger::scheduled("changes", &old, "0 0 1 1 *").args("1")).await;
    let running = world.run_now("changes").await;
    let _worker = world.worker("here").start().await;
    world.job_becomes(&running.id, "RUNNING", SOON).await;
    let waiting = world.run_now("changes").await;
    let path = new.display().to_string();
    world.cli(&["trigger", "edit", "changes", "--path", &path, "--args", "2"]).await.ok();
    let shown = world.job(&waiting.id).await?;
    assert_eq!((shown.process_path.as_str(), shown.process_args()), (path.as_str(), "2"));
    assert_eq!(world.job(&running.id).await?.process_args(), "1");
    gate.open();
    world.ended(&running.id).await;
    world.ended(&waiting.id).await;
    assert_eq!(world.output(&running.id).await?.stdout, "old 1\n");
    assert_eq!(world.output(&waiting.id).await?.stdout, "new 2\n");
    Ok(())
}

async fn a_change_by_somebody_else_is_not_overwritten(world: &World) -> Result<()> {
    let robot = world.shell("robot", "true");
    let read = world.create(NewTrigger::scheduled("shared", &robot, "0 0 1 1 *")).await;
    world.cli(&["trigger", "edit", "shared", "--priority", "7"]).await.ok();
    let request = pb::UpdateTriggerRequest { trigger: Some(pb::Trigger { priority: 9, ..read }) };
    let status = world.api().triggers().update(request).await.err().map(|status| status.code());
    assert_eq!(status, Some(tonic::Code::Aborted));
    let kept = eventually("it is as the first one left it", seconds(1), async || world.trigger("shared").await).await;
    assert_eq!(kept.priority, 7);
    Ok(())
}
