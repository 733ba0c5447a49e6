use std::collections::BTreeMap;

use orchestrator_core::actor::Actor;
use orchestrator_core::id::ElementId;
use orchestrator_core::queue::ElementStatus;
use orchestrator_core::text::QueueName;
use orchestrator_db::{
    ClaimRequest, ElementFilter, Look, NewElement, PageRequest, QueueCounts, QueueSettings, StatusBy,
};

use super::world::*;
use crate::harness::TestDb;

conformance! {
    queues_are_listed_with_their_counts_and_settings,
    queues_are_listed_page_by_page,
    a_queue_without_elements_and_settings_is_no_queue,
    ready_elements_are_counted_only_as_far_as_asked,
    folding_leaves_one_row_a_count_and_changes_no_sum,
    counts_equal_the_elements_after_any_sequence_of_changes,
    the_oldest_element_that_waits_is_told_of_each_queue,
    a_paused_queue_hands_out_nothing_until_it_goes_on,
    a_queue_is_deleted_but_for_what_is_in_progress,
}

async fn queues_are_listed_page_by_page(db: TestDb) {
    for name in ["b", "a", "æ", "d", "c"] {
        insert(&db, &[NewElement { queue_name: QueueName::parse(name).unwrap(), ..element() }], t0()).await;
    }
    let mut pages = Vec::new();
    let mut cursor = None;
    loop {
        let page = db.begin_read().await.unwrap().queue_page(&PageRequest { limit: 2, cursor }).await.unwrap();
        assert_eq!(page.total, 5);
        pages.push(page.queues.iter().map(|queue| queue.name.to_string()).collect::<Vec<_>>().join(" "));
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(pages, ["a b", "c d", "æ"]);
    let whole = db.begin_read().await.unwrap().queue_page(&PageRequest::first(5)).await.unwrap();
    assert_eq!((whole.queues.len(), whole.next), (5, None));
    let none = PageRequest { limit: 2, cursor: Some("7".to_owned()) };
    assert!(db.begin_read().await.unwrap().queue_page(&none).await.is_err());
}

async fn the_oldest_element_that_waits_is_told_of_each_queue(db: TestDb) {
    let other = QueueName::parse("Other").unwrap();
    some(&db, 3).await;
    insert(&db, &[NewElement { queue_name: other.clone(), ..element() }], at(9)).await;
    let nothing = QueueName::parse("Nothing").unwrap();
    let names = [queue(), other.clone(), nothing];
    let oldest = async || db.begin_read().await.unwrap().queue_oldest_ready(names.iter()).await.unwrap();
    let of = |name: &QueueName, second| (name.as_str().to_owned(), at(second));
    assert_eq!(oldest().await, BTreeMap::from([of(&queue(), 0), of(&other, 9)]));
    claim(&db, request(), at(10)).await;
    assert_eq!(oldest().await, BTreeMap::from([of(&queue(), 1), of(&other, 9)]), "what is taken does not wait");
}

async fn a_paused_queue_hands_out_nothing_until_it_goes_on(db: TestDb) {
    some(&db, 3).await;
    let held = claim(&db, request(), at(4)).await;
    let pause = async |paused: bool| {
        let mut tx = db.begin_write().await.unwrap();
        let changed = tx.queue_set_paused(&queue(), paused, &Actor::system(), at(5)).await.unwrap();
        tx.commit().await.unwrap();
        changed
    };
    assert!(!pause(false).await, "it was not paused");
    assert!(pause(true).await);
    assert!(!pause(true).await, "it is paused already");
    let again = request();
    assert!(claim(&db, again.clone(), at(6)).await.is_empty());
    let by_reference = ClaimRequest { reference: held[0].reference.clone(), ..request() };
    assert!(claim(&db, by_reference, at(6)).await.is_empty());
    let mut tx = db.begin_read().await.unwrap();
    assert_eq!(tx.queue_ready_count(&queue(), 9, Look::FromMark).await.unwrap(), 0);
    assert_eq!(tx.element_peek(&queue(), None, 9).await.unwrap().len(), 2, "people may look");
    let summary = tx.queue_get(&queue()).await.unwrap();
    assert_eq!((summary.paused, summary.settings, summary.counts.new), (true, QueueSettings::default(), 2));
    drop(tx);
    // What else is set for it does not let it go.
    let mut tx = db.begin_write().await.unwrap();
    tx.queue_settings_set(&queue(), QueueSettings { max_attempts: 3 }, &Actor::system(), at(7)).await.unwrap();
    assert!(tx.queue_list().await.unwrap()[0].paused);
    tx.commit().await.unwrap();
    set(&db, change(held[0].id, ElementStatus::Done, StatusBy::Operator), at(8)).await.unwrap();
    assert!(pause(false).await);
    assert_eq!(claim(&db, again, at(9)).await.len(), 1);
    let mut tx = db.begin_read().await.unwrap();
    assert_eq!(tx.queue_get(&queue()).await.unwrap().settings.max_attempts, 3);
}

async fn a_queue_is_deleted_but_for_what_is_in_progress(db: TestDb) {
    some(&db, 5).await;
    let held = claim(&db, request(), at(9)).await;
    let mut tx = db.begin_write().await.unwrap();
    assert_eq!(tx.element_delete_of_queue(&queue(), 3).await.unwrap(), 3);
    assert_eq!(tx.element_delete_of_queue(&queue(), 3).await.unwrap(), 1);
    assert_eq!(tx.element_delete_of_queue(&queue(), 3).await.unwrap(), 0);
    let counts = tx.queue_get(&queue()).await.unwrap().counts;
    assert_eq!(counts, QueueCounts { in_progress: 1, ..QueueCounts::default() });
    assert_eq!(tx.element_get(held[0].id).await.unwrap().id, held[0].id);
}

async fn queues_are_listed_with_their_counts_and_settings(db: TestDb) {
    let stored = some(&db, 2).await;
    set(&db, change(stored[0], ElementStatus::Failed, StatusBy::Operator), at(5)).await.unwrap();
    let retried = QueueName::parse("Retried").unwrap();
    let mut tx = db.begin_write().await.unwrap();
    tx.queue_settings_set(&retried, QueueSettings { max_attempts: 3 }, &Actor::system(), t0()).await.unwrap();
    let queues = tx.queue_list().await.unwrap();
    assert_eq!(queues.iter().map(|queue| queue.name.as_str()).collect::<Vec<_>>(), [QUEUE, "Retried"]);
    assert_eq!(queues[0].counts, QueueCounts { new: 1, failed: 1, ..QueueCounts::default() });
    assert_eq!((queues[0].settings.max_attempts, queues[1].settings.max_attempts), (1, 3));
}

async fn a_queue_without_elements_and_settings_is_no_queue(db: TestDb) {
    let id = some(&db, 1).await[0];
    let mut tx = db.begin_write().await.unwrap();
    tx.element_delete(id, StatusBy::Operator).await.unwrap().unwrap();
    assert!(tx.queue_list().await.unwrap().is_empty());
}

async fn ready_elements_are_counted_only_as_far_as_asked(db: TestDb) {
    some(&db, 5).await;
    claim(&db, request(), at(9)).await;
    let mut tx = db.begin_read().await.unwrap();
    for (at_most, expected) in [(0, 0), (3, 3), (4, 4), (100, 4)] {
        assert_eq!(tx.queue_ready_count(&queue(), at_most, Look::Everywhere).await.unwrap(), expected);
    }
}

async fn folding_leaves_one_row_a_count_and_changes_no_sum(db: TestDb) {
    let stored = some(&db, 6).await;
    set(&db, change(stored[0], ElementStatus::Done, StatusBy::Operator), at(7)).await.unwrap();
    let before = counts(&db).await;
    let mut tx = db.begin_write().await.unwrap();
    while tx.queue_counts_fold(3).await.unwrap() > 0 {
        assert_eq!(tx.queue_get(&queue()).await.unwrap().counts, before);
    }
    tx.commit().await.unwrap();
    assert_eq!(counts(&db).await, before);
}

/// Small, repeatable randomness.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        // Knuth's MMIX generator; the low bits are weak.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % bound
    }
}

async fn counts_equal_the_elements_after_any_sequence_of_changes(db: TestDb) {
    let queues = ["Invoices", "Letters"].map(|name| QueueName::parse(name).unwrap());
    let job = running_job(&db).await;
    let mut dice = Dice(20_261_122);
    let mut known: Vec<ElementId> = Vec::new();
    for step in 0..150 {
        let now = at(step);
        let queue_name = queues[dice.below(2)].clone();
        let mut tx = db.begin_write().await.unwrap();
        match dice.below(7) {
            0 | 1 => {
                let elements: Vec<NewElement> =
                    (0..=dice.below(4)).map(|_| NewElement { queue_name: queue_name.clone(), ..element() }).collect();
                known.extend(elements.iter().map(|element| element.id));
                tx.element_insert(&elements, dice.below(2) == 0, now).await.unwrap();
            }
            2 => {
                let count = u32::try_from(dice.below(4)).unwrap();
                let by_job = ClaimRequest { queue: queue_name, count, ..of_job(job) };
                tx.element_claim(&[by_job, request()], now).await.unwrap();
            }
            3 if !known.is_empty() => {
                let id = known.swap_remove(dice.below(known.len()));
                tx.element_delete(id, StatusBy::Job(job)).await.unwrap().unwrap();
            }
            4 => drop(tx.element_retry(&known, now).await.unwrap()),
            5 => drop(tx.element_release_of_job(&[job], now).await.unwrap()),
            _ if !known.is_empty() => {
                let changes: Vec<_> = (0..3)
                    .map(|_| {
                        let status = ElementStatus::ALL[dice.below(5)];
                        change(known[dice.below(known.len())], status, StatusBy::Operator)
                    })
                    .collect();
                tx.element_set_status(&changes, now).await.unwrap();
            }
            _ => {}
        }
        if dice.below(10) == 0 {
            tx.queue_counts_fold(50).await.unwrap();
        }
        if dice.below(8) == 0 {
            tx.rollback().await.unwrap();
            known.retain({
                let mut tx = db.begin_read().await.unwrap();
                let mut alive = Vec::new();
                for id in &known {
                    alive.push(tx.element_get(*id).await.is_ok());
                }
                let mut alive = alive.into_iter();
                move |_| alive.next().unwrap()
            });
        } else {
            tx.commit().await.unwrap();
        }
    }
    for name in queues {
        let mut tx = db.begin_read().await.unwrap();
        let filter = ElementFilter::of(name.clone());
        let (listed, _) = tx.element_list(&filter, &PageRequest::first(1000)).await.unwrap();
        let mut real: BTreeMap<ElementStatus, i64> = BTreeMap::new();
        for element in &listed.rows {
            *real.entry(element.status).or_default() += 1;
        }
        let counts = tx.queue_get(&name).await.unwrap().counts;
        for status in ElementStatus::ALL {
            assert_eq!(counts.of(*status), real.get(status).copied().unwrap_or_default(), "{name} {status}");
        }
    }
}
