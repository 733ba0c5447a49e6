//! Section 3.12: what failures do to a trigger.

use orchestrator_core::id::LogId;
use orchestrator_core::job::{JobStatus as J, Outcome};
use orchestrator_core::log::{LogLevel, LogLine};
use orchestrator_core::policy::{Overlap, Policies};
use orchestrator_core::text::{LogMessage, Reason};
use orchestrator_core::trigger::Hold;
use orchestrator_db::{Grant, LogFilter, PageRequest};
use orchestrator_scheduler::{FinishReport, FinishRequest};

use crate::world::{Agent, World, every_minute, single, with};

behaviours! {
    three_failures_in_a_row_hold_a_trigger,
    one_failure_holds_a_trigger_that_says_so,
    success_begins_the_count_anew,
    kills_and_cancellations_do_not_count,
    an_instant_counts_once_after_its_last_attempt,
    enabling_begins_the_count_anew,
    a_trigger_that_failed_forgets_what_waits,
    a_cancelled_single_trigger_is_done,
    a_failure_by_exit_code_is_explained_by_the_last_error_that_was_logged,
}

async fn ends(world: &World, outcomes: &[Outcome]) -> orchestrator_core::id::TriggerId {
    let agent = world.worker("w").await;
    let trigger = world.create(every_minute("t")).await;
    for (minute, outcome) in (1..).zip(outcomes) {
        world.tick_at(minute * 60).await;
        world.forget_at(minute * 60, &agent).await;
        world.run_to(&agent, *outcome).await;
    }
    trigger
}

async fn three_failures_in_a_row_hold_a_trigger(world: World) {
    let trigger = ends(&world, &[Outcome::Failed, Outcome::TimedOut]).await;
    assert_eq!(world.hold(trigger).await, Hold::None);
    let agent = world.worker("v").await;
    world.tick_at(180).await;
    world.run_to(&agent, Outcome::Failed).await;
    assert_eq!(world.hold(trigger).await, Hold::Failed);
    world.tick_at(240).await;
    assert_eq!(world.jobs(trigger).await.len(), 3);
}

async fn one_failure_holds_a_trigger_that_says_so(world: World) {
    let agent = world.worker("w").await;
    let policies = Policies { max_consecutive_failures: 1, ..Policies::default() };
    let trigger = world.create(with(every_minute("t"), policies)).await;
    world.tick_at(60).await;
    world.run_to(&agent, Outcome::Failed).await;
    assert_eq!(world.hold(trigger).await, Hold::Failed);
}

async fn success_begins_the_count_anew(world: World) {
    let failed = Outcome::Failed;
    let trigger = ends(&world, &[failed, failed, Outcome::Done, failed, failed]).await;
    assert_eq!((world.hold(trigger).await, world.stored(trigger).await.trigger.consecutive_failures), (Hold::None, 2));
}

async fn kills_and_cancellations_do_not_count(world: World) {
    let trigger = ends(&world, &[Outcome::Failed, Outcome::Killed, Outcome::Failed, Outcome::Killed]).await;
    world.tick_at(300).await;
    let waiting = world.jobs(trigger).await.last().unwrap().id;
    world.kill_job(waiting).await;
    assert_eq!(world.status(waiting).await, J::Cancelled);
    assert_eq!((world.hold(trigger).await, world.stored(trigger).await.trigger.consecutive_failures), (Hold::None, 2));
}

async fn an_instant_counts_once_after_its_last_attempt(world: World) {
    let agent = world.worker("w").await;
    let policies = Policies { max_attempts: 3, ..Policies::default() };
    let trigger = world.create(with(every_minute("t"), policies)).await;
    world.tick_at(60).await;
    for counted in [0, 0, 1] {
        world.run_to(&agent, Outcome::Failed).await;
        assert_eq!(world.stored(trigger).await.trigger.consecutive_failures, counted);
    }
}

async fn enabling_begins_the_count_anew(world: World) {
    let trigger = ends(&world, &[Outcome::Failed, Outcome::Failed, Outcome::Failed]).await;
    assert_eq!(world.hold(trigger).await, Hold::Failed);
    world.enable(trigger, None).await;
    assert_eq!((world.hold(trigger).await, world.stored(trigger).await.trigger.consecutive_failures), (Hold::None, 0));
}

async fn a_trigger_that_failed_forgets_what_waits(world: World) {
    let agent = world.worker("w").await;
    let policies = Policies { max_consecutive_failures: 1, overlap: Overlap::BufferOne, ..Policies::default() };
    let trigger = world.create(with(every_minute("t"), policies)).await;
    world.tick_at(60).await;
    let grant = world.run(&agent).await;
    world.tick_at(120).await;
    world.finish(&agent, &grant, Outcome::Failed).await;
    assert_eq!(world.history(trigger).await, [(J::Failed, 60)]);
    assert_eq!(world.stored(trigger).await.buffered_at, None);
}

async fn a_cancelled_single_trigger_is_done(world: World) {
    let trigger = world.create(single("t", 0)).await;
    world.tick().await;
    let waiting = world.jobs(trigger).await[0].id;
    world.kill_job(waiting).await;
    assert_eq!(world.hold(trigger).await, Hold::Done);
}

/// Ends the job of a robot that logged this error, and gives the reason that is kept.
async fn reason_after(world: &World, agent: &Agent, logged: &str, exit_code: Option<i32>, grant: &Grant) -> String {
    let line = LogLine {
        id: LogId::generate(),
        log_time: world.server.now(),
        level: LogLevel::Error,
        process_name: grant.job.process_name.clone(),
        message: LogMessage::cut(logged),
        job_id: Some(grant.job.id),
    };
    world.server.lanes().log(vec![line]).await.unwrap();
    let request = FinishRequest {
        exit_code,
        reason: Some(Reason::cut("exit code 1\nTraceback\nCalledProcessError")),
        ..World::report(agent, grant, FinishReport::Ended(Outcome::Failed))
    };
    world.server.finish_job(request).await.unwrap();
    world.job(grant.job.id).await.reason.unwrap().into_string()
}

async fn a_failure_by_exit_code_is_explained_by_the_last_error_that_was_logged(world: World) {
    let agent = world.worker("w").await;
    world.create(every_minute("t")).await;
    world.tick_at(60).await;
    let grant = world.run(&agent).await;
    let reason = reason_after(&world, &agent, "SAP GUI er ikke startet", Some(1), &grant).await;
    assert_eq!(reason, "exit code 1\nSAP GUI er ikke startet\nTraceback\nCalledProcessError");
    let lines = world.db.begin_read().await.unwrap().log_list(&LogFilter::default(), &PageRequest::first(10)).await;
    let line = lines.unwrap().0.rows.remove(0).message.into_string();
    assert!(line.starts_with("The job failed: exit code 1\nSAP GUI"), "{line}");

    world.tick_at(120).await;
    let grant = world.run(&agent).await;
    let reason = reason_after(&world, &agent, "a retry", None, &grant).await;
    assert_eq!(reason, "exit code 1\nTraceback\nCalledProcessError", "the robot did not end by itself");
}
