//! What the scheduler advances.

use orchestrator_core::clock::Timestamp;
use orchestrator_core::id::TriggerId;
use orchestrator_core::trigger::{Hold, TriggerKind, TriggerType};
use serde::Serialize;
use sqlx::types::Json;
use uuid::Uuid;

use super::status::{active_job, shown_status};
use crate::dialect::{Sql, sql};
use crate::error::DbError;
use crate::lists::time_text;
use crate::rows::execute;
use crate::tx::Tx;

/// Where a trigger stands after a decision. Written as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TriggerProgress {
    /// The trigger, locked by the transaction.
    pub id: TriggerId,
    /// What is stored of its next instant, so that what stays is not written.
    pub stored: StoredNextRun,
    /// Its next instant by the clock; queue triggers have none.
    pub next_run: Option<Timestamp>,
    /// When the evaluator looks next.
    pub due_at: Option<Timestamp>,
    /// The instant that waits for the end of the active job.
    pub buffered_at: Option<Timestamp>,
    /// The latest instant that became a job.
    pub last_scheduled_at: Option<Timestamp>,
    /// Failures in a row.
    pub consecutive_failures: u32,
    /// What keeps it from firing.
    pub hold: Hold,
}

/// The next instant of a locked trigger, and the kind whose table holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredNextRun {
    /// The trigger's kind.
    pub trigger_type: TriggerType,
    /// What its row has.
    pub next_run: Option<Timestamp>,
}

impl From<&TriggerKind> for StoredNextRun {
    fn from(kind: &TriggerKind) -> Self {
        Self { trigger_type: kind.trigger_type(), next_run: kind.next_run() }
    }
}

#[derive(Debug, Serialize)]
struct Record {
    id: Uuid,
    due_at: Option<String>,
    buffered_at: Option<String>,
    last_scheduled_at: Option<String>,
    failures: u32,
    new_hold: Hold,
}

/// The next instant of one trigger, for the table of its kind.
#[derive(Debug, Serialize)]
struct NextRun {
    id: Uuid,
    next_run: Option<String>,
}

impl From<&TriggerProgress> for Record {
    fn from(row: &TriggerProgress) -> Self {
        Self {
            id: row.id.as_uuid(),
            due_at: row.due_at.map(time_text),
            buffered_at: row.buffered_at.map(time_text),
            last_scheduled_at: row.last_scheduled_at.map(time_text),
            failures: row.consecutive_failures,
            new_hold: row.hold,
        }
    }
}

/// The status that follows from the hold that is being written.
macro_rules! new_status {
    (sqlite) => {
        shown_status!(" INDEXED BY jobs_active_by_trigger", "v.new_hold")
    };
    (postgres) => {
        shown_status!("", "v.new_hold")
    };
}

const SAVE_TRIGGERS: Sql = sql!["UPDATE triggers SET due_at = v.due_at, buffered_at = v.buffered_at,
        last_scheduled_at = v.last_scheduled_at, consecutive_failures = v.failures, hold = v.new_hold,
        process_status = " [text new_status] " FROM "
    [only sqlite "(SELECT unhex(value->>'id', '-') AS id, value->>'due_at' AS due_at, value->>'buffered_at' AS buffered_at,
        value->>'last_scheduled_at' AS last_scheduled_at, value->>'failures' AS failures,
        value->>'new_hold' AS new_hold FROM json_each($1)) v"]
    [only postgres "jsonb_to_recordset($1) AS v(id uuid, due_at timestamptz, buffered_at timestamptz,
        last_scheduled_at timestamptz, failures bigint, new_hold text)"]
    " WHERE triggers.id = v.id"
    [only postgres " AND triggers.id = ANY(ARRAY(SELECT id FROM jsonb_to_recordset($1) AS listed(id uuid)))"]];

const SAVE_SCHEDULED: Sql = sql!["UPDATE scheduled_triggers SET next_run = v.next_run FROM "
    [only sqlite "(SELECT unhex(value->>'id', '-') AS id, value->>'next_run' AS next_run FROM json_each($1)) v"]
    [only postgres "jsonb_to_recordset($1) AS v(id uuid, next_run timestamptz)"]
    " WHERE scheduled_triggers.id = v.id"];

const SAVE_SINGLE: Sql = sql!["UPDATE single_triggers SET next_run = v.next_run FROM "
    [only sqlite "(SELECT unhex(value->>'id', '-') AS id, value->>'next_run' AS next_run FROM json_each($1)) v"]
    [only postgres "jsonb_to_recordset($1) AS v(id uuid, next_run timestamptz)"]
    " WHERE single_triggers.id = v.id"];

impl Tx {
    /// Writes where triggers stand now, all at once, and what people see of them: from their hold and their active jobs.
    /// The transaction holds their locks, and has written their jobs.
    pub async fn trigger_save_progress(&mut self, rows: &[TriggerProgress]) -> Result<(), DbError> {
        if rows.is_empty() {
            return Ok(());
        }
        let records: Vec<Record> = rows.iter().map(Record::from).collect();
        execute!(self, "trigger_save_progress", SAVE_TRIGGERS, [Json(&records)])?;
        let scheduled = next_runs(rows, TriggerType::Scheduled);
        if !scheduled.is_empty() {
            execute!(self, "trigger_save_progress", SAVE_SCHEDULED, [Json(&scheduled)])?;
        }
        let single = next_runs(rows, TriggerType::Single);
        if !single.is_empty() {
            execute!(self, "trigger_save_progress", SAVE_SINGLE, [Json(&single)])?;
        }
        Ok(())
    }
}

/// The instants that change in the table of a kind.
fn next_runs(rows: &[TriggerProgress], kind: TriggerType) -> Vec<NextRun> {
    let changed = rows.iter().filter(|row| row.stored.trigger_type == kind && row.stored.next_run != row.next_run);
    changed.map(|row| NextRun { id: row.id.as_uuid(), next_run: row.next_run.map(time_text) }).collect()
}

#[cfg(test)]
crate::statements::statements![SAVE_TRIGGERS, SAVE_SCHEDULED, SAVE_SINGLE];
