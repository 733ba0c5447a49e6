//! Section 3.3: what runs alone on its worker.

use orchestrator_core::job::{JobStatus as J, Outcome};
use orchestrator_core::trigger::TriggerDraft;

use crate::world::{World, single, worker_name};

behaviours! {
    a_blocking_job_runs_alone_in_both_directions,
    a_blocking_job_keeps_a_worker_free_across_claims,
    it_keeps_the_worker_with_the_fewest_jobs,
    a_reservation_falls_when_its_worker_drains_or_goes,
    a_higher_ranked_job_goes_first_on_a_reserved_worker,
    a_lost_job_keeps_a_blocking_one_from_its_worker,
    a_cancelled_blocking_job_frees_its_worker,
}

fn blocking(name: &str) -> TriggerDraft {
    let mut draft = single(name, 0);
    draft.is_blocking = true;
    draft
}

async fn a_blocking_job_runs_alone_in_both_directions(world: World) {
    let agent = world.worker("w").await;
    world.create(blocking("alone")).await;
    world.create(single("beside", 0)).await;
    let grants = world.claim(&agent, 4).await;
    assert_eq!(grants.len(), 1);
    assert!(grants[0].job.snapshot.is_blocking);
    world.start(&agent, &grants[0]).await;
    assert!(world.claim(&agent, 3).await.is_empty());
    world.finish(&agent, &grants[0], Outcome::Done).await;
    let beside = world.claim_one(&agent).await;
    world.create(blocking("later")).await;
    assert!(world.claim(&agent, 3).await.is_empty());
    world.finish(&agent, &beside, Outcome::Done).await;
    assert_eq!(world.claim(&agent, 4).await.len(), 1);
}

async fn a_blocking_job_keeps_a_worker_free_across_claims(world: World) {
    let agent = world.worker("w").await;
    let first = world.create(single("small 0", 0)).await;
    let running = world.run(&agent).await;
    let lone = world.create(blocking("lone")).await;
    for small in 1..4 {
        world.create(single(&format!("small {small}"), 0)).await;
        assert!(world.claim(&agent, 3).await.is_empty(), "small jobs do not starve it");
    }
    let waiting = world.jobs(lone).await[0].id;
    assert_eq!(world.locked(waiting).await.reserved_worker, Some(worker_name("w")));
    world.finish(&agent, &running, Outcome::Done).await;
    assert_eq!(world.claim_one(&agent).await.job.id, waiting);
    assert_eq!(world.history(first).await, [(J::Done, 0)]);
}

async fn it_keeps_the_worker_with_the_fewest_jobs(world: World) {
    let (busy, free) = (world.worker("a").await, world.worker("b").await);
    for name in ["1", "2"] {
        world.create(single(name, 0)).await;
    }
    world.claim(&busy, 2).await;
    world.create(single("3", 0)).await;
    world.claim(&free, 1).await;
    let lone = world.create(blocking("lone")).await;
    world.create(single("4", 0)).await;
    assert_eq!(world.claim(&busy, 2).await.len(), 1, "the other worker goes on");
    world.create(single("5", 0)).await;
    assert!(world.claim(&free, 3).await.is_empty());
    let waiting = world.jobs(lone).await[0].id;
    assert_eq!(world.locked(waiting).await.reserved_worker, Some(worker_name("b")));
}

async fn a_reservation_falls_when_its_worker_drains_or_goes(world: World) {
    let (a, b) = (world.worker("a").await, world.worker("b").await);
    for (name, agent) in [("1", &a), ("2", &b)] {
        world.create(single(name, 0)).await;
        world.claim_one(agent).await;
    }
    let lone = world.create(blocking("lone")).await;
    world.claim(&a, 3).await;
    let waiting = world.jobs(lone).await[0].id;
    assert_eq!(world.locked(waiting).await.reserved_worker, Some(worker_name("a")));
    world.server.leave(&a.name, a.session).await.unwrap();
    assert_eq!(world.locked(waiting).await.reserved_worker, None);
    world.claim(&b, 3).await;
    assert_eq!(world.locked(waiting).await.reserved_worker, Some(worker_name("b")));
    world.rescue_at(20).await;
    assert_eq!(world.locked(waiting).await.reserved_worker, None, "its worker fell silent");
}

async fn a_higher_ranked_job_goes_first_on_a_reserved_worker(world: World) {
    let agent = world.worker("w").await;
    world.create(single("small", 0)).await;
    world.claim_one(&agent).await;
    world.create(blocking("lone")).await;
    assert!(world.claim(&agent, 3).await.is_empty());
    let mut urgent = single("urgent", 0);
    urgent.priority = 1;
    let urgent = world.create(urgent).await;
    assert_eq!(world.claim_one(&agent).await.job.trigger_id, urgent);
}

async fn a_lost_job_keeps_a_blocking_one_from_its_worker(world: World) {
    let agent = world.worker("w").await;
    world.create(single("small", 0)).await;
    let lost = world.run(&agent).await;
    world.forget_at(20, &agent).await;
    assert_eq!(world.status(lost.job.id).await, J::Lost);
    world.create(blocking("lone")).await;
    assert!(world.claim(&agent, 3).await.is_empty(), "its robot may be alive");
    world.dismiss(lost.job.id).await;
    assert_eq!(world.claim(&agent, 4).await.len(), 1);
}

async fn a_cancelled_blocking_job_frees_its_worker(world: World) {
    let agent = world.worker("w").await;
    world.create(single("small", 0)).await;
    world.claim_one(&agent).await;
    let lone = world.create(blocking("lone")).await;
    world.create(single("other", 0)).await;
    assert!(world.claim(&agent, 3).await.is_empty());
    world.disable(lone).await;
    assert_eq!(world.claim(&agent, 3).await.len(), 1);
}
