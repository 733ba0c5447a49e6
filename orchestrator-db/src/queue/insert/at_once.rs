//! Creation of one element each, for several callers, in one statement that is its own transaction, or on SQLite one text of
//! several: a round trip each is what creations would cost most.

use std::collections::HashSet;
use std::sync::{Arc, LazyLock};

use orchestrator_core::actor::Actor;
use orchestrator_core::clock::Timestamp;
use orchestrator_core::id::{AuditId, ElementId};
use sqlx::{AssertSqlSafe, PgConnection, SqliteConnection};
use uuid::Uuid;

use super::{Columns, ELEMENT_INSERT, NewElement, as_json};
use crate::audit::AuditRow;
use crate::dialect::{Sql, sql};
use crate::error::DbError;
use crate::hint::{CHANNEL, Hint, notification};
use crate::queue::marks::{MarkChanges, Marks};

// What the audit says is what it says of creations that share a transaction of several statements: of one element its id, of
// more their queue. Other servers are told in the last line, which is there for every statement. For SQLite there is only a text
// to prepare.
const ELEMENTS_CREATE_AT_ONCE: Sql = sql![
    [only postgres "WITH created AS (
         INSERT INTO queues (id, queue_name, status, ready, attention, created_date, lease_token, attempt, reference, data,
             created_by)
         SELECT id, $3, 'NEW', TRUE, FALSE, $2, 0, 0, reference, data, created_by
         FROM unnest($1::uuid[], $4::text[], $5::text[], $6::text[]) AS element (id, reference, data, created_by)
         ON CONFLICT (id) DO NOTHING RETURNING id),
     made AS (SELECT COUNT(*) AS elements, array_agg(id ORDER BY id) AS ids FROM created),
     counted AS (
         INSERT INTO queue_counts (queue_name, status, delta) SELECT $3, 'NEW', elements FROM made WHERE elements > 0),
     audited AS (
         INSERT INTO audit (id, at, actor_kind, actor, action, subject_kind, subject, after)
         SELECT $7, $2, $8, $9, 'element.create', 'element', CASE elements WHEN 1 THEN ids[1]::text ELSE $3 END,
             CASE elements WHEN 1 THEN jsonb_build_object('queue', $3, 'count', 1)
                 ELSE jsonb_build_object('queue', $3, 'count', elements, 'elements', to_jsonb(ids)) END
         FROM made WHERE $8 <> '' AND elements > 0)
     SELECT COALESCE(ids, '{}'), pg_notify($10, $11)::text FROM made"]
    [only sqlite "SELECT '', '' WHERE FALSE"]
];

// What follows the insertion on SQLite; for PostgreSQL there are only texts to prepare.
const CREATED_COUNT: Sql = sql![
    [only sqlite "INSERT INTO queue_counts (queue_name, status, delta) VALUES ($3, 'NEW', $4)"]
    [only postgres "SELECT 1"]
];
const CREATED_AUDIT: Sql = sql![
    [only sqlite "INSERT INTO audit (id, at, actor_kind, actor, action, subject_kind, subject, after)
     SELECT $5, $2, $6, $7, $8, $9, $10, $11 WHERE $6 <> ''"]
    [only postgres "SELECT 1"]
];

static CREATE_ON_SQLITE: LazyLock<Arc<str>> = LazyLock::new(|| {
    let [insert, count, audit] = [ELEMENT_INSERT, CREATED_COUNT, CREATED_AUDIT].map(|statement| statement.sqlite);
    format!("BEGIN IMMEDIATE; {insert}; {count}; {audit}; COMMIT").into()
});

/// Whether these can be created by one statement: all in one queue.
pub(crate) fn creations_fit_at_once(elements: &[&NewElement]) -> bool {
    elements.iter().all(|element| element.queue_name == elements[0].queue_name)
}

/// Creates elements of one queue whose ids are not there yet, with one creation instant, and tells which, and the other
/// servers. An error means that it is not known what was done.
pub(crate) async fn elements_create_at_once(
    connection: &mut PgConnection,
    marks: &Marks,
    (elements, actor): (&[&NewElement], Option<&Actor>),
    origin: Uuid,
    now: Timestamp,
) -> Result<HashSet<ElementId>, DbError> {
    let Some(first) = elements.first() else { return Ok(HashSet::new()) };
    let queue = first.queue_name.as_str();
    let mut changes = MarkChanges::begin();
    let columns = Columns::of(elements);
    let word = notification(origin, vec![Hint::Queue { name: queue.to_owned() }]);
    let created: Result<(Vec<Uuid>, Option<String>), sqlx::Error> = sqlx::query_as(ELEMENTS_CREATE_AT_ONCE.postgres)
        .bind(columns.ids)
        .bind(now)
        .bind(queue)
        .bind(columns.references)
        .bind(columns.data)
        .bind(columns.creators)
        .bind(AuditId::generate().as_uuid())
        .bind(actor.map_or("", |actor| actor.kind.as_str()))
        .bind(actor.map_or("", |actor| actor.name.as_str()))
        .bind(CHANNEL)
        .bind(word)
        .fetch_one(connection)
        .await;
    changes.created(queue, now);
    changes.apply(marks, created.is_ok());
    match created {
        Ok((ids, _)) => Ok(ids.into_iter().map(ElementId::from_uuid).collect()),
        // The database refused it, so it did not happen.
        Err(sqlx::Error::Database(_)) => Ok(HashSet::new()),
        Err(error) => Err(DbError::in_op("elements_create_at_once")(error)),
    }
}

/// Creates elements of one queue, all or none, with one creation instant and the row of the audit that tells of them. The
/// transaction is left open where that fails.
pub(crate) async fn elements_create_on_sqlite(
    connection: &mut SqliteConnection,
    elements: &[&NewElement],
    audited: Option<&AuditRow>,
    now: Timestamp,
) -> Result<HashSet<ElementId>, sqlx::Error> {
    let Some(first) = elements.first() else { return Ok(HashSet::new()) };
    let created: Vec<(Uuid, String)> = sqlx::query_as(AssertSqlSafe(CREATE_ON_SQLITE.clone()))
        .bind(as_json(elements))
        .bind(now)
        .bind(first.queue_name.as_str())
        .bind(i64::try_from(elements.len()).unwrap_or(i64::MAX))
        .bind(AuditId::generate().as_uuid())
        .bind(audited.map_or("", |row| row.actor.kind.as_str()))
        .bind(audited.map_or("", |row| row.actor.name.as_str()))
        .bind(audited.map_or("", |row| row.action))
        .bind(audited.map_or("", |row| row.subject_kind))
        .bind(audited.map_or("", |row| row.subject.as_str()))
        .bind(audited.and_then(|row| row.after.as_ref()).map(ToString::to_string))
        .fetch_all(connection)
        .await?;
    Ok(created.into_iter().map(|(id, _)| ElementId::from_uuid(id)).collect())
}

#[cfg(test)]
crate::statements::statements![ELEMENTS_CREATE_AT_ONCE, CREATED_COUNT, CREATED_AUDIT];
