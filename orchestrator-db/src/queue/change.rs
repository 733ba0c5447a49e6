//! The one place that changes the status of elements: lock, decide in the caller, write, count.

use std::collections::BTreeMap;

use orchestrator_core::clock::Timestamp;
use orchestrator_core::id::ElementId;
use orchestrator_core::queue::{ElementStatus, QueueElement};
use uuid::Uuid;

use super::marks::Position;
use super::row::{ElementRow, element_columns};
use crate::dialect::{Sql, on_conn, sql};
use crate::error::{Corrupt, DbError};
use crate::lists::{Ids, time_text};
use crate::tx::{Tx, TxInner};

/// An element that this transaction has locked.
#[derive(Debug, Clone)]
pub(super) struct Locked {
    pub(super) element: QueueElement,
    /// Whether the job that it names is assigned, running or lost.
    pub(super) job_lives: bool,
}

impl Locked {
    /// Whether it is in the hands of a job that lives.
    pub(super) fn is_held(&self) -> bool {
        self.element.status == ElementStatus::InProgress && self.job_lives
    }
}

#[derive(Debug, sqlx::FromRow)]
struct LockedRow {
    #[sqlx(flatten)]
    element: ElementRow,
    job_lives: bool,
}

// What `EXISTS` asks for, PostgreSQL may read all active jobs to know; `IS TRUE` keeps it on the primary key.
const ELEMENT_LOCK: Sql = sql!["SELECT " [columns element_columns] ", (SELECT 1 FROM jobs
         WHERE jobs.id = queues.job_id AND (jobs.status IN ('ASSIGNED', 'RUNNING', 'LOST')) IS TRUE) IS NOT NULL AS job_lives
     FROM queues WHERE id" [in_ids "$1"] " ORDER BY id" [for_update]];
// What is new again, or granted anew, is not what an earlier claim was granted: its repetition must not get the new token.
const ELEMENT_WRITE: Sql = sql!["UPDATE queues SET status = change.new_status, ready = change.new_ready,
         attention = change.new_attention, start_date = change.new_start, end_date = change.new_end,
         job_id = change.new_job, lease_token = change.new_token, lease_expires_at = change.new_expiry,
         attempt = change.new_attempt, message = change.new_message, parked = change.new_parked,
         request_id = CASE WHEN change.new_ready OR change.new_token <> lease_token THEN NULL ELSE request_id END
     FROM " [only postgres "unnest($1::uuid[], $2::text[], $3::boolean[], $4::boolean[], $5::timestamptz[],
         $6::timestamptz[], $7::uuid[], $8::bigint[], $9::timestamptz[], $10::bigint[], $11::text[], $12::boolean[])
         AS change (element_id, new_status, new_ready, new_attention, new_start, new_end, new_job, new_token,
             new_expiry, new_attempt, new_message, new_parked)"]
     [only sqlite "(SELECT unhex(value->>0) AS element_id, value->>1 AS new_status, value->>2 AS new_ready,
             value->>3 AS new_attention, value->>4 AS new_start, value->>5 AS new_end, unhex(value->>6) AS new_job,
             value->>7 AS new_token, value->>8 AS new_expiry, value->>9 AS new_attempt, value->>10 AS new_message,
             value->>11 AS new_parked
         FROM json_each($1)) AS change"]
     " WHERE queues.id = change.element_id"];

impl Tx {
    /// Locks elements, in the order of their ids. Rows that cannot be read come back as such.
    pub(super) async fn elements_lock(
        &mut self,
        ids: impl Iterator<Item = ElementId>,
    ) -> Result<BTreeMap<ElementId, Result<Locked, Corrupt>>, DbError> {
        let ids: Ids = ids.map(ElementId::as_uuid).collect();
        let rows: Vec<LockedRow> = on_conn!(self, |conn, dialect| {
            sqlx::query_as(ELEMENT_LOCK.text(dialect)).bind(&ids).fetch_all(conn).await
        })
        .map_err(DbError::in_op("elements_lock"))?;
        for row in rows.iter().filter(|row| row.element.status == ElementStatus::New.as_str()) {
            // Claims pass over it until this ends, here and elsewhere, whatever becomes of it.
            self.mark_changes.reopened(&row.element.queue_name, row.element.position());
        }
        Ok(rows
            .into_iter()
            .map(|row| {
                let id = ElementId::from_uuid(row.element.id);
                let job_lives = row.job_lives;
                (id, QueueElement::try_from(row.element).map(|element| Locked { element, job_lives }))
            })
            .collect())
    }

    /// Writes everything about elements that a change of status may change, and counts it. `before` and `after` are the
    /// same elements; those that are equal are left alone.
    pub(super) async fn elements_write(&mut self, changes: &[(QueueElement, QueueElement)]) -> Result<(), DbError> {
        let written: Vec<&QueueElement> =
            changes.iter().filter(|(before, after)| before != after).map(|(_, after)| after).collect();
        if written.is_empty() {
            return Ok(());
        }
        match &mut self.inner {
            TxInner::Sqlite(transaction) => {
                sqlx::query(ELEMENT_WRITE.sqlite).bind(as_json(&written)).execute(&mut **transaction).await.map(drop)
            }
            TxInner::Postgres(transaction) => {
                let columns = Columns::of(&written);
                sqlx::query(ELEMENT_WRITE.postgres)
                    .bind(columns.ids)
                    .bind(columns.statuses)
                    .bind(columns.ready)
                    .bind(columns.attention)
                    .bind(columns.starts)
                    .bind(columns.ends)
                    .bind(columns.jobs)
                    .bind(columns.tokens)
                    .bind(columns.expiries)
                    .bind(columns.attempts)
                    .bind(columns.messages)
                    .bind(columns.parked)
                    .execute(&mut **transaction)
                    .await
                    .map(drop)
            }
        }
        .map_err(DbError::in_op("elements_write"))?;
        let mut deltas = super::count::Deltas::default();
        for (before, after) in changes.iter().filter(|(before, after)| before.status != after.status) {
            deltas.add(&before.queue_name, before.status, -1);
            deltas.add(&after.queue_name, after.status, 1);
            if after.status.is_ready() {
                let position = Position { created: after.times.created_date, id: after.id.as_uuid() };
                self.mark_changes.reopened(after.queue_name.as_str(), position);
            }
        }
        self.counts_append(deltas).await
    }
}

fn as_json(elements: &[&QueueElement]) -> sqlx::types::Json<Vec<serde_json::Value>> {
    let row = |element: &&QueueElement| {
        serde_json::json!([
            element.id.as_uuid().simple().to_string(),
            element.status.as_str(),
            element.status.is_ready(),
            element.status.needs_attention(),
            element.times.start_date.map(time_text),
            element.times.end_date.map(time_text),
            element.job_id.map(|id| id.as_uuid().simple().to_string()),
            element.lease_token.value(),
            element.lease_expires_at.map(time_text),
            element.attempt,
            element.message.as_ref().map(AsRef::<str>::as_ref),
            element.parked,
        ])
    };
    sqlx::types::Json(elements.iter().map(row).collect())
}

/// The same, one array a column.
#[derive(Debug, Default)]
struct Columns<'a> {
    ids: Vec<Uuid>,
    statuses: Vec<&'static str>,
    ready: Vec<bool>,
    attention: Vec<bool>,
    starts: Vec<Option<Timestamp>>,
    ends: Vec<Option<Timestamp>>,
    jobs: Vec<Option<Uuid>>,
    tokens: Vec<i64>,
    expiries: Vec<Option<Timestamp>>,
    attempts: Vec<i64>,
    messages: Vec<Option<&'a str>>,
    parked: Vec<bool>,
}

impl<'a> Columns<'a> {
    fn of(elements: &[&'a QueueElement]) -> Self {
        let mut columns = Self::default();
        for element in elements {
            columns.ids.push(element.id.as_uuid());
            columns.statuses.push(element.status.as_str());
            columns.ready.push(element.status.is_ready());
            columns.attention.push(element.status.needs_attention());
            columns.starts.push(element.times.start_date);
            columns.ends.push(element.times.end_date);
            columns.jobs.push(element.job_id.map(orchestrator_core::id::JobId::as_uuid));
            columns.tokens.push(element.lease_token.value());
            columns.expiries.push(element.lease_expires_at);
            columns.attempts.push(i64::from(element.attempt));
            columns.messages.push(element.message.as_ref().map(AsRef::as_ref));
            columns.parked.push(element.parked);
        }
        columns
    }
}

#[cfg(test)]
crate::statements::statements![ELEMENT_LOCK, ELEMENT_WRITE];
