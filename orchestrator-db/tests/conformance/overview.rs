//! What the administrators' pages ask: what was made when, what is planned, what a job printed last.

use orchestrator_core::clock::Timestamp;
use orchestrator_core::id::{ElementId, JobId};
use orchestrator_core::job::{JobStatus, Outcome, OutputChunk, OutputStream};
use orchestrator_core::trigger::{Hold, TriggerKind};
use orchestrator_core::worker::WorkerState;
use orchestrator_db::{Figures, JobFilter, NewElement, NewJob, PageRequest, TriggerFilter, TriggerProgress};

use crate::harness::TestDb;
use crate::world::{
    at, draft, lose, name, new_job, progress, queue_job, queue_name, queued, read, run, scheduled, store, trigger,
    watching, worker, write,
};

conformance! {
    jobs_are_counted_and_listed_by_when_they_were_made,
    planned_triggers_come_in_the_order_in_which_they_are_due,
    a_typical_duration_is_that_of_the_latest_jobs_that_were_done,
    overdue_triggers_are_those_that_nobody_looked_at,
    the_last_chunks_come_in_order,
    triggers_are_sorted_by_any_column_page_by_page,
    figures_count_what_is_active_or_held_and_the_fullest_queues,
}

async fn figures_count_what_is_active_or_held_and_the_fullest_queues(db: TestDb) {
    assert_eq!(read!(db, |tx| tx.figures(at(0), 9)).unwrap(), Figures::default());
    let (t, held, gone) = (trigger(&db, "t").await, trigger(&db, "held").await, trigger(&db, "gone").await);
    for trigger in [held, gone] {
        let failed = TriggerProgress { hold: Hold::Failed, ..progress(&db, trigger).await };
        write!(db, |tx| tx.trigger_save_progress(&[failed]));
    }
    write!(db, |tx| tx.trigger_mark_deleted(gone, at(0)));
    worker(&db, "r1", 9).await;
    // The next attempt that waits for its time is not late.
    let retry = NewJob { not_before: Some(at(100)), ..new_job(&db, t, at(1)).await };
    queue_job(&db, retry).await;
    for place in 2..5 {
        queued(&db, t, place).await;
    }
    lose(&db, queued(&db, t, 5).await, "r1", 0).await;
    for (queue, count) in [("few", 1), ("most", 3), ("more", 2)] {
        let elements: Vec<_> = (0..count).map(|_| new_element(queue)).collect();
        write!(db, |tx| tx.element_insert(&elements, false, at(0)));
    }
    let mut figures = read!(db, |tx| tx.figures(at(50), 2)).unwrap();
    figures.jobs.sort();
    let mut jobs = vec![(JobStatus::Queued, 4), (JobStatus::Lost, 1)];
    jobs.sort();
    assert_eq!((figures.jobs, figures.held), (jobs, vec![(Hold::Failed, 1)]));
    assert_eq!(figures.workers, [(WorkerState::Up, 1)]);
    assert!(figures.oldest_queued.is_some());
    assert_eq!(figures.queues, [(queue_name("most"), 3), (queue_name("more"), 2)]);
}

fn new_element(queue: &str) -> NewElement {
    NewElement {
        id: ElementId::generate(),
        queue_name: queue_name(queue),
        reference: None,
        data: None,
        created_by: None,
    }
}

/// A queued job that was made at an instant.
async fn made(db: &TestDb, trigger: orchestrator_core::id::TriggerId, when: Timestamp, seconds: i64) -> JobId {
    let millis = u64::try_from(when.timestamp_millis()).unwrap();
    let random = u8::try_from(seconds).unwrap();
    let id = uuid::Builder::from_unix_timestamp_millis(millis, &[random; 10]).into_uuid();
    queue_job(db, orchestrator_db::NewJob { id: JobId::from_uuid(id), ..new_job(db, trigger, at(seconds)).await }).await
}

async fn jobs_are_counted_and_listed_by_when_they_were_made(db: TestDb) {
    let t = trigger(&db, "t").await;
    worker(&db, "r1", 9).await;
    let before = made(&db, t, at(-1), 1).await;
    let first = made(&db, t, at(0), 2).await;
    let second = made(&db, t, at(3599), 3).await;
    let after = made(&db, t, at(3600), 4).await;
    run(&db, second, "r1", 0).await;

    let mut counts = read!(db, |tx| tx.job_count_made(at(0), at(3600))).unwrap();
    counts.sort();
    let mut expected = [(JobStatus::Queued, 1), (JobStatus::Running, 1)];
    expected.sort();
    assert_eq!(counts, expected);

    let listed = async |filter: JobFilter| {
        let (jobs, _) = read!(db, |tx| tx.job_list(&filter, &PageRequest::first(10))).unwrap();
        jobs.rows.iter().map(|job| job.id).collect::<Vec<_>>()
    };
    let hour = JobFilter { queued_from: Some(at(0)), queued_to: Some(at(3600)), ..JobFilter::default() };
    assert_eq!(listed(hour.clone()).await, [second, first]);
    let queued = JobFilter { statuses: vec![JobStatus::Queued, JobStatus::Done], ..hour };
    assert_eq!(listed(queued).await, [first]);
    let since = JobFilter { queued_from: Some(at(0)), ..JobFilter::default() };
    assert_eq!(listed(since).await, [after, second, first]);
    let until = JobFilter { queued_to: Some(at(0)), ..JobFilter::default() };
    assert_eq!(listed(until).await, [before]);
}

async fn planned_triggers_come_in_the_order_in_which_they_are_due(db: TestDb) {
    let late = store(&db, &draft("late", scheduled(at(300)))).await;
    let early = store(&db, &draft("early", TriggerKind::Single { next_run: Some(at(100)) })).await;
    store(&db, &draft("too late", scheduled(at(900)))).await;
    store(&db, &draft("queue", watching("q", 1))).await;
    let held = store(&db, &draft("held", scheduled(at(200)))).await;
    let paused = orchestrator_db::TriggerProgress { hold: Hold::Paused, ..progress(&db, held).await };
    write!(db, |tx| tx.trigger_save_progress(&[paused]));
    let ids = async |to, limit| {
        let planned = read!(db, |tx| tx.trigger_list_planned(to, limit)).unwrap();
        planned.rows.iter().map(|trigger| trigger.id).collect::<Vec<_>>()
    };
    assert_eq!(ids(at(600), 10).await, [early, late]);
    assert_eq!(ids(at(600), 1).await, [early]);
}

async fn a_typical_duration_is_that_of_the_latest_jobs_that_were_done(db: TestDb) {
    worker(&db, "r1", 9).await;
    let (t, fresh) = (trigger(&db, "t").await, trigger(&db, "fresh").await);
    for (place, (took, outcome)) in
        [(999, Outcome::Done), (10, Outcome::Done), (20, Outcome::Done), (7, Outcome::Failed)].into_iter().enumerate()
    {
        let job = queued(&db, t, i64::try_from(place).unwrap()).await;
        let token = run(&db, job, "r1", 0).await.lease.token;
        write!(db, |tx| tx.job_finish(job, token, outcome, Some(0), None, at(took)));
    }
    for place in 10..13 {
        let job = queued(&db, t, place).await;
        let token = run(&db, job, "r1", 0).await.lease.token;
        write!(db, |tx| tx.job_finish(job, token, Outcome::Done, Some(0), None, at(30)));
    }
    let typical = read!(db, |tx| tx.trigger_typical_seconds(&[t, fresh])).unwrap();
    assert_eq!(typical.len(), 1, "a trigger without a job has none: {typical:?}");
    assert_eq!(typical[0].0, t);
    assert!((typical[0].1 - 24.0).abs() < 0.01, "{typical:?}");
}

async fn overdue_triggers_are_those_that_nobody_looked_at(db: TestDb) {
    store(&db, &draft("overdue", scheduled(at(10)))).await;
    store(&db, &draft("soon", scheduled(at(60)))).await;
    let held = store(&db, &draft("held", scheduled(at(10)))).await;
    let paused = orchestrator_db::TriggerProgress { hold: Hold::Paused, ..progress(&db, held).await };
    write!(db, |tx| tx.trigger_save_progress(&[paused]));
    let filter = TriggerFilter { due_before: Some(at(30)), ..TriggerFilter::default() };
    let (list, _) = read!(db, |tx| tx.trigger_list(&filter, &PageRequest::first(10))).unwrap();
    assert_eq!(list.rows.into_iter().map(|trigger| trigger.name).collect::<Vec<_>>(), [name("overdue")]);
}

async fn the_last_chunks_come_in_order(db: TestDb) {
    worker(&db, "r1", 9).await;
    let t = trigger(&db, "t").await;
    let job = queued(&db, t, 1).await;
    let chunk = |seq| OutputChunk { seq, stream: OutputStream::Stdout, at: at(seq), content: vec![b'x'] };
    let chunks: Vec<OutputChunk> = (1..=5).map(chunk).collect();
    write!(db, |tx| tx.output_append(&[(job, &chunks)]));
    assert_eq!(read!(db, |tx| tx.output_last(job, 2)).unwrap().rows, chunks[3..]);
    assert_eq!(read!(db, |tx| tx.output_last(job, 9)).unwrap().rows, chunks);
    let other = queued(&db, t, 2).await;
    assert!(read!(db, |tx| tx.output_last(other, 9)).unwrap().rows.is_empty());
}

async fn triggers_are_sorted_by_any_column_page_by_page(db: TestDb) {
    use orchestrator_db::TriggerSort::{LastRun, Name, NextRun, Priority, Process, Status};
    let with = |trigger: &str, kind: TriggerKind, priority| orchestrator_core::trigger::TriggerDraft {
        priority,
        ..draft(trigger, kind)
    };
    store(&db, &with("Zoo", scheduled(at(30)), -7)).await;
    store(&db, &with("apple", watching("q", 1), 10)).await;
    store(&db, &with("Æble", TriggerKind::Single { next_run: Some(at(10)) }, i32::MAX)).await;
    store(&db, &with("bee", scheduled(at(20)), i32::MIN)).await;
    let names = async |sort, descending| {
        let filter = TriggerFilter { sort, descending, ..TriggerFilter::default() };
        let (mut names, mut cursor) = (Vec::new(), None);
        loop {
            let page = PageRequest { limit: 1, cursor };
            let (list, next) = read!(db, |tx| tx.trigger_list(&filter, &page)).unwrap();
            names.extend(list.rows.into_iter().map(|trigger| trigger.name.into_string()));
            cursor = next;
            if cursor.is_none() {
                return names;
            }
        }
    };
    assert_eq!(names(Name, false).await, ["Zoo", "apple", "bee", "Æble"]);
    assert_eq!(names(Name, true).await, ["Æble", "bee", "apple", "Zoo"]);
    assert_eq!(names(Priority, false).await, ["bee", "Zoo", "apple", "Æble"]);
    assert_eq!(names(NextRun, false).await, ["apple", "Æble", "bee", "Zoo"]);
    assert_eq!(names(NextRun, true).await, ["Zoo", "bee", "Æble", "apple"]);
    for sort in [Status, Process, LastRun] {
        assert_eq!(names(sort, false).await, ["Zoo", "apple", "bee", "Æble"], "{sort:?}");
    }
}
