//! Section 3.6: what comes back without having been started.

use orchestrator_core::job::{JobStatus as J, Outcome};
use orchestrator_core::text::Reason;
use orchestrator_scheduler::StartError;

use crate::world::{World, every_minute, single};

behaviours! {
    what_is_handed_back_is_claimed_again_under_a_higher_token,
    handing_back_twice_is_handing_back_once,
    the_third_hand_back_fails_the_job_with_the_last_reason,
    a_worker_whose_machine_can_start_nothing_is_given_nothing_and_what_it_hands_back_goes_to_another,
    a_job_that_was_to_be_killed_is_killed_when_it_comes_back,
    a_job_of_a_disabled_trigger_does_not_go_back_to_the_queue,
    a_run_by_hand_goes_back_to_the_queue_of_a_disabled_trigger,
    a_lost_job_cannot_be_started_but_handed_back,
    a_job_cannot_be_started_after_its_lease,
}

async fn what_is_handed_back_is_claimed_again_under_a_higher_token(world: World) {
    let agent = world.worker("w").await;
    let trigger = world.create(single("t", 0)).await;
    let first = world.claim_one(&agent).await;
    assert_eq!(world.hand_back(&agent, &first, "no git").await.unwrap(), J::Queued);
    assert_eq!(world.job(first.job.id).await.reason, Some(Reason::cut("no git")));
    let second = world.claim_one(&agent).await;
    assert_eq!(second.job.id, first.job.id);
    assert!(second.lease.token > first.lease.token);
    assert_eq!(world.jobs(trigger).await.len(), 1);
}

async fn handing_back_twice_is_handing_back_once(world: World) {
    let agent = world.worker("w").await;
    world.create(single("t", 0)).await;
    let grant = world.claim_one(&agent).await;
    for _ in 0..5 {
        assert_eq!(world.hand_back(&agent, &grant, "no git").await.unwrap(), J::Queued);
    }
    assert_eq!(world.locked(grant.job.id).await.hand_back_count, 1);
}

async fn the_third_hand_back_fails_the_job_with_the_last_reason(world: World) {
    let agent = world.worker("w").await;
    let trigger = world.create(every_minute("t")).await;
    world.tick_at(60).await;
    for reason in ["first", "second"] {
        let grant = world.claim_one(&agent).await;
        assert_eq!(world.hand_back(&agent, &grant, reason).await.unwrap(), J::Queued);
    }
    // What was wrong gets time to pass.
    assert!(world.claim(&agent, 1).await.is_empty());
    world.turn_to(65);
    let grant = world.claim_one(&agent).await;
    for _ in 0..2 {
        assert_eq!(world.hand_back(&agent, &grant, "third").await.unwrap(), J::Failed);
    }
    assert_eq!(world.job(grant.job.id).await.reason, Some(Reason::cut("third")));
    assert_eq!(world.stored(trigger).await.trigger.consecutive_failures, 1);
}

async fn a_worker_whose_machine_can_start_nothing_is_given_nothing_and_what_it_hands_back_goes_to_another(
    world: World,
) {
    // The one that is full has more room than the one that is healthy, and asks first.
    let (full, healthy) = (world.agent("full", 4, false).await, world.agent("healthy", 1, false).await);
    world.create(single("t", 0)).await;
    let grant = world.claim_one(&full).await;
    world.is_troubled(&full, &[&grant], Some("no space left on device")).await;
    world.hand_back(&full, &grant, "no space left on device").await.unwrap();
    assert!(world.claim(&full, 4).await.is_empty());
    assert_eq!(world.why(grant.job.id).await, "it is next in line", "another one fits");
    assert_eq!(world.claim_one(&healthy).await.job.id, grant.job.id);

    let trigger = world.create(single("u", 0)).await;
    world.drain(&healthy).await;
    world.tick().await;
    assert!(world.claim(&full, 4).await.is_empty());
    let waits = world.jobs(trigger).await[0].id;
    assert_eq!(world.why(waits).await, "worker full takes nothing for now: no space left on device");
    world.is_troubled(&full, &[], None).await;
    assert_eq!(world.claim_one(&full).await.job.id, waits);
}

async fn a_job_that_was_to_be_killed_is_killed_when_it_comes_back(world: World) {
    let agent = world.worker("w").await;
    let trigger = world.create(every_minute("t")).await;
    world.run_now(trigger).await;
    let grant = world.claim_one(&agent).await;
    world.kill_job(grant.job.id).await;
    for _ in 0..2 {
        assert_eq!(world.hand_back(&agent, &grant, "killed").await.unwrap(), J::Killed);
    }
}

async fn a_job_of_a_disabled_trigger_does_not_go_back_to_the_queue(world: World) {
    let agent = world.worker("w").await;
    for (name, by_expiry) in [("a", false), ("b", true)] {
        let trigger = world.create(single(name, 0)).await;
        let grant = world.claim_one(&agent).await;
        world.disable(trigger).await;
        if by_expiry {
            world.rescue_at(20).await;
        } else {
            assert_eq!(world.hand_back(&agent, &grant, "no git").await.unwrap(), J::Cancelled);
        }
        assert_eq!(world.status(grant.job.id).await, J::Cancelled);
    }
}

async fn a_run_by_hand_goes_back_to_the_queue_of_a_disabled_trigger(world: World) {
    let agent = world.worker("w").await;
    let trigger = world.create(every_minute("t")).await;
    world.disable(trigger).await;
    world.run_now(trigger).await;
    let grant = world.claim_one(&agent).await;
    assert_eq!(world.hand_back(&agent, &grant, "no git").await.unwrap(), J::Queued);
    world.run_to(&agent, Outcome::Done).await;
}

async fn a_lost_job_cannot_be_started_but_handed_back(world: World) {
    let agent = world.worker("w").await;
    world.create(single("t", 0)).await;
    let grant = world.run(&agent).await;
    world.rescue_at(20).await;
    assert!(matches!(world.try_start(&agent, &grant).await, Err(StartError::LeaseLost(_))));
    assert_eq!(world.hand_back(&agent, &grant, "the answer came too late").await.unwrap(), J::Queued);
    assert_eq!(world.job(grant.job.id).await.start_time, None);
}

async fn a_job_cannot_be_started_after_its_lease(world: World) {
    let agent = world.worker("w").await;
    world.create(single("t", 0)).await;
    let grant = world.claim_one(&agent).await;
    world.turn_to(15);
    assert!(matches!(world.try_start(&agent, &grant).await, Err(StartError::LeaseLost(_))));
    world.turn_to(14);
    world.start(&agent, &grant).await;
}
