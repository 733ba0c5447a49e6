//! The life of a job under a lease.

use orchestrator_core::id::{JobId, SessionId};
use orchestrator_core::job::{JobState, JobStatus, Outcome};
use orchestrator_core::lease::{Lease, LeaseToken};
use orchestrator_core::trigger::Hold;
use orchestrator_db::{CancelBy, Db, DbOptions, Dialect, Heard, Hint, Holder, JobStart};
use tokio::task::JoinSet;

use crate::harness::TestDb;
use crate::world::{
    assign, at, give_back, locked, lose, queued, read, reason, run, session_of, start, start_all, start_call,
    token_hash, trigger, worker, worker_name, write,
};

conformance! {
    a_start_needs_the_token_and_a_lease_that_holds,
    a_repeated_start_is_the_same_start,
    many_jobs_start_at_once_and_only_those_that_may,
    a_start_is_told_to_other_servers_and_a_refused_one_is_not,
    many_workers_renew_at_once_each_its_own,
    a_beat_beside_the_one_that_finds_a_lost_job_again_knows_it_too,
    a_late_completion_is_refused,
    the_first_end_wins,
    a_hand_back_queues_the_job_and_keeps_its_token,
    a_heartbeat_renews_what_it_lists_and_nothing_else,
    a_session_that_is_over_renews_nothing,
    a_lost_job_whose_worker_answers_runs_again,
    a_heartbeat_tells_of_kills_and_pauses,
    a_kill_reaches_jobs_that_workers_hold,
    queued_jobs_are_cancelled_and_others_are_not,
    a_robots_token_is_good_while_its_job_is_not_over,
    a_job_moves_into_its_workers_new_session,
}

async fn status(db: &TestDb, job: JobId) -> JobStatus {
    read!(db, |tx| tx.job_get(job)).unwrap().state.status()
}

fn next(token: LeaseToken) -> LeaseToken {
    LeaseToken::new(token.value() + 1)
}

async fn a_start_needs_the_token_and_a_lease_that_holds(db: TestDb) {
    let id = trigger(&db, "t").await;
    let job = queued(&db, id, 1).await;
    let hash = token_hash(job);
    let token = assign(&db, job, "r1", 0).await.lease.token;
    let call = start_call(job, "r1", token);
    assert!(!start(&db, &JobStart { token: next(token), ..call.clone() }, 1).await);
    assert!(!start(&db, &start_call(job, "r2", token), 1).await, "another worker's");
    let session = SessionId::generate();
    assert!(!start(&db, &JobStart { session, ..call.clone() }, 1).await, "another session's");
    assert!(!start(&db, &call, 15).await, "expired at 15 s");
    assert_eq!(status(&db, job).await, JobStatus::Assigned);
    assert!(start(&db, &JobStart { commit: Some("c0ffee".to_owned()), ..call }, 14).await);
    let started = locked(&db, job).await;
    let lease = Lease { token, expires_at: at(29) };
    assert_eq!(started.job.state, JobState::Running { lease, started_at: at(14) });
    assert_eq!((started.job.commit.as_deref(), started.job_token_hash), (Some("c0ffee"), Some(hash)));
}

async fn a_repeated_start_is_the_same_start(db: TestDb) {
    let id = trigger(&db, "t").await;
    let job = queued(&db, id, 1).await;
    let token = run(&db, job, "r1", 0).await.lease.token;
    let call = start_call(job, "r1", token);
    assert!(start(&db, &call, 5).await);
    assert_eq!(locked(&db, job).await.job.start_time, Some(at(0)));
    assert_eq!(read!(db, |tx| tx.trigger_get(id)).unwrap().trigger.last_run, Some(at(0)));
    let other_robot = JobStart { token_hash: token_hash(JobId::generate()), ..call.clone() };
    assert!(!start(&db, &other_robot, 5).await);
    assert_eq!(write!(db, |tx| tx.job_mark_lost(&[job], at(40))), [job]);
    assert!(!start(&db, &call, 41).await, "LOST");
}

async fn many_jobs_start_at_once_and_only_those_that_may(db: TestDb) {
    worker(&db, "r1", 9).await;
    worker(&db, "r2", 9).await;
    let (a, b) = (trigger(&db, "a").await, trigger(&db, "b").await);
    let mut calls = Vec::new();
    for (number, (trigger, worker)) in [(a, "r1"), (a, "r2"), (b, "r1"), (b, "r2")].into_iter().enumerate() {
        let job = queued(&db, trigger, i64::try_from(number).unwrap()).await;
        let token = assign(&db, job, worker, 0).await.lease.token;
        calls.push(start_call(job, worker, token));
    }
    // The second robot of the same job must not be spawned, the third call is stale.
    calls[2].token = next(calls[2].token);
    let second = JobStart { token_hash: token_hash(JobId::generate()), ..calls[0].clone() };
    let all: Vec<JobStart> = calls.iter().cloned().chain([second]).collect();
    let started = start_all(&db, &all, 3).await;
    let started: Vec<JobId> = started.iter().map(|started| started.job).collect();
    assert_eq!(started, [calls[0].job, calls[1].job, calls[3].job]);
    assert_eq!(status(&db, calls[2].job).await, JobStatus::Assigned);
    let shown = read!(db, |tx| tx.trigger_get(a)).unwrap().trigger;
    assert_eq!(shown.last_run, Some(at(3)));
    let r1 = read!(db, |tx| tx.worker_get(&worker_name("r1"))).unwrap().unwrap();
    assert_eq!((r1.latest_trigger.as_deref(), r1.latest_trigger_time), (Some("a"), Some(at(3))));
}

async fn a_start_is_told_to_other_servers_and_a_refused_one_is_not(db: TestDb) {
    if db.dialect() == Dialect::Sqlite {
        // There are none.
        return;
    }
    let other = Db::open(&DbOptions::new(db.url())).await.unwrap();
    let mut listener = other.listen().await.unwrap().unwrap();
    let id = trigger(&db, "t").await;
    let (a, b) = (queued(&db, id, 1).await, queued(&db, id, 2).await);
    let [call_a, call_b] = [(a, "r1"), (b, "r2")].map(|(job, worker)| start_call(job, worker, LeaseToken::new(1)));
    for (job, worker) in [(a, "r1"), (b, "r2")] {
        assert_eq!(assign(&db, job, worker, 0).await.lease.token, LeaseToken::new(1));
    }
    assert!(!start(&db, &JobStart { token: next(call_a.token), ..call_a }, 1).await);
    assert!(start(&db, &call_b, 1).await);
    assert_eq!(listener.next().await.unwrap(), Heard::Hints(vec![Hint::Job { id: b }]));
}

async fn many_workers_renew_at_once_each_its_own(db: TestDb) {
    let id = trigger(&db, "t").await;
    let (a, b) = (queued(&db, id, 1).await, queued(&db, id, 2).await);
    let token_a = run(&db, a, "r1", 0).await.lease.token;
    let token_b = run(&db, b, "r2", 0).await.lease.token;
    let holder = |worker: &str, held: Vec<_>| Holder { worker: worker_name(worker), session: session_of(worker), held };
    // The first lists what the second holds, too.
    let holders = [holder("r1", vec![(a, token_a), (b, token_b)]), holder("r3", vec![(b, token_b)])];
    let renewed = write!(db, |tx| tx.job_renew_all(&holders, at(20)));
    assert_eq!(renewed.iter().map(|renewed| renewed.job).collect::<Vec<_>>(), [a]);
    assert_eq!(locked(&db, b).await.lease_expires_at, Some(at(15)));
    let holders = [holder("r1", vec![(a, token_a)]), holder("r2", vec![(b, token_b)])];
    assert_eq!(write!(db, |tx| tx.job_renew_all(&holders, at(30))).len(), 2);
    assert_eq!(locked(&db, b).await.lease_expires_at, Some(at(30)));
}

async fn a_beat_beside_the_one_that_finds_a_lost_job_again_knows_it_too(db: TestDb) {
    let id = trigger(&db, "t").await;
    let job = queued(&db, id, 1).await;
    let token = run(&db, job, "r1", 0).await.lease.token;
    assert_eq!(write!(db, |tx| tx.job_mark_lost(&[job], at(20))).len(), 1);
    let holders = [Holder { worker: worker_name("r1"), session: session_of("r1"), held: vec![(job, token)] }];

    let mut first = db.begin_write().await.unwrap();
    assert!(first.job_renew_all(&holders, at(40)).await.unwrap()[0].was_lost);
    let (other, listed) = (db.clone(), holders.clone());
    let mut second = JoinSet::new();
    second.spawn(async move { write!(other, |tx| tx.job_renew_all(&listed, at(41))) });
    db.until_someone_waits().await;
    first.commit().await.unwrap();

    let renewed = second.join_next().await.unwrap().unwrap();
    assert_eq!(renewed.iter().map(|renewed| (renewed.job, renewed.was_lost)).collect::<Vec<_>>(), [(job, false)]);
    assert_eq!(status(&db, job).await, JobStatus::Running);
}

async fn a_late_completion_is_refused(db: TestDb) {
    let id = trigger(&db, "t").await;
    let job = queued(&db, id, 1).await;
    let grant = assign(&db, job, "r1", 0).await;
    let old = grant.lease.token;
    give_back(&db, &grant).await;
    let new = run(&db, job, "r2", 20).await.lease.token;
    assert_eq!(new, next(old));
    assert!(!write!(db, |tx| tx.job_finish(job, old, Outcome::Failed, None, None, at(21))));
    assert!(!write!(db, |tx| tx.job_hand_back(job, old, &reason("late"), None)));
    assert_eq!(status(&db, job).await, JobStatus::Running);
    assert!(write!(db, |tx| tx.job_finish(job, new, Outcome::Done, Some(0), None, at(22))));
}

async fn the_first_end_wins(db: TestDb) {
    let id = trigger(&db, "t").await;
    let job = queued(&db, id, 1).await;
    let token = run(&db, job, "r1", 0).await.lease.token;
    let why = reason("exit code 3");
    assert!(write!(db, |tx| tx.job_finish(job, token, Outcome::Failed, Some(3), Some(&why), at(9))));
    assert!(!write!(db, |tx| tx.job_finish(job, token, Outcome::Done, Some(0), None, at(10))));
    let ended = locked(&db, job).await;
    assert_eq!(ended.job.state, JobState::Ended { outcome: Outcome::Failed, at: at(9) });
    assert_eq!((ended.job.exit_code, ended.job.reason, ended.job_token_hash), (Some(3), Some(why), None));
    assert_eq!(ended.job.worker_name, Some(worker_name("r1")));
}

async fn a_hand_back_queues_the_job_and_keeps_its_token(db: TestDb) {
    let id = trigger(&db, "t").await;
    let job = queued(&db, id, 1).await;
    let token = run(&db, job, "r1", 0).await.lease.token;
    assert!(write!(db, |tx| tx.job_hand_back(job, token, &reason("the disk is full"), Some(at(60)))));
    let back = locked(&db, job).await;
    assert_eq!(back.job.state, JobState::Queued { not_before: Some(at(60)) });
    assert_eq!((back.lease_token, back.hand_back_count), (token, 1));
    assert_eq!((back.job.worker_name, back.session_id, back.request_id), (None, None, None));
    assert_eq!((back.job.start_time, back.job_token_hash, back.lease_expires_at), (None, None, None));
    assert_eq!(back.job.reason, Some(reason("the disk is full")));
    assert_eq!(assign(&db, job, "r1", 60).await.lease.token, next(token));
}

async fn a_heartbeat_renews_what_it_lists_and_nothing_else(db: TestDb) {
    let id = trigger(&db, "t").await;
    let (a, b, c) = (queued(&db, id, 1).await, queued(&db, id, 2).await, queued(&db, id, 3).await);
    let token_a = assign(&db, a, "r1", 0).await.lease.token;
    let token_b = run(&db, b, "r1", 0).await.lease.token;
    let token_c = run(&db, c, "r2", 0).await.lease.token;
    let held = [(a, token_a), (b, next(token_b)), (c, token_c), (JobId::generate(), token_a)];
    let renewed = write!(db, |tx| tx.job_renew(&worker_name("r1"), session_of("r1"), &held, at(20)));
    assert_eq!(renewed.iter().map(|row| (row.job, row.token)).collect::<Vec<_>>(), [(a, token_a)]);
    assert_eq!(locked(&db, a).await.lease_expires_at, Some(at(20)));
    assert_eq!(locked(&db, b).await.lease_expires_at, Some(at(15)), "listed with a wrong token");
    assert_eq!(locked(&db, c).await.lease_expires_at, Some(at(15)), "held by another worker");
}

async fn a_session_that_is_over_renews_nothing(db: TestDb) {
    let id = trigger(&db, "t").await;
    let (job, lost) = (queued(&db, id, 1).await, queued(&db, id, 2).await);
    let token = run(&db, job, "r1", 0).await.lease.token;
    let lost_token = lose(&db, lost, "r1", 0).await.lease.token;
    let held = [(job, token), (lost, lost_token)];
    let next = SessionId::generate();
    write!(db, |tx| tx.job_move_session(&[job, lost], next));
    assert!(write!(db, |tx| tx.job_renew(&worker_name("r1"), session_of("r1"), &held, at(60))).is_empty());
    assert_eq!(locked(&db, job).await.lease_expires_at, Some(at(15)));
    assert_eq!(locked(&db, lost).await.job.state.status(), JobStatus::Lost);
    assert_eq!(write!(db, |tx| tx.job_renew(&worker_name("r1"), next, &held, at(60))).len(), 2);
}

async fn a_lost_job_whose_worker_answers_runs_again(db: TestDb) {
    let id = trigger(&db, "t").await;
    let (job, other) = (queued(&db, id, 1).await, queued(&db, id, 2).await);
    let token = lose(&db, job, "r1", 0).await.lease.token;
    let alive = run(&db, other, "r1", 0).await.lease.token;
    let lost = locked(&db, job).await;
    assert_eq!(lost.job.state, JobState::Lost { token, started_at: at(0), since: at(17) });
    let mut renewed =
        write!(db, |tx| tx.job_renew(&worker_name("r1"), session_of("r1"), &[(job, token), (other, alive)], at(60)));
    renewed.sort_by_key(|row| row.job);
    assert_eq!(renewed.iter().map(|row| (row.job, row.was_lost)).collect::<Vec<_>>(), [(job, true), (other, false)]);
    let lease = Lease { token, expires_at: at(60) };
    assert_eq!(locked(&db, job).await.job.state, JobState::Running { lease, started_at: at(0) });
}

async fn a_heartbeat_tells_of_kills_and_pauses(db: TestDb) {
    let id = trigger(&db, "t").await;
    let job = queued(&db, id, 1).await;
    let token = run(&db, job, "r1", 0).await.lease.token;
    let beat =
        async || write!(db, |tx| tx.job_renew(&worker_name("r1"), session_of("r1"), &[(job, token)], at(20))).remove(0);
    let told = beat().await;
    assert_eq!((told.kill_requested, told.pausing, told.was_lost, told.trigger_id), (false, false, false, id));
    write!(db, |tx| tx.trigger_set_hold(id, Hold::Paused));
    write!(db, |tx| tx.job_request_kill(&[job]));
    let told = beat().await;
    assert!(told.kill_requested && told.pausing);
}

async fn a_kill_reaches_jobs_that_workers_hold(db: TestDb) {
    let id = trigger(&db, "t").await;
    let (waiting, running, lost) = (queued(&db, id, 1).await, queued(&db, id, 2).await, queued(&db, id, 3).await);
    let token = run(&db, running, "r1", 0).await.lease.token;
    let lost_token = lose(&db, lost, "r2", 0).await.lease.token;
    let expected = [(running, worker_name("r1"), token), (lost, worker_name("r2"), lost_token)];
    for _ in 0..2 {
        assert_eq!(write!(db, |tx| tx.job_request_kill(&[lost, waiting, running])), expected);
    }
    assert!(!locked(&db, waiting).await.job.kill_requested);
    assert_eq!(read!(db, |tx| tx.job_kills_of(&worker_name("r1"))).unwrap(), [(running, token)]);
    write!(db, |tx| tx.job_finish(running, token, Outcome::Killed, None, None, at(9)));
    assert!(read!(db, |tx| tx.job_kills_of(&worker_name("r1"))).unwrap().is_empty());
}

async fn queued_jobs_are_cancelled_and_others_are_not(db: TestDb) {
    let (a, b) = (trigger(&db, "a").await, trigger(&db, "b").await);
    let (waiting, running, other) = (queued(&db, a, 1).await, queued(&db, a, 2).await, queued(&db, b, 3).await);
    run(&db, running, "r1", 0).await;
    let why = reason("its trigger was disabled");
    assert_eq!(write!(db, |tx| tx.job_cancel_queued(&CancelBy::Trigger(a), &why, at(9))), [waiting]);
    let cancelled = locked(&db, waiting).await.job;
    assert_eq!(cancelled.state, JobState::Ended { outcome: Outcome::Cancelled, at: at(9) });
    assert_eq!(cancelled.reason, Some(why.clone()));
    let jobs = CancelBy::Jobs(vec![waiting, running, other]);
    assert_eq!(write!(db, |tx| tx.job_cancel_queued(&jobs, &why, at(9))), [other]);
    assert_eq!(status(&db, running).await, JobStatus::Running);
}

async fn a_robots_token_is_good_while_its_job_is_not_over(db: TestDb) {
    worker(&db, "r1", 9).await;
    let id = trigger(&db, "t").await;
    let job = queued(&db, id, 1).await;
    let hash = token_hash(job);
    let found = async || read!(db, |tx| tx.job_by_token_hash(&hash)).unwrap().map(|locked| locked.job.id);
    assert_eq!(found().await, None);
    let token = run(&db, job, "r1", 0).await.lease.token;
    assert_eq!(found().await, Some(job));
    write!(db, |tx| tx.job_mark_lost(&[job], at(17)));
    assert_eq!(found().await, Some(job));
    write!(db, |tx| tx.job_finish(job, token, Outcome::Done, Some(0), None, at(18)));
    assert_eq!(found().await, None);
}

async fn a_job_moves_into_its_workers_new_session(db: TestDb) {
    let id = trigger(&db, "t").await;
    let job = queued(&db, id, 1).await;
    run(&db, job, "r1", 0).await;
    let session = SessionId::generate();
    write!(db, |tx| tx.job_move_session(&[job], session));
    assert_eq!(locked(&db, job).await.session_id, Some(session));
}
