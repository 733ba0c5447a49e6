//! What robots print.

use orchestrator_core::job::{OutputChunk, OutputStream};

use crate::harness::TestDb;
use crate::queue::world::{at, execute, running_job};

conformance! {
    chunks_come_back_in_order_byte_for_byte,
    a_chunk_that_is_there_already_is_skipped,
    reading_goes_on_after_a_number,
    a_chunk_that_cannot_be_read_does_not_break_the_rest,
}

fn chunk(seq: i64, content: &[u8]) -> OutputChunk {
    OutputChunk { seq, stream: OutputStream::Stderr, at: at(seq), content: content.to_vec() }
}

async fn append(db: &TestDb, job: orchestrator_core::id::JobId, chunks: &[OutputChunk]) {
    let mut tx = db.begin_write().await.unwrap();
    tx.output_append(&[(job, chunks)]).await.unwrap();
    tx.commit().await.unwrap();
}

async fn chunks_come_back_in_order_byte_for_byte(db: TestDb) {
    let (job, other) = (running_job(&db).await, running_job(&db).await);
    let chunks = [chunk(1, b""), chunk(2, &[0, 255, 13, 10]), chunk(3, &b"x".repeat(65_536))];
    append(&db, other, &[chunk(1, b"other")]).await;
    append(&db, job, &[chunks[2].clone(), chunks[0].clone()]).await;
    append(&db, job, &chunks[1..2]).await;
    append(&db, job, &[]).await;
    let read = db.begin_read().await.unwrap().output_read(job, 0, 100).await.unwrap();
    assert_eq!(read.rows, chunks);
}

async fn a_chunk_that_is_there_already_is_skipped(db: TestDb) {
    let job = running_job(&db).await;
    append(&db, job, &[chunk(1, b"first")]).await;
    append(&db, job, &[chunk(1, b"again"), chunk(2, b"second")]).await;
    let read = db.begin_read().await.unwrap().output_read(job, 0, 100).await.unwrap();
    assert_eq!(read.rows, [chunk(1, b"first"), chunk(2, b"second")]);
}

async fn reading_goes_on_after_a_number(db: TestDb) {
    let job = running_job(&db).await;
    append(&db, job, &[chunk(1, b"a"), chunk(2, b"b"), chunk(3, b"c"), chunk(4, b"d")]).await;
    let read = db.begin_read().await.unwrap().output_read(job, 1, 2).await.unwrap();
    assert_eq!(read.rows, [chunk(2, b"b"), chunk(3, b"c")]);
}

async fn a_chunk_that_cannot_be_read_does_not_break_the_rest(db: TestDb) {
    let job = running_job(&db).await;
    append(&db, job, &[chunk(1, b"a"), chunk(2, b"b")]).await;
    execute(&db, "UPDATE job_output SET stream = 'STDIN' WHERE seq = 1".to_owned()).await;
    let read = db.begin_read().await.unwrap().output_read(job, 0, 10).await.unwrap();
    assert_eq!(read.rows, [chunk(2, b"b")]);
    assert_eq!(read.corrupt[0].row, format!("{job}/1"));
}
