//! How many jobs stand where.

use crate::dialect::{Sql, sql};
use crate::error::DbError;
use crate::rows::fetch_plain;
use crate::tx::Tx;

/// Active jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct JobCounts {
    /// Wait for a worker.
    pub queued: u64,
    /// Assigned or running.
    pub running: u64,
    /// Lost.
    pub lost: u64,
}

const JOB_COUNTS: Sql = sql![
    "SELECT status, COUNT(*) FROM jobs
     WHERE status IN ('QUEUED', 'ASSIGNED', 'RUNNING', 'LOST') GROUP BY status"
];

impl Tx {
    /// Counts the active jobs.
    pub async fn job_counts(&mut self) -> Result<JobCounts, DbError> {
        let mut counts = JobCounts::default();
        for (status, count) in fetch_plain!(self, "job_counts", JOB_COUNTS, as (String, i64), [])? {
            let count = u64::try_from(count).unwrap_or_default();
            match status.as_str() {
                "QUEUED" => counts.queued += count,
                "LOST" => counts.lost += count,
                _ => counts.running += count,
            }
        }
        Ok(counts)
    }
}

#[cfg(test)]
crate::statements::statements![JOB_COUNTS];
