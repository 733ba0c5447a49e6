//! Ends of elements and the claims that they ride on, of one actor and for several callers, in one statement that is its own
//! transaction: all of the ends are as they mostly are, or nothing is done.

use std::collections::BTreeSet;
use std::time::Instant;

use orchestrator_core::actor::Actor;
use orchestrator_core::clock::Timestamp;
use orchestrator_core::id::AuditId;
use orchestrator_core::lease::LeaseToken;
use orchestrator_core::queue::{ElementStatus, QueueElement};
use sqlx::PgConnection;
use uuid::Uuid;

use super::ClaimRequest;
use super::at_once::{are_different, claim_claiming, claim_noting, claim_picking, settle};
use crate::dialect::{Sql, sql};
use crate::error::{DbError, Readable};
use crate::queue::marks::{Marks, Position, Unheard};
use crate::queue::row::{ElementRow, element_columns};
use crate::queue::status::{StatusBy, StatusChange, StatusSet};

// What ends is locked before what is claimed, in the order of the ids; what is claimed is never waited for. What one actor
// ends of a queue is one row of the audit: of an element, where it is one, and of the queue otherwise.
const ELEMENTS_RIDE_AT_ONCE: Sql = sql![
    [only postgres "WITH held AS MATERIALIZED (
         SELECT queues.id AS held_id, change.new_status, change.new_attention
         FROM unnest($13::uuid[], $14::bigint[], $15::text[], $16::boolean[])
                 AS change (element_id, held_token, new_status, new_attention)
             JOIN queues ON queues.id = change.element_id
         WHERE queues.status = 'IN_PROGRESS' AND queues.attempt BETWEEN 0 AND 4294967295
             AND (change.held_token IS NULL OR queues.lease_token = change.held_token)
         ORDER BY queues.id FOR UPDATE OF queues),
     changed AS (
         UPDATE queues SET status = new_status, ready = FALSE, attention = new_attention, end_date = $3,
             lease_expires_at = NULL
         FROM held WHERE id = held_id AND (SELECT COUNT(*) FROM held) = cardinality($13::uuid[])
         RETURNING id, queue_name, status, created_date, start_date, end_date, lease_token, lease_expires_at, parked, attempt,
             job_id, reference, created_by, message, CASE WHEN $18 THEN data END AS data),
     kinds AS (
         SELECT queue_name, status, COUNT(*) AS elements, jsonb_agg(id ORDER BY id) AS ids,
             (array_agg(id))[1] AS one, (array_agg(message))[1] AS message
         FROM changed GROUP BY queue_name, status),
     counted_ends AS (
         INSERT INTO queue_counts (queue_name, status, delta)
         SELECT queue_name, 'IN_PROGRESS', -SUM(elements) FROM kinds GROUP BY queue_name
         UNION ALL SELECT queue_name, status, elements FROM kinds),
     audited_ends AS (
         INSERT INTO audit (id, at, actor_kind, actor, action, subject_kind, subject, before, after)
         SELECT ($17::uuid[])[row_number() OVER ()], $3, $7, $8, 'element.set_status',
             CASE WHEN elements = 1 THEN 'element' ELSE 'queue' END,
             CASE WHEN elements = 1 THEN one::text ELSE queue_name END,
             CASE WHEN elements = 1 THEN jsonb_build_object('status', 'IN_PROGRESS', 'message', message) END,
             CASE WHEN elements = 1 THEN jsonb_build_object('queue', queue_name, 'status', status, 'message', message)
                 ELSE jsonb_build_object('elements', by_status) END
         FROM (SELECT queue_name, SUM(elements) AS elements, jsonb_object_agg(status, ids) AS by_status,
                 (array_agg(one))[1] AS one, (array_agg(status))[1] AS status, (array_agg(message))[1] AS message
             FROM kinds GROUP BY queue_name) AS done
         WHERE $7 <> ''),
     "] [text claim_picking]
    [only postgres " AND (SELECT COUNT(*) FROM held) = cardinality($13::uuid[])"]
    [text claim_claiming]
    [only sqlite "WITH claimed AS (SELECT "] [columns element_columns] [only sqlite " FROM queues WHERE id IS NULL) "]
    [text claim_noting]
    " SELECT " [columns element_columns] ", TRUE AS is_claimed FROM claimed"
    " UNION ALL SELECT " [columns element_columns] ", FALSE AS is_claimed FROM "
    [only postgres "changed"] [only sqlite "claimed"]];

#[derive(Debug, sqlx::FromRow)]
pub(super) struct RiddenRow {
    #[sqlx(flatten)]
    pub(super) element: ElementRow,
    pub(super) is_claimed: bool,
}

/// What was done for the calls.
#[derive(Debug)]
pub(crate) struct Ridden {
    /// The elements that ended.
    pub(crate) ended: Vec<StatusSet>,
    /// One answer a claim, in their order.
    pub(crate) claimed: Vec<Vec<QueueElement>>,
    /// How many elements were claimed, those that cannot be read among them.
    pub(super) taken: usize,
}

/// Whether these ends and claims are as they mostly are: ends of different elements without a message, and claims of one
/// queue that ask for no reference, made for the first time, and none of them twice.
pub(crate) fn rides_fit(ends: &[&StatusChange], claims: &[&ClaimRequest]) -> bool {
    let different: BTreeSet<_> = ends.iter().map(|end| end.id).collect();
    let mostly = |end: &&StatusChange| end.status.is_terminal() && end.message.is_none();
    let plain = |claim: &&ClaimRequest| claim.reference.is_none() && !claim.repeat && claim.queue == claims[0].queue;
    different.len() == ends.len() && ends.iter().all(mostly) && claims.iter().all(plain) && are_different(claims)
}

/// Whether these, of a single actor, can be made by one statement: what people or integrations tell and claim.
pub(crate) fn rides_fit_at_once(ends: &[&StatusChange], claims: &[&ClaimRequest]) -> bool {
    let of_no_job =
        ends.iter().all(|end| end.by == StatusBy::Operator) && claims.iter().all(|claim| claim.job.is_none());
    of_no_job && rides_fit(ends, claims)
}

/// Sets the ends, and then claims; `None` when nothing was done. An error means that it is not known what was done. Without
/// `with_data` what ended comes without what it carries.
pub(crate) async fn elements_ride_at_once(
    connection: &mut PgConnection,
    marks: &Marks,
    ends: &[&StatusChange],
    claims: &[&ClaimRequest],
    actor: Option<&Actor>,
    with_data: bool,
    now: Timestamp,
) -> Result<Option<Ridden>, DbError> {
    let Some(first) = claims.first() else { return Ok(None) };
    let queue = first.queue.as_str();
    let mut asked = Asked { queue, claims, shares: shares_of(claims), actor, with_data, now };
    let start = marks.start(queue);
    let (began, unheard) = (Instant::now(), Unheard::from(marks, queue, start));
    let rows = match asked.run(connection, start.mark, ends).await {
        Ok(rows) => rows,
        Err(error) => {
            // What the database refused did not happen.
            let is_refused = matches!(error, sqlx::Error::Database(_));
            return if is_refused { Ok(None) } else { Err(DbError::in_op("elements_ride_at_once")(error)) };
        }
    };
    unheard.heard();
    let (claimed, changed): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| row.is_claimed);
    if changed.len() < ends.len() {
        return Ok(None);
    }
    let ended: Result<Vec<StatusSet>, DbError> = changed.into_iter().map(|row| ended(row.element)).collect();
    let mut answers = vec![Vec::new(); claims.len()];
    let rows = share_out(claimed, &mut asked.shares, &mut answers);
    let mut taken = rows.len();
    settle(marks, start, queue, &rows, now, began.elapsed());
    // Who finds too little behind a mark looks everywhere; what ended has, and stays so.
    if !asked.shares.is_empty() && start.mark.is_some() && marks.may_sweep(queue) {
        let (start, began) = (start.everywhere(), Instant::now());
        let unheard = Unheard::from(marks, queue, start);
        match asked.run(connection, None, &[]).await {
            Ok(more) => {
                unheard.heard();
                let rows = share_out(more, &mut asked.shares, &mut answers);
                taken += rows.len();
                settle(marks, start, queue, &rows, now, began.elapsed());
            }
            Err(sqlx::Error::Database(error)) => tracing::debug!(%error, "a look behind the mark was refused"),
            Err(error) => return Err(DbError::in_op("elements_ride_at_once")(error)),
        }
    }
    Ok(Some(Ridden { ended: ended?, claimed: answers, taken }))
}

pub(super) fn ended(row: ElementRow) -> Result<StatusSet, DbError> {
    let element = QueueElement::try_from(row)?;
    Ok(StatusSet { before: ElementStatus::InProgress, message_before: element.message.clone(), element })
}

/// Whose the next element is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Share {
    /// Which claim's.
    pub(super) claim: usize,
    /// Its place among those of the claim.
    pub(super) place: i32,
}

/// Whose the next element is, and the one after it.
pub(super) fn shares_of(claims: &[&ClaimRequest]) -> Vec<Share> {
    let wanted = claims.iter().enumerate();
    wanted.flat_map(|(claim, request)| request.places().map(move |place| Share { claim, place })).collect()
}

/// Gives the oldest to who comes first, and takes their shares off the list. The rows, in order.
pub(super) fn share_out(
    rows: Vec<RiddenRow>,
    shares: &mut Vec<Share>,
    answers: &mut [Vec<QueueElement>],
) -> Vec<ElementRow> {
    let mut rows: Vec<ElementRow> = rows.into_iter().map(|row| row.element).collect();
    rows.sort_unstable_by_key(ElementRow::position);
    let served = rows.len().min(shares.len());
    for (row, share) in rows.iter().zip(shares.drain(..served)) {
        // One that cannot be read stays claimed: nobody would get past it otherwise.
        answers[share.claim].extend(Readable::collect(std::iter::once(QueueElement::try_from(row.clone()))).rows);
    }
    rows
}

/// What is still to be claimed.
struct Asked<'a> {
    queue: &'a str,
    claims: &'a [&'a ClaimRequest],
    shares: Vec<Share>,
    actor: Option<&'a Actor>,
    with_data: bool,
    now: Timestamp,
}

impl Asked<'_> {
    async fn run(
        &self,
        connection: &mut PgConnection,
        mark: Option<Position>,
        ends: &[&StatusChange],
    ) -> Result<Vec<RiddenRow>, sqlx::Error> {
        let from = mark.unwrap_or_else(Position::first);
        let asks = || self.shares.iter().map(|share| self.claims[share.claim]);
        sqlx::query_as(ELEMENTS_RIDE_AT_ONCE.postgres)
            .bind(self.queue)
            .bind(from.created)
            .bind(self.now)
            .bind(asks().map(|claim| claim.request.as_uuid()).collect::<Vec<_>>())
            .bind(asks().map(|claim| claim.expires_at(self.now)).collect::<Vec<_>>())
            .bind(AuditId::generate().as_uuid())
            .bind(self.actor.map_or("", |actor| actor.kind.as_str()))
            .bind(self.actor.map_or("", |actor| actor.name.as_str()))
            .bind(Vec::<Uuid>::new())
            .bind(vec![None::<Uuid>; self.shares.len()])
            .bind(from.id)
            .bind(self.shares.iter().map(|share| share.place).collect::<Vec<_>>())
            .bind(ends.iter().map(|end| end.id.as_uuid()).collect::<Vec<_>>())
            .bind(ends.iter().map(|end| end.token.map(LeaseToken::value)).collect::<Vec<_>>())
            .bind(ends.iter().map(|end| end.status.as_str()).collect::<Vec<_>>())
            .bind(ends.iter().map(|end| end.status.needs_attention()).collect::<Vec<_>>())
            .bind(ends.iter().map(|_| AuditId::generate().as_uuid()).collect::<Vec<_>>())
            .bind(self.with_data)
            .fetch_all(connection)
            .await
    }
}

#[cfg(test)]
crate::statements::statements![ELEMENTS_RIDE_AT_ONCE];
