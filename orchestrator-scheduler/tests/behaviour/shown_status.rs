//! Section 2: what is shown of a trigger is one function of its hold and its active jobs.

use orchestrator_core::job::Outcome;
use orchestrator_core::trigger::{Hold, TriggerStatus as S};

use crate::world::{World, every_minute, single};

behaviours! {
    a_trigger_is_shown_idle_queued_and_running_as_its_job_goes_on,
    what_runs_under_a_hold_is_shown_pausing_and_then_as_the_hold,
    a_kill_that_was_asked_for_is_shown_before_all_else,
    a_lost_job_is_shown_running,
    a_waiting_run_by_hand_is_shown_on_a_held_trigger,
    a_single_trigger_ends_done_or_failed,
}

async fn a_trigger_is_shown_idle_queued_and_running_as_its_job_goes_on(world: World) {
    let trigger = world.create(every_minute("t")).await;
    let agent = world.worker("w").await;
    assert_eq!(world.shown(trigger).await, S::Idle);
    world.tick_at(60).await;
    assert_eq!(world.shown(trigger).await, S::Queued);
    let grant = world.claim_one(&agent).await;
    assert_eq!(world.shown(trigger).await, S::Running, "assigned");
    world.start(&agent, &grant).await;
    assert_eq!(world.shown(trigger).await, S::Running);
    world.finish(&agent, &grant, Outcome::Done).await;
    assert_eq!(world.shown(trigger).await, S::Idle);
}

async fn what_runs_under_a_hold_is_shown_pausing_and_then_as_the_hold(world: World) {
    let trigger = world.create(every_minute("t")).await;
    let agent = world.worker("w").await;
    world.tick_at(60).await;
    let grant = world.run(&agent).await;
    world.disable(trigger).await;
    assert_eq!(world.shown(trigger).await, S::Pausing);
    assert_eq!(world.beat(&agent, &[&grant]).await.pausing, [grant.job.id]);
    world.finish(&agent, &grant, Outcome::Done).await;
    assert_eq!(world.shown(trigger).await, S::Paused);
}

async fn a_kill_that_was_asked_for_is_shown_before_all_else(world: World) {
    let trigger = world.create(every_minute("t")).await;
    let agent = world.worker("w").await;
    world.tick_at(60).await;
    let grant = world.run(&agent).await;
    world.kill(trigger).await;
    assert_eq!((world.shown(trigger).await, world.hold(trigger).await), (S::Killing, Hold::Killed));
    world.finish(&agent, &grant, Outcome::Killed).await;
    assert_eq!(world.shown(trigger).await, S::Killed);
}

async fn a_lost_job_is_shown_running(world: World) {
    let trigger = world.create(single("t", 0)).await;
    let agent = world.worker("w").await;
    world.tick().await;
    world.run(&agent).await;
    assert_eq!(world.rescue_at(20).await.lost, 1);
    assert_eq!(world.shown(trigger).await, S::Running);
}

async fn a_waiting_run_by_hand_is_shown_on_a_held_trigger(world: World) {
    let trigger = world.create(every_minute("t")).await;
    world.disable(trigger).await;
    world.run_now(trigger).await;
    assert_eq!((world.shown(trigger).await, world.hold(trigger).await), (S::Queued, Hold::Paused));
}

async fn a_single_trigger_ends_done_or_failed(world: World) {
    let agent = world.worker("w").await;
    for (name, outcome, status) in [("good", Outcome::Done, S::Done), ("bad", Outcome::Failed, S::Failed)] {
        let trigger = world.create(single(name, 0)).await;
        world.tick().await;
        world.run_to(&agent, outcome).await;
        assert_eq!(world.shown(trigger).await, status);
    }
}
