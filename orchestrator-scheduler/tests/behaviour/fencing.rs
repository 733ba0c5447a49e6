//! Sections 3.5 and 3.10: a stale token is refused everywhere and changes nothing; the first end counts.

use chrono::TimeDelta;
use orchestrator_core::job::{JobStatus as J, Outcome, OutputChunk, OutputStream};
use orchestrator_core::lease::{Lease, LeaseToken};
use orchestrator_db::{AppendError, Grant};
use orchestrator_scheduler::{Condition, FinishError, OutputError, StartError};

use crate::world::{World, at, single};

behaviours! {
    a_stale_token_is_refused_everywhere_and_changes_nothing,
    another_worker_may_not_use_a_token,
    the_first_end_counts,
    the_end_of_a_killed_job_is_one_of_what_may_be,
    an_end_before_the_start_or_in_the_future_is_moved_into_the_run,
    output_is_taken_for_a_while_after_the_end,
}

fn chunk(seq: i64) -> OutputChunk {
    OutputChunk { seq, stream: OutputStream::Stdout, at: at(0), content: b"hello".to_vec() }
}

async fn a_stale_token_is_refused_everywhere_and_changes_nothing(world: World) {
    let agent = world.worker("w").await;
    world.create(single("t", 0)).await;
    let old = world.claim_one(&agent).await;
    world.rescue_at(20).await;
    world.server.heartbeat(&agent.name, agent.session, &[], Condition::default()).await.unwrap();
    world.rescue_at(21).await;
    let new = world.run(&agent).await;
    assert!(new.lease.token > old.lease.token);
    let before = world.locked(new.job.id).await;
    let low = LeaseToken::new(0);
    let high = LeaseToken::new(new.lease.token.value() + 1);
    for token in [low, old.lease.token, high] {
        let stale = Grant { lease: Lease { token, ..old.lease }, job: old.job.clone() };
        assert!(matches!(world.try_start(&agent, &stale).await, Err(StartError::LeaseLost(_))));
        assert!(matches!(world.try_finish(&agent, &stale, Outcome::Done).await, Err(FinishError::LeaseLost(_))));
        assert!(matches!(world.hand_back(&agent, &stale, "x").await, Err(FinishError::LeaseLost(_))));
        let output = world.server.append_output(&agent.name, stale.job.id, token, vec![chunk(1)]).await;
        assert!(matches!(output, Err(OutputError::Refused(AppendError::LeaseLost(_)))));
        assert_eq!(world.beat(&agent, &[&stale]).await.gone, [(stale.job.id, token)]);
    }
    assert_eq!(world.locked(new.job.id).await, before);
    let mut tx = world.db.begin_read().await.unwrap();
    assert!(tx.output_read(new.job.id, 0, 9).await.unwrap().rows.is_empty());
}

async fn another_worker_may_not_use_a_token(world: World) {
    let (holder, other) = (world.worker("w").await, world.worker("v").await);
    world.create(single("t", 0)).await;
    let grant = world.run(&holder).await;
    let before = world.locked(grant.job.id).await;
    world.turn_to(5);
    assert!(world.try_start(&other, &grant).await.is_err());
    assert!(world.try_finish(&other, &grant, Outcome::Done).await.is_err());
    assert!(world.hand_back(&other, &grant, "x").await.is_err());
    assert_eq!(world.beat(&other, &[&grant]).await.gone.len(), 1);
    assert_eq!(world.locked(grant.job.id).await, before);
}

async fn the_first_end_counts(world: World) {
    let agent = world.worker("w").await;
    let trigger = world.create(single("t", 0)).await;
    world.tick().await;
    let grant = world.run(&agent).await;
    world.finish(&agent, &grant, Outcome::Done).await;
    let before = world.locked(grant.job.id).await;
    for other in [Outcome::Failed, Outcome::Killed, Outcome::TimedOut] {
        let refused = world.try_finish(&agent, &grant, other).await;
        assert!(matches!(refused, Err(FinishError::AlreadyEnded { status: J::Done, .. })));
    }
    assert!(matches!(world.hand_back(&agent, &grant, "x").await, Err(FinishError::AlreadyEnded { .. })));
    assert_eq!(world.locked(grant.job.id).await, before);
    assert_eq!(world.stored(trigger).await.trigger.consecutive_failures, 0);
}

async fn the_end_of_a_killed_job_is_one_of_what_may_be(world: World) {
    let agent = world.worker("w").await;
    for (name, outcome) in [("k", Outcome::Killed), ("d", Outcome::Done), ("f", Outcome::Failed)] {
        let trigger = world.create(single(name, 0)).await;
        world.tick().await;
        let grant = world.run(&agent).await;
        world.kill(trigger).await;
        world.finish(&agent, &grant, outcome).await;
        assert_eq!(world.status(grant.job.id).await, outcome.status());
        assert_eq!(world.jobs(trigger).await.len(), 1);
    }
}

async fn an_end_before_the_start_or_in_the_future_is_moved_into_the_run(world: World) {
    let agent = world.worker("w").await;
    for (name, told, expected) in [("early", -50, 10), ("late", 500, 14), ("right", 12, 12)] {
        world.turn_to(10);
        world.create(single(name, 0)).await;
        let grant = world.run(&agent).await;
        world.turn_to(14);
        let mut request = World::report(&agent, &grant, orchestrator_scheduler::FinishReport::Ended(Outcome::Done));
        request.ended_at = Some(at(0) + TimeDelta::seconds(told));
        world.server.finish_job(request).await.unwrap();
        assert_eq!(world.job(grant.job.id).await.end_time, Some(at(expected)), "{name}");
    }
}

async fn output_is_taken_for_a_while_after_the_end(world: World) {
    let agent = world.worker("w").await;
    world.create(single("t", 0)).await;
    let grant = world.run(&agent).await;
    let (job, token) = (grant.job.id, grant.lease.token);
    for _ in 0..2 {
        world.server.append_output(&agent.name, job, token, vec![chunk(1), chunk(2)]).await.unwrap();
    }
    world.finish(&agent, &grant, Outcome::Done).await;
    world.turn_to(599);
    world.server.append_output(&agent.name, job, token, vec![chunk(3)]).await.unwrap();
    world.turn_to(600);
    assert!(world.server.append_output(&agent.name, job, token, vec![chunk(4)]).await.is_err());
    let mut tx = world.db.begin_read().await.unwrap();
    let kept = tx.output_read(job, 0, 9).await.unwrap().rows;
    assert_eq!(kept.iter().map(|chunk| chunk.seq).collect::<Vec<_>>(), [1, 2, 3]);
}
