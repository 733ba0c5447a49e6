//! Locks of triggers, and which of them are due.
//!
//! Every lock is two statements: the first locks, the second reads. Had one statement done both, it would combine the
//! latest `triggers` row with the row of its kind as it was before the wait for the lock.

use std::collections::{HashMap, HashSet};

use orchestrator_core::clock::Timestamp;
use orchestrator_core::id::TriggerId;
use uuid::Uuid;

use super::StoredTrigger;
use super::row::{TriggerRow, trigger_columns, trigger_tables};
use crate::dialect::{Dialect, Sql, sql};
use crate::error::{DbError, Readable};
use crate::lists::Ids;
use crate::rows::{execute, fetch, fetch_scalars};
use crate::tx::Tx;

const TRIGGER_LOCK: Sql = sql!["SELECT id FROM triggers WHERE id" [in_ids "$1"] " ORDER BY id" [for_update]];

const TRIGGER_TRY_LOCK: Sql = sql!["SELECT id FROM triggers WHERE id" [in_ids "$1"] " ORDER BY id" [skip_locked]];

const TRIGGER_LOCK_DUE: Sql = sql![
    "SELECT id FROM triggers WHERE due_at <= $1 AND deleted_at IS NULL
     ORDER BY due_at, id LIMIT $2"[skip_locked]
];

const TRIGGER_READ: Sql = sql!["SELECT " [columns trigger_columns] " FROM " [columns trigger_tables]
    " WHERE t.id" [in_ids "$1"] " ORDER BY t.id"];

const TRIGGER_NEXT_DUE: Sql = sql!["SELECT MIN(due_at) FROM triggers WHERE due_at IS NOT NULL"];

impl Tx {
    /// Locks triggers, deleted ones too, one after the other in the order of their ids, and returns them in that order.
    /// Ids that nothing has are left out; so are rows that cannot be read, after a log line.
    pub async fn trigger_lock(&mut self, ids: &[TriggerId]) -> Result<Vec<StoredTrigger>, DbError> {
        let ids: Ids = ids.iter().map(|id| id.as_uuid()).collect();
        // A write transaction of SQLite has the whole database.
        if self.dialect() == Dialect::Postgres {
            execute!(self, "trigger_lock", TRIGGER_LOCK, [&ids])?;
        }
        Ok(self.trigger_read(&ids).await?.rows)
    }

    /// Locks those of these triggers that no other transaction has, without waiting for the rest. Which they are.
    pub async fn trigger_try_lock(&mut self, ids: &[TriggerId]) -> Result<HashSet<TriggerId>, DbError> {
        let ids: Ids = ids.iter().map(|id| id.as_uuid()).collect();
        let locked = fetch_scalars!(self, "trigger_try_lock", TRIGGER_TRY_LOCK, as Uuid, [&ids])?;
        Ok(locked.into_iter().map(TriggerId::from_uuid).collect())
    }

    /// Locks live triggers that are due, the longest due first, without waiting for those that another server has.
    pub async fn trigger_lock_due(&mut self, now: Timestamp, limit: u32) -> Result<Readable<StoredTrigger>, DbError> {
        let ids = fetch_scalars!(self, "trigger_lock_due", TRIGGER_LOCK_DUE, as Uuid, [now, i64::from(limit)])?;
        let place: HashMap<Uuid, usize> = ids.iter().enumerate().map(|(place, id)| (*id, place)).collect();
        let mut due = self.trigger_read(&Ids(ids)).await?;
        due.rows.sort_by_key(|stored| place.get(&stored.trigger.id.as_uuid()).copied());
        Ok(due)
    }

    /// Reads triggers in the order of their ids.
    pub(super) async fn trigger_read(&mut self, ids: &Ids) -> Result<Readable<StoredTrigger>, DbError> {
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
crate::statements::statements![TRIGGER_LOCK, TRIGGER_TRY_LOCK, TRIGGER_LOCK_DUE, TRIGGER_READ, TRIGGER_NEXT_DUE];
