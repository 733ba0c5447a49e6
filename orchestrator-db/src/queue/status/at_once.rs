//! The end of one element, set by the job that works on it, in one statement that is its own transaction: what robots ask for
//! after each claim. Several statements cost a round trip each to PostgreSQL, which on an idle server nobody shares.

use orchestrator_core::clock::Timestamp;
use orchestrator_core::id::JobId;
use orchestrator_core::lease::LeaseToken;
use orchestrator_core::queue::{ElementStatus, QueueElement};
use orchestrator_core::text::Message;
use sqlx::PgConnection;

use super::{StatusBy, StatusChange, StatusSet};
use crate::dialect::{Sql, sql};
use crate::error::DbError;
use crate::queue::row::{ElementRow, element_columns};

// Whatever is not as it mostly is changes nothing here, and is decided by the several statements. A job is locked before an
// element is, as everywhere. SQLite has no round trips to save: there is only a text to prepare.
const ELEMENT_END_AT_ONCE: Sql = sql![
    [only postgres "WITH live AS MATERIALIZED (
         SELECT id FROM jobs WHERE id = $2 AND status IN ('ASSIGNED', 'RUNNING', 'LOST') FOR SHARE),
     held AS MATERIALIZED (
         SELECT id AS held_id, message AS message_before FROM queues
         WHERE id = $1 AND job_id = $2 AND status = 'IN_PROGRESS' AND ($3::bigint IS NULL OR lease_token = $3)
             AND EXISTS (SELECT 1 FROM live) FOR UPDATE),
     changed AS (
         UPDATE queues SET status = $4, ready = FALSE, attention = $5, end_date = $6, lease_expires_at = NULL,
             message = COALESCE($7, message)
         FROM held WHERE id = held_id
         RETURNING "]
    [only sqlite "WITH changed AS (SELECT "] [columns element_columns] ", message"
    [only sqlite " AS message_before FROM queues WHERE id IS NULL) "]
    [only postgres "_before),
     counted AS (
         INSERT INTO queue_counts (queue_name, status, delta)
         SELECT queue_name, change.status, change.delta
         FROM changed, (VALUES ('IN_PROGRESS', -1), ($4, 1)) AS change (status, delta))
     "] "SELECT " [columns element_columns] ", message_before FROM changed"];

#[derive(Debug, sqlx::FromRow)]
struct EndedRow {
    #[sqlx(flatten)]
    element: ElementRow,
    message_before: Option<String>,
}

impl StatusChange {
    /// Whether it may be made at once: a job says how an element ended.
    pub(crate) fn fits_at_once(&self) -> bool {
        use ElementStatus::{Abandoned, Done, Failed};

        matches!(self.by, StatusBy::Job(_)) && matches!(self.status, Done | Failed | Abandoned)
    }
}

/// Sets the end of an element that the caller's job works on; `None` when nothing was done and it has to be tried the usual
/// way. An error means that it is not known whether it was done.
pub(crate) async fn element_end_at_once(
    connection: &mut PgConnection,
    change: &StatusChange,
    now: Timestamp,
) -> Result<Option<StatusSet>, DbError> {
    let rows: Result<Vec<EndedRow>, sqlx::Error> = sqlx::query_as(ELEMENT_END_AT_ONCE.postgres)
        .bind(change.id.as_uuid())
        .bind(change.by.job().map(JobId::as_uuid))
        .bind(change.token.map(LeaseToken::value))
        .bind(change.status.as_str())
        .bind(change.status.needs_attention())
        .bind(now)
        .bind(change.message.as_ref().map(AsRef::<str>::as_ref))
        .fetch_all(connection)
        .await;
    let rows = match rows {
        Ok(rows) => rows,
        // The database refused it, so it did not happen.
        Err(sqlx::Error::Database(_)) => return Ok(None),
        Err(error) => return Err(DbError::in_op("element_end_at_once")(error)),
    };
    let Some(row) = rows.into_iter().next() else { return Ok(None) };
    let element = QueueElement::try_from(row.element).map_err(DbError::from)?;
    let message_before = row.message_before.map(Message::from_stored);
    Ok(Some(StatusSet { before: ElementStatus::InProgress, message_before, element }))
}

#[cfg(test)]
crate::statements::statements![ELEMENT_END_AT_ONCE];
