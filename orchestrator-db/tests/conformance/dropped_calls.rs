//! What is left of calls whose callers went away in the middle of them.

use futures_util::FutureExt as _;
use tokio::task::JoinSet;

use crate::harness::TestDb;
use crate::queue::world::{counts, element, insert, t0};

conformance! {
    a_call_that_is_dropped_while_it_begins_leaves_its_connection_without_a_transaction,
}

async fn a_call_that_is_dropped_while_it_begins_leaves_its_connection_without_a_transaction(db: TestDb) {
    // There is a connection to begin on.
    assert_eq!(counts(&db).await.new, 0);
    for _ in 0..40 {
        // Polled once, each has asked for a transaction and not heard of it yet.
        drop(db.begin_read().now_or_never());
        tokio::task::yield_now().await;
    }
    let mut writing = JoinSet::new();
    for _ in 0..20 {
        let db = db.clone();
        writing.spawn(async move { insert(&db, &[element()], t0()).await });
    }
    writing.join_all().await;
    assert_eq!(counts(&db).await.new, 20);
}
