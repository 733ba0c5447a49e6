//! Queued jobs in the order of claims.

use orchestrator_core::clock::Timestamp;
use orchestrator_core::id::{JobId, TriggerId};
use orchestrator_core::text::WorkerName;
use uuid::Uuid;

use super::row::read_snapshot;
use super::{Candidate, Rank};
use crate::dialect::{Sql, sql};
use crate::error::{Corrupt, DbError, Readable, RowAddress};
use crate::rows::{fetch, fetch_scalars};
use crate::tx::Tx;

/// `$2` and what follows name a place in the order. One condition for all of it would be read from the beginning.
macro_rules! candidates_text {
    ($behind:literal, $limit:literal) => {
        sql!["SELECT id, trigger_id, is_blocking, reserved_worker, priority, type_rank, scheduled_at,
             CAST(snapshot AS TEXT) AS snapshot FROM jobs" [indexed_by "jobs_queued"] "
             WHERE status = 'QUEUED' AND (not_before IS NULL OR not_before <= $1) AND " $behind "
             ORDER BY priority DESC, type_rank, scheduled_at, id LIMIT " $limit]
    };
}
const CANDIDATES_OF_PRIORITY: Sql =
    candidates_text!("priority = $2 AND (type_rank, scheduled_at, id) > ($3, $4, $5)", "$6");
const CANDIDATES_BELOW: Sql = candidates_text!("priority < $2", "$3");

const JOB_NEXT_NOT_BEFORE: Sql = sql!["SELECT MIN(not_before) FROM jobs" [indexed_by "jobs_not_before"] " WHERE status = 'QUEUED' AND not_before IS NOT NULL AND not_before > $1"];

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

/// Where candidates are looked for.
#[derive(Debug, Clone, Copy)]
enum Behind {
    /// Among those of the same priority.
    Job(Key),
    /// Among all that are less urgent.
    Priority(i64),
}

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
        let mut behind = after.map_or(Behind::Priority(i64::MAX), |rank| {
            Behind::Job((i64::from(rank.priority), rank.type_rank, rank.scheduled_at, rank.id.as_uuid()))
        });
        let mut candidates = Vec::new();
        loop {
            let wanted = limit as usize - candidates.len();
            let rows = self.candidates_behind(behind, now, wanted).await?;
            let is_last = rows.len() < wanted;
            let last = rows.iter().rev().find_map(|row| row.as_ref().ok()).map(CandidateRow::key);
            candidates.extend(Readable::collect(rows.into_iter().map(|row| row?.try_into())).rows);
            behind = match (behind, last) {
                _ if candidates.len() >= limit as usize => return Ok(candidates),
                (Behind::Job((priority, ..)), _) if is_last => Behind::Priority(priority),
                (_, Some(last)) if !is_last => Behind::Job(last),
                _ => return Ok(candidates),
            };
        }
    }

    async fn candidates_behind(
        &mut self,
        behind: Behind,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<Result<CandidateRow, Corrupt>>, DbError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        match behind {
            Behind::Job((priority, type_rank, scheduled_at, id)) => fetch!(
                self,
                "job_candidates",
                CANDIDATES_OF_PRIORITY,
                table "jobs" key "id" as CandidateRow,
                [now, priority, type_rank, scheduled_at, id, limit]
            ),
            Behind::Priority(priority) => fetch!(
                self,
                "job_candidates",
                CANDIDATES_BELOW,
                table "jobs" key "id" as CandidateRow,
                [now, priority, limit]
            ),
        }
    }

    /// When the next queued job that waits may be claimed.
    pub async fn job_next_not_before(&mut self, now: Timestamp) -> Result<Option<Timestamp>, DbError> {
        let next = fetch_scalars!(self, "job_next_not_before", JOB_NEXT_NOT_BEFORE, as Option<Timestamp>, [now])?;
        Ok(next.into_iter().next().flatten())
    }
}

#[cfg(test)]
crate::statements::statements![CANDIDATES_OF_PRIORITY, CANDIDATES_BELOW, JOB_NEXT_NOT_BEFORE];
