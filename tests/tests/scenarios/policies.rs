//! Overlap, failures, retries and time-outs.

use anyhow::{Result, ensure};
use orchestrator_tests::{
    NewTrigger, SOON, World, eventually, instant, on_both_databases, on_sqlite, pb, seconds, to_wire,
};

on_both_databases!(
    an_instant_during_a_job_waits_for_its_end_is_skipped_or_runs_beside_it,
    failures_in_a_row_hold_the_trigger,
    a_failed_attempt_is_tried_again_as_often_as_the_trigger_says,
    a_robot_that_runs_too_long_is_stopped,
);
on_sqlite!(a_robot_that_ignores_its_time_out_is_killed, an_ended_job_is_retried_by_command_with_what_it_ran);

/// Runs a job by hand over the instant that the trigger is due at.
async fn an_instant_during_a_job_waits_for_its_end_is_skipped_or_runs_beside_it(world: &World) -> Result<()> {
    let _worker = world.worker("here").slots(6).start().await;
    let gate = world.gate("end");
    let robot = world.shell("robot", &gate.wait());
    let due = world.in_ms(3000);
    let overlaps = ["BUFFER_ONE", "SKIP", "ALLOW"];
    for overlap in overlaps {
        let trigger = NewTrigger::scheduled(overlap, &robot, "0 0 1 1 *").at(due).policies(|policies| {
            overlap.clone_into(&mut policies.overlap);
            policies.overlap_most = if overlap == "ALLOW" { 2 } else { 0 };
        });
        world.create(trigger).await;
        let job = world.run_now(overlap).await;
        world.job_becomes(&job.id, "RUNNING", SOON).await;
    }
    ensure!(world.now() < due, "the machine is too slow");
    eventually("the instant beside the first job runs", SOON, async || {
        let running = world.jobs_of("ALLOW").await?.iter().filter(|job| job.status == "RUNNING").count();
        ensure!(running == 2, "{running} run");
        Ok(())
    })
    .await;
    for (overlap, decision) in [("BUFFER_ONE", "BUFFERED"), ("SKIP", "OVERLAP")] {
        eventually(&format!("the decision of {overlap}"), SOON, async || {
            let decisions = world.decisions(overlap).await?;
            ensure!(decisions.len() == 1 && decisions[0].decision == decision, "{decisions:?}");
            ensure!(instant(decisions[0].scheduled_at) == due, "{decisions:?}");
            Ok(())
        })
        .await;
        assert_eq!(world.jobs_of(overlap).await?.len(), 1);
    }
    gate.open();
    eventually("what was remembered runs", SOON, async || {
        let jobs = world.jobs_of("BUFFER_ONE").await?;
        ensure!(jobs.len() == 2 && jobs.iter().all(|job| job.status == "DONE"), "{jobs:#?}");
        ensure!(jobs.iter().any(|job| instant(job.scheduled_at) == due), "{jobs:#?}");
        Ok(())
    })
    .await;
    assert_eq!(world.jobs_of("SKIP").await?.len(), 1);
    Ok(())
}

async fn failures_in_a_row_hold_the_trigger(world: &World) -> Result<()> {
    let _worker = world.worker("here").start().await;
    let robot = world.shell("robot", "[ \"$process_args\" = well ]");
    let trigger = NewTrigger::scheduled("fails", &robot, "0 0 1 1 *");
    world.create(trigger.policies(|policies| policies.max_consecutive_failures = 2)).await;
    let rounds = [("badly", 1, "IDLE"), ("well", 0, "IDLE"), ("badly", 1, "IDLE"), ("badly", 2, "FAILED")];
    for (round, (args, failures, status)) in (1..).zip(rounds) {
        fire_now(world, "fails", args).await?;
        eventually("the instant has ended", SOON, async || {
            let jobs = world.jobs_of("fails").await?;
            ensure!(jobs.len() == round && jobs.iter().all(|job| job.end_time.is_some()), "{jobs:#?}");
            Ok(())
        })
        .await;
        let trigger = world.trigger("fails").await?;
        assert_eq!((trigger.consecutive_failures, trigger.status.as_str()), (failures, status), "round {round}");
    }
    let by_hand = world.run_now("fails").await;
    assert_eq!(world.ended(&by_hand.id).await.status, "FAILED");
    assert_eq!(world.trigger("fails").await?.consecutive_failures, 2, "what a person tries does not count");
    world.cli(&["trigger", "enable", "fails"]).await.ok();
    let trigger = world.trigger("fails").await?;
    assert_eq!((trigger.consecutive_failures, trigger.status.as_str()), (0, "IDLE"));
    Ok(())
}

/// Makes the clock's next instant of a scheduled trigger be now, with these arguments.
async fn fire_now(world: &World, name: &str, args: &str) -> Result<()> {
    let mut trigger = world.trigger(name).await?;
    trigger.process_args = Some(args.to_owned());
    let Some(pb::trigger::Kind::Scheduled(kind)) = &mut trigger.kind else { anyhow::bail!("it is not scheduled") };
    kind.next_run = Some(to_wire(world.now()));
    world.api().triggers().update(pb::UpdateTriggerRequest { trigger: Some(trigger) }).await?;
    Ok(())
}

async fn a_failed_attempt_is_tried_again_as_often_as_the_trigger_says(world: &World) -> Result<()> {
    let _worker = world.worker("here").start().await;
    let ledger = world.ledger("started");
    let robot = world.shell("robot", &format!("{}\nexit 1", ledger.add("$job_id")));
    let trigger = NewTrigger::single("again", &robot).policies(|policies| {
        policies.max_attempts = 3;
        policies.retry_delay = Some(prost_types::Duration { seconds: 1, nanos: 0 });
    });
    world.create(trigger).await;
    let trigger = world.trigger_becomes("again", "FAILED", SOON).await;
    assert_eq!(trigger.consecutive_failures, 1, "counted once an instant");
    let mut jobs = world.jobs_of("again").await?;
    jobs.sort_by_key(|job| job.attempt);
    let attempts: Vec<_> = jobs.iter().map(|job| (job.attempt, job.status.as_str())).collect();
    assert_eq!(attempts, [(1, "FAILED"), (2, "FAILED"), (3, "FAILED")]);
    assert!(jobs.iter().all(|job| job.scheduled_at == jobs[0].scheduled_at));
    for pair in jobs.windows(2) {
        assert!(instant(pair[1].start_time) >= instant(pair[0].end_time) + chrono::Duration::seconds(1), "{pair:#?}");
    }
    assert_eq!(ledger.lines(), jobs.into_iter().map(|job| job.id).collect::<Vec<_>>());
    Ok(())
}

async fn a_robot_that_runs_too_long_is_stopped(world: &World) -> Result<()> {
    let _worker = world.worker("here").start().await;
    let robot = world.shell("robot", "trap 'echo stopped; exit 0' TERM\nwhile true; do sleep 0.05; done");
    world.create(NewTrigger::single("slow", &robot).timeout(seconds(1), seconds(10))).await;
    let job = world.ended_job_of("slow").await;
    assert_eq!(job.status, "TIMED_OUT", "{}", job.reason);
    assert_eq!(world.output(&job.id).await?.stdout, "stopped\n");
    let took = instant(job.end_time) - instant(job.start_time);
    assert!(took >= chrono::Duration::milliseconds(950) && took < chrono::Duration::seconds(5), "it took {took}");
    world.trigger_becomes("slow", "FAILED", SOON).await;
    Ok(())
}

async fn a_robot_that_ignores_its_time_out_is_killed(world: &World) -> Result<()> {
    let _worker = world.worker("here").start().await;
    let robot = world.shell("robot", "trap '' TERM\nsetsid sleep 1000 &\nwhile true; do sleep 0.05; done");
    world.create(NewTrigger::single("deaf", &robot).timeout(seconds(1), seconds(1))).await;
    let job = world.ended_job_of("deaf").await;
    assert_eq!(job.status, "TIMED_OUT", "{}", job.reason);
    world.no_process_of(&job.id, seconds(1)).await;
    Ok(())
}

async fn an_ended_job_is_retried_by_command_with_what_it_ran(world: &World) -> Result<()> {
    let _worker = world.worker("here").start().await;
    let robot = world.shell("robot", "echo $process_args; exit 1");
    world.create(NewTrigger::scheduled("fails", &robot, "0 0 1 1 *").args("old")).await;
    let first = world.run_now("fails").await;
    assert_eq!(world.ended(&first.id).await.status, "FAILED");
    world.cli(&["trigger", "edit", "fails", "--args", "new"]).await.ok();
    let said = world.cli(&["job", "retry", &first.id, "-o", "json"]).await.ok().json();
    let again = said["job"]["id"].as_str().unwrap_or_default();
    assert_ne!(again, first.id);
    world.ended(again).await;
    assert_eq!(world.output(again).await?.stdout, "old\n");
    Ok(())
}
