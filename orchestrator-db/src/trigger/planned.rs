//! Triggers whose schedule will start something.

use orchestrator_core::clock::Timestamp;
use orchestrator_core::id::TriggerId;
use orchestrator_core::trigger::Trigger;
use uuid::Uuid;

use super::row::{TriggerRow, trigger_columns, trigger_tables};
use crate::dialect::{Sql, sql};
use crate::error::{DbError, Readable};
use crate::lists::Ids;
use crate::rows::{fetch, fetch_plain};
use crate::tx::Tx;

const TRIGGER_PLANNED: Sql = sql!["SELECT " [columns trigger_columns] " FROM " [columns trigger_tables]
    " WHERE t.due_at <= $1 AND t.hold = 'NONE' AND t.deleted_at IS NULL AND t.type <> 'QUEUE'
     ORDER BY t.due_at, t.id LIMIT $2"];

/// The average of the latest jobs that were done. Only the very latest are looked at: a trigger that fails for ever has no
/// five that were done, and all of its history would be read for each run that is drawn.
const TYPICAL_DURATIONS: Sql = sql!["SELECT t.id, CAST((SELECT AVG("
    [only sqlite "(julianday(latest.end_time) - julianday(latest.start_time)) * 86400.0"]
    [only postgres "EXTRACT(EPOCH FROM latest.end_time - latest.start_time)"]
    ") FROM (SELECT recent.start_time, recent.end_time
            FROM (SELECT j.id, j.status, j.start_time, j.end_time FROM jobs j
                WHERE j.trigger_id = t.id ORDER BY j.id DESC LIMIT 20) recent
            WHERE recent.status = 'DONE' AND recent.start_time IS NOT NULL
            ORDER BY recent.id DESC LIMIT 5) latest) AS DOUBLE PRECISION) AS seconds
     FROM triggers t WHERE t.id" [in_ids "$1"]];

impl Tx {
    /// Live triggers that are not held and are due until `to` by the clock, the earliest first.
    pub async fn trigger_list_planned(&mut self, to: Timestamp, limit: u32) -> Result<Readable<Trigger>, DbError> {
        let rows = fetch!(
            self,
            "trigger_list_planned",
            TRIGGER_PLANNED,
            table "triggers" key "id" as TriggerRow,
            [to, i64::from(limit)]
        )?;
        Ok(Readable::collect(rows.into_iter().map(|row| row?.try_into())))
    }

    /// How many seconds the latest jobs of these triggers took that were done, of the last twenty at most. Those without
    /// one are left out.
    pub async fn trigger_typical_seconds(&mut self, ids: &[TriggerId]) -> Result<Vec<(TriggerId, f64)>, DbError> {
        let ids: Ids = ids.iter().map(|id| id.as_uuid()).collect();
        let rows = fetch_plain!(self, "trigger_typical_seconds", TYPICAL_DURATIONS, as (Uuid, Option<f64>), [&ids])?;
        Ok(rows.into_iter().filter_map(|(id, seconds)| Some((TriggerId::from_uuid(id), seconds?))).collect())
    }
}

#[cfg(test)]
crate::statements::statements![TRIGGER_PLANNED, TYPICAL_DURATIONS];
