//! Output of several robots that comes at the same moment: each is answered as if it had come alone.

use chrono::TimeDelta;
use orchestrator_core::id::JobId;
use orchestrator_core::job::{Outcome, OutputChunk, OutputStream};
use orchestrator_core::lease::LeaseToken;
use orchestrator_db::{AppendError, Grant, Hint, LaneError, LaneOptions, OutputCall};
use tokio::task::JoinHandle;

use super::world::{World, world, world_with};
use crate::harness::TestDb;
use crate::world::{at, queued, read, run, trigger, worker_name, write};

conformance! {
    output_of_many_jobs_is_written_in_one_transaction,
    of_two_calls_with_one_chunk_the_first_is_kept,
    output_is_taken_or_refused_job_by_job,
    output_is_taken_or_refused_job_by_job_without_lanes,
}

fn chunk(seq: i64, content: &str) -> OutputChunk {
    OutputChunk { seq, stream: OutputStream::Stdout, at: at(seq), content: content.as_bytes().to_vec() }
}

fn said(grant: &Grant, content: &str) -> OutputCall {
    OutputCall {
        worker: worker_name("r1"),
        job: grant.job.id,
        token: grant.lease.token,
        chunks: vec![chunk(1, content)],
        after_end: TimeDelta::minutes(10),
    }
}

/// So many jobs that run on one worker.
async fn running(db: &TestDb, count: i64) -> Vec<Grant> {
    let id = trigger(db, "t").await;
    let mut grants = Vec::new();
    for place in 0..count {
        grants.push(run(db, queued(db, id, place).await, "r1", -700).await);
    }
    grants
}

async fn kept(db: &TestDb, job: JobId) -> Vec<OutputChunk> {
    read!(db, |tx| tx.output_read(job, 0, 9)).unwrap().rows
}

type Call = JoinHandle<Result<Result<(), AppendError>, LaneError>>;

fn begin(world: &World, call: OutputCall) -> Call {
    let lanes = world.lanes.clone();
    world.callers.spawn(async move { lanes.output(call).await })
}

/// Makes the calls while another one is in flight, so that they share the next transaction.
async fn together(world: &World, first: OutputCall, calls: Vec<OutputCall>) -> Vec<Result<(), AppendError>> {
    let mut begun = vec![world.hold_up(|world| begin(world, first)).await];
    for call in calls {
        begun.push(begin(world, call));
        world.until_waiting(begun.len() - 1).await;
    }
    world.gate.open();
    answers(begun).await
}

async fn answers(begun: Vec<Call>) -> Vec<Result<(), AppendError>> {
    let mut answers = Vec::new();
    for call in begun {
        answers.push(call.await.unwrap().unwrap());
    }
    answers
}

async fn output_of_many_jobs_is_written_in_one_transaction(db: TestDb) {
    let world = world(db);
    let grants = running(&world.db, 4).await;
    let calls = grants[1..].iter().map(|grant| said(grant, &grant.job.id.to_string())).collect();
    let answers = together(&world, said(&grants[0], &grants[0].job.id.to_string()), calls).await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    assert_eq!(world.commits(), 2);
    let mut told: Vec<JobId> = grants[1..].iter().map(|grant| grant.job.id).collect();
    told.sort_unstable();
    assert_eq!(world.told_last(), told.into_iter().map(|id| Hint::Job { id }).collect::<Vec<_>>());
    for grant in &grants {
        assert_eq!(kept(&world.db, grant.job.id).await, [chunk(1, &grant.job.id.to_string())]);
    }
}

async fn of_two_calls_with_one_chunk_the_first_is_kept(db: TestDb) {
    let world = world(db);
    let grants = running(&world.db, 2).await;
    let calls = vec![said(&grants[1], "first"), said(&grants[1], "again")];
    let answers = together(&world, said(&grants[0], "other"), calls).await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    assert_eq!(kept(&world.db, grants[1].job.id).await, [chunk(1, "first")]);
}

/// Calls of which some are refused, each with what it should come to.
async fn mixed(db: &TestDb) -> Vec<(OutputCall, &'static str)> {
    let grants = running(db, 6).await;
    for (grant, second) in [(&grants[3], -599), (&grants[4], -600)] {
        write!(db, |tx| tx.job_finish(grant.job.id, grant.lease.token, Outcome::Done, Some(0), None, at(second)));
    }
    vec![
        (said(&grants[0], "well"), "taken"),
        (OutputCall { token: LeaseToken::new(7), ..said(&grants[1], "under a stale token") }, "lease lost"),
        (OutputCall { worker: worker_name("r2"), ..said(&grants[2], "by another worker") }, "lease lost"),
        (said(&grants[3], "a little late"), "taken"),
        (said(&grants[4], "too late"), "lease lost"),
        (OutputCall { job: JobId::generate(), ..said(&grants[0], "of nobody") }, "not found"),
        (said(&grants[5], "well"), "taken"),
    ]
}

async fn are_as_expected(db: &TestDb, calls: &[(OutputCall, &str)], answers: &[Result<(), AppendError>]) {
    assert_eq!(answers.len(), calls.len());
    for ((call, expected), answer) in calls.iter().zip(answers) {
        let found = match answer {
            Ok(()) => "taken",
            Err(AppendError::LeaseLost(job)) if *job == call.job => "lease lost",
            Err(AppendError::NotFound(job)) if *job == call.job => "not found",
            Err(other) => panic!("{other}"),
        };
        assert_eq!(found, *expected, "{call:?}");
        assert_eq!(kept(db, call.job).await.is_empty(), *expected != "taken", "{call:?}");
    }
}

async fn output_is_taken_or_refused_job_by_job(db: TestDb) {
    let world = world(db);
    let calls = mixed(&world.db).await;
    let mut made = calls.iter().map(|(call, _)| call.clone());
    let first = made.next().unwrap();
    let answers = together(&world, first, made.collect()).await;
    are_as_expected(&world.db, &calls, &answers).await;
    assert_eq!(world.commits(), 2);
}

async fn output_is_taken_or_refused_job_by_job_without_lanes(db: TestDb) {
    let world = world_with(db, LaneOptions { is_on: false, ..LaneOptions::default() });
    let calls = mixed(&world.db).await;
    let begun = calls.iter().map(|(call, _)| begin(&world, call.clone())).collect();
    are_as_expected(&world.db, &calls, &answers(begun).await).await;
    assert_eq!(world.commits(), calls.len());
}
