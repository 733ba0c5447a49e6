//! What the evaluator asks of triggers.

use orchestrator_core::clock::Timestamp;
use orchestrator_core::id::{ElementId, RequestId, TriggerId};
use orchestrator_core::text::QueueName;
use orchestrator_core::trigger::{Hold, TriggerKind, TriggerStatus, TriggerType};
use orchestrator_db::{ClaimRequest, Db, DbOptions, Dialect, NewElement, StoredNextRun, TriggerProgress};
use uuid::Uuid;

use crate::harness::TestDb;
use crate::world::{at, draft, progress, queue_name, queued, read, scheduled, store, trigger, watching, write};

conformance! {
    due_triggers_come_the_longest_due_first,
    two_servers_never_look_at_the_same_due_trigger,
    whoever_waited_for_a_trigger_sees_what_was_committed_meanwhile,
    a_trigger_that_another_server_has_is_not_waited_for,
    the_next_due_instant_is_the_earliest_of_live_triggers,
    progress_is_written_for_many_triggers_at_once,
    progress_writes_what_people_see_of_the_new_hold,
    the_trigger_of_a_job_is_locked_by_the_job,
    a_queue_trigger_is_found_when_its_queue_has_a_batch,
    queue_triggers_on_hold_or_backing_off_are_left_alone,
    queue_triggers_come_in_pages,
    what_lies_behind_the_mark_of_a_queue_is_found_by_a_look_at_all,
    locked_triggers_come_in_the_order_of_their_ids,
}

fn ids(stored: &[orchestrator_db::StoredTrigger]) -> Vec<TriggerId> {
    stored.iter().map(|stored| stored.trigger.id).collect()
}

async fn due_triggers_come_the_longest_due_first(db: TestDb) {
    let late = store(&db, &draft("late", scheduled(at(20)))).await;
    let first = store(&db, &draft("first", scheduled(at(10)))).await;
    let same = store(&db, &draft("same", TriggerKind::Single { next_run: Some(at(20)) })).await;
    store(&db, &draft("later", scheduled(at(31)))).await;
    let gone = store(&db, &draft("gone", scheduled(at(5)))).await;
    write!(db, |tx| tx.trigger_mark_deleted(gone, at(6)));
    let due = write!(db, |tx| tx.trigger_lock_due(at(30), 10));
    assert_eq!(ids(&due.rows), [first, late, same]);
    let due = write!(db, |tx| tx.trigger_lock_due(at(30), 2));
    assert_eq!(ids(&due.rows), [first, late]);
}

async fn two_servers_never_look_at_the_same_due_trigger(db: TestDb) {
    let first = store(&db, &draft("first", scheduled(at(10)))).await;
    let second = store(&db, &draft("second", scheduled(at(20)))).await;
    if db.dialect() == Dialect::Sqlite {
        return; // one server, one writer
    }
    let mut one = db.begin_write().await.unwrap();
    let mut other = db.begin_write().await.unwrap();
    assert_eq!(ids(&one.trigger_lock_due(at(30), 1).await.unwrap().rows), [first]);
    assert_eq!(ids(&other.trigger_lock_due(at(30), 10).await.unwrap().rows), [second]);
}

async fn whoever_waited_for_a_trigger_sees_what_was_committed_meanwhile(db: TestDb) {
    let id = store(&db, &draft("contended", scheduled(at(10)))).await;
    let mut holder = db.begin_write().await.unwrap();
    let row = holder.trigger_lock(&[id]).await.unwrap().remove(0);
    assert_eq!(row.trigger.kind.next_run(), Some(at(10)));
    let mut waiter = tokio::task::JoinSet::new();
    let other: Db = db.clone();
    waiter.spawn(async move { write!(other, |tx| tx.trigger_lock(&[id])).remove(0) });
    db.until_someone_waits().await;
    let advanced = TriggerProgress { next_run: Some(at(310)), due_at: Some(at(310)), ..progress(&db, id).await };
    holder.trigger_save_progress(&[advanced]).await.unwrap();
    holder.commit().await.unwrap();
    let seen = waiter.join_all().await.remove(0);
    assert_eq!((seen.due_at, seen.trigger.kind.next_run()), (Some(at(310)), Some(at(310))));
}

fn progress_of(id: TriggerId) -> TriggerProgress {
    progress_of_kind(id, TriggerType::Queue, None)
}

fn progress_of_kind(id: TriggerId, trigger_type: TriggerType, next_run: Option<Timestamp>) -> TriggerProgress {
    TriggerProgress {
        id,
        stored: StoredNextRun { trigger_type, next_run },
        next_run: None,
        due_at: None,
        buffered_at: None,
        last_scheduled_at: None,
        consecutive_failures: 0,
        hold: Hold::None,
    }
}

async fn a_trigger_that_another_server_has_is_not_waited_for(db: TestDb) {
    let (held, free) = (trigger(&db, "held").await, trigger(&db, "free").await);
    if db.dialect() == Dialect::Sqlite {
        let locked = write!(db, |tx| tx.trigger_try_lock(&[held, free]));
        assert_eq!(locked.len(), 2);
        return;
    }
    let mut one = db.begin_write().await.unwrap();
    one.trigger_lock(&[held]).await.unwrap();
    let locked = write!(db, |tx| tx.trigger_try_lock(&[held, free]));
    assert_eq!(locked.into_iter().collect::<Vec<_>>(), [free]);
}

async fn the_next_due_instant_is_the_earliest_of_live_triggers(db: TestDb) {
    assert_eq!(read!(db, |tx| tx.trigger_next_due()).unwrap(), None);
    store(&db, &draft("watcher", watching("q", 1))).await;
    assert_eq!(read!(db, |tx| tx.trigger_next_due()).unwrap(), None);
    store(&db, &draft("b", scheduled(at(20)))).await;
    let earlier = store(&db, &draft("a", scheduled(at(10)))).await;
    assert_eq!(read!(db, |tx| tx.trigger_next_due()).unwrap(), Some(at(10)));
    write!(db, |tx| tx.trigger_mark_deleted(earlier, at(1)));
    assert_eq!(read!(db, |tx| tx.trigger_next_due()).unwrap(), Some(at(20)));
}

async fn progress_is_written_for_many_triggers_at_once(db: TestDb) {
    let single = store(&db, &draft("single", TriggerKind::Single { next_run: Some(at(1)) })).await;
    let cron = store(&db, &draft("cron", scheduled(at(2)))).await;
    let queue = store(&db, &draft("queue", watching("q", 1))).await;
    let untouched = trigger(&db, "untouched").await;
    let rows = [
        TriggerProgress {
            hold: Hold::Done,
            last_scheduled_at: Some(at(1)),
            ..progress_of_kind(single, TriggerType::Single, Some(at(1)))
        },
        TriggerProgress {
            next_run: Some(at(302)),
            due_at: Some(at(302)),
            buffered_at: Some(at(2)),
            last_scheduled_at: Some(at(2) + chrono::TimeDelta::microseconds(1)),
            ..progress_of_kind(cron, TriggerType::Scheduled, Some(at(2)))
        },
        TriggerProgress { due_at: Some(at(60)), consecutive_failures: 2, ..progress_of(queue) },
    ];
    let before = progress(&db, untouched).await;
    write!(db, |tx| tx.trigger_save_progress(&rows));
    for row in rows {
        let stored = StoredNextRun { next_run: row.next_run, ..row.stored };
        assert_eq!(progress(&db, row.id).await, TriggerProgress { stored, ..row });
    }
    assert_eq!(progress(&db, untouched).await, before);
    // What was written inside a document compares with what is bound by itself.
    let due = write!(db, |tx| tx.trigger_lock_due(at(302), 10));
    assert_eq!(ids(&due.rows), [queue, cron]);
}

async fn progress_writes_what_people_see_of_the_new_hold(db: TestDb) {
    let (held, busy) = (trigger(&db, "held").await, trigger(&db, "busy").await);
    queued(&db, busy, 1).await;
    let rows = [
        TriggerProgress { hold: Hold::Failed, ..progress(&db, held).await },
        TriggerProgress { hold: Hold::Failed, ..progress(&db, busy).await },
    ];
    write!(db, |tx| tx.trigger_save_progress(&rows));
    let db = &db;
    let shown = async |id| read!(db, |tx| tx.trigger_get(id)).unwrap().trigger.status;
    assert_eq!((shown(held).await, shown(busy).await), (TriggerStatus::Failed, TriggerStatus::Queued));
}

async fn the_trigger_of_a_job_is_locked_by_the_job(db: TestDb) {
    let id = store(&db, &draft("a", scheduled(at(10)))).await;
    let job = queued(&db, id, 1).await;
    let mut tx = db.begin_write().await.unwrap();
    let locked = tx.trigger_lock_of_job(job).await.unwrap().unwrap();
    assert_eq!((locked.trigger.id, locked.due_at), (id, Some(at(10))));
    assert!(tx.trigger_lock_of_job(orchestrator_core::id::JobId::generate()).await.unwrap().is_none());
    if db.dialect() == Dialect::Postgres {
        assert!(write!(db, |tx| tx.trigger_try_lock(&[id])).is_empty());
    }
}

fn element_of(queue: &str) -> NewElement {
    let queue_name = queue_name(queue);
    NewElement { id: ElementId::generate(), queue_name, reference: None, data: None, created_by: None }
}

async fn fill(db: &Db, queue: &str, count: usize) {
    let elements: Vec<NewElement> = (0..count).map(|_| element_of(queue)).collect();
    write!(db, |tx| tx.element_insert(&elements, false, at(0)));
}

async fn watchers(db: &Db, queues: Option<&[QueueName]>, after: Option<TriggerId>, limit: u32) -> Vec<TriggerId> {
    ids(&write!(db, |tx| tx.trigger_lock_queue_watchers(queues, at(30), after, limit)).rows)
}

async fn a_queue_trigger_is_found_when_its_queue_has_a_batch(db: TestDb) {
    let one = store(&db, &draft("one", watching("orders", 1))).await;
    let three = store(&db, &draft("three", watching("orders", 3))).await;
    let other = store(&db, &draft("other", watching("letters", 2))).await;
    assert!(watchers(&db, None, None, 10).await.is_empty());
    fill(&db, "orders", 2).await;
    assert_eq!(watchers(&db, None, None, 10).await, [one]);
    fill(&db, "orders", 1).await;
    fill(&db, "letters", 2).await;
    assert_eq!(watchers(&db, None, None, 10).await, [one, three, other]);
    assert_eq!(watchers(&db, Some(&[queue_name("letters")]), None, 10).await, [other]);
    assert!(watchers(&db, Some(&[]), None, 10).await.is_empty());
}

async fn queue_triggers_on_hold_or_backing_off_are_left_alone(db: TestDb) {
    fill(&db, "q", 5).await;
    let held = store(&db, &draft("held", watching("q", 1))).await;
    let waits = store(&db, &draft("waits", watching("q", 1))).await;
    let waited = store(&db, &draft("waited", watching("q", 1))).await;
    let deleted = store(&db, &draft("deleted", watching("q", 1))).await;
    write!(db, |tx| tx.trigger_set_hold(held, Hold::Failed));
    let rows = [
        TriggerProgress { due_at: Some(at(31)), ..progress_of(waits) },
        TriggerProgress { due_at: Some(at(30)), ..progress_of(waited) },
    ];
    write!(db, |tx| tx.trigger_save_progress(&rows));
    write!(db, |tx| tx.trigger_mark_deleted(deleted, at(1)));
    assert_eq!(watchers(&db, None, None, 10).await, [waited]);
}

async fn queue_triggers_come_in_pages(db: TestDb) {
    fill(&db, "q", 1).await;
    let mut expected = Vec::new();
    for number in 0..4 {
        // Every second one asks for more than there is, so that a page has to look further.
        store(&db, &draft(&format!("greedy {number}"), watching("q", 2))).await;
        expected.push(store(&db, &draft(&format!("modest {number}"), watching("q", 1))).await);
    }
    let first = watchers(&db, None, None, 3).await;
    assert_eq!(first, expected[..3]);
    assert_eq!(watchers(&db, None, first.last().copied(), 3).await, expected[3..]);
}

async fn what_lies_behind_the_mark_of_a_queue_is_found_by_a_look_at_all(db: TestDb) {
    let one = store(&db, &draft("one", watching("q", 1))).await;
    let queue = [queue_name("q")];
    fill(&db, "q", 2).await;
    for _ in 0..2 {
        let request = ClaimRequest::new(queue_name("q"), RequestId::generate());
        write!(db, |tx| tx.element_claim(&[request], at(20)));
    }
    // Another server, of which this one does not hear.
    let other = match db.dialect() {
        Dialect::Sqlite => Db::clone(&db),
        Dialect::Postgres => Db::open(&DbOptions::new(db.url())).await.unwrap(),
    };
    let earlier = ElementId::from_uuid(Uuid::nil());
    let hidden = NewElement { id: earlier, ..element_of("q") };
    write!(other, |tx| tx.element_insert(&[hidden], false, at(0)));
    let named = watchers(&db, Some(&queue), None, 10).await;
    assert_eq!(named.is_empty(), db.dialect() == Dialect::Postgres, "what was taken is not walked over");
    // Where looking everywhere is expensive, as on a busy machine, it is done beside that, and seldom.
    let began = std::time::Instant::now();
    let mut found = Vec::new();
    while found.is_empty() && began.elapsed() < std::time::Duration::from_secs(10) {
        db.queues_look_behind().await.unwrap();
        found = watchers(&db, None, None, 10).await;
    }
    assert_eq!(found, [one]);
}

async fn locked_triggers_come_in_the_order_of_their_ids(db: TestDb) {
    let (a, b) = (trigger(&db, "a").await, trigger(&db, "b").await);
    write!(db, |tx| tx.trigger_mark_deleted(a, at(1)));
    let locked = write!(db, |tx| tx.trigger_lock(&[b, TriggerId::generate(), a]));
    assert_eq!(ids(&locked), [a, b]);
    assert!(locked[0].deleted);
}
