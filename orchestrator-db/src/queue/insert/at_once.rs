//! Creation of one element each, for several callers, in one statement that is its own transaction, or on SQLite one text of
//! several: a round trip each is what creations would cost most.

use std::sync::{Arc, LazyLock};

use orchestrator_core::clock::Timestamp;
use orchestrator_core::id::AuditId;
use sqlx::{AssertSqlSafe, PgConnection, SqliteConnection};
use uuid::Uuid;

use super::{Columns, ELEMENT_INSERT, NewElement, as_json};
use crate::audit::AuditRow;
use crate::dialect::{Sql, sql};
use crate::hint::{CHANNEL, Hint, notification};
use crate::queue::marks::{MarkChanges, Marks};

// An id that is there already undoes all of it: to look for one with each row, and to put together again which were created, would
// be a sixth of what this costs. Other servers are told in the last line. For SQLite there is only a text to prepare.
const ELEMENTS_CREATE_AT_ONCE: Sql = sql![
    [only postgres "WITH created AS (
         INSERT INTO queues (id, queue_name, status, ready, attention, created_date, lease_token, attempt, reference, data,
             created_by)
         SELECT id, $3, 'NEW', TRUE, FALSE, $2, 0, 0, reference, data, created_by
         FROM unnest($1::uuid[], $13::text[], $14::text[], $15::text[]) AS element (id, reference, data, created_by)),
     counted AS (INSERT INTO queue_counts (queue_name, status, delta) VALUES ($3, 'NEW', $4)),
     audited AS (
         INSERT INTO audit (id, at, actor_kind, actor, action, subject_kind, subject, after)
         SELECT $5, $2, $6, $7, $8, $9, $10, $11::jsonb WHERE $6 <> '')
     SELECT pg_notify($12, $16)::text"]
    [only sqlite "SELECT '' WHERE FALSE"]
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

/// Binds what the statements of both databases take after the elements: `$2` to `$11`.
macro_rules! bind_what_both_say {
    ($query:expr, $elements:expr, $queue:expr, $audited:expr, $now:expr) => {
        $query
            .bind($now)
            .bind($queue)
            .bind(i64::try_from($elements.len()).unwrap_or(i64::MAX))
            .bind(AuditId::generate().as_uuid())
            .bind($audited.map_or("", |row| row.actor.kind.as_str()))
            .bind($audited.map_or("", |row| row.actor.name.as_str()))
            .bind($audited.map_or("", |row| row.action))
            .bind($audited.map_or("", |row| row.subject_kind))
            .bind($audited.map_or("", |row| row.subject.as_str()))
            .bind($audited.and_then(|row| row.after.as_ref()).map(ToString::to_string))
    };
}

/// Whether these can be created by one statement: all in one queue.
pub(crate) fn creations_fit_at_once(elements: &[&NewElement]) -> bool {
    elements.iter().all(|element| element.queue_name == elements[0].queue_name)
}

/// Creates elements of one queue, all or none, with one creation instant and the row of the audit that tells of them, and
/// tells the other servers. An error of anything but the database means that it is not known what was done.
pub(crate) async fn elements_create_at_once(
    connection: &mut PgConnection,
    marks: &Arc<Marks>,
    (elements, audited): (&[&NewElement], Option<&AuditRow>),
    origin: Uuid,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    let Some(first) = elements.first() else { return Ok(()) };
    let queue = first.queue_name.as_str();
    let mut changes = MarkChanges::begin(Some(marks.clone()));
    let columns = Columns::of(elements);
    let word = notification(origin, vec![Hint::Queue { name: queue.to_owned() }]);
    let elements_first = sqlx::query(ELEMENTS_CREATE_AT_ONCE.postgres).bind(columns.ids);
    let created = bind_what_both_say!(elements_first, elements, queue, audited, now)
        .bind(CHANNEL)
        .bind(columns.references)
        .bind(columns.data)
        .bind(columns.creators)
        .bind(word)
        .execute(connection)
        .await;
    changes.created(queue, now);
    changes.apply(created.is_ok());
    created.map(drop)
}

/// The same on SQLite, where the transaction is left open when that fails, and there are no other servers.
pub(crate) async fn elements_create_on_sqlite(
    connection: &mut SqliteConnection,
    (elements, audited): (&[&NewElement], Option<&AuditRow>),
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    let Some(first) = elements.first() else { return Ok(()) };
    let elements_first = sqlx::query(AssertSqlSafe(CREATE_ON_SQLITE.clone())).bind(as_json(elements));
    let created = bind_what_both_say!(elements_first, elements, first.queue_name.as_str(), audited, now)
        .execute(connection)
        .await;
    created.map(drop)
}

#[cfg(test)]
crate::statements::statements![ELEMENTS_CREATE_AT_ONCE, CREATED_COUNT, CREATED_AUDIT];
