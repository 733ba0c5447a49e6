//! The ends of elements, each set by the job that works on it, in one statement that is its own transaction: what robots ask
//! for after each claim. Several statements cost a round trip each to PostgreSQL.

use std::collections::BTreeMap;

use orchestrator_core::clock::Timestamp;
use orchestrator_core::id::{ElementId, JobId};
use orchestrator_core::lease::LeaseToken;
use orchestrator_core::queue::{ElementStatus, QueueElement};
use orchestrator_core::text::Message;
use sqlx::PgConnection;
use uuid::Uuid;

use super::alone::element_end_alone;
use super::{StatusBy, StatusChange, StatusSet};
use crate::dialect::{Sql, sql};
use crate::error::DbError;
use crate::queue::row::{ElementRow, element_columns};

// Whatever is not as it mostly is, such as a row that cannot be read, changes nothing here, and is decided by the several
// statements. Elements are locked in the order of their ids, as everywhere. Their jobs need no lock: a job that ends takes
// back what it holds in the same transaction, under the lock of the element, so that an end comes before that or changes
// nothing. `IS TRUE` keeps it on the primary keys: a job may have worked on all that there is. SQLite has no round trips to
// save: there is only a text to prepare.
const ELEMENTS_END_AT_ONCE: Sql = sql![
    [only postgres "WITH held AS MATERIALIZED (
         SELECT queues.id AS held_id, queues.message AS message_before, change.new_status, change.new_attention,
             change.new_message
         FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::text[], $5::boolean[], $7::text[])
                 AS change (element_id, holder, held_token, new_status, new_attention, new_message)
             JOIN queues ON queues.id = change.element_id
         WHERE (queues.job_id = change.holder) IS TRUE AND queues.status = 'IN_PROGRESS'
             AND queues.attempt BETWEEN 0 AND 4294967295
             AND (change.held_token IS NULL OR queues.lease_token = change.held_token)
             AND EXISTS (SELECT 1 FROM jobs
                 WHERE jobs.id = change.holder AND (jobs.status IN ('ASSIGNED', 'RUNNING', 'LOST')) IS TRUE)
         ORDER BY queues.id FOR UPDATE OF queues),
     changed AS (
         UPDATE queues SET status = new_status, ready = FALSE, attention = new_attention, end_date = $6,
             lease_expires_at = NULL, message = COALESCE(new_message, message)
         FROM held WHERE id = held_id
         RETURNING "]
    [only sqlite "WITH changed AS (SELECT "] [columns element_columns] ", message"
    [only sqlite " AS message_before FROM queues WHERE id IS NULL) "]
    [only postgres "_before),
     counted AS (
         INSERT INTO queue_counts (queue_name, status, delta)
         SELECT queue_name, 'IN_PROGRESS', -COUNT(*) FROM changed GROUP BY queue_name
         UNION ALL SELECT queue_name, status, COUNT(*) FROM changed GROUP BY queue_name, status)
     "] "SELECT " [columns element_columns] ", message_before FROM changed"];

#[derive(Debug, sqlx::FromRow)]
pub(super) struct EndedRow {
    #[sqlx(flatten)]
    element: ElementRow,
    message_before: Option<String>,
}

impl StatusChange {
    /// Whether it may be made at once: a job says how an element ended.
    pub(crate) fn fits_at_once(&self) -> bool {
        matches!(self.by, StatusBy::Job(_)) && self.status.is_terminal()
    }
}

/// Sets the ends of elements that the callers' jobs work on, one change an element. Those are missing from the answer for
/// which nothing was done; they have to be tried the usual way. An error means that it is not known what was done.
pub(crate) async fn elements_end_at_once(
    connection: &mut PgConnection,
    changes: &[&StatusChange],
    now: Timestamp,
) -> Result<BTreeMap<ElementId, StatusSet>, DbError> {
    let rows = match changes {
        [change] => element_end_alone(connection, change, now).await,
        _ => end(connection, changes, now).await,
    };
    let rows = match rows {
        Ok(rows) => rows,
        // The database refused it, so it did not happen.
        Err(sqlx::Error::Database(_)) => return Ok(BTreeMap::new()),
        Err(error) => return Err(DbError::in_op("elements_end_at_once")(error)),
    };
    rows.into_iter()
        .map(|row| {
            let element = QueueElement::try_from(row.element)?;
            let message_before = row.message_before.map(Message::from_stored);
            Ok((element.id, StatusSet { before: ElementStatus::InProgress, message_before, element }))
        })
        .collect()
}

async fn end(
    connection: &mut PgConnection,
    changes: &[&StatusChange],
    now: Timestamp,
) -> Result<Vec<EndedRow>, sqlx::Error> {
    fn column<'a, T>(changes: &[&'a StatusChange], of: impl FnMut(&&'a StatusChange) -> T) -> Vec<T> {
        changes.iter().map(of).collect()
    }
    sqlx::query_as(ELEMENTS_END_AT_ONCE.postgres)
        .bind(column(changes, |change| change.id.as_uuid()))
        .bind(column(changes, |change| change.by.job().map_or(Uuid::nil(), JobId::as_uuid)))
        .bind(column(changes, |change| change.token.map(LeaseToken::value)))
        .bind(column(changes, |change| change.status.as_str()))
        .bind(column(changes, |change| change.status.needs_attention()))
        .bind(now)
        .bind(column(changes, |change| change.message.as_ref().map(AsRef::<str>::as_ref)))
        .fetch_all(connection)
        .await
}

#[cfg(test)]
crate::statements::statements![ELEMENTS_END_AT_ONCE];
