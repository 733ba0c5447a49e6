//! Triggers that need someone's eye.

use chrono::TimeDelta;
use orchestrator_core::clock::Timestamp;

use crate::dialect::{Sql, sql};
use crate::error::DbError;
use crate::rows::fetch_plain;
use crate::tx::Tx;

/// A trigger that is due for longer than this is not evaluated by anyone.
pub const OVERDUE_AFTER: TimeDelta = TimeDelta::seconds(10);

/// How many live triggers need someone's eye.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TriggerCounts {
    /// Held after failures.
    pub failed: u64,
    /// Due for more than ten seconds, and no server has looked.
    pub overdue: u64,
}

const TRIGGER_COUNTS: Sql = sql![
    "SELECT
     (SELECT COUNT(*) FROM triggers WHERE hold = 'FAILED' AND deleted_at IS NULL),
     (SELECT COUNT(*) FROM triggers WHERE hold = 'NONE' AND deleted_at IS NULL AND due_at < $1)"
];

impl Tx {
    /// Counts the triggers that need someone's eye.
    pub async fn trigger_counts(&mut self, now: Timestamp) -> Result<TriggerCounts, DbError> {
        let counts = fetch_plain!(self, "trigger_counts", TRIGGER_COUNTS, as (i64, i64), [now - OVERDUE_AFTER])?;
        let (failed, overdue) = counts.into_iter().next().unwrap_or_default();
        let count = |value: i64| u64::try_from(value).unwrap_or_default();
        Ok(TriggerCounts { failed: count(failed), overdue: count(overdue) })
    }
}

#[cfg(test)]
crate::statements::statements![TRIGGER_COUNTS];
