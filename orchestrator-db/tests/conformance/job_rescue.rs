//! Jobs that nobody answers for.

use std::time::Duration;

use orchestrator_core::job::{JobState, JobStatus, Outcome};
use orchestrator_core::policy::Policies;
use orchestrator_db::{Dialect, LockedJob, Lowering, NewJob};

use crate::harness::TestDb;
use crate::world::{
    assign, at, draft, locked, lose, new_job, queue_job, queued, read, reason, run, scheduled, session_of, store,
    trigger, worker_name, write,
};
use orchestrator_core::id::JobId;

conformance! {
    a_lease_that_ran_out_is_noticed_and_not_before,
    leases_that_end_too_far_ahead_are_lowered_and_no_others,
    lost_jobs_come_the_longest_lost_first,
    a_lost_job_can_be_ended,
    a_superseded_attempt_is_over_whatever_its_worker_says,
    a_robot_far_past_its_time_out_is_noticed,
    a_workers_jobs_are_the_ones_it_holds,
    two_servers_do_not_rescue_the_same_job,
}

fn ids(jobs: &[LockedJob]) -> Vec<JobId> {
    jobs.iter().map(|locked| locked.job.id).collect()
}

async fn a_lease_that_ran_out_is_noticed_and_not_before(db: TestDb) {
    let id = trigger(&db, "t").await;
    let (assigned, running, fresh) = (queued(&db, id, 1).await, queued(&db, id, 2).await, queued(&db, id, 3).await);
    queued(&db, id, 4).await;
    assign(&db, assigned, "r1", 0).await;
    run(&db, running, "r1", 0).await;
    run(&db, fresh, "r1", 5).await;
    let before = at(15) - chrono::TimeDelta::microseconds(1);
    assert!(write!(db, |tx| tx.job_lock_expired(before, 9)).is_empty());
    assert_eq!(ids(&write!(db, |tx| tx.job_lock_expired(at(15), 9))), [assigned, running]);
    assert_eq!(write!(db, |tx| tx.job_lock_expired(at(15), 1)).len(), 1);
    write!(db, |tx| tx.job_mark_lost(&[running, assigned], at(17)));
    assert_eq!(ids(&write!(db, |tx| tx.job_lock_expired(at(17), 9))), [assigned], "only RUNNING is lost");
}

async fn leases_that_end_too_far_ahead_are_lowered_and_no_others(db: TestDb) {
    let (id, other) = (trigger(&db, "t").await, trigger(&db, "except").await);
    let (ahead, near, lost, except) =
        (queued(&db, id, 1).await, queued(&db, id, 2).await, queued(&db, id, 3).await, queued(&db, other, 4).await);
    run(&db, ahead, "r1", 3600).await;
    run(&db, near, "r1", 10).await;
    lose(&db, lost, "r1", 3600).await;
    run(&db, except, "r1", 3600).await;
    let leases = Lowering { ahead: at(40), to: at(25) };
    let lowered = write!(db, |tx| tx.job_lower_leases(leases, Lowering { ahead: at(25), to: at(10) }, other));
    assert_eq!(lowered, 2);
    assert_eq!(locked(&db, ahead).await.lease_expires_at, Some(at(25)));
    assert_eq!(locked(&db, near).await.lease_expires_at, Some(at(25)));
    assert_eq!(locked(&db, lost).await.lost_since, Some(at(10)));
    assert_eq!(locked(&db, except).await.lease_expires_at, Some(at(3615)));
}

async fn lost_jobs_come_the_longest_lost_first(db: TestDb) {
    let id = trigger(&db, "t").await;
    let (late, early, running) = (queued(&db, id, 1).await, queued(&db, id, 2).await, queued(&db, id, 3).await);
    lose(&db, late, "r1", 10).await;
    lose(&db, early, "r2", 0).await;
    run(&db, running, "r1", 0).await;
    let lost = write!(db, |tx| tx.job_lock_lost(9));
    assert_eq!(ids(&lost), [early, late]);
    assert_eq!(lost[0].lost_since, Some(at(17)));
    assert_eq!(ids(&write!(db, |tx| tx.job_lock_lost(1))), [early]);
}

async fn a_lost_job_can_be_ended(db: TestDb) {
    let id = trigger(&db, "t").await;
    let (lost, running) = (queued(&db, id, 1).await, queued(&db, id, 2).await);
    let token = lose(&db, lost, "r1", 0).await.lease.token;
    run(&db, running, "r1", 0).await;
    let why = reason("dismissed");
    let ended = write!(db, |tx| tx.job_end_lost(&[running, lost], Outcome::Failed, &why, at(99)));
    assert_eq!(ended, [lost]);
    let job = locked(&db, lost).await.job;
    assert_eq!((job.state, job.reason), (JobState::Ended { outcome: Outcome::Failed, at: at(99) }, Some(why)));
    assert!(!write!(db, |tx| tx.job_finish(lost, token, Outcome::Done, Some(0), None, at(100))));
    assert!(write!(db, |tx| tx.job_renew(&worker_name("r1"), session_of("r1"), &[(lost, token)], at(115))).is_empty());
}

async fn a_superseded_attempt_is_over_whatever_its_worker_says(db: TestDb) {
    let id = trigger(&db, "t").await;
    let lost = queued(&db, id, 1).await;
    let token = run(&db, lost, "r1", 0).await.lease.token;
    let next = NewJob { attempt: 2, ..new_job(&db, id, at(1)).await };
    queue_job(&db, next.clone()).await;
    assert!(!write!(db, |tx| tx.job_supersede(lost, next.id)), "it is not lost");
    write!(db, |tx| tx.job_mark_lost(&[lost], at(17)));
    assert!(write!(db, |tx| tx.job_supersede(lost, next.id)));
    assert!(!write!(db, |tx| tx.job_supersede(lost, JobId::generate())));
    let job = locked(&db, lost).await.job;
    assert_eq!((job.state.status(), job.superseded_by), (JobStatus::Failed, Some(next.id)));
    assert!(!write!(db, |tx| tx.job_finish(lost, token, Outcome::Done, Some(0), None, at(30))));
    assert!(!write!(db, |tx| tx.job_hand_back(lost, token, &reason("late"), None)));
    assert!(write!(db, |tx| tx.job_renew(&worker_name("r1"), session_of("r1"), &[(lost, token)], at(45))).is_empty());
}

async fn a_robot_far_past_its_time_out_is_noticed(db: TestDb) {
    let mut limited = draft("limited", scheduled(at(100_000)));
    limited.policies = Policies { timeout: Some(Duration::from_mins(1)), ..Policies::default() };
    let limited = store(&db, &limited).await;
    let unlimited = trigger(&db, "unlimited").await;
    let (job, other, waiting) =
        (queued(&db, limited, 1).await, queued(&db, unlimited, 2).await, queued(&db, limited, 3).await);
    run(&db, job, "r1", 0).await;
    run(&db, other, "r1", 0).await;
    // 60 s, 10 s of grace, 30 s for the worker to tell.
    assert!(write!(db, |tx| tx.job_lock_overtime(at(100), 9, |_| true)).is_empty());
    assert_eq!(ids(&write!(db, |tx| tx.job_lock_overtime(at(101), 9, |_| true))), [job]);
    assert!(write!(db, |tx| tx.job_lock_overtime(at(101), 0, |_| true)).is_empty());
    assert!(write!(db, |tx| tx.job_lock_overtime(at(101), 9, |_| false)).is_empty());
    assert_eq!(locked(&db, waiting).await.job.state.status(), JobStatus::Queued);
}

async fn a_workers_jobs_are_the_ones_it_holds(db: TestDb) {
    let id = trigger(&db, "t").await;
    let mut jobs = Vec::new();
    for second in 1..=5 {
        jobs.push(queued(&db, id, second).await);
    }
    assign(&db, jobs[0], "r1", 0).await;
    run(&db, jobs[1], "r1", 0).await;
    lose(&db, jobs[2], "r1", 0).await;
    run(&db, jobs[3], "r2", 0).await;
    let token = run(&db, jobs[4], "r1", 0).await.lease.token;
    write!(db, |tx| tx.job_finish(jobs[4], token, Outcome::Done, Some(0), None, at(3)));
    assert_eq!(ids(&write!(db, |tx| tx.job_held_by(&worker_name("r1")))), jobs[..3]);
    assert_eq!(read!(db, |tx| tx.job_get(jobs[4])).unwrap().worker_name, Some(worker_name("r1")));
}

async fn two_servers_do_not_rescue_the_same_job(db: TestDb) {
    let id = trigger(&db, "t").await;
    let (first, second) = (queued(&db, id, 1).await, queued(&db, id, 2).await);
    run(&db, first, "r1", 0).await;
    run(&db, second, "r1", 0).await;
    if db.dialect() == Dialect::Sqlite {
        return; // one server, one writer
    }
    let mut one = db.begin_write().await.unwrap();
    let mut other = db.begin_write().await.unwrap();
    let taken = ids(&one.job_lock_expired(at(20), 1).await.unwrap());
    let left = ids(&other.job_lock_expired(at(20), 9).await.unwrap());
    assert_eq!((taken.len(), left.len()), (1, 1));
    assert_ne!(taken, left);
}
