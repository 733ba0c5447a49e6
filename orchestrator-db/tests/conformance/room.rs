//! What calls keep room for while they wait: every call carries the largest of its steps in place, ten thousand workers wait
//! in theirs, and the allocator keeps what the others leave between them.

use crate::harness::TestDb;

/// Bytes. What a pool does to connect is more than ten times as large.
const MOST: usize = 1024;

conformance! {
    whoever_begins_a_transaction_keeps_no_room_for_connecting,
}

async fn whoever_begins_a_transaction_keeps_no_room_for_connecting(db: TestDb) {
    let (read, write, hot) = (db.begin_read(), db.begin_write(), db.begin_hot());
    let rooms = [size_of_val(&read), size_of_val(&write), size_of_val(&hot)];
    assert!(rooms.iter().all(|room| *room <= MOST), "{rooms:?}");
}
