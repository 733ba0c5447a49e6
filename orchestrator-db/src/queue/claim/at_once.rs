//! Claims of one element each, for several callers, in one statement that is its own transaction: several statements cost a
//! round trip each to PostgreSQL.

use std::collections::{BTreeSet, HashSet};
use std::time::{Duration, Instant};

use orchestrator_core::actor::Actor;
use orchestrator_core::clock::Timestamp;
use orchestrator_core::id::{AuditId, JobId};
use orchestrator_core::queue::QueueElement;
use sqlx::PgConnection;
use uuid::Uuid;

use super::ClaimRequest;
use super::alone::{Claimant, element_claim_alone};
use crate::dialect::{Sql, sql};
use crate::error::{DbError, Readable};
use crate::queue::marks::{Marks, Position, Start, Unheard};
use crate::queue::row::{ElementRow, element_columns};

// Jobs are locked against their end before elements are, as everywhere; where one of them is over, nothing is done. What a row
// gets stands in arrays at its place. It is found as in `claim_text`.
macro_rules! claim_picking {
    (sqlite) => {
        ""
    };
    (postgres) => {
        "live AS MATERIALIZED (
         SELECT id FROM jobs WHERE id = ANY($9::uuid[]) AND (status IN ('ASSIGNED', 'RUNNING', 'LOST')) IS TRUE
         ORDER BY id FOR SHARE),
     picked AS MATERIALIZED (
         SELECT id AS element_id, row_number() OVER (ORDER BY created_date, id) AS place FROM (
             SELECT id, created_date FROM queues WHERE queue_name COLLATE \"C\" = $1 AND ready AND (created_date, id) >= ($2, $11)
                 AND (SELECT COUNT(*) FROM live) = cardinality($9::uuid[])"
    };
}
pub(super) use claim_picking;

macro_rules! claim_claiming {
    (sqlite) => {
        ""
    };
    (postgres) => {
        "
                 AND NOT EXISTS (SELECT 1 FROM queue_settings WHERE queue_name = $1 AND paused)
             ORDER BY created_date, id LIMIT cardinality($4::uuid[]) FOR UPDATE SKIP LOCKED) AS oldest),
     claimed AS (
         UPDATE queues SET status = 'IN_PROGRESS', ready = FALSE, attention = FALSE, parked = FALSE, start_date = $3, end_date = NULL,
             attempt = attempt + 1, lease_token = lease_token + 1, job_id = ($10::uuid[])[picked.place],
             request_id = ($4::uuid[])[picked.place], request_place = ($12::int[])[picked.place],
             lease_expires_at = ($5::timestamptz[])[picked.place]
         FROM picked
         WHERE queues.id = ANY(ARRAY[picked.element_id]) AND ready IS NOT FALSE
         RETURNING "
    };
}
pub(super) use claim_claiming;

macro_rules! claim_noting {
    (sqlite) => {
        ""
    };
    (postgres) => {
        "),
     taken AS (SELECT COUNT(*) AS elements, jsonb_agg(id ORDER BY created_date, id) AS ids FROM claimed),
     counted AS (
         INSERT INTO queue_counts (queue_name, status, delta)
         SELECT $1, change.status, change.sign * elements
         FROM taken, (VALUES ('NEW', -1), ('IN_PROGRESS', 1)) AS change (status, sign) WHERE elements > 0),
     audited AS (
         INSERT INTO audit (id, at, actor_kind, actor, action, subject_kind, subject, after)
         SELECT $6, $3, $7, $8, 'element.claim', 'queue', $1, jsonb_build_object('elements', ids)
         FROM taken WHERE $7 <> '' AND elements > 0)"
    };
}
pub(super) use claim_noting;

// For SQLite, which has no round trips to save and cannot update inside of expressions, there is only a text to prepare.
const ELEMENTS_CLAIM_AT_ONCE: Sql = sql![
    [only postgres "WITH "] [text claim_picking] [text claim_claiming]
    [only sqlite "WITH claimed AS (SELECT "] [columns element_columns] [only sqlite " FROM queues WHERE id IS NULL) "]
    [text claim_noting] " SELECT " [columns element_columns] " FROM claimed ORDER BY created_date, id"];

impl ClaimRequest {
    /// Whether it can be made at once: one element of whatever reference, asked for the first time.
    fn fits_at_once(&self) -> bool {
        self.count == 1 && self.reference.is_none() && !self.repeat
    }
}

/// Whether these claims, of a single actor, can be made by one statement: all of one queue, and none of them twice.
pub(crate) fn fit_at_once(requests: &[&ClaimRequest]) -> bool {
    requests.iter().all(|request| request.fits_at_once() && request.queue == requests[0].queue)
        && are_different(requests)
}

/// Whether no call is among them twice, as one that is repeated while it waits.
pub(super) fn are_different(requests: &[&ClaimRequest]) -> bool {
    let ids: HashSet<_> = requests.iter().map(|request| request.request).collect();
    ids.len() == requests.len()
}

/// Claims for those requests that fit; answers in their order. Nothing was done for a request without one, which has to be
/// made the usual way. An error means that it is not known what was done.
pub(crate) async fn elements_claim_at_once(
    connection: &mut PgConnection,
    marks: &Marks,
    requests: &[&ClaimRequest],
    actor: Option<&Actor>,
    now: Timestamp,
) -> Result<Vec<Option<Vec<QueueElement>>>, DbError> {
    let Some(first) = requests.first() else { return Ok(Vec::new()) };
    let queue = first.queue.as_str();
    let start = marks.start(queue);
    let from = start.mark.unwrap_or_else(Position::first);
    let (began, unheard) = (Instant::now(), Unheard::from(marks, queue, start));
    let alone = if requests.len() == 1 { Claimant::of(first, actor) } else { None };
    let rows = match alone {
        Some(claimant) => element_claim_alone(connection, first, &claimant, from, now).await,
        None => claim(connection, requests, actor, from, now).await,
    };
    let rows = match rows {
        Ok(rows) => rows,
        Err(error) => {
            // What the database refused did not happen.
            let is_refused = matches!(error, sqlx::Error::Database(_));
            return if is_refused { Ok(Vec::new()) } else { Err(DbError::in_op("elements_claim_at_once")(error)) };
        }
    };
    unheard.heard();
    // It may be a job that is over, and not the queue that is empty.
    if rows.is_empty() && requests.iter().any(|request| request.job.is_some()) {
        return Ok(Vec::new());
    }
    settle(marks, start, queue, &rows, now, began.elapsed());
    let mut left = rows.into_iter();
    let answer = |_: &&ClaimRequest| match left.next() {
        // One that cannot be read stays claimed: nobody would get past it otherwise.
        Some(row) => Some(Readable::collect(std::iter::once(QueueElement::try_from(row))).rows),
        // Who found nothing behind a mark has to look everywhere.
        None => start.mark.is_none().then(Vec::new),
    };
    Ok(requests.iter().map(answer).collect())
}

async fn claim(
    connection: &mut PgConnection,
    requests: &[&ClaimRequest],
    actor: Option<&Actor>,
    from: Position,
    now: Timestamp,
) -> Result<Vec<ElementRow>, sqlx::Error> {
    let Some(first) = requests.first() else { return Ok(Vec::new()) };
    let jobs: Vec<Option<Uuid>> = requests.iter().map(|request| request.job.map(JobId::as_uuid)).collect();
    let distinct: Vec<Uuid> = jobs.iter().flatten().copied().collect::<BTreeSet<_>>().into_iter().collect();
    sqlx::query_as(ELEMENTS_CLAIM_AT_ONCE.postgres)
        .bind(first.queue.as_str())
        .bind(from.created)
        .bind(now)
        .bind(requests.iter().map(|request| request.request.as_uuid()).collect::<Vec<_>>())
        .bind(requests.iter().map(|request| request.expires_at(now)).collect::<Vec<_>>())
        .bind(AuditId::generate().as_uuid())
        .bind(actor.map_or("", |actor| actor.kind.as_str()))
        .bind(actor.map_or("", |actor| actor.name.as_str()))
        .bind(&distinct)
        .bind(jobs)
        .bind(from.id)
        .bind(vec![1; requests.len()])
        .fetch_all(connection)
        .await
}

/// Moves the mark on.
pub(super) fn settle(marks: &Marks, start: Start, queue: &str, rows: &[ElementRow], now: Timestamp, took: Duration) {
    if start.mark.is_none() {
        marks.swept(queue, took);
        if let Some(oldest) = rows.first() {
            marks.found(queue, oldest.position());
        }
    }
    if let Some(last) = rows.last() {
        marks.advance(&start.advance(queue, last.position(), now));
    }
}

#[cfg(test)]
crate::statements::statements![ELEMENTS_CLAIM_AT_ONCE];
