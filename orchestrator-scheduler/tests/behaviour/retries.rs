//! Section 3.11: attempts.

use std::time::Duration;

use orchestrator_core::job::{JobStatus as J, Outcome};
use orchestrator_core::policy::Policies;
use orchestrator_core::trigger::Hold;
use orchestrator_db::AppendError;
use orchestrator_scheduler::{FinishError, OutputError, StartError};

use crate::world::{World, at, every_minute, single, with};

behaviours! {
    the_next_attempt_is_queued_at_once_and_waits_its_time,
    a_waiting_attempt_counts_as_active,
    attempts_end_with_success_or_with_the_last_one,
    a_kill_is_not_retried,
    a_waiting_attempt_is_cancelled_with_its_trigger,
    no_attempt_follows_on_a_held_trigger,
    a_lost_attempt_is_superseded_after_lease_and_grace,
    what_a_superseded_attempt_says_is_refused,
    a_worker_that_answers_in_time_is_not_superseded,
}

fn attempts(most: u32) -> Policies {
    Policies { max_attempts: most, retry_delay: Duration::from_secs(30), ..Policies::default() }
}

async fn the_next_attempt_is_queued_at_once_and_waits_its_time(world: World) {
    let agent = world.worker("w").await;
    let trigger = world.create(with(single("t", 0), attempts(2))).await;
    world.tick().await;
    world.run_to(&agent, Outcome::Failed).await;
    let jobs = world.jobs(trigger).await;
    assert_eq!((jobs[1].attempt, jobs[1].scheduled_at), (2, at(0)));
    assert!(world.claim(&agent, 1).await.is_empty());
    assert_eq!(world.tick_at(29).await.next_due, Some(at(30)));
    assert!(world.claim(&agent, 1).await.is_empty());
    world.turn_to(30);
    assert_eq!(world.claim_one(&agent).await.job.id, jobs[1].id);
}

async fn a_waiting_attempt_counts_as_active(world: World) {
    let agent = world.worker("w").await;
    let trigger = world.create(with(every_minute("t"), attempts(2))).await;
    world.tick_at(60).await;
    let grant = world.run(&agent).await;
    world.turn_to(110);
    world.finish(&agent, &grant, Outcome::TimedOut).await;
    world.tick_at(120).await;
    assert_eq!(world.history(trigger).await, [(J::TimedOut, 60), (J::Queued, 60)]);
    world.turn_to(140);
    world.run_to(&agent, Outcome::Done).await;
    assert_eq!(world.history(trigger).await, [(J::TimedOut, 60), (J::Done, 60), (J::Queued, 120)]);
}

async fn attempts_end_with_success_or_with_the_last_one(world: World) {
    let agent = world.worker("w").await;
    for (name, last, hold) in [("good", Outcome::Done, Hold::Done), ("bad", Outcome::Failed, Hold::Failed)] {
        let trigger = world.create(with(single(name, 0), Policies { max_attempts: 3, ..Policies::default() })).await;
        world.tick().await;
        for outcome in [Outcome::Failed, Outcome::Failed, last] {
            assert_eq!(world.hold(trigger).await, Hold::None);
            world.run_to(&agent, outcome).await;
        }
        assert_eq!(world.jobs(trigger).await.len(), 3);
        assert_eq!(world.hold(trigger).await, hold);
    }
}

async fn a_kill_is_not_retried(world: World) {
    let agent = world.worker("w").await;
    let trigger = world.create(with(every_minute("t"), attempts(3))).await;
    world.tick_at(60).await;
    let grant = world.run(&agent).await;
    world.kill_job(grant.job.id).await;
    world.finish(&agent, &grant, Outcome::Failed).await;
    assert_eq!(world.history(trigger).await, [(J::Failed, 60)], "it failed while it was to be killed");
}

async fn a_waiting_attempt_is_cancelled_with_its_trigger(world: World) {
    let agent = world.worker("w").await;
    let trigger = world.create(with(single("t", 0), attempts(2))).await;
    world.tick().await;
    world.run_to(&agent, Outcome::Failed).await;
    assert_eq!(world.disable(trigger).await, 1);
    world.turn_to(40);
    assert!(world.claim(&agent, 1).await.is_empty());
    assert_eq!(world.history(trigger).await, [(J::Failed, 0), (J::Cancelled, 0)]);
    world.enable(trigger, None).await;
    world.tick().await;
    assert_eq!(world.history(trigger).await[2], (J::Queued, 40));
}

async fn no_attempt_follows_on_a_held_trigger(world: World) {
    let agent = world.worker("w").await;
    let trigger = world.create(with(every_minute("t"), attempts(3))).await;
    world.tick_at(60).await;
    let grant = world.run(&agent).await;
    world.disable(trigger).await;
    world.finish(&agent, &grant, Outcome::Failed).await;
    assert_eq!(world.history(trigger).await, [(J::Failed, 60)]);
    world.run_now(trigger).await;
    world.run_to(&agent, Outcome::Failed).await;
    assert_eq!(world.jobs(trigger).await.len(), 3, "a run by hand has its attempts");
}

fn superseding() -> Policies {
    Policies { max_attempts: 2, retry_lost: true, stop_on_lost: true, ..Policies::default() }
}

async fn a_lost_attempt_is_superseded_after_lease_and_grace(world: World) {
    let agent = world.worker("w").await;
    let trigger = world.create(with(single("t", 0), superseding())).await;
    let grant = world.run(&agent).await;
    world.rescue_at(20).await;
    // 15 s lease, 10 s grace.
    assert_eq!(world.rescue_at(44).await.superseded, 0);
    assert_eq!(world.rescue_at(45).await.superseded, 1);
    let jobs = world.jobs(trigger).await;
    assert_eq!(jobs[0].superseded_by, Some(jobs[1].id));
    assert_eq!((jobs[1].attempt, jobs[1].state.status()), (2, J::Queued));
    assert_eq!(world.stored(trigger).await.trigger.consecutive_failures, 0);
    assert_eq!(jobs[0].id, grant.job.id);
    world.beat(&agent, &[]).await;
    world.rescue_at(46).await;
    world.run(&agent).await;
    world.rescue_at(70).await;
    assert_eq!(world.rescue_at(200).await.superseded, 0, "there is no third attempt");
}

async fn what_a_superseded_attempt_says_is_refused(world: World) {
    let agent = world.worker("w").await;
    let trigger = world.create(with(single("t", 0), superseding())).await;
    let grant = world.run(&agent).await;
    world.rescue_at(20).await;
    world.rescue_at(45).await;
    let before = world.jobs(trigger).await;
    for outcome in [Outcome::Done, Outcome::Failed] {
        assert!(matches!(world.try_finish(&agent, &grant, outcome).await, Err(FinishError::LeaseLost(_))));
    }
    assert!(matches!(world.hand_back(&agent, &grant, "x").await, Err(FinishError::LeaseLost(_))));
    assert!(matches!(world.try_start(&agent, &grant).await, Err(StartError::LeaseLost(_))));
    assert_eq!(world.beat(&agent, &[&grant]).await.gone.len(), 1);
    let output = world.server.append_output(&agent.name, grant.job.id, grant.lease.token, vec![]).await;
    assert!(matches!(output, Err(OutputError::Refused(AppendError::LeaseLost(_)))));
    assert_eq!(world.jobs(trigger).await, before);
}

async fn a_worker_that_answers_in_time_is_not_superseded(world: World) {
    let agent = world.worker("w").await;
    let trigger = world.create(with(single("t", 0), superseding())).await;
    let grant = world.run(&agent).await;
    world.rescue_at(20).await;
    world.turn_to(44);
    world.beat(&agent, &[&grant]).await;
    world.rescue_at(45).await;
    assert_eq!(world.history(trigger).await, [(J::Running, 0)]);
}
