//! Triggers that a clock has planned which was ahead.

use orchestrator_core::clock::Timestamp;
use orchestrator_core::id::TriggerId;
use uuid::Uuid;

use crate::dialect::{Sql, sql};
use crate::error::DbError;
use crate::rows::fetch_scalars;
use crate::tx::Tx;

// A person may have given a scheduled trigger a late first run: only what that clock has left behind tells. How long a queue
// trigger waits is no more than an hour, and nobody gives it.
const TRIGGER_AHEAD: Sql = sql![
    "SELECT t.id FROM triggers t WHERE t.deleted_at IS NULL AND t.type <> 'SINGLE'
        AND (t.last_scheduled_at > $1 OR (t.due_at > $1
            AND (t.type = 'QUEUE' OR t.buffered_at > $1 OR t.updated_at > $1
                OR t.id IN (SELECT d.trigger_id FROM trigger_decisions d WHERE d.decided_at > $1))))
     ORDER BY t.id"
];

impl Tx {
    /// Live triggers that carry an instant after `ahead` which a clock may have written that was wrong: scheduled ones that ran,
    /// were decided about or changed after it, and queue triggers that wait until after it. Takes no lock.
    pub async fn trigger_ids_ahead(&mut self, ahead: Timestamp) -> Result<Vec<TriggerId>, DbError> {
        let ids = fetch_scalars!(self, "trigger_ids_ahead", TRIGGER_AHEAD, as Uuid, [ahead])?;
        Ok(ids.into_iter().map(TriggerId::from_uuid).collect())
    }
}

#[cfg(test)]
crate::statements::statements![TRIGGER_AHEAD];
