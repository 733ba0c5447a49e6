use std::collections::HashSet;

use orchestrator_core::queue::ElementStatus;
use orchestrator_core::text::Message;
use orchestrator_db::{ClaimRequest, Db, StatusBy, StatusChange};
use tokio::task::JoinSet;

use super::world::*;
use crate::harness::TestDb;

conformance! {
    fifty_tasks_claim_two_hundred_elements_exactly_once,
    folding_and_claiming_side_by_side_keep_the_counts_true,
    changes_of_several_kinds_lock_elements_in_one_order,
}

/// Claims until there is nothing left.
async fn drain(db: Db, count: u32) -> Vec<orchestrator_core::id::ElementId> {
    let mut taken = Vec::new();
    loop {
        let claimed = claim(&db, ClaimRequest { count, ..request() }, at(9)).await;
        if claimed.is_empty() {
            return taken;
        }
        taken.extend(ids(&claimed));
    }
}

async fn fifty_tasks_claim_two_hundred_elements_exactly_once(db: TestDb) {
    let elements: Vec<_> = (0..200).map(|_| element()).collect();
    let stored = insert(&db, &elements, t0()).await;
    let mut tasks = JoinSet::new();
    for task in 0..50 {
        tasks.spawn(drain(db.clone(), task % 3 + 1));
    }
    let taken: Vec<_> = tasks.join_all().await.into_iter().flatten().collect();
    assert_eq!(taken.len(), 200);
    assert_eq!(taken.into_iter().collect::<HashSet<_>>(), stored.into_iter().collect());
    assert_eq!(counts(&db).await.in_progress, 200);
}

async fn folding_and_claiming_side_by_side_keep_the_counts_true(db: TestDb) {
    let elements: Vec<_> = (0..60).map(|_| element()).collect();
    insert(&db, &elements, t0()).await;
    let mut tasks = JoinSet::new();
    for _ in 0..4 {
        tasks.spawn(drain(db.clone(), 1));
    }
    for _ in 0..10 {
        let mut tx = db.begin_write().await.unwrap();
        tx.queue_counts_fold(1000).await.unwrap();
        tx.commit().await.unwrap();
        let counts = counts(&db).await;
        assert_eq!(counts.new + counts.in_progress, 60, "{counts:?}");
    }
    tasks.join_all().await;
    assert_eq!((counts(&db).await.new, counts(&db).await.in_progress), (0, 60));
}

/// What ends as it mostly does, and what a message makes something else, were locked one after the other: two such calls
/// waited for each other.
async fn changes_of_several_kinds_lock_elements_in_one_order(db: TestDb) {
    let mut stored = insert(&db, &[element(), element()], t0()).await;
    stored.sort_unstable();
    let [first, second] = stored[..] else { panic!("{stored:?}") };
    drain(Db::clone(&db), 2).await;
    let mut other = db.begin_write().await.unwrap();
    let touch = |id| change(id, ElementStatus::Failed, StatusBy::Operator);
    other.element_set_status(&[touch(first)], at(10)).await.unwrap();
    let both = tokio::task::JoinSet::from_iter([{
        let db = Db::clone(&db);
        async move {
            let mut tx = db.begin_write().await.unwrap();
            let told = StatusChange { message: Some(Message::cut("seen")), ..touch(first) };
            let set = tx.element_set_status(&[touch(second), told], at(10)).await.unwrap();
            tx.commit().await.unwrap();
            set.into_iter().all(|result| result.is_ok())
        }
    }]);
    db.until_someone_waits().await;
    // It waits for the first one and has not locked the second.
    other.element_set_status(&[touch(second)], at(10)).await.unwrap();
    other.commit().await.unwrap();
    assert_eq!(both.join_all().await, [true]);
    assert_eq!((counts(&db).await.failed, get(&db, first).await.message.unwrap().as_str()), (2, "seen"));
}
