//! Sections 3.7 and design 4: sessions of workers.

use orchestrator_core::id::InstanceId;
use orchestrator_core::job::{JobStatus as J, Outcome};
use orchestrator_core::policy::Policies;
use orchestrator_core::worker::WorkerState;
use orchestrator_scheduler::{Condition, HeartbeatError, RegisterError};

use crate::world::{Agent, World, at, single, with};

behaviours! {
    a_second_instance_is_refused_while_the_first_is_alive,
    a_second_instance_is_welcome_when_the_first_is_silent_or_gone,
    the_same_instance_takes_over_at_once_and_keeps_what_it_lists,
    what_a_restarted_agent_does_not_list_is_over,
    a_lost_job_fails_when_its_worker_comes_back_without_it,
    what_is_known_dead_is_retried_where_the_policy_says_so,
    an_agent_that_dies_again_and_again_fails_the_job,
    of_two_agents_with_copies_of_one_folder_the_first_keeps_the_name,
    an_agent_whose_registrations_get_no_answer_is_never_taken_for_two,
    an_earlier_session_is_told_that_it_is_over,
    an_earlier_session_may_not_start_a_job,
    good_bye_gives_back_what_was_granted_and_never_seen,
}

async fn a_second_instance_is_refused_while_the_first_is_alive(world: World) {
    world.worker("w").await;
    world.turn_to(14);
    let refused = world.register("w", InstanceId::generate(), Vec::new()).await;
    assert!(matches!(refused, Err(RegisterError::NameTaken { .. })));
    assert!(refused.unwrap_err().to_string().contains("'w' is already running"));
}

async fn a_second_instance_is_welcome_when_the_first_is_silent_or_gone(world: World) {
    let first = world.worker("w").await;
    world.server.leave(&first.name, first.session).await.unwrap();
    world.register("w", InstanceId::generate(), Vec::new()).await.unwrap();
    world.turn_to(15);
    world.register("w", InstanceId::generate(), Vec::new()).await.unwrap();
}

async fn the_same_instance_takes_over_at_once_and_keeps_what_it_lists(world: World) {
    let agent = world.worker("w").await;
    for name in ["a", "b"] {
        world.create(single(name, 0)).await;
    }
    let running = world.run(&agent).await;
    let lost = world.run(&agent).await;
    world.turn_to(10);
    world.beat(&agent, &[&running]).await;
    world.rescue_at(20).await;
    assert_eq!(world.status(lost.job.id).await, J::Lost);
    let held = vec![(running.job.id, running.lease.token), (lost.job.id, lost.lease.token)];
    let registered = world.register("w", agent.instance, held).await.unwrap();
    assert!(registered.gone.is_empty());
    let agent = Agent { session: registered.session, ..agent };
    for grant in [&running, &lost] {
        assert_eq!(world.status(grant.job.id).await, J::Running);
        world.start(&agent, grant).await;
        world.finish(&agent, grant, Outcome::Done).await;
    }
}

async fn what_a_restarted_agent_does_not_list_is_over(world: World) {
    let agent = world.worker("w").await;
    for name in ["a", "b", "c", "d"] {
        world.create(single(name, 0)).await;
    }
    let running = world.run(&agent).await;
    let killed = world.run(&agent).await;
    let assigned = world.claim_one(&agent).await;
    let unwanted = world.claim_one(&agent).await;
    world.kill_job(killed.job.id).await;
    world.kill_job(unwanted.job.id).await;
    world.register("w", agent.instance, Vec::new()).await.unwrap();
    for (grant, status) in [(&running, J::Failed), (&killed, J::Killed), (&assigned, J::Queued), (&unwanted, J::Killed)]
    {
        assert_eq!(world.status(grant.job.id).await, status);
    }
}

async fn a_lost_job_fails_when_its_worker_comes_back_without_it(world: World) {
    let agent = world.worker("w").await;
    let trigger = world.create(single("t", 0)).await;
    let grant = world.run(&agent).await;
    world.rescue_at(20).await;
    world.register("w", InstanceId::generate(), Vec::new()).await.unwrap();
    assert_eq!(world.history(trigger).await, [(J::Failed, 0)]);
    assert!(world.job(grant.job.id).await.reason.unwrap().as_str().contains("restarted"));
}

async fn what_is_known_dead_is_retried_where_the_policy_says_so(world: World) {
    let agent = world.worker("w").await;
    let policies = Policies { max_attempts: 2, ..Policies::default() };
    let trigger = world.create(with(single("t", 0), policies)).await;
    world.run(&agent).await;
    world.register("w", agent.instance, Vec::new()).await.unwrap();
    assert_eq!(world.history(trigger).await, [(J::Failed, 0), (J::Queued, 0)]);
}

async fn an_agent_that_dies_again_and_again_fails_the_job(world: World) {
    let mut agent = world.worker("w").await;
    let trigger = world.create(single("t", 0)).await;
    for status in [J::Queued, J::Queued, J::Failed] {
        world.claim_one(&agent).await;
        agent.session = world.register("w", agent.instance, Vec::new()).await.unwrap().session;
        assert_eq!(world.history(trigger).await, [(status, 0)]);
    }
}

async fn an_earlier_session_is_told_that_it_is_over(world: World) {
    let agent = world.worker("w").await;
    let other = world.another_server().await;
    let new = other.register("w", agent.instance, Vec::new()).await.unwrap();
    assert_ne!(new.session, agent.session);
    // The server that did not see the registration learns of it with the next write of heartbeats.
    world.beat(&agent, &[]).await;
    world.rescue_at(15).await;
    let answer = world.server.heartbeat(&agent.name, agent.session, &[], Condition::default()).await;
    assert!(matches!(answer, Err(HeartbeatError::SessionOver)));
}

async fn an_earlier_session_may_not_start_a_job(world: World) {
    let agent = world.worker("w").await;
    world.create(single("t", 0)).await;
    let grant = world.claim_one(&agent).await;
    let held = vec![(grant.job.id, grant.lease.token)];
    let session = world.register("w", agent.instance, held).await.unwrap().session;
    assert!(world.try_start(&agent, &grant).await.is_err());
    world.start(&Agent { session, ..agent }, &grant).await;
}

async fn good_bye_gives_back_what_was_granted_and_never_seen(world: World) {
    let agent = world.worker("w").await;
    for name in ["a", "b"] {
        world.create(single(name, 0)).await;
    }
    let running = world.run(&agent).await;
    let unseen = world.claim_one(&agent).await;
    world.server.leave(&agent.name, agent.session).await.unwrap();
    world.check().await;
    assert_eq!(world.status(running.job.id).await, J::Running);
    assert_eq!(world.status(unseen.job.id).await, J::Queued);
    let mut tx = world.db.begin_read().await.unwrap();
    assert_eq!(tx.worker_get(&agent.name).await.unwrap().unwrap().state, WorkerState::Stopped);
}

async fn of_two_agents_with_copies_of_one_folder_the_first_keeps_the_name(world: World) {
    let mut first = world.worker("w").await;
    let mut copy = Agent { name: first.name.clone(), session: first.session, instance: first.instance };
    // Each hears with its beat that its session is over, and registers.
    for second in [3, 13] {
        world.turn_to(second);
        world.beat(&first, &[]).await;
        copy.session = world.register("w", first.instance, Vec::new()).await.unwrap().session;
        world.turn_to(second + 5);
        world.beat(&copy, &[]).await;
        first.session = world.register("w", first.instance, Vec::new()).await.unwrap().session;
    }
    world.beat(&first, &[]).await;
    for second in (23..=123).step_by(5) {
        world.turn_to(second);
        let refused = world.register("w", first.instance, Vec::new()).await.unwrap_err();
        assert!(refused.to_string().contains("copy of this one's data folder"), "{refused}");
        world.beat(&first, &[]).await;
        world.rescue_at(second).await;
    }
    let mut tx = world.db.begin_read().await.unwrap();
    let contested = tx.worker_get(&first.name).await.unwrap().unwrap().contested_at;
    assert_eq!(contested, Some(at(123)), "people hear of it");
    drop(tx);
    // The other one is stopped, or was never there.
    world.turn_to(139);
    world.register("w", first.instance, Vec::new()).await.unwrap();
}

async fn an_agent_whose_registrations_get_no_answer_is_never_taken_for_two(world: World) {
    let agent = world.worker("w").await;
    world.beat(&agent, &[]).await;
    for second in 1..12 {
        world.turn_to(second);
        world.register("w", agent.instance, Vec::new()).await.unwrap();
    }
}
