//! How jobs stand, by when they were made.

use orchestrator_core::clock::Timestamp;
use orchestrator_core::job::JobStatus;

use crate::dialect::{Sql, sql};
use crate::error::DbError;
use crate::id_time::first_id;
use crate::lists::Texts;
use crate::rows::fetch_plain;
use crate::tx::Tx;

/// Reads nothing but the index: each status, and a range of ids.
const JOB_COUNT_MADE: Sql = sql!["SELECT status, COUNT(*) FROM jobs" [indexed_by "jobs_by_status"]
    " WHERE status" [in_texts "$1"] " AND id >= $2 AND id < $3 GROUP BY status"];

impl Tx {
    /// How many jobs that were made in a span of time have which status now. Statuses of none are left out.
    pub async fn job_count_made(&mut self, from: Timestamp, to: Timestamp) -> Result<Vec<(JobStatus, u64)>, DbError> {
        let statuses: Texts = JobStatus::ALL.iter().map(|status| status.as_str()).collect();
        let counts = fetch_plain!(self, "job_count_made", JOB_COUNT_MADE, as (String, i64), [
            &statuses,
            first_id(from),
            first_id(to),
        ])?;
        let read = |(status, count): (String, i64)| Some((status.parse().ok()?, u64::try_from(count).ok()?));
        Ok(counts.into_iter().filter_map(read).collect())
    }
}

#[cfg(test)]
crate::statements::statements![JOB_COUNT_MADE];
