use std::collections::HashSet;

use orchestrator_db::{ClaimRequest, Db};
use tokio::task::JoinSet;

use super::world::*;
use crate::harness::TestDb;

conformance! {
    fifty_tasks_claim_two_hundred_elements_exactly_once,
    folding_and_claiming_side_by_side_keep_the_counts_true,
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
