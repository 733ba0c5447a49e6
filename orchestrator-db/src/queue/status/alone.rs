//! The end of one element that shares its transaction with nobody, in the shortest statement that there is for it, as for claims
//! that are alone.

use orchestrator_core::clock::Timestamp;
use orchestrator_core::id::JobId;
use orchestrator_core::lease::LeaseToken;
use sqlx::PgConnection;

use super::StatusChange;
use super::at_once::EndedRow;
use crate::dialect::{Sql, sql};
use crate::queue::row::element_columns;

// The row is locked by the change itself, which looks at it again if it had to wait; the rules are those of several at once.
// SQLite has no round trips to save: there is only a text to prepare.
const ELEMENT_END_ALONE: Sql = sql![
    [only postgres "WITH changed AS (
         UPDATE queues SET status = $4, ready = FALSE, attention = $5, end_date = $6, lease_expires_at = NULL,
             message = COALESCE($7, message)
         WHERE id = $1 AND (job_id = $2) IS TRUE AND status = 'IN_PROGRESS' AND attempt BETWEEN 0 AND 4294967295
             AND ($3::bigint IS NULL OR lease_token = $3)
             AND EXISTS (SELECT 1 FROM jobs WHERE id = $2 AND (status IN ('ASSIGNED', 'RUNNING', 'LOST')) IS TRUE)
         RETURNING "]
    [only sqlite "SELECT "] [columns element_columns]
    [only sqlite ", message AS message_before FROM queues WHERE id IS NULL"]
    [only postgres "),
     counted AS (
         INSERT INTO queue_counts (queue_name, status, delta)
         SELECT queue_name, 'IN_PROGRESS', -1 FROM changed UNION ALL SELECT queue_name, status, 1 FROM changed)
     SELECT changed.*, (SELECT message FROM queues WHERE id = $1) AS message_before FROM changed"]];

/// Sets the end; no row where it has to be tried the usual way.
pub(super) async fn element_end_alone(
    connection: &mut PgConnection,
    change: &StatusChange,
    now: Timestamp,
) -> Result<Vec<EndedRow>, sqlx::Error> {
    sqlx::query_as(ELEMENT_END_ALONE.postgres)
        .bind(change.id.as_uuid())
        .bind(change.by.job().map(JobId::as_uuid))
        .bind(change.token.map(LeaseToken::value))
        .bind(change.status.as_str())
        .bind(change.status.needs_attention())
        .bind(now)
        .bind(change.message.as_ref().map(AsRef::<str>::as_ref))
        .fetch_all(connection)
        .await
}

#[cfg(test)]
crate::statements::statements![ELEMENT_END_ALONE];
