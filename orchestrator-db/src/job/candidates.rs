//! Queued jobs in the order of claims.

use orchestrator_core::clock::Timestamp;
use orchestrator_core::id::{JobId, TriggerId};
use orchestrator_core::text::WorkerName;
use uuid::Uuid;

use super::row::read_snapshot;
use super::{Candidate, Rank};
use crate::dialect::{Sql, sql};
use crate::error::{Corrupt, DbError, Readable, RowAddress};
use crate::lists::earliest;
use crate::rows::{fetch, fetch_scalars};
use crate::tx::Tx;

// `$2` is the priority of the last candidate before, or greater than all: then the rest of the key does not matter.
const JOB_CANDIDATES: Sql = sql![
    "SELECT id, trigger_id, is_blocking, reserved_worker, priority, type_rank, scheduled_at,
        CAST(snapshot AS TEXT) AS snapshot FROM jobs" [indexed_by "jobs_queued"] "
     WHERE status = 'QUEUED' AND (not_before IS NULL OR not_before <= $1)
        AND priority <= $2 AND (priority < $2 OR (type_rank, scheduled_at, id) > ($3, $4, $5))
     ORDER BY priority DESC, type_rank, scheduled_at, id LIMIT $6"
];

const JOB_NEXT_NOT_BEFORE: Sql = sql!["SELECT MIN(not_before) FROM jobs" [indexed_by "jobs_not_before"] " WHERE status = 'QUEUED' AND not_before IS NOT NULL AND not_before > $1"];

const JOB_ANY_QUEUED: Sql = sql!["SELECT EXISTS (SELECT 1 FROM jobs WHERE status = 'QUEUED')"];

#[derive(Debug, sqlx::FromRow)]
struct CandidateRow {
    id: Uuid,
    trigger_id: Uuid,
    is_blocking: bool,
    reserved_worker: Option<String>,
    priority: i64,
    type_rank: i64,
    scheduled_at: Timestamp,
    snapshot: String,
}

/// A place in the order as the database has it.
type Key = (i64, i64, Timestamp, Uuid);

impl CandidateRow {
    fn key(&self) -> Key {
        (self.priority, self.type_rank, self.scheduled_at, self.id)
    }
}

impl TryFrom<CandidateRow> for Candidate {
    type Error = Corrupt;

    fn try_from(row: CandidateRow) -> Result<Self, Corrupt> {
        let at = RowAddress::new("jobs", row.id);
        let id = JobId::from_uuid(row.id);
        let priority = row.priority.try_into().map_err(at.column("priority"))?;
        Ok(Self {
            id,
            trigger_id: TriggerId::from_uuid(row.trigger_id),
            is_blocking: row.is_blocking,
            whitelist: read_snapshot(row.id, &row.snapshot)?.worker_whitelist,
            reserved_worker: row.reserved_worker.map(WorkerName::from_stored),
            rank: Rank { priority, type_rank: row.type_rank, scheduled_at: row.scheduled_at, id },
        })
    }
}

impl Tx {
    /// Queued jobs that may be claimed now, in the order of claims, beginning behind `after`. Fewer than `limit` means that
    /// there are no more; rows that cannot be read are passed over after a log line. Takes no lock: their triggers are locked
    /// first, and [`Tx::job_assign`] takes only what is still queued.
    pub async fn job_candidates(
        &mut self,
        now: Timestamp,
        after: Option<&Rank>,
        limit: u32,
    ) -> Result<Vec<Candidate>, DbError> {
        let mut after: Key = after.map_or_else(
            || (i64::MAX, 0, earliest(), Uuid::nil()),
            |rank| (i64::from(rank.priority), rank.type_rank, rank.scheduled_at, rank.id.as_uuid()),
        );
        let mut candidates = Vec::new();
        loop {
            let wanted = limit as usize - candidates.len();
            let rows = fetch!(
                self,
                "job_candidates",
                JOB_CANDIDATES,
                table "jobs" key "id" as CandidateRow,
                [now, after.0, after.1, after.2, after.3, i64::try_from(wanted).unwrap_or(i64::MAX)]
            )?;
            let is_last = rows.len() < wanted;
            let last = rows.iter().rev().find_map(|row| row.as_ref().ok()).map(CandidateRow::key);
            candidates.extend(Readable::collect(rows.into_iter().map(|row| row?.try_into())).rows);
            match last {
                Some(last) if !is_last && candidates.len() < limit as usize => after = last,
                _ => return Ok(candidates),
            }
        }
    }

    /// When the next queued job that waits may be claimed.
    pub async fn job_next_not_before(&mut self, now: Timestamp) -> Result<Option<Timestamp>, DbError> {
        let next = fetch_scalars!(self, "job_next_not_before", JOB_NEXT_NOT_BEFORE, as Option<Timestamp>, [now])?;
        Ok(next.into_iter().next().flatten())
    }

    /// Whether any job is queued.
    pub async fn job_any_queued(&mut self) -> Result<bool, DbError> {
        let any = fetch_scalars!(self, "job_any_queued", JOB_ANY_QUEUED, as bool, [])?;
        Ok(any.into_iter().next().unwrap_or_default())
    }
}

#[cfg(test)]
crate::statements::statements![JOB_CANDIDATES, JOB_NEXT_NOT_BEFORE, JOB_ANY_QUEUED];
