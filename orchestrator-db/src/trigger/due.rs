//! Locks of triggers, and which of them are due.

use std::collections::{HashMap, HashSet};

use orchestrator_core::clock::Timestamp;
use orchestrator_core::id::{JobId, TriggerId};
use orchestrator_core::text::WorkerName;
use uuid::Uuid;

use super::StoredTrigger;
use super::row::{LockedRow, TriggerRow, locked_columns, trigger_columns, trigger_tables};
use crate::dialect::{Sql, sql};
use crate::error::{Corrupt, DbError, Readable};
use crate::lists::Ids;
use crate::rows::{fetch, fetch_scalars};
use crate::tx::Tx;

const TRIGGER_LOCK: Sql = sql!["SELECT " [text locked_columns] " FROM " [columns trigger_tables]
    " WHERE t.id" [in_ids "$1"] " ORDER BY t.id" [for_update_of "t"]];

const TRIGGER_LOCK_OF_JOB: Sql = sql!["SELECT " [text locked_columns] " FROM " [columns trigger_tables]
    " WHERE t.id = (SELECT j.trigger_id FROM jobs j WHERE j.id = $1)" [for_update_of "t"]];

const TRIGGER_TRY_LOCK: Sql = sql!["SELECT id FROM triggers WHERE id" [in_ids "$1"] " ORDER BY id" [skip_locked]];

// The sub-select skips what others have locked; the outer lock is held already, and makes the outer row the latest one.
// `IS TRUE` keeps PostgreSQL off the index of names: few are due of many that live.
const TRIGGER_LOCK_DUE: Sql = sql!["SELECT " [text locked_columns] " FROM " [columns trigger_tables] " WHERE t.id"
    [in_open] "SELECT d.id FROM triggers d WHERE d.due_at <= $1 AND (d.deleted_at IS NULL) IS TRUE
        ORDER BY d.due_at, d.id LIMIT $2" [skip_locked] [in_close]
    " ORDER BY t.due_at, t.id" [for_update_of "t"]];

const TRIGGER_DUE_WHITELISTS: Sql = sql![
    "SELECT CAST(worker_whitelist AS TEXT) FROM triggers
     WHERE due_at <= $1 AND (deleted_at IS NULL) IS TRUE AND hold = 'NONE' ORDER BY due_at LIMIT $2"
];

const TRIGGER_READ: Sql = sql!["SELECT " [columns trigger_columns] " FROM " [columns trigger_tables]
    " WHERE t.id" [in_ids "$1"] " ORDER BY t.id"];

const TRIGGER_NEXT_DUE: Sql = sql!["SELECT MIN(due_at) FROM triggers WHERE due_at IS NOT NULL"];

impl Tx {
    /// Locks triggers, deleted ones too, one after the other in the order of their ids, and returns them in that order.
    /// Ids that nothing has are left out; so are rows that cannot be read, after a log line.
    pub async fn trigger_lock(&mut self, ids: &[TriggerId]) -> Result<Vec<StoredTrigger>, DbError> {
        let ids: Ids = ids.iter().map(|id| id.as_uuid()).collect();
        let rows = fetch!(self, "trigger_lock", TRIGGER_LOCK, table "triggers" key "id" as LockedRow, [&ids])?;
        Ok(self.freshened(rows).await?.rows)
    }

    /// Locks the trigger of a job, deleted or not; `None` when there is no such job.
    pub async fn trigger_lock_of_job(&mut self, job: JobId) -> Result<Option<StoredTrigger>, DbError> {
        let job = job.as_uuid();
        let rows =
            fetch!(self, "trigger_lock_of_job", TRIGGER_LOCK_OF_JOB, table "triggers" key "id" as LockedRow, [job])?;
        Ok(self.freshened(rows).await?.rows.into_iter().next())
    }

    /// Locks those of these triggers that no other transaction has, without waiting for the rest. Which they are.
    pub async fn trigger_try_lock(&mut self, ids: &[TriggerId]) -> Result<HashSet<TriggerId>, DbError> {
        if ids.is_empty() {
            return Ok(HashSet::new());
        }
        let ids: Ids = ids.iter().map(|id| id.as_uuid()).collect();
        let locked = fetch_scalars!(self, "trigger_try_lock", TRIGGER_TRY_LOCK, as Uuid, [&ids])?;
        Ok(locked.into_iter().map(TriggerId::from_uuid).collect())
    }

    /// Locks live triggers that are due, the longest due first, without waiting for those that another server has.
    pub async fn trigger_lock_due(&mut self, now: Timestamp, limit: u32) -> Result<Readable<StoredTrigger>, DbError> {
        let rows = fetch!(
            self,
            "trigger_lock_due",
            TRIGGER_LOCK_DUE,
            table "triggers" key "id" as LockedRow,
            [now, i64::from(limit)]
        )?;
        self.freshened(rows).await
    }

    /// The workers that triggers name which are due now, for each of so many of them. Takes no lock: a hint at who is
    /// going to be needed.
    pub async fn trigger_due_whitelists(
        &mut self,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<Vec<WorkerName>>, DbError> {
        let found = fetch_scalars!(
            self,
            "trigger_due_whitelists",
            TRIGGER_DUE_WHITELISTS,
            as String,
            [now, i64::from(limit)]
        )?;
        // What cannot be read is told by the evaluation.
        Ok(found.iter().filter_map(|text| serde_json::from_str(text).ok()).collect())
    }

    /// What a statement that locked has read, in its order; what was written meanwhile is read again, under the lock.
    pub(super) async fn freshened(
        &mut self,
        rows: Vec<Result<LockedRow, Corrupt>>,
    ) -> Result<Readable<StoredTrigger>, DbError> {
        let stale: Ids = rows.iter().flatten().filter(|locked| locked.is_stale).map(|locked| locked.row.id).collect();
        if stale.0.is_empty() {
            return Ok(Readable::collect(rows.into_iter().map(|locked| locked?.row.try_into())));
        }
        let order: HashMap<Uuid, usize> =
            rows.iter().flatten().enumerate().map(|(place, locked)| (locked.row.id, place)).collect();
        let kept = rows.into_iter().filter(|locked| locked.as_ref().map_or(true, |locked| !locked.is_stale));
        let mut read = Readable::collect(kept.map(|locked| locked?.row.try_into()));
        let fresh = self.trigger_read(&stale).await?;
        read.rows.extend(fresh.rows);
        read.corrupt.extend(fresh.corrupt);
        read.rows.sort_by_key(|stored| order.get(&stored.trigger.id.as_uuid()).copied());
        Ok(read)
    }

    /// Reads triggers in the order of their ids.
    async fn trigger_read(&mut self, ids: &Ids) -> Result<Readable<StoredTrigger>, DbError> {
        let rows = fetch!(self, "trigger_read", TRIGGER_READ, table "triggers" key "id" as TriggerRow, [ids])?;
        Ok(Readable::collect(rows.into_iter().map(|row| row?.try_into())))
    }

    /// When the evaluator has to look next.
    pub async fn trigger_next_due(&mut self) -> Result<Option<Timestamp>, DbError> {
        let due = fetch_scalars!(self, "trigger_next_due", TRIGGER_NEXT_DUE, as Option<Timestamp>, [])?;
        Ok(due.into_iter().next().flatten())
    }
}

#[cfg(test)]
crate::statements::statements![
    TRIGGER_LOCK,
    TRIGGER_LOCK_OF_JOB,
    TRIGGER_TRY_LOCK,
    TRIGGER_LOCK_DUE,
    TRIGGER_DUE_WHITELISTS,
    TRIGGER_READ,
    TRIGGER_NEXT_DUE
];
