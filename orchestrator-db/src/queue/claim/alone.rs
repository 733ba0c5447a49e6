//! A claim that shares its transaction with nobody, in the shortest statement that there is for it. What PostgreSQL takes to
//! begin a statement grows with its parts, and who claims alone, as one robot does, waits for all of it.

use orchestrator_core::actor::Actor;
use orchestrator_core::clock::Timestamp;
use orchestrator_core::id::{AuditId, JobId};
use sqlx::PgConnection;

use super::ClaimRequest;
use crate::dialect::{Sql, sql};
use crate::queue::marks::Position;
use crate::queue::row::{ElementRow, element_columns};

macro_rules! alone_claiming {
    (sqlite) => {
        ""
    };
    (postgres) => {
        "WITH claimed AS (
         UPDATE queues SET status = 'IN_PROGRESS', ready = FALSE, attention = FALSE, parked = FALSE, start_date = $4, end_date = NULL,
             attempt = attempt + 1, lease_token = lease_token + 1, job_id = $7, request_id = $5, request_place = 1,
             lease_expires_at = $6
         WHERE id = (
             SELECT id FROM queues WHERE queue_name COLLATE \"C\" = $1 AND ready AND (created_date, id) >= ($2, $3)
                 AND NOT EXISTS (SELECT 1 FROM queue_settings WHERE queue_name = $1 AND paused)"
    };
}

macro_rules! alone_returning {
    (sqlite) => {
        "SELECT "
    };
    (postgres) => {
        "
             ORDER BY created_date, id LIMIT 1 FOR UPDATE SKIP LOCKED)
             AND ready IS NOT FALSE
         RETURNING "
    };
}

macro_rules! alone_counting {
    (sqlite) => {
        " FROM queues WHERE id IS NULL"
    };
    (postgres) => {
        "),
     counted AS (
         INSERT INTO queue_counts (queue_name, status, delta)
         SELECT $1, 'NEW', -1 FROM claimed UNION ALL SELECT $1, 'IN_PROGRESS', 1 FROM claimed)"
    };
}

// The job is locked against its end before the element is, as everywhere. SQLite has a way of its own: there are only texts to
// prepare.
const ELEMENT_CLAIM_ALONE_BY_JOB: Sql = sql![
    [text alone_claiming]
    [only postgres "
                 AND EXISTS (SELECT 1 FROM jobs
                     WHERE id = $7 AND (status IN ('ASSIGNED', 'RUNNING', 'LOST')) IS TRUE FOR SHARE)"]
    [text alone_returning] [columns element_columns] [text alone_counting]
    [only postgres " SELECT * FROM claimed"]];

const ELEMENT_CLAIM_ALONE_BY_ACTOR: Sql = sql![
    [text alone_claiming] [text alone_returning] [columns element_columns] [text alone_counting]
    [only postgres ",
     audited AS (
         INSERT INTO audit (id, at, actor_kind, actor, action, subject_kind, subject, after)
         SELECT $8, $4, $9, $10, 'element.claim', 'queue', $1, jsonb_build_object('elements', jsonb_build_array(id))
         FROM claimed)
     SELECT * FROM claimed"]];

/// Who claims, where that takes one thing to write down.
pub(super) enum Claimant<'a> {
    /// A robot; its job is named by the element itself.
    Job,
    /// A person or an integration.
    Actor(&'a Actor),
}

impl<'a> Claimant<'a> {
    pub(super) fn of(request: &ClaimRequest, actor: Option<&'a Actor>) -> Option<Self> {
        match (request.job, actor) {
            (Some(_), None) => Some(Self::Job),
            (None, Some(actor)) => Some(Self::Actor(actor)),
            (Some(_), Some(_)) | (None, None) => None,
        }
    }
}

/// Claims the oldest element from a position on. No row where there is none, or the job is over.
pub(super) async fn element_claim_alone(
    connection: &mut PgConnection,
    request: &ClaimRequest,
    claimant: &Claimant<'_>,
    from: Position,
    now: Timestamp,
) -> Result<Vec<ElementRow>, sqlx::Error> {
    let text = match claimant {
        Claimant::Job => ELEMENT_CLAIM_ALONE_BY_JOB,
        Claimant::Actor(_) => ELEMENT_CLAIM_ALONE_BY_ACTOR,
    };
    let claim = sqlx::query_as(text.postgres)
        .bind(request.queue.as_str())
        .bind(from.created)
        .bind(from.id)
        .bind(now)
        .bind(request.request.as_uuid())
        .bind(request.expires_at(now))
        .bind(request.job.map(JobId::as_uuid));
    match claimant {
        Claimant::Job => claim.fetch_all(connection).await,
        Claimant::Actor(actor) => {
            let audited = claim.bind(AuditId::generate().as_uuid()).bind(actor.kind.as_str()).bind(actor.name.as_str());
            audited.fetch_all(connection).await
        }
    }
}

#[cfg(test)]
crate::statements::statements![ELEMENT_CLAIM_ALONE_BY_JOB, ELEMENT_CLAIM_ALONE_BY_ACTOR];
