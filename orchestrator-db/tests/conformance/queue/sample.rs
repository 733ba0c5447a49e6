//! How queues stood.

use orchestrator_core::clock::Timestamp;
use orchestrator_core::id::ElementId;
use orchestrator_core::queue::ElementStatus;
use orchestrator_core::text::QueueName;
use orchestrator_db::{NewElement, QueueSample, QueueSummary, SampleStep, StatusBy};

use super::world::*;
use crate::harness::TestDb;

conformance! {
    a_minute_is_kept_once_whoever_keeps_it,
    what_was_done_stays_counted_whatever_becomes_of_it,
    minutes_go_after_an_hour_and_quarters_after_two_days,
    what_was_done_is_counted_from_the_last_sample_before,
    a_queue_younger_than_the_span_had_done_nothing_before_it,
    depths_are_told_of_every_quarter_or_full_hour,
    a_deleted_queue_leaves_no_history,
    what_ends_while_it_is_kept_waits_for_nothing,
}

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;

async fn keep(db: &TestDb, minute: Timestamp) -> u64 {
    let mut tx = db.begin_write().await.unwrap();
    let kept = tx.queue_samples_keep(minute).await.unwrap();
    tx.commit().await.unwrap();
    kept
}

async fn end(db: &TestDb, id: ElementId, status: ElementStatus) {
    set(db, change(id, status, StatusBy::Operator), at(1)).await.unwrap();
}

async fn samples(db: &TestDb, since: Timestamp) -> Vec<QueueSample> {
    db.begin_read().await.unwrap().queue_samples(&queue(), since).await.unwrap()
}

async fn summary(db: &TestDb) -> QueueSummary {
    db.begin_read().await.unwrap().queue_get(&queue()).await.unwrap()
}

async fn done_before(db: &TestDb, instant: Timestamp) -> Option<i64> {
    let names = [queue()];
    let before = db.begin_read().await.unwrap().queue_done_before(names.iter(), instant).await.unwrap();
    before.get(QUEUE).copied()
}

fn minutes_of(samples: &[QueueSample]) -> Vec<i64> {
    samples.iter().map(|sample| (sample.at - t0()).num_minutes()).collect()
}

async fn a_minute_is_kept_once_whoever_keeps_it(db: TestDb) {
    assert_eq!(keep(&db, at(0)).await, 0, "there is no queue");
    let ids = some(&db, 4).await;
    end(&db, ids[0], ElementStatus::Done).await;
    end(&db, ids[1], ElementStatus::Failed).await;
    claim(&db, request(), at(5)).await;
    let other = NewElement { queue_name: QueueName::parse("Other").unwrap(), ..element() };
    insert(&db, &[other], at(6)).await;
    assert_eq!(keep(&db, at(MINUTE)).await, 2);
    end(&db, ids[3], ElementStatus::Done).await;
    assert_eq!(keep(&db, at(MINUTE)).await, 0, "what was kept stays as it is");
    let sample = QueueSample { at: at(MINUTE), new: 1, in_progress: 1, done_total: 1, failed_total: 1 };
    assert_eq!(samples(&db, at(0)).await, [sample]);
    assert_eq!(keep(&db, at(2 * MINUTE)).await, 2);
    let now = summary(&db).await;
    assert_eq!(samples(&db, at(2 * MINUTE)).await, [QueueSample::of(&now, at(2 * MINUTE))]);
}

async fn what_was_done_stays_counted_whatever_becomes_of_it(db: TestDb) {
    let ids = some(&db, 6).await;
    for (id, status) in ids.iter().zip([ElementStatus::Done, ElementStatus::Failed, ElementStatus::Abandoned].repeat(2))
    {
        end(&db, *id, status).await;
    }
    let mut tx = db.begin_write().await.unwrap();
    tx.element_delete(ids[0], StatusBy::Operator).await.unwrap().unwrap();
    tx.element_delete(ids[1], StatusBy::Operator).await.unwrap().unwrap();
    tx.element_retry(&[ids[2], ids[3]], at(2)).await.unwrap();
    tx.commit().await.unwrap();
    let totals = |summary: QueueSummary| (summary.done_total, summary.failed_total);
    assert_eq!(totals(summary(&db).await), (2, 4));
    end(&db, ids[3], ElementStatus::Done).await;
    assert_eq!(totals(summary(&db).await), (3, 4), "done again");
    let mut tx = db.begin_write().await.unwrap();
    assert_eq!(tx.element_prune(&queue(), at(9), 10).await.unwrap(), 3);
    while tx.queue_counts_fold(100).await.unwrap() > 0 {}
    tx.commit().await.unwrap();
    assert_eq!(totals(summary(&db).await), (3, 4));
    assert_eq!((counts(&db).await.new, counts(&db).await.done), (1, 0));
    keep(&db, at(MINUTE)).await;
    assert_eq!(samples(&db, at(0)).await[0].done_total, 3);
    let mut tx = db.begin_write().await.unwrap();
    tx.element_delete(ids[2], StatusBy::Operator).await.unwrap().unwrap();
    tx.commit().await.unwrap();
    assert!(db.begin_read().await.unwrap().queue_list().await.unwrap().is_empty(), "what it had done makes no queue");
    assert_eq!(keep(&db, at(2 * MINUTE)).await, 0, "nor a sample");
}

async fn minutes_go_after_an_hour_and_quarters_after_two_days(db: TestDb) {
    some(&db, 1).await;
    for minute in [0, 1, 14, 15, 16, 60, 61, 75] {
        keep(&db, at(minute * MINUTE)).await;
    }
    let prune = async |now| {
        let mut tx = db.begin_write().await.unwrap();
        let pruned = tx.queue_samples_prune(now).await.unwrap();
        tx.commit().await.unwrap();
        pruned
    };
    assert_eq!(prune(at(76 * MINUTE)).await, 0);
    assert_eq!(prune(at(90 * MINUTE)).await, 2);
    assert_eq!(minutes_of(&samples(&db, at(0)).await), [0, 15, 16, 60, 61, 75]);
    assert_eq!(prune(at(47 * HOUR)).await, 2);
    assert_eq!(minutes_of(&samples(&db, at(0)).await), [0, 15, 60, 75]);
    assert_eq!(prune(at(49 * HOUR)).await, 2, "what is two days old");
    assert_eq!(minutes_of(&samples(&db, at(0)).await), [60, 75]);
}

async fn what_was_done_is_counted_from_the_last_sample_before(db: TestDb) {
    let ids = some(&db, 3).await;
    assert_eq!(done_before(&db, at(HOUR)).await, None, "nothing was kept, and it is older");
    for (id, hour) in ids.iter().zip([1, 2, 5]) {
        end(&db, *id, ElementStatus::Done).await;
        keep(&db, at(hour * HOUR)).await;
    }
    for (hour, expected) in [(0, 1), (1, 1), (2, 2), (4, 2), (5, 3), (9, 3)] {
        assert_eq!(done_before(&db, at(hour * HOUR + 30)).await, Some(expected), "{hour}");
    }
    assert_eq!(minutes_of(&samples(&db, at(3 * HOUR)).await), [120, 300], "with the last one before");
    assert_eq!(minutes_of(&samples(&db, at(0)).await), [60, 120, 300]);
}

async fn a_queue_younger_than_the_span_had_done_nothing_before_it(db: TestDb) {
    let id = insert(&db, &[element()], at(HOUR)).await[0];
    end(&db, id, ElementStatus::Done).await;
    assert_eq!(done_before(&db, at(HOUR - 1)).await, Some(0));
    keep(&db, at(2 * HOUR)).await;
    assert_eq!(done_before(&db, at(HOUR - 1)).await, Some(0));
    assert_eq!(done_before(&db, at(HOUR)).await, Some(1), "it was there already: what was kept first");
    let mut tx = db.begin_read().await.unwrap();
    assert_eq!(tx.queue_first_created(&queue()).await.unwrap(), Some(at(HOUR)));
    assert_eq!(tx.queue_first_created(&QueueName::parse("Nothing").unwrap()).await.unwrap(), None);
}

async fn depths_are_told_of_every_quarter_or_full_hour(db: TestDb) {
    for hour in 0..3 {
        insert(&db, &[element()], at(hour * HOUR)).await;
        for minute in [0, 15, 16] {
            keep(&db, at(hour * HOUR + minute * MINUTE)).await;
        }
    }
    let depths = async |step| {
        let depths = db.begin_read().await.unwrap().queue_depths([queue()].iter(), at(HOUR), step).await.unwrap();
        assert_eq!(depths.len(), 1);
        depths[QUEUE].iter().map(|(at, new)| ((*at - t0()).num_minutes(), *new)).collect::<Vec<_>>()
    };
    assert_eq!(depths(SampleStep::Hour).await, [(60, 2), (120, 3)]);
    assert_eq!(depths(SampleStep::Quarter).await, [(60, 2), (75, 2), (120, 3), (135, 3)]);
}

async fn a_deleted_queue_leaves_no_history(db: TestDb) {
    let ids = some(&db, 2).await;
    end(&db, ids[0], ElementStatus::Done).await;
    keep(&db, at(MINUTE)).await;
    let mut tx = db.begin_write().await.unwrap();
    assert_eq!(tx.element_delete_of_queue(&queue(), 10).await.unwrap(), 2);
    tx.queue_history_delete(&queue()).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(samples(&db, at(0)).await, []);
    assert_eq!(summary(&db).await.done_total, 0);
}

/// The claims' path pays nothing for samples, and does not wait for one that is being written.
async fn what_ends_while_it_is_kept_waits_for_nothing(db: TestDb) {
    if db.dialect() == orchestrator_db::Dialect::Sqlite {
        // One writes after the other there, whatever it is.
        return;
    }
    let ids = some(&db, 2).await;
    let mut keeping = db.begin_write().await.unwrap();
    assert_eq!(keeping.queue_samples_keep(at(MINUTE)).await.unwrap(), 1);
    claim(&db, request(), at(5)).await;
    end(&db, ids[1], ElementStatus::Done).await;
    keeping.commit().await.unwrap();
    assert_eq!(samples(&db, at(0)).await[0].new, 2);
}
