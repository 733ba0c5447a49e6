//! What people see of a trigger.

use orchestrator_core::trigger::{ActiveJobs, Hold, shown_status};
use orchestrator_db::{Decision, DecisionKind, PageRequest, TriggerCounts, TriggerProgress};

use crate::harness::TestDb;
use crate::world::{at, draft, locked, progress, queued, read, run, scheduled, store, trigger, worker, write};
use orchestrator_core::id::{DecisionId, TriggerId};

conformance! {
    the_stored_status_is_the_one_that_the_core_computes,
    active_jobs_are_counted_per_trigger,
    failed_and_overdue_triggers_are_counted,
    decisions_are_listed_newest_first_and_pruned,
}

async fn the_stored_status_is_the_one_that_the_core_computes(db: TestDb) {
    worker(&db, "r1", 10).await;
    let mut triggers = Vec::new();
    for (number, (queued_jobs, started, kills)) in
        [(0, 0, 0), (1, 0, 0), (0, 1, 0), (2, 1, 0), (1, 2, 1), (0, 1, 1)].into_iter().enumerate()
    {
        let id = trigger(&db, &format!("trigger {number}")).await;
        for place in 0..started {
            let job = queued(&db, id, place).await;
            run(&db, job, "r1", 0).await;
            if place < kills {
                write!(db, |tx| tx.job_request_kill(&[job]));
            }
        }
        for place in 0..queued_jobs {
            queued(&db, id, 100 + place).await;
        }
        let count = |value: i64| u32::try_from(value).unwrap();
        let jobs = ActiveJobs { queued: count(queued_jobs), started: count(started), kill_requested: count(kills) };
        triggers.push((id, jobs));
    }
    let ids: Vec<TriggerId> = triggers.iter().map(|(id, _)| *id).collect();
    for hold in Hold::ALL {
        for id in &ids {
            write!(db, |tx| tx.trigger_set_hold(*id, *hold));
        }
        write!(db, |tx| tx.trigger_refresh_status(&ids));
        for (id, jobs) in &triggers {
            let stored = read!(db, |tx| tx.trigger_get(*id)).unwrap();
            assert_eq!(stored.trigger.status, shown_status(*hold, *jobs), "{hold} {jobs:?}");
        }
    }
}

async fn active_jobs_are_counted_per_trigger(db: TestDb) {
    worker(&db, "r1", 10).await;
    let (busy, idle) = (trigger(&db, "busy").await, trigger(&db, "idle").await);
    queued(&db, busy, 1).await;
    let running = queued(&db, busy, 2).await;
    run(&db, running, "r1", 0).await;
    let ended = queued(&db, busy, 3).await;
    let grant = run(&db, ended, "r1", 0).await;
    let outcome = orchestrator_core::job::Outcome::Done;
    assert!(write!(db, |tx| tx.job_finish(ended, grant.lease.token, outcome, Some(0), None, at(9))));
    write!(db, |tx| tx.job_request_kill(&[running, ended]));
    assert!(!locked(&db, ended).await.job.kill_requested);
    let active = read!(db, |tx| tx.trigger_active_jobs(&[busy, idle])).unwrap();
    assert_eq!(active[&busy], ActiveJobs { queued: 1, started: 1, kill_requested: 1 });
    assert_eq!(active[&idle], ActiveJobs::default());
}

async fn failed_and_overdue_triggers_are_counted(db: TestDb) {
    let failed = trigger(&db, "failed").await;
    write!(db, |tx| tx.trigger_set_hold(failed, Hold::Failed));
    store(&db, &draft("overdue", scheduled(at(10)))).await;
    let held = store(&db, &draft("held", scheduled(at(10)))).await;
    let row = TriggerProgress { hold: Hold::Paused, ..progress(&db, held).await };
    write!(db, |tx| tx.trigger_save_progress(&[row]));
    store(&db, &draft("just due", scheduled(at(15)))).await;
    let counts = read!(db, |tx| tx.trigger_counts(at(21))).unwrap();
    assert_eq!(counts, TriggerCounts { failed: 1, overdue: 1 });
}

async fn decisions_are_listed_newest_first_and_pruned(db: TestDb) {
    let (a, b) = (trigger(&db, "a").await, trigger(&db, "b").await);
    let decision = |trigger_id, seconds, decision| Decision {
        id: DecisionId::generate(),
        trigger_id,
        scheduled_at: at(seconds),
        decided_at: at(seconds + 1),
        decision,
        reason: "a job of it is active".to_owned(),
    };
    let rows = [
        decision(a, 1, DecisionKind::Overlap),
        decision(b, 2, DecisionKind::TooLate),
        decision(a, 3, DecisionKind::OnHold),
    ];
    write!(db, |tx| tx.decision_insert(&rows));
    let (first, next) = read!(db, |tx| tx.decision_list(None, &PageRequest::first(2))).unwrap();
    assert_eq!(first, [rows[2].clone(), rows[1].clone()]);
    let page = PageRequest { limit: 2, cursor: next };
    assert_eq!(read!(db, |tx| tx.decision_list(None, &page)).unwrap(), (vec![rows[0].clone()], None));
    let (of_a, _) = read!(db, |tx| tx.decision_list(Some(a), &PageRequest::first(9))).unwrap();
    assert_eq!(of_a, [rows[2].clone(), rows[0].clone()]);
    assert_eq!(write!(db, |tx| tx.decision_prune(at(4), 1)), 1);
    assert_eq!(write!(db, |tx| tx.decision_prune(at(4), 9)), 1);
    assert_eq!(read!(db, |tx| tx.decision_list(None, &PageRequest::first(9))).unwrap().0, [rows[2].clone()]);
}
