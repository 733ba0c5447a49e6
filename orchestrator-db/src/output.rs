//! What robots print, in chunks keyed by job and sequence number.

use chrono::{DateTime, Utc};
use orchestrator_core::clock::Timestamp;
use orchestrator_core::id::JobId;
use orchestrator_core::job::OutputChunk;
use uuid::Uuid;

use crate::dialect::{Sql, sql};
use crate::error::{Corrupt, DbError, Readable, RowAddress};
use crate::rows::fetch;
use crate::tx::{Tx, TxInner};

const OUTPUT_APPEND: Sql = sql!["INSERT INTO job_output (job_id, seq, stream, at, content) "
     [only sqlite "VALUES ($1, $2, $3, $4, $5)"]
     [only postgres "SELECT job_id, seq, stream, at, content
         FROM unnest($1::uuid[], $2::bigint[], $3::text[], $4::timestamptz[], $5::bytea[])
             AS chunk (job_id, seq, stream, at, content)"]
     " ON CONFLICT (job_id, seq) DO NOTHING"];
const OUTPUT_READ: Sql = sql![
    "SELECT job_id, seq, stream, at, content FROM job_output
     WHERE job_id = $1 AND seq > $2 ORDER BY seq LIMIT $3"
];
/// In order again after the sub-select has found the last ones.
const OUTPUT_LAST: Sql = sql![
    "SELECT job_id, seq, stream, at, content FROM job_output WHERE job_id = $1 AND seq >= COALESCE(
        (SELECT MIN(seq) FROM (SELECT seq FROM job_output WHERE job_id = $1 ORDER BY seq DESC LIMIT $2) tail), 0)
     ORDER BY seq"
];

#[derive(Debug, sqlx::FromRow)]
struct OutputRow {
    seq: i64,
    stream: String,
    at: DateTime<Utc>,
    content: Vec<u8>,
}

impl Tx {
    /// Appends chunks of jobs; those whose number is there already are skipped.
    pub async fn output_append(&mut self, printed: &[(JobId, &[OutputChunk])]) -> Result<(), DbError> {
        let mut rows: Vec<(Uuid, &OutputChunk)> = Vec::new();
        for (job, chunks) in printed {
            rows.extend(chunks.iter().map(|chunk| (job.as_uuid(), chunk)));
        }
        match &mut self.inner {
            // One by one: bytes do not travel in a JSON text, and a chunk is large beside a statement.
            TxInner::Sqlite(transaction) => {
                for (job, chunk) in rows {
                    sqlx::query(OUTPUT_APPEND.sqlite)
                        .bind(job)
                        .bind(chunk.seq)
                        .bind(chunk.stream.as_str())
                        .bind(chunk.at)
                        .bind(&chunk.content)
                        .execute(&mut **transaction)
                        .await
                        .map_err(DbError::in_op("output_append"))?;
                }
            }
            TxInner::Postgres(transaction) => {
                let jobs: Vec<Uuid> = rows.iter().map(|(job, _)| *job).collect();
                let numbers: Vec<i64> = rows.iter().map(|(_, chunk)| chunk.seq).collect();
                let streams: Vec<&str> = rows.iter().map(|(_, chunk)| chunk.stream.as_str()).collect();
                let times: Vec<Timestamp> = rows.iter().map(|(_, chunk)| chunk.at).collect();
                let contents: Vec<&[u8]> = rows.iter().map(|(_, chunk)| chunk.content.as_slice()).collect();
                sqlx::query(OUTPUT_APPEND.postgres)
                    .bind(jobs)
                    .bind(numbers)
                    .bind(streams)
                    .bind(times)
                    .bind(contents)
                    .execute(&mut **transaction)
                    .await
                    .map_err(DbError::in_op("output_append"))?;
            }
        }
        Ok(())
    }

    /// Chunks after a number, in order, at most `limit`.
    pub async fn output_read(
        &mut self,
        job: JobId,
        after_seq: i64,
        limit: u32,
    ) -> Result<Readable<OutputChunk>, DbError> {
        let rows = fetch!(self, "output_read", OUTPUT_READ, table "job_output" key "job_id" as OutputRow, [
            job.as_uuid(),
            after_seq,
            i64::from(limit),
        ])?;
        Ok(Readable::collect(rows.into_iter().map(|row| row.and_then(|row| chunk(job, row)))))
    }

    /// The last chunks, in order.
    pub async fn output_last(&mut self, job: JobId, limit: u32) -> Result<Readable<OutputChunk>, DbError> {
        let rows = fetch!(self, "output_last", OUTPUT_LAST, table "job_output" key "job_id" as OutputRow, [
            job.as_uuid(),
            i64::from(limit),
        ])?;
        Ok(Readable::collect(rows.into_iter().map(|row| row.and_then(|row| chunk(job, row)))))
    }
}

fn chunk(job: JobId, row: OutputRow) -> Result<OutputChunk, Corrupt> {
    let at = RowAddress::new("job_output", format_args!("{job}/{}", row.seq));
    let stream = row.stream.parse().map_err(at.column("stream"))?;
    Ok(OutputChunk { seq: row.seq, stream, at: row.at, content: row.content })
}

#[cfg(test)]
crate::statements::statements![OUTPUT_APPEND, OUTPUT_LAST, OUTPUT_READ];
