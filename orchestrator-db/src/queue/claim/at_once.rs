//! A claim of one element in one statement that is its own transaction. Several statements cost a round trip each to
//! PostgreSQL, which on an idle server nobody shares.

use chrono::DateTime;
use orchestrator_core::actor::Actor;
use orchestrator_core::clock::Timestamp;
use orchestrator_core::id::{AuditId, JobId};
use orchestrator_core::queue::QueueElement;
use sqlx::PgConnection;

use super::ClaimRequest;
use crate::dialect::{Sql, sql};
use crate::error::{DbError, Readable};
use crate::queue::marks::{Marks, Start};
use crate::queue::row::{ElementRow, element_columns};

// A job is locked against its end before an element is, as everywhere. For SQLite, which has no round trips to save and
// cannot update inside of expressions, there is only a text to prepare.
const ELEMENT_CLAIM_AT_ONCE: Sql = sql![
    [only postgres "WITH live AS MATERIALIZED (
         SELECT id FROM jobs WHERE id = $9 AND status IN ('ASSIGNED', 'RUNNING', 'LOST') FOR SHARE),
     picked AS MATERIALIZED (
         SELECT id FROM queues WHERE queue_name = $1 AND ready AND created_date >= $2
             AND ($9 IS NULL OR EXISTS (SELECT 1 FROM live))
             AND NOT EXISTS (SELECT 1 FROM queue_settings WHERE queue_name = $1 AND paused)
         ORDER BY created_date, id LIMIT 1 FOR UPDATE SKIP LOCKED),
     claimed AS (
         UPDATE queues SET status = 'IN_PROGRESS', ready = FALSE, attention = FALSE, start_date = $3, end_date = NULL,
             attempt = attempt + 1, lease_token = lease_token + 1, job_id = $9, request_id = $4, lease_expires_at = $5
         WHERE id = ANY(ARRAY(SELECT id FROM picked)) AND ready
         RETURNING "]
    [only sqlite "WITH claimed AS (SELECT "] [columns element_columns] [only sqlite " FROM queues WHERE id IS NULL) "]
    [only postgres "),
     counted AS (
         INSERT INTO queue_counts (queue_name, status, delta)
         SELECT $1, change.status, change.delta
         FROM claimed, (VALUES ('NEW', -1), ('IN_PROGRESS', 1)) AS change (status, delta)),
     audited AS (
         INSERT INTO audit (id, at, actor_kind, actor, action, subject_kind, subject, after)
         SELECT $6, $3, $7, $8, 'element.claim', 'queue', $1, jsonb_build_object('elements', jsonb_build_array(id))
         FROM claimed WHERE $7 <> '')
     "] "SELECT " [columns element_columns] " FROM claimed"];

/// What a claim at once came to.
#[derive(Debug)]
pub(crate) enum AtOnce {
    /// It is done, and durable.
    Done(Vec<QueueElement>),
    /// Nothing was done: it has to be made the usual way.
    Undone,
}

impl ClaimRequest {
    /// Whether it can be made at once: one element of whatever reference, asked for the first time.
    pub(crate) fn fits_at_once(&self) -> bool {
        self.count == 1 && self.reference.is_none() && !self.repeat
    }
}

/// Claims at once. An error means that it is not known whether it was done.
pub(crate) async fn element_claim_at_once(
    connection: &mut PgConnection,
    marks: &Marks,
    request: &ClaimRequest,
    actor: Option<&Actor>,
    now: Timestamp,
) -> Result<AtOnce, DbError> {
    let queue = request.queue.as_str();
    let start = marks.start(queue);
    let began = std::time::Instant::now();
    let rows: Result<Vec<ElementRow>, sqlx::Error> = sqlx::query_as(ELEMENT_CLAIM_AT_ONCE.postgres)
        .bind(queue)
        .bind(start.mark.unwrap_or(DateTime::UNIX_EPOCH))
        .bind(now)
        .bind(request.request.as_uuid())
        .bind(request.lease.filter(|_| request.job.is_none()).map(|lease| now + lease))
        .bind(AuditId::generate().as_uuid())
        .bind(actor.map_or("", |actor| actor.kind.as_str()))
        .bind(actor.map_or("", |actor| actor.name.as_str()))
        .bind(request.job.map(JobId::as_uuid))
        .fetch_all(connection)
        .await;
    let rows = match rows {
        Ok(rows) => rows,
        // The database refused it, so it did not happen.
        Err(sqlx::Error::Database(_)) => return Ok(AtOnce::Undone),
        Err(error) => return Err(DbError::in_op("element_claim_at_once")(error)),
    };
    // It may be the job that is over, and not the queue that is empty.
    if rows.is_empty() && request.job.is_some() {
        return Ok(AtOnce::Undone);
    }
    Ok(settle(marks, start, queue, rows, now, began.elapsed()))
}

/// Moves the mark on. One that found nothing behind a mark has to look everywhere.
fn settle(
    marks: &Marks,
    start: Start,
    queue: &str,
    rows: Vec<ElementRow>,
    now: Timestamp,
    took: std::time::Duration,
) -> AtOnce {
    let last = rows.last().map(|row| row.created_date);
    if start.mark.is_none() {
        marks.swept(queue, took);
        if let Some(found) = last {
            marks.found(queue, found);
        }
    } else if rows.is_empty() {
        return AtOnce::Undone;
    }
    if let Some(last) = last {
        marks.advance(&start.advance(queue, last, now));
    }
    AtOnce::Done(Readable::collect(rows.into_iter().map(QueueElement::try_from)).rows)
}

#[cfg(test)]
crate::statements::statements![ELEMENT_CLAIM_AT_ONCE];
