//! Deleting what is older than it has to be kept, a batch at a time, oldest first.

use orchestrator_core::clock::Timestamp;
use orchestrator_core::queue::ElementStatus;
use orchestrator_core::text::QueueName;
use uuid::Uuid;

use crate::dialect::{Sql, sql};
use crate::error::DbError;
use crate::lists::Ids;
use crate::queue::Deltas;
use crate::rows::{execute, fetch_plain, fetch_scalars};
use crate::tx::Tx;

const LOG_PRUNE: Sql = sql!["DELETE FROM logs WHERE id" [in_open]
    "SELECT id FROM logs WHERE log_time < $1 ORDER BY log_time, id LIMIT $2" [skip_locked] [in_close]];
const JOBS_ENDED_BEFORE: Sql =
    sql!["SELECT id FROM jobs WHERE end_time < $1 AND end_time >= $2 ORDER BY end_time LIMIT $3"];
const OUTPUT_DELETE: Sql = sql!["DELETE FROM job_output WHERE job_id" [in_ids "$1"]];
const JOB_DELETE: Sql = sql!["DELETE FROM jobs WHERE id" [in_ids "$1"] " AND end_time < $2"];
const JOB_ENDS: Sql = sql!["SELECT end_time FROM jobs WHERE id" [in_ids "$1"] " AND end_time IS NOT NULL"];
// No index holds the end of elements, so that ending one stays cheap. None ends before it was created.
const ELEMENT_PRUNE: Sql = sql!["DELETE FROM queues WHERE id" [in_open]
    "SELECT id FROM queues WHERE queue_name = $1 AND created_date < $2
         AND status IN ('DONE', 'FAILED', 'ABANDONED') AND end_date < $2
     ORDER BY created_date, id LIMIT $3" [skip_locked] [in_close] " RETURNING queue_name, status"];
// The same rows, counted: people ask for them, seldom.
const LOG_PRUNABLE: Sql = sql!["SELECT COUNT(*) FROM logs WHERE log_time < $1"];
const OUTPUT_PRUNABLE: Sql =
    sql!["SELECT COUNT(*) FROM jobs JOIN job_output ON job_output.job_id = jobs.id WHERE jobs.end_time < $1"];
const JOB_PRUNABLE: Sql = sql!["SELECT COUNT(*) FROM jobs WHERE end_time < $1"];
const ELEMENT_PRUNABLE: Sql = sql![
    "SELECT COUNT(*) FROM queues WHERE queue_name = $1 AND created_date < $2
         AND status IN ('DONE', 'FAILED', 'ABANDONED') AND end_date < $2"
];
const AUDIT_PRUNABLE: Sql = sql!["SELECT COUNT(*) FROM audit WHERE at < $1"];

/// What of retention is counted for the whole database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prunable {
    /// Log lines.
    Logs,
    /// Chunks of output.
    Output,
    /// Jobs.
    Jobs,
    /// Audit rows.
    Audit,
}

impl Tx {
    /// How many rows of a kind would be deleted that are from before.
    pub async fn prunable_count(&mut self, kind: Prunable, before: Timestamp) -> Result<u64, DbError> {
        let sql = match kind {
            Prunable::Logs => LOG_PRUNABLE,
            Prunable::Output => OUTPUT_PRUNABLE,
            Prunable::Jobs => JOB_PRUNABLE,
            Prunable::Audit => AUDIT_PRUNABLE,
        };
        let counts = fetch_scalars!(self, "prunable_count", sql, as i64, [before])?;
        Ok(counts.into_iter().filter_map(|count| u64::try_from(count).ok()).sum())
    }

    /// How many elements of a queue would be deleted that ended before.
    pub async fn prunable_element_count(&mut self, queue: &QueueName, before: Timestamp) -> Result<u64, DbError> {
        let counts =
            fetch_scalars!(self, "prunable_element_count", ELEMENT_PRUNABLE, as i64, [queue.as_str(), before])?;
        Ok(counts.into_iter().filter_map(|count| u64::try_from(count).ok()).sum())
    }

    /// Deletes log lines written before; how many.
    pub async fn log_prune(&mut self, before: Timestamp, limit: u32) -> Result<u64, DbError> {
        execute!(self, "log_prune", LOG_PRUNE, [before, i64::from(limit)])
    }

    /// Deletes what jobs printed that ended from one instant to another, of so many jobs at most. Where to go on, when there
    /// is more, and how many chunks went.
    pub async fn output_prune(
        &mut self,
        from: Timestamp,
        before: Timestamp,
        limit: u32,
    ) -> Result<(Option<Timestamp>, u64), DbError> {
        let jobs = self.jobs_ended(from, before, limit).await?;
        if jobs.0.is_empty() {
            return Ok((None, 0));
        }
        let deleted = execute!(self, "output_prune", OUTPUT_DELETE, [&jobs])?;
        let ends = fetch_scalars!(self, "output_prune", JOB_ENDS, as Timestamp, [&jobs])?;
        let is_full = jobs.0.len() >= limit as usize;
        Ok((ends.into_iter().max().filter(|_| is_full), deleted))
    }

    /// Deletes jobs that ended before, with what they printed; how many.
    pub async fn job_prune(&mut self, before: Timestamp, limit: u32) -> Result<u64, DbError> {
        let jobs = self.jobs_ended(crate::lists::earliest(), before, limit).await?;
        if jobs.0.is_empty() {
            return Ok(0);
        }
        execute!(self, "job_prune", OUTPUT_DELETE, [&jobs])?;
        execute!(self, "job_prune", JOB_DELETE, [&jobs, before])
    }

    /// Deletes a queue's elements that ended before; how many.
    pub async fn element_prune(&mut self, queue: &QueueName, before: Timestamp, limit: u32) -> Result<usize, DbError> {
        let deleted = fetch_plain!(
            self,
            "element_prune",
            ELEMENT_PRUNE,
            as (String, String),
            [queue.as_str(), before, i64::from(limit)]
        )?;
        let mut deltas = Deltas::default();
        for (queue, status) in &deleted {
            // What the statement asked for.
            if let Ok(status) = status.parse::<ElementStatus>() {
                deltas.add_text(queue, status, -1);
            }
        }
        self.counts_append(deltas).await?;
        Ok(deleted.len())
    }

    async fn jobs_ended(&mut self, from: Timestamp, before: Timestamp, limit: u32) -> Result<Ids, DbError> {
        let ids = fetch_scalars!(self, "jobs_ended", JOBS_ENDED_BEFORE, as Uuid, [before, from, i64::from(limit)])?;
        Ok(ids.into_iter().collect())
    }
}

#[cfg(test)]
crate::statements::statements![
    LOG_PRUNE,
    JOBS_ENDED_BEFORE,
    OUTPUT_DELETE,
    JOB_DELETE,
    JOB_ENDS,
    ELEMENT_PRUNE,
    LOG_PRUNABLE,
    OUTPUT_PRUNABLE,
    JOB_PRUNABLE,
    ELEMENT_PRUNABLE,
    AUDIT_PRUNABLE
];
