//! Answers that get lost: the call is repeated, and has its effect once.

use tonic::Code;

use crate::fake::{Call, Trouble};
use crate::world::World;

#[tokio::test]
async fn a_claim_whose_answer_is_lost_is_repeated_and_runs_the_job_once() {
    let world = World::new().await;
    world.fake.once("claim", Trouble::Lost);
    world.fake.offer(world.job("echo run >> $DIR/runs"));
    let agent = world.agent().await;
    assert_eq!(world.fake.ended().await.outcome, "DONE");
    let claims = world.fake.calls(|call| if let Call::Claim(claim) = call { claim.call.clone() } else { None });
    assert_eq!((claims[0].repeat, claims[1].repeat), (false, true));
    assert_eq!(claims[0].request_id, claims[1].request_id);
    assert_eq!(world.written("runs").await, "run");
    world.stop(agent).await;
}

#[tokio::test]
async fn a_start_whose_answer_is_lost_is_repeated_with_the_same_token() {
    let world = World::new().await;
    world.fake.once("start", Trouble::Lost);
    world.fake.offer(world.job("echo run >> $DIR/runs"));
    let agent = world.agent().await;
    assert_eq!(world.fake.ended().await.outcome, "DONE");
    let starts = world.fake.starts();
    assert_eq!(starts.len(), 2);
    assert_eq!((&starts[0].job_token_hash, starts[0].job_token_hash.len()), (&starts[1].job_token_hash, 32));
    assert_eq!(world.written("runs").await, "run");
    world.stop(agent).await;
}

#[tokio::test]
async fn the_end_is_told_until_it_is_taken_and_frees_the_slot_only_then() {
    let world = World::new().await;
    for _ in 0..2 {
        world.fake.once("finish", Trouble::Lost);
    }
    world.fake.once("finish", Trouble::Refused(Code::Internal, "INTERNAL"));
    world.fake.offer(world.job("exit 3"));
    let agent = world.agent().await;
    world.fake.eventually("a taken end", |fake| fake.finishes().len() == 4).await;
    let ends = world.fake.finishes();
    assert!(ends.iter().all(|end| end == &ends[0]), "the same words each time: {ends:#?}");
    assert_eq!((ends[0].outcome.as_str(), ends[0].exit_code), ("FAILED", Some(3)));
    assert_eq!(world.fake.count("claim"), 1, "the only slot was not free before");
    world.fake.eventually("another claim", |fake| fake.count("claim") == 2).await;
    world.stop(agent).await;
}

#[tokio::test]
async fn a_grant_that_arrives_twice_runs_once() {
    let world = World::new().await;
    let job = world.job("echo run >> $DIR/runs; until [ -e $DIR/go ]; do sleep 0.02; done");
    world.fake.offer(job.clone());
    let agent = world.agent().await;
    world.written("runs").await;
    world.fake.end_session();
    world.fake.eventually("another registration", |fake| fake.count("register") == 2).await;
    let held =
        world.fake.calls(|call| if let Call::Register(request) = call { Some(request.held.clone()) } else { None });
    assert_eq!(held[1][0].job_id, job.job_id, "the new session lists what is held");
    world.write("go");
    assert_eq!(world.fake.ended().await.outcome, "DONE");
    assert_eq!((world.written("runs").await.as_str(), world.fake.starts().len()), ("run", 1));
    world.stop(agent).await;
}
