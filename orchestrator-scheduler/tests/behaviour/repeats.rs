//! Section 3.4: the same call again gives the same answer.

use orchestrator_core::id::RequestId;
use orchestrator_core::job::{JobStatus as J, Outcome};
use orchestrator_scheduler::{Claim, JobError};

use crate::world::{World, admin, at, every_minute, single};

behaviours! {
    a_repeated_claim_gets_the_same_grant,
    a_repeated_claim_whose_grant_is_over_is_a_new_claim,
    a_repetition_that_waits_beside_its_grant_gets_that_and_no_more,
    a_job_can_be_started_twice,
    a_job_can_be_finished_twice,
    a_run_by_hand_is_made_once,
    a_retry_is_made_once,
    calls_of_one_request_that_overlap_make_one_job,
    only_what_has_ended_is_retried,
}

async fn a_repeated_claim_gets_the_same_grant(world: World) {
    let agent = world.worker("w").await;
    for name in ["a", "b", "c"] {
        world.create(single(name, 0)).await;
    }
    let claim = World::ask(&agent, 2);
    let grants = world.try_claim(claim.clone()).await.unwrap();
    assert_eq!(grants.len(), 2);
    let again = world.server.claim_jobs(Claim { repeat: true, ..claim.clone() }).await.unwrap();
    let key = |grants: &[orchestrator_db::Grant]| {
        let mut key: Vec<_> = grants.iter().map(|grant| (grant.job.id, grant.lease)).collect();
        key.sort_by_key(|(id, _)| *id);
        key
    };
    assert_eq!(key(&again), key(&grants));
    let third = world.another_server().await;
    let elsewhere = third.server.claim_jobs(Claim { repeat: true, ..claim }).await.unwrap();
    assert_eq!(key(&elsewhere), key(&grants), "through another server, too");
}

async fn a_repeated_claim_whose_grant_is_over_is_a_new_claim(world: World) {
    let agent = world.worker("w").await;
    world.create(single("t", 0)).await;
    let claim = World::ask(&agent, 1);
    let first = world.try_claim(claim.clone()).await.unwrap().remove(0);
    world.rescue_at(20).await;
    world.beat(&agent, &[]).await;
    world.rescue_at(21).await;
    let asking = world.server.claim_jobs(Claim { repeat: true, ..claim });
    let look = async {
        while world.tick().await.assigned == 0 {
            tokio::task::yield_now().await;
        }
    };
    let (second, ()) = tokio::join!(asking, look);
    let second = second.unwrap().remove(0);
    assert_eq!(second.job.id, first.job.id);
    assert!(second.lease.token > first.lease.token);
}

async fn a_repetition_that_waits_beside_its_grant_gets_that_and_no_more(world: World) {
    let agent = world.worker("w").await;
    let claim = World::ask(&agent, 1);
    // The repetition finds nothing and waits; then the first call's grant comes through another server.
    let repetition = world.server.claim_jobs(Claim { repeat: true, ..claim.clone() });
    let other = world.another_server().await;
    let grant = async {
        for _ in 0..20 {
            world.tick().await;
        }
        world.create(single("a", 0)).await;
        world.create(single("b", 0)).await;
        let granted = other.try_claim(claim).await.unwrap().remove(0);
        while world.tick().await.more {}
        granted
    };
    let (repeated, granted) = tokio::join!(repetition, grant);
    let repeated = repeated.unwrap();
    assert_eq!(repeated.len(), 1);
    assert_eq!((repeated[0].job.id, repeated[0].lease), (granted.job.id, granted.lease));
}

async fn a_job_can_be_started_twice(world: World) {
    let agent = world.worker("w").await;
    let trigger = world.create(single("t", 0)).await;
    let grant = world.run(&agent).await;
    world.turn_to(3);
    world.start(&agent, &grant).await;
    let job = world.job(grant.job.id).await;
    assert_eq!((job.state.status(), job.start_time), (J::Running, Some(at(0))));
    assert_eq!(world.stored(trigger).await.trigger.last_run, Some(at(0)));
    // With another robot's token it is another call.
    let (job, token) = (grant.job.id, grant.lease.token);
    assert!(world.server.start_job(&agent.name, agent.session, job, token, b"another", None).await.is_err());
}

async fn a_job_can_be_finished_twice(world: World) {
    let agent = world.worker("w").await;
    let trigger = world.create(every_minute("t")).await;
    world.tick_at(60).await;
    let grant = world.run(&agent).await;
    world.finish(&agent, &grant, Outcome::Failed).await;
    world.turn_to(70);
    assert_eq!(world.try_finish(&agent, &grant, Outcome::Failed).await.unwrap(), J::Failed);
    assert_eq!(world.stored(trigger).await.trigger.consecutive_failures, 1);
    assert_eq!(world.job(grant.job.id).await.end_time, Some(at(60)));
}

async fn a_run_by_hand_is_made_once(world: World) {
    let trigger = world.create(every_minute("t")).await;
    let request = RequestId::generate();
    let first = world.server.run_now(&admin(), trigger, None, request, false).await.unwrap();
    let again = world.server.run_now(&admin(), trigger, None, request, true).await.unwrap();
    assert_eq!(first, again);
    assert_eq!(world.jobs(trigger).await.len(), 1);
    let entries = world.audit().await;
    assert_eq!(entries.iter().filter(|entry| entry.action == "trigger.run_now").count(), 1);
}

async fn a_retry_is_made_once(world: World) {
    let agent = world.worker("w").await;
    let trigger = world.create(single("t", 0)).await;
    world.tick().await;
    let failed = world.run_to(&agent, Outcome::Failed).await;
    let request = RequestId::generate();
    let first = world.server.retry_job(&admin(), failed, request, false).await.unwrap();
    let again = world.server.retry_job(&admin(), failed, request, true).await.unwrap();
    assert_eq!(first, again);
    assert_eq!(world.jobs(trigger).await.len(), 2);
    assert_eq!(first.snapshot.process, world.job(failed).await.snapshot.process);
    world.check().await;
}

async fn calls_of_one_request_that_overlap_make_one_job(world: World) {
    let agent = world.worker("w").await;
    let trigger = world.create(every_minute("t")).await;
    let by = admin();
    let request = RequestId::generate();
    let run = |repeat| world.server.run_now(&by, trigger, None, request, repeat);
    let (first, second, third) = tokio::join!(run(false), run(true), run(true));
    let job = first.unwrap();
    assert_eq!((second.unwrap().id, third.unwrap().id), (job.id, job.id));
    world.tick().await;
    let failed = world.run_to(&agent, Outcome::Failed).await;
    let request = RequestId::generate();
    let retry = |repeat| world.server.retry_job(&by, failed, request, repeat);
    let (first, second, third) = tokio::join!(retry(false), retry(true), retry(true));
    let job = first.unwrap();
    assert_eq!((second.unwrap().id, third.unwrap().id), (job.id, job.id));
    assert_eq!(world.jobs(trigger).await.len(), 2);
    world.check().await;
}

async fn only_what_has_ended_is_retried(world: World) {
    let trigger = world.create(every_minute("t")).await;
    let job = world.run_now(trigger).await;
    let refused = world.server.retry_job(&admin(), job, RequestId::generate(), false).await;
    assert!(matches!(refused, Err(JobError::StillActive { status: J::Queued, .. })));
}
