//! Workers.

use orchestrator_core::id::SessionId;
use orchestrator_core::job::Outcome;
use orchestrator_core::worker::{Worker, WorkerState};
use orchestrator_db::{NewSession, WorkerBeat, WorkerStanding};

use crate::harness::TestDb;
use crate::world::{
    assign, at, draft, lose, queued, read, reason, run, scheduled, session, store, trigger, worker, worker_name, write,
};

conformance! {
    a_registration_comes_back_as_it_was_given,
    a_new_registration_replaces_the_session,
    heartbeats_are_written_together_and_tell_whose_session_is_over,
    a_worker_that_is_asked_to_drain_drains_until_told_otherwise,
    what_a_worker_says_of_its_trouble_is_kept_until_it_says_otherwise_or_starts_anew,
    a_silent_worker_is_lost_until_it_is_heard_again,
    a_heartbeat_that_is_too_far_ahead_is_lowered_and_no_other,
    only_a_worker_that_is_gone_and_holds_nothing_is_removed,
    a_workers_load_is_what_it_holds,
    a_worker_is_kept_free_for_the_job_that_goes_first,
    a_good_bye_of_an_old_session_is_not_believed,
    a_worker_that_cannot_be_read_breaks_no_list,
}

async fn get(db: &TestDb, name: &str) -> Worker {
    read!(db, |tx| tx.worker_get(&worker_name(name))).unwrap().unwrap()
}

/// What a worker with nothing to tell says.
fn beat(name: &str, session: SessionId, second: i64) -> WorkerBeat {
    WorkerBeat { worker: worker_name(name), session, at: at(second), draining: false, trouble: None }
}

async fn a_registration_comes_back_as_it_was_given(db: TestDb) {
    assert_eq!(read!(db, |tx| tx.worker_get(&worker_name("r1"))).unwrap(), None);
    let new = NewSession { exclusive: true, ..session("r1", 3) };
    write!(db, |tx| tx.worker_upsert(&new, at(1)));
    let expected = Worker {
        name: new.name.clone(),
        state: WorkerState::Up,
        last_heartbeat: at(1),
        slots: 3,
        exclusive: true,
        version: "1.2.3".to_owned(),
        session_id: new.session,
        instance_id: new.instance,
        registered_at: at(1),
        latest_trigger: None,
        latest_trigger_time: None,
        trouble: None,
        contested_at: None,
    };
    assert_eq!(get(&db, "r1").await, expected);
    let asked = write!(db, |tx| tx.worker_set_drain(&new.name, true));
    assert!(asked);
    assert_eq!(write!(db, |tx| tx.workers_draining()).into_iter().collect::<Vec<_>>(), [new.name]);
}

async fn a_new_registration_replaces_the_session(db: TestDb) {
    let first = worker(&db, "r1", 1).await;
    let second = session("r1", 5);
    write!(db, |tx| tx.worker_upsert(&second, at(60)));
    let stored = write!(db, |tx| tx.worker_lock(&worker_name("r1"))).unwrap();
    assert_eq!((stored.worker.session_id, stored.worker.slots, stored.drain_requested), (second.session, 5, false));
    assert_eq!((stored.worker.registered_at, stored.worker.last_heartbeat), (at(0), at(60)));
    assert_ne!(first, second.session);
    let standing = WorkerStanding { session_id: second.session, drain_requested: false };
    assert_eq!(read!(db, |tx| tx.worker_standing(&worker_name("r1"))).unwrap(), Some(standing));
}

async fn heartbeats_are_written_together_and_tell_whose_session_is_over(db: TestDb) {
    let (one, two) = (worker(&db, "r1", 1).await, worker(&db, "r2", 1).await);
    let old = worker(&db, "r3", 1).await;
    worker(&db, "r3", 1).await;
    let gone = worker(&db, "r4", 1).await;
    write!(db, |tx| tx.worker_stop(&worker_name("r4"), gone));
    let beats = [
        WorkerBeat { draining: true, ..beat("r2", two, 7) },
        beat("r1", one, 5),
        beat("r1", one, 6),
        beat("r3", old, 6),
        beat("r4", gone, 6),
        beat("r9", SessionId::generate(), 6),
    ];
    let over = write!(db, |tx| tx.worker_beat(&beats));
    assert_eq!(over, [worker_name("r3"), worker_name("r4"), worker_name("r9")]);
    let (one, two) = (get(&db, "r1").await, get(&db, "r2").await);
    assert_eq!((one.last_heartbeat, one.state), (at(6), WorkerState::Up));
    assert_eq!((two.last_heartbeat, two.state), (at(7), WorkerState::Draining));
    // One that was overtaken does not turn time back.
    assert!(write!(db, |tx| tx.worker_beat(&[beat("r1", one.session_id, 3)])).is_empty());
    assert_eq!(get(&db, "r1").await.last_heartbeat, at(6));
    assert_eq!(get(&db, "r3").await.last_heartbeat, at(0));
}

async fn a_worker_that_is_asked_to_drain_drains_until_told_otherwise(db: TestDb) {
    let old = worker(&db, "r1", 1).await;
    let r1 = worker_name("r1");
    assert!(write!(db, |tx| tx.worker_set_drain(&r1, true)));
    assert_eq!(get(&db, "r1").await.state, WorkerState::Draining);
    write!(db, |tx| tx.worker_beat(&[beat("r1", old, 5)]));
    assert_eq!(get(&db, "r1").await.state, WorkerState::Draining);
    worker(&db, "r1", 1).await;
    assert_eq!(get(&db, "r1").await.state, WorkerState::Draining, "a restart does not end it");
    assert!(write!(db, |tx| tx.worker_loads()).iter().all(|load| load.drain_requested));
    assert!(write!(db, |tx| tx.worker_set_drain(&r1, false)));
    assert_eq!(get(&db, "r1").await.state, WorkerState::Up);
    assert!(!write!(db, |tx| tx.worker_set_drain(&worker_name("r9"), true)));
}

async fn what_a_worker_says_of_its_trouble_is_kept_until_it_says_otherwise_or_starts_anew(db: TestDb) {
    let session = worker(&db, "r1", 1).await;
    let full = Some(reason("no space left"));
    let troubled = WorkerBeat { trouble: full.clone(), ..beat("r1", session, 1) };
    for fit in [true, false] {
        write!(db, |tx| tx.worker_beat(std::slice::from_ref(&troubled)));
        assert_eq!(get(&db, "r1").await.trouble, full);
        assert_eq!(read!(db, |tx| tx.worker_loads()).unwrap()[0].trouble, full);
        if fit {
            write!(db, |tx| tx.worker_beat(&[beat("r1", session, 2)]));
        } else {
            worker(&db, "r1", 1).await;
        }
        assert_eq!(get(&db, "r1").await.trouble, None);
    }
    write!(db, |tx| tx.worker_note_contested(&worker_name("r1"), at(3)));
    assert_eq!(get(&db, "r1").await.contested_at, Some(at(3)));
}

async fn a_silent_worker_is_lost_until_it_is_heard_again(db: TestDb) {
    let session = worker(&db, "r1", 1).await;
    assert!(write!(db, |tx| tx.worker_mark_lost(at(0))).is_empty());
    assert_eq!(write!(db, |tx| tx.worker_mark_lost(at(1))), [worker_name("r1")]);
    assert!(write!(db, |tx| tx.worker_mark_lost(at(1))).is_empty());
    assert_eq!(get(&db, "r1").await.state, WorkerState::Lost);
    assert!(read!(db, |tx| tx.worker_loads()).unwrap().is_empty());
    assert!(write!(db, |tx| tx.worker_beat(&[beat("r1", session, 2)])).is_empty());
    assert_eq!(get(&db, "r1").await.state, WorkerState::Up);
}

async fn a_heartbeat_that_is_too_far_ahead_is_lowered_and_no_other(db: TestDb) {
    let (ahead, near) = (worker(&db, "ahead", 1).await, worker(&db, "near", 1).await);
    let beats = [beat("ahead", ahead, 3600), beat("near", near, 25)];
    write!(db, |tx| tx.worker_beat(&beats));
    assert_eq!(write!(db, |tx| tx.worker_lower_heartbeats(at(25), at(10))), 1);
    assert_eq!((get(&db, "ahead").await.last_heartbeat, get(&db, "near").await.last_heartbeat), (at(10), at(25)));
    write!(db, |tx| tx.worker_beat(&[beat("ahead", ahead, 12)]));
    assert_eq!(get(&db, "ahead").await.last_heartbeat, at(12), "beats count again");
}

async fn only_a_worker_that_is_gone_and_holds_nothing_is_removed(db: TestDb) {
    let r1 = worker_name("r1");
    let session = worker(&db, "r1", 1).await;
    let id = trigger(&db, "t").await;
    let job = queued(&db, id, 1).await;
    let token = run(&db, job, "r1", 0).await.lease.token;
    assert!(!write!(db, |tx| tx.worker_remove(&r1)), "it is up");
    write!(db, |tx| tx.worker_stop(&r1, session));
    assert!(!write!(db, |tx| tx.worker_remove(&r1)), "it holds a job");
    write!(db, |tx| tx.job_finish(job, token, Outcome::Failed, None, None, at(1)));
    assert!(write!(db, |tx| tx.worker_remove(&r1)));
    assert!(!write!(db, |tx| tx.worker_remove(&r1)), "it is gone");
}

async fn a_workers_load_is_what_it_holds(db: TestDb) {
    let session = worker(&db, "r1", 4).await;
    worker(&db, "r2", 1).await;
    let plain = trigger(&db, "plain").await;
    let mut alone = draft("alone", scheduled(at(100_000)));
    alone.is_blocking = true;
    let alone = store(&db, &alone).await;
    let (assigned, running, lost, other) = (
        queued(&db, plain, 1).await,
        queued(&db, alone, 2).await,
        queued(&db, plain, 3).await,
        queued(&db, plain, 4).await,
    );
    assign(&db, assigned, "r1", 0).await;
    run(&db, running, "r1", 0).await;
    lose(&db, lost, "r1", 0).await;
    let loads =
        write!(db, |tx| tx.worker_lock_loads(&[worker_name("r2"), worker_name("r9"), worker_name("r1")])).workers;
    assert_eq!(loads.iter().map(|load| load.name.as_str()).collect::<Vec<_>>(), ["r1", "r2"]);
    assert_eq!((loads[0].active, loads[0].active_blocking, loads[0].slots), (3, 1, 4));
    assert_eq!((loads[0].session_id, loads[0].last_heartbeat, loads[0].reserved_for), (session, at(0), None));
    assert_eq!((loads[1].active, loads[1].active_blocking), (0, 0));
    assert_eq!(read!(db, |tx| tx.worker_loads()).unwrap(), loads);
    let listed = read!(db, |tx| tx.worker_list()).unwrap();
    assert_eq!(
        listed.iter().map(|(worker, active)| (worker.name.as_str(), *active)).collect::<Vec<_>>(),
        [("r1", 3), ("r2", 0)]
    );
    for (name, expected) in [("r1", Some(&listed[0])), ("r2", Some(&listed[1])), ("r9", None)] {
        assert_eq!(read!(db, |tx| tx.worker_and_active(&worker_name(name))).unwrap().as_ref(), expected);
    }
    assert!(write!(db, |tx| tx.job_candidates(at(9), None, 9)).iter().any(|candidate| candidate.id == other));
}

async fn a_worker_is_kept_free_for_the_job_that_goes_first(db: TestDb) {
    worker(&db, "r1", 1).await;
    let r1 = worker_name("r1");
    let id = trigger(&db, "t").await;
    let (first, second) = (queued(&db, id, 1).await, queued(&db, id, 2).await);
    write!(db, |tx| tx.job_reserve(&[(second, Some(r1.clone())), (first, Some(r1.clone()))]));
    let reserved = async || read!(db, |tx| tx.worker_loads()).unwrap()[0].reserved_for;
    assert_eq!(reserved().await, Some(first));
    write!(db, |tx| tx.job_reserve(&[(first, None)]));
    assert_eq!(reserved().await, Some(second));
    assert_eq!(read!(db, |tx| tx.job_candidates(at(9), None, 9)).unwrap()[1].reserved_worker, Some(r1.clone()));
    assert_eq!(write!(db, |tx| tx.worker_release_reservations(&r1)), 1);
    assert_eq!(reserved().await, None);
    write!(db, |tx| tx.job_reserve(&[(second, Some(r1.clone()))]));
    assign(&db, second, "r1", 0).await;
    assert_eq!(reserved().await, None, "it has its job");
}

async fn a_good_bye_of_an_old_session_is_not_believed(db: TestDb) {
    let old = worker(&db, "r1", 1).await;
    let new = worker(&db, "r1", 1).await;
    assert!(!write!(db, |tx| tx.worker_stop(&worker_name("r1"), old)));
    assert_eq!(get(&db, "r1").await.state, WorkerState::Up);
    assert!(write!(db, |tx| tx.worker_stop(&worker_name("r1"), new)));
    assert_eq!(get(&db, "r1").await.state, WorkerState::Stopped);
}

async fn a_worker_that_cannot_be_read_breaks_no_list(db: TestDb) {
    worker(&db, "r1", 1).await;
    worker(&db, "r2", 1).await;
    db.execute("UPDATE workers SET slots = -1 WHERE name = 'r1'").await;
    assert_eq!(read!(db, |tx| tx.worker_list()).unwrap().len(), 1);
    assert_eq!(read!(db, |tx| tx.worker_loads()).unwrap().len(), 1);
    let refused = read!(db, |tx| tx.worker_get(&worker_name("r1"))).unwrap_err();
    assert!(refused.to_string().starts_with("table workers, row r1, column slots: "), "{refused}");
}
