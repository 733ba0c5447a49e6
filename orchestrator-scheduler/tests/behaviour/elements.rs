//! Section 5.2: what a job claimed, at its end.

use std::time::Duration;

use orchestrator_core::job::Outcome;
use orchestrator_core::log::LogLevel;
use orchestrator_core::policy::Policies;
use orchestrator_core::queue::ElementStatus as E;
use orchestrator_db::{LogFilter, PageRequest, QueueSettings, StatusBy, StatusChange};

use crate::world::{World, admin, at, queue_name, single, with};

behaviours! {
    what_a_job_still_holds_at_its_end_is_abandoned,
    what_a_job_still_holds_is_new_again_while_attempts_are_left,
    a_lost_job_keeps_its_elements_until_it_ends,
    a_superseded_attempt_gives_its_elements_back,
    nothing_is_given_to_a_job_that_has_ended,
    the_log_of_a_job_tells_what_it_left_unfinished,
}

async fn what_a_job_still_holds_at_its_end_is_abandoned(world: World) {
    let agent = world.worker("w").await;
    for (name, outcome) in [("d", Outcome::Done), ("f", Outcome::Failed), ("k", Outcome::Killed)] {
        world.create(single(name, 0)).await;
        let id = world.add_elements(name, 1).await[0];
        let grant = world.run(&agent).await;
        world.take_element(name, grant.job.id).await.unwrap();
        world.finish(&agent, &grant, outcome).await;
        assert_eq!(world.element(id).await.status, E::Abandoned);
    }
}

async fn the_log_of_a_job_tells_what_it_left_unfinished(world: World) {
    let agent = world.worker("w").await;
    world.create(single("t", 0)).await;
    let ids = world.add_elements("q", 3).await;
    let grant = world.run(&agent).await;
    for _ in &ids {
        world.take_element("q", grant.job.id).await.unwrap();
    }
    let mut tx = world.db.begin_write().await.unwrap();
    let parked =
        StatusChange { id: ids[0], status: E::InProgress, message: None, by: StatusBy::Job(grant.job.id), token: None };
    tx.element_set_status(&[parked], at(1)).await.unwrap().remove(0).unwrap();
    tx.commit().await.unwrap();

    world.finish(&agent, &grant, Outcome::Done).await;

    let mut tx = world.db.begin_read().await.unwrap();
    let (lines, _) = tx.log_list(&LogFilter::default(), &PageRequest::first(9)).await.unwrap();
    let told: Vec<_> = lines.rows.iter().map(|line| (line.level, line.message.as_str(), line.job_id)).collect();
    let text = "Queue elements that the job had taken and not finished: 2 ABANDONED, 1 IN_PROGRESS still, as the robot set them.";
    assert_eq!(told, [(LogLevel::Error, text, Some(grant.job.id))]);
}

async fn what_a_job_still_holds_is_new_again_while_attempts_are_left(world: World) {
    let agent = world.worker("w").await;
    let mut tx = world.db.begin_write().await.unwrap();
    tx.queue_settings_set(&queue_name("q"), QueueSettings { max_attempts: 2 }, &admin(), at(0)).await.unwrap();
    tx.commit().await.unwrap();
    let id = world.add_elements("q", 1).await[0];
    let mut tokens = Vec::new();
    for (name, status) in [("first", E::New), ("second", E::Abandoned)] {
        world.create(single(name, 0)).await;
        let grant = world.run(&agent).await;
        tokens.push(world.take_element("q", grant.job.id).await.unwrap().lease_token);
        world.finish(&agent, &grant, Outcome::Failed).await;
        assert_eq!(world.element(id).await.status, status);
    }
    assert!(tokens[0] < tokens[1]);
}

async fn a_lost_job_keeps_its_elements_until_it_ends(world: World) {
    let agent = world.worker("w").await;
    world.create(single("t", 0)).await;
    let id = world.add_elements("q", 1).await[0];
    let grant = world.run(&agent).await;
    world.take_element("q", grant.job.id).await.unwrap();
    world.rescue_at(20).await;
    assert_eq!(world.element(id).await.status, E::InProgress);
    world.dismiss(grant.job.id).await;
    assert_eq!(world.element(id).await.status, E::Abandoned);
}

async fn a_superseded_attempt_gives_its_elements_back(world: World) {
    let agent = world.worker("w").await;
    let policies = Policies {
        max_attempts: 2,
        retry_lost: true,
        stop_on_lost: true,
        stop_grace: Duration::ZERO,
        ..Policies::default()
    };
    world.create(with(single("t", 0), policies)).await;
    let id = world.add_elements("q", 1).await[0];
    let grant = world.run(&agent).await;
    world.take_element("q", grant.job.id).await.unwrap();
    world.rescue_at(20).await;
    assert_eq!(world.rescue_at(35).await.superseded, 1);
    assert_eq!(world.element(id).await.status, E::Abandoned);
}

async fn nothing_is_given_to_a_job_that_has_ended(world: World) {
    let agent = world.worker("w").await;
    world.create(single("t", 0)).await;
    let id = world.add_elements("q", 1).await[0];
    let grant = world.run(&agent).await;
    world.finish(&agent, &grant, Outcome::Done).await;
    let mut tx = world.db.begin_write().await.unwrap();
    let request = orchestrator_db::ClaimRequest {
        job: Some(grant.job.id),
        ..orchestrator_db::ClaimRequest::new(queue_name("q"), orchestrator_core::id::RequestId::generate())
    };
    assert!(tx.element_claim(&[request], at(1)).await.unwrap().remove(0).is_err());
    tx.commit().await.unwrap();
    assert_eq!(world.element(id).await.status, E::New);
}
