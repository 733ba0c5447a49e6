//! Section 2.1: disable, enable, kill, run now.

use orchestrator_core::id::{RequestId, TriggerId};
use orchestrator_core::job::{JobStatus as J, Outcome};
use orchestrator_core::policy::{Overlap, Policies};
use orchestrator_core::trigger::{Hold, TriggerStatus};
use orchestrator_db::DecisionKind;

use crate::world::{World, admin, args, at, every_minute, queue, single, with};

behaviours! {
    disabling_cancels_what_waits_and_lets_run_what_runs,
    a_disabled_trigger_does_not_fire_and_says_why,
    enabling_goes_on_with_the_next_instant_and_starts_no_second_copy,
    a_single_trigger_that_waits_keeps_its_time_through_a_hold,
    a_single_trigger_whose_time_came_under_a_hold_fires_when_it_is_enabled,
    a_single_trigger_that_has_fired_gets_a_new_time,
    a_single_trigger_that_has_run_is_not_run_again_by_a_pause_and_its_end,
    a_single_trigger_whose_run_ends_under_a_pause_is_not_run_again_by_its_end,
    a_single_trigger_that_runs_goes_on_through_a_pause_and_its_end,
    a_single_trigger_whose_waiting_run_a_pause_cancelled_runs_when_it_ends,
    what_was_started_by_hand_makes_no_single_trigger_run_after_a_pause,
    a_single_trigger_that_gets_a_new_time_while_it_runs_fires_again,
    killing_asks_for_the_kill_of_all_and_cancels_what_waits,
    run_now_works_on_a_held_trigger_and_leaves_the_hold_alone,
    run_now_takes_arguments_of_its_own,
    run_now_does_not_take_the_instant_of_the_schedule,
    what_was_forgotten_under_a_hold_is_recorded,
    a_queue_trigger_on_hold_does_not_fire_when_its_back_off_ends,
    every_verb_leaves_its_audit_row,
}

async fn disabling_cancels_what_waits_and_lets_run_what_runs(world: World) {
    let policies = Policies { overlap: Overlap::Allow { most: 3 }, ..Policies::default() };
    let trigger = world.create(with(every_minute("t"), policies)).await;
    let agent = world.worker("w").await;
    world.tick_at(60).await;
    let running = world.run(&agent).await;
    world.tick_at(120).await;
    assert_eq!(world.disable(trigger).await, 1);
    assert_eq!(world.history(trigger).await, [(J::Running, 60), (J::Cancelled, 120)]);
    assert_eq!(world.hold(trigger).await, Hold::Paused);
    world.finish(&agent, &running, Outcome::Done).await;
    assert_eq!(world.hold(trigger).await, Hold::Paused);
}

async fn a_disabled_trigger_does_not_fire_and_says_why(world: World) {
    let trigger = world.create(every_minute("t")).await;
    world.disable(trigger).await;
    world.tick_at(60).await;
    assert_eq!(world.history(trigger).await, []);
    let decisions = world.decisions(trigger).await;
    assert_eq!((decisions[0].decision, decisions[0].scheduled_at), (DecisionKind::OnHold, at(60)));
}

async fn enabling_goes_on_with_the_next_instant_and_starts_no_second_copy(world: World) {
    let trigger = world.create(every_minute("t")).await;
    let agent = world.worker("w").await;
    world.tick_at(60).await;
    let grant = world.run(&agent).await;
    world.disable(trigger).await;
    world.turn_to(200);
    world.enable(trigger, None).await;
    world.tick().await;
    assert_eq!(world.history(trigger).await, [(J::Running, 60)]);
    world.finish(&agent, &grant, Outcome::Done).await;
    world.tick_at(240).await;
    assert_eq!(world.history(trigger).await, [(J::Done, 60), (J::Queued, 240)]);
}

async fn a_single_trigger_that_waits_keeps_its_time_through_a_hold(world: World) {
    let trigger = world.create(single("t", 100)).await;
    world.disable(trigger).await;
    world.turn_to(50);
    world.enable(trigger, None).await;
    world.tick_at(99).await;
    assert_eq!(world.history(trigger).await, []);
    world.tick_at(100).await;
    assert_eq!(world.history(trigger).await, [(J::Queued, 100)]);
}

async fn a_single_trigger_whose_time_came_under_a_hold_fires_when_it_is_enabled(world: World) {
    let trigger = world.create(single("t", 100)).await;
    world.disable(trigger).await;
    world.tick_at(500).await;
    assert_eq!(world.history(trigger).await, []);
    world.enable(trigger, None).await;
    world.tick().await;
    assert_eq!(world.history(trigger).await, [(J::Queued, 500)]);
}

async fn a_single_trigger_that_has_fired_gets_a_new_time(world: World) {
    let agent = world.worker("w").await;
    let trigger = world.create(single("t", 0)).await;
    world.tick().await;
    world.run_to(&agent, Outcome::Done).await;
    world.tick_at(50).await;
    assert_eq!(world.history(trigger).await.len(), 1, "it fires once");
    world.enable(trigger, Some(80)).await;
    world.tick_at(80).await;
    world.run_to(&agent, Outcome::Done).await;
    world.turn_to(90);
    world.enable(trigger, None).await;
    world.tick().await;
    assert_eq!(world.history(trigger).await, [(J::Done, 0), (J::Done, 80), (J::Queued, 90)]);
}

/// Pauses and enables it, as who holds everything and then releases it.
async fn hold_and_release(world: &World, trigger: TriggerId) {
    world.disable(trigger).await;
    assert_eq!(world.hold(trigger).await, Hold::Paused);
    world.enable(trigger, None).await;
    world.tick().await;
}

async fn a_single_trigger_that_has_run_is_not_run_again_by_a_pause_and_its_end(world: World) {
    let agent = world.worker("w").await;
    for (start, outcome, hold) in [(0, Outcome::Done, Hold::Done), (100, Outcome::Failed, Hold::Failed)] {
        let trigger = world.create(single("t", start)).await;
        world.tick_at(start).await;
        world.run_to(&agent, outcome).await;
        world.turn_to(start + 10);
        hold_and_release(&world, trigger).await;
        assert_eq!((world.history(trigger).await.len(), world.hold(trigger).await), (1, hold));
        // A time that is given is meant, and so is who enables it without having paused it.
        world.disable(trigger).await;
        world.enable(trigger, Some(start + 20)).await;
        world.tick_at(start + 20).await;
        world.run_to(&agent, outcome).await;
        world.turn_to(start + 30);
        world.enable(trigger, None).await;
        world.tick().await;
        world.run_to(&agent, outcome).await;
        assert_eq!(world.history(trigger).await.len(), 3);
        world.delete(trigger).await;
    }
}

async fn a_single_trigger_whose_run_ends_under_a_pause_is_not_run_again_by_its_end(world: World) {
    let agent = world.worker("w").await;
    let trigger = world.create(single("t", 0)).await;
    world.tick().await;
    let grant = world.run(&agent).await;
    world.disable(trigger).await;
    world.finish(&agent, &grant, Outcome::Done).await;
    assert_eq!(world.hold(trigger).await, Hold::Paused);
    world.enable(trigger, None).await;
    world.tick_at(100).await;
    assert_eq!((world.history(trigger).await, world.hold(trigger).await), (vec![(J::Done, 0)], Hold::Done));
}

async fn a_single_trigger_that_runs_goes_on_through_a_pause_and_its_end(world: World) {
    let agent = world.worker("w").await;
    let trigger = world.create(single("t", 0)).await;
    world.tick().await;
    let grant = world.run(&agent).await;
    hold_and_release(&world, trigger).await;
    assert_eq!((world.shown(trigger).await, world.hold(trigger).await), (TriggerStatus::Running, Hold::None));
    world.finish(&agent, &grant, Outcome::Failed).await;
    assert_eq!((world.history(trigger).await, world.hold(trigger).await), (vec![(J::Failed, 0)], Hold::Failed));
}

async fn a_single_trigger_whose_waiting_run_a_pause_cancelled_runs_when_it_ends(world: World) {
    let agent = world.worker("w").await;
    let trigger = world.create(single("t", 0)).await;
    world.tick().await;
    world.turn_to(50);
    hold_and_release(&world, trigger).await;
    assert_eq!(world.history(trigger).await, [(J::Cancelled, 0), (J::Queued, 50)]);
    // The same for an instant that waits for the end of the job before.
    let grant = world.run(&agent).await;
    world.enable(trigger, Some(60)).await;
    world.tick_at(60).await;
    world.disable(trigger).await;
    world.finish(&agent, &grant, Outcome::Done).await;
    world.turn_to(70);
    world.enable(trigger, None).await;
    world.tick().await;
    assert_eq!(world.history(trigger).await, [(J::Cancelled, 0), (J::Done, 50), (J::Queued, 70)]);
    assert_eq!(world.decisions(trigger).await.len(), 1, "that it waited; nothing was dropped");
}

async fn what_was_started_by_hand_makes_no_single_trigger_run_after_a_pause(world: World) {
    let agent = world.worker("w").await;
    let trigger = world.create(single("t", 0)).await;
    world.tick().await;
    world.run_to(&agent, Outcome::Failed).await;
    world.run_now(trigger).await;
    hold_and_release(&world, trigger).await;
    let statuses: Vec<J> = world.history(trigger).await.into_iter().map(|(status, _)| status).collect();
    assert_eq!((statuses, world.hold(trigger).await), (vec![J::Failed, J::Cancelled], Hold::Failed));
}

async fn a_single_trigger_that_gets_a_new_time_while_it_runs_fires_again(world: World) {
    let agent = world.worker("w").await;
    let trigger = world.create(single("t", 0)).await;
    world.tick().await;
    let grant = world.run(&agent).await;
    world.enable(trigger, Some(100)).await;
    world.finish(&agent, &grant, Outcome::Failed).await;
    assert_eq!(world.hold(trigger).await, Hold::None, "its next instant is still to come");
    world.tick_at(100).await;
    assert_eq!(world.history(trigger).await, [(J::Failed, 0), (J::Queued, 100)]);
    world.run_to(&agent, Outcome::Done).await;
    assert_eq!(world.hold(trigger).await, Hold::Done);
}

async fn killing_asks_for_the_kill_of_all_and_cancels_what_waits(world: World) {
    let policies = Policies { overlap: Overlap::Allow { most: 4 }, ..Policies::default() };
    let trigger = world.create(with(every_minute("t"), policies)).await;
    let agent = world.worker("w").await;
    world.tick_at(60).await;
    let lost = world.run(&agent).await;
    world.forget_at(80, &agent).await;
    world.tick_at(120).await;
    let running = world.run(&agent).await;
    world.tick_at(180).await;
    let assigned = world.claim_one(&agent).await;
    world.tick_at(240).await;
    assert_eq!(world.kill(trigger).await, (3, 1));
    let expected = [(J::Killed, 60), (J::Running, 120), (J::Assigned, 180), (J::Cancelled, 240)];
    assert_eq!(world.history(trigger).await, expected);
    let kills = world.beat(&agent, &[&running, &assigned, &lost]).await;
    assert_eq!(kills.kills.len(), 2);
    assert_eq!(kills.gone, [(lost.job.id, lost.lease.token)]);
    assert!(world.try_start(&agent, &assigned).await.unwrap().kill_requested, "it is not to be spawned");
}

async fn run_now_works_on_a_held_trigger_and_leaves_the_hold_alone(world: World) {
    let agent = world.worker("w").await;
    let trigger = world.create(every_minute("t")).await;
    for hold in [Hold::Paused, Hold::Killed] {
        if hold == Hold::Paused {
            world.disable(trigger).await;
        } else {
            world.kill(trigger).await;
        }
        for outcome in [Outcome::Failed, Outcome::Failed, Outcome::Failed, Outcome::Done] {
            world.run_now(trigger).await;
            world.run_to(&agent, outcome).await;
            assert_eq!(world.hold(trigger).await, hold);
        }
        assert_eq!(world.stored(trigger).await.trigger.consecutive_failures, 0);
    }
}

async fn run_now_takes_arguments_of_its_own(world: World) {
    let trigger = world.create(every_minute("t")).await;
    let request = RequestId::generate();
    let job = world.server.run_now(&admin(), trigger, Some(args("today")), request, false).await.unwrap();
    assert_eq!(job.snapshot.process.args, Some(args("today")));
    let own = world.run_now(trigger).await;
    assert_eq!(world.job(own).await.snapshot.process.args, None);
}

async fn run_now_does_not_take_the_instant_of_the_schedule(world: World) {
    let policies = Policies { overlap: Overlap::Allow { most: 9 }, ..Policies::default() };
    let trigger = world.create(with(every_minute("t"), policies)).await;
    world.turn_to(60);
    world.run_now(trigger).await;
    world.run_now(trigger).await;
    world.tick().await;
    let jobs = world.jobs(trigger).await;
    assert_eq!(jobs.len(), 3);
    assert_eq!(jobs[0].scheduled_at, at(60));
    assert_eq!(world.stored(trigger).await.last_scheduled_at, Some(jobs[2].scheduled_at));
}

async fn what_was_forgotten_under_a_hold_is_recorded(world: World) {
    let agent = world.worker("w").await;
    let trigger = world.create(every_minute("t")).await;
    world.tick_at(60).await;
    let grant = world.run(&agent).await;
    world.tick_at(120).await;
    world.disable(trigger).await;
    world.finish(&agent, &grant, Outcome::Done).await;
    assert_eq!(world.history(trigger).await, [(J::Done, 60)]);
    let kinds: Vec<_> = world.decisions(trigger).await.iter().map(|decision| decision.decision).collect();
    assert_eq!(kinds, [DecisionKind::Buffered, DecisionKind::OnHold]);
}

async fn a_queue_trigger_on_hold_does_not_fire_when_its_back_off_ends(world: World) {
    let agent = world.worker("w").await;
    let trigger = world.create(queue("q")).await;
    world.add_elements("q", 5).await;
    world.tick().await;
    world.run_to(&agent, Outcome::Failed).await;
    world.disable(trigger).await;
    world.tick_at(100).await;
    assert_eq!(world.jobs(trigger).await.len(), 1);
    world.enable(trigger, None).await;
    world.tick().await;
    assert_eq!(world.shown(trigger).await, TriggerStatus::Queued);
}

async fn every_verb_leaves_its_audit_row(world: World) {
    let agent = world.worker("w").await;
    let trigger = world.create(every_minute("t")).await;
    world.edit(trigger, every_minute("u")).await;
    world.disable(trigger).await;
    world.enable(trigger, None).await;
    let job = world.run_now(trigger).await;
    let grant = world.run(&agent).await;
    world.forget_at(20, &agent).await;
    world.dismiss(grant.job.id).await;
    world.server.retry_job(&admin(), job, RequestId::generate(), false).await.unwrap();
    let again = world.run(&agent).await;
    world.kill_job(again.job.id).await;
    world.kill(trigger).await;
    world.delete(trigger).await;
    let audit = world.audit().await;
    let actions: Vec<&str> = audit.iter().map(|entry| entry.action.as_str()).collect();
    let verbs = ["create", "update", "disable", "enable", "run_now"].map(|verb| format!("trigger.{verb}"));
    let jobs = ["job.dismiss", "job.retry", "job.kill"].map(ToOwned::to_owned);
    let expected = [&verbs[..], &jobs[..], &["trigger.kill".to_owned(), "trigger.delete".to_owned()]].concat();
    assert_eq!(actions, expected);
    assert!(audit.iter().all(|entry| entry.actor == admin()));
    let subjects = [trigger.to_string(), job.to_string(), again.job.id.to_string()];
    assert!(audit.iter().all(|entry| subjects.contains(&entry.subject)));
    assert_eq!(audit[2].before.as_ref().unwrap()["hold"], "NONE");
    assert_eq!(audit[2].after.as_ref().unwrap()["hold"], "PAUSED");
}
