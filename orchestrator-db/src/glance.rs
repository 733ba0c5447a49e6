//! What is left for the engine to do, at one glance.

use orchestrator_core::clock::Timestamp;

use crate::dialect::{Sql, sql};
use crate::error::DbError;
use crate::hint::{CHANNEL, Hint};
use crate::rows::fetch_plain;
use crate::tx::{Tx, TxInner};

/// What waits, and until when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Glance {
    /// Some job is queued.
    pub any_queued: bool,
    /// When a trigger is due next.
    pub next_due: Option<Timestamp>,
    /// When the next queued job that waits for its time may be claimed.
    pub next_not_before: Option<Timestamp>,
}

impl Glance {
    /// When there is something to do by the clock.
    pub fn next(&self) -> Option<Timestamp> {
        match (self.next_due, self.next_not_before) {
            (Some(due), Some(not_before)) => Some(due.min(not_before)),
            (due, not_before) => due.or(not_before),
        }
    }
}

/// The columns of a glance at an instant `$1`.
macro_rules! glance_columns {
    (sqlite) => {
        glance_columns!(" INDEXED BY jobs_not_before")
    };
    (postgres) => {
        glance_columns!("")
    };
    ($hint:literal) => {
        concat!(
            "EXISTS (SELECT 1 FROM jobs WHERE status = 'QUEUED'), \
             (SELECT MIN(due_at) FROM triggers WHERE due_at IS NOT NULL), \
             (SELECT MIN(not_before) FROM jobs",
            $hint,
            " WHERE status = 'QUEUED' AND not_before IS NOT NULL AND not_before > $1)"
        )
    };
}

const GLANCE: Sql = sql!["SELECT " [text glance_columns]];

// Notifying is a function on PostgreSQL: it costs no statement of its own here.
const GLANCE_AND_TELL: Sql = sql!["SELECT " [text glance_columns]
    [only postgres ", CAST(pg_notify($2, $3) AS TEXT)"]];

type GlanceRow = (bool, Option<Timestamp>, Option<Timestamp>);

impl Tx {
    /// What is left to do at `now`.
    pub async fn glance(&mut self, now: Timestamp) -> Result<Glance, DbError> {
        let rows = fetch_plain!(self, "glance", GLANCE, as GlanceRow, [now])?;
        Ok(glance_of(rows))
    }

    /// As [`Tx::glance`], and tells the other servers as [`Tx::notify`] does: instead of it, not beside it.
    pub async fn glance_and_notify(&mut self, now: Timestamp, hints: &[Hint]) -> Result<Glance, DbError> {
        let payload = self.notification(hints);
        match (&mut self.inner, payload) {
            (TxInner::Postgres(transaction), Some(payload)) => {
                let rows = sqlx::query_as::<_, GlanceRow>(GLANCE_AND_TELL.postgres)
                    .bind(now)
                    .bind(CHANNEL)
                    .bind(payload)
                    .fetch_all(&mut **transaction)
                    .await
                    .map_err(DbError::in_op("glance_and_notify"))?;
                Ok(glance_of(rows))
            }
            _ => self.glance(now).await,
        }
    }
}

fn glance_of(rows: Vec<GlanceRow>) -> Glance {
    let (any_queued, next_due, next_not_before) = rows.into_iter().next().unwrap_or_default();
    Glance { any_queued, next_due, next_not_before }
}

#[cfg(test)]
crate::statements::statements![GLANCE, GLANCE_AND_TELL];
