//! What administrators change.

use orchestrator_core::clock::Timestamp;
use orchestrator_core::id::TriggerId;
use orchestrator_core::trigger::{Hold, TriggerDraft, TriggerKind};
use sqlx::types::Json;

use crate::dialect::{Sql, sql};
use crate::error::DbError;
use crate::rows::execute;
use crate::tx::Tx;

const LIVE_NAME: &str = "triggers_live_name";

const TRIGGER_INSERT: Sql = sql![
    "INSERT INTO triggers (id, trigger_name, process_name, process_path, process_args,
        process_status, is_git_repo, is_blocking, type, hold, git_branch, entry_point, worker_whitelist, priority,
        policies, due_at, consecutive_failures, created_at, updated_at)
     VALUES ($1, $2, $3, $4, $5, 'IDLE', $6, $7, $8, 'NONE', $9, $10, $11, $12, $13, $14, 0, $15, $15)
     ON CONFLICT (trigger_name) WHERE deleted_at IS NULL DO NOTHING"
];

const SINGLE_PUT: Sql = sql![
    "INSERT INTO single_triggers (id, next_run) VALUES ($1, $2)
     ON CONFLICT (id) DO UPDATE SET next_run = excluded.next_run"
];

const SCHEDULED_PUT: Sql = sql![
    "INSERT INTO scheduled_triggers (id, cron_expr, next_run, time_zone)
     VALUES ($1, $2, $3, $4) ON CONFLICT (id) DO UPDATE
     SET cron_expr = excluded.cron_expr, next_run = excluded.next_run, time_zone = excluded.time_zone"
];

const QUEUE_PUT: Sql = sql![
    "INSERT INTO queue_triggers (id, queue_name, min_batch_size, max_parallel)
     VALUES ($1, $2, $3, $4) ON CONFLICT (id) DO UPDATE SET queue_name = excluded.queue_name,
        min_batch_size = excluded.min_batch_size, max_parallel = excluded.max_parallel"
];

const TRIGGER_UPDATE: Sql = sql![
    "UPDATE triggers SET trigger_name = $2, process_name = $3, process_path = $4,
        process_args = $5, is_git_repo = $6, is_blocking = $7, git_branch = $9, entry_point = $10,
        worker_whitelist = $11, priority = $12, policies = $13, due_at = $14, updated_at = $15
     WHERE id = $1 AND type = $8 AND deleted_at IS NULL"
];

const TRIGGER_MARK_DELETED: Sql = sql![
    "UPDATE triggers SET deleted_at = $2, due_at = NULL, buffered_at = NULL
     WHERE id = $1 AND deleted_at IS NULL"
];

const TRIGGER_SET_HOLD: Sql = sql!["UPDATE triggers SET hold = $2 WHERE id = $1"];

/// Both statements bind a draft alike, so that a column cannot be forgotten in one of them.
macro_rules! write_draft {
    ($tx:expr, $op:literal, $sql:expr, $id:expr, $draft:expr, $due_at:expr, $now:expr) => {
        execute!(
            $tx,
            $op,
            $sql,
            [
                $id.as_uuid(),
                $draft.name.as_str(),
                $draft.process.name.as_str(),
                $draft.process.path.as_str(),
                $draft.process.args.as_ref().map(|args| args.as_str()),
                $draft.process.is_git_repo,
                $draft.is_blocking,
                $draft.kind.trigger_type().as_str(),
                $draft.process.git_branch.as_ref().map(|branch| branch.as_str()),
                $draft.process.entry_point.as_ref().map(|path| path.as_str()),
                Json(&$draft.worker_whitelist),
                i64::from($draft.priority),
                Json(&$draft.policies),
                $due_at,
                $now
            ]
        )
    };
}

impl Tx {
    /// Stores a new trigger. [`DbError::Conflict`] when a live one has the name.
    pub async fn trigger_insert(
        &mut self,
        id: TriggerId,
        draft: &TriggerDraft,
        due_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<(), DbError> {
        let inserted = write_draft!(self, "trigger_insert", TRIGGER_INSERT, id, draft, due_at, now)?;
        if inserted == 0 {
            return Err(DbError::Conflict { constraint: LIVE_NAME.to_owned() });
        }
        self.trigger_put_kind(id, &draft.kind).await
    }

    /// Changes what an administrator may change of a live trigger; its kind stays. [`DbError::NotUpdated`] when there is
    /// no such trigger of this kind, [`DbError::Conflict`] when another live one has the name.
    pub async fn trigger_update(
        &mut self,
        id: TriggerId,
        draft: &TriggerDraft,
        due_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<(), DbError> {
        let updated = write_draft!(self, "trigger_update", TRIGGER_UPDATE, id, draft, due_at, now).map_err(
            // The databases name the same conflict differently.
            |error| match error {
                DbError::Conflict { .. } => DbError::Conflict { constraint: LIVE_NAME.to_owned() },
                other => other,
            },
        )?;
        if updated == 0 {
            return Err(DbError::not_updated("trigger", id));
        }
        self.trigger_put_kind(id, &draft.kind).await
    }

    async fn trigger_put_kind(&mut self, id: TriggerId, kind: &TriggerKind) -> Result<(), DbError> {
        match kind {
            TriggerKind::Single { next_run } => {
                execute!(self, "trigger_put_kind", SINGLE_PUT, [id.as_uuid(), next_run])?;
            }
            TriggerKind::Scheduled { cron, zone, next_run } => {
                let bound = (cron.to_string(), zone.name());
                execute!(self, "trigger_put_kind", SCHEDULED_PUT, [id.as_uuid(), &bound.0, next_run, bound.1])?;
            }
            TriggerKind::Queue { queue_name, min_batch_size, max_parallel } => {
                let (batch, parallel) = (i64::from(*min_batch_size), i64::from(*max_parallel));
                execute!(self, "trigger_put_kind", QUEUE_PUT, [id.as_uuid(), queue_name.as_str(), batch, parallel])?;
            }
        }
        Ok(())
    }

    /// Hides a trigger: its name is free again, nothing is due any more. [`DbError::NotUpdated`] when it is gone already.
    pub async fn trigger_mark_deleted(&mut self, id: TriggerId, now: Timestamp) -> Result<(), DbError> {
        match execute!(self, "trigger_mark_deleted", TRIGGER_MARK_DELETED, [id.as_uuid(), now])? {
            0 => Err(DbError::not_updated("trigger", id)),
            _ => Ok(()),
        }
    }

    /// Sets what keeps the trigger from firing. Its shown status follows with [`Tx::trigger_refresh_status`].
    pub async fn trigger_set_hold(&mut self, id: TriggerId, hold: Hold) -> Result<(), DbError> {
        match execute!(self, "trigger_set_hold", TRIGGER_SET_HOLD, [id.as_uuid(), hold.as_str()])? {
            0 => Err(DbError::not_updated("trigger", id)),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
crate::statements::statements![
    TRIGGER_INSERT,
    SINGLE_PUT,
    SCHEDULED_PUT,
    QUEUE_PUT,
    TRIGGER_UPDATE,
    TRIGGER_MARK_DELETED,
    TRIGGER_SET_HOLD
];
