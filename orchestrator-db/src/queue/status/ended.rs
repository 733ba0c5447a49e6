//! The ends of many elements in one statement, for what is as it mostly is: an element in progress ends, set by whoever works
//! on it or by an operator. What is not so is left as it is, and decided by the several statements.

use std::collections::{BTreeMap, HashSet};

use orchestrator_core::clock::Timestamp;
use orchestrator_core::id::{ElementId, JobId};
use orchestrator_core::lease::LeaseToken;
use orchestrator_core::queue::{ElementStatus, QueueElement};
use sqlx::types::Json;
use uuid::Uuid;

use super::{StatusChange, StatusSet};
use crate::dialect::{Sql, sql};
use crate::error::DbError;
use crate::queue::count::Deltas;
use crate::queue::row::ElementRow;
use crate::tx::{Tx, TxInner};

// On SQLite an end is one text whose fields stand at fixed places: a list in a list would be parsed anew for each of them. There
// it sees to the holders itself, since it is also made where nobody has looked at them before.
pub(in crate::queue) const ELEMENTS_END: Sql = sql!["UPDATE queues SET status = change.new_status, ready = FALSE,
         attention = change.new_attention, end_date = $2, lease_expires_at = NULL
     FROM " [only postgres "unnest($1::uuid[], $4::text[], $5::boolean[], $6::uuid[], $7::bigint[])
         AS change (element_id, new_status, new_attention, holder, held_token)"]
     [only sqlite "(SELECT unhex(substr(value, 1, 32)) AS element_id,
             unhex(nullif(substr(value, 33, 32), '--------------------------------')) AS holder,
             substr(value, 65, 1) = '1' AS new_attention, rtrim(substr(value, 66, 9)) AS new_status,
             CAST(nullif(substr(value, 75), '-') AS INTEGER) AS held_token
         FROM json_each($1)) AS change"]
     " WHERE queues.id = change.element_id AND queues.status = 'IN_PROGRESS' AND attempt BETWEEN 0 AND 4294967295
         AND (change.holder IS NULL OR queues.job_id = change.holder)
         AND (change.held_token IS NULL OR queues.lease_token = change.held_token)"
     [only sqlite " AND (change.holder IS NULL OR EXISTS (SELECT 1 FROM jobs
         WHERE jobs.id = change.holder AND jobs.status IN ('ASSIGNED', 'RUNNING', 'LOST')))"] "
     RETURNING id, queue_name, queues.status, created_date, start_date, end_date, lease_token, lease_expires_at, parked, attempt,
         job_id, reference, created_by, message, CASE WHEN $3 THEN data END AS data"];

impl StatusChange {
    /// Whether the one statement may set it. It does not know the message that another one replaces.
    fn may_end(&self, live: &HashSet<JobId>) -> bool {
        self.status.is_terminal() && self.message.is_none() && self.by.job().is_none_or(|job| live.contains(&job))
    }
}

impl Tx {
    /// Ends what can be ended by one statement. Those are missing from the answer that are still to be decided; all of the
    /// changes of an element that has several are, and on PostgreSQL all where some cannot be ended so. Without `with_data` the elements come without what they carry.
    pub(super) async fn elements_end(
        &mut self,
        changes: &[&StatusChange],
        live: &HashSet<JobId>,
        with_data: bool,
        now: Timestamp,
    ) -> Result<BTreeMap<ElementId, StatusSet>, DbError> {
        let mut by_id: BTreeMap<ElementId, Option<&StatusChange>> = BTreeMap::new();
        for change in changes {
            by_id.entry(change.id).and_modify(|only| *only = None).or_insert_with(|| Some(*change));
        }
        let element_count = by_id.len();
        // In the order of their ids, in which everyone locks elements.
        let ends: Vec<&StatusChange> = by_id.into_values().flatten().filter(|change| change.may_end(live)).collect();
        // What else there is would be locked after them, whatever its ids: on PostgreSQL two such calls wait for each other.
        let locks_twice = ends.len() < element_count && matches!(self.inner, TxInner::Postgres(_));
        if ends.is_empty() || locks_twice {
            return Ok(BTreeMap::new());
        }
        let rows: Result<Vec<ElementRow>, sqlx::Error> = match &mut self.inner {
            TxInner::Sqlite(transaction) => {
                let query = sqlx::query_as(ELEMENTS_END.sqlite)
                    .bind(Json(ends.iter().map(|end| flat_end(end)).collect::<Vec<_>>()));
                query.bind(now).bind(with_data).fetch_all(&mut **transaction).await
            }
            TxInner::Postgres(transaction) => {
                let column = Columns::of(&ends);
                sqlx::query_as(ELEMENTS_END.postgres)
                    .bind(column.ids)
                    .bind(now)
                    .bind(with_data)
                    .bind(column.statuses)
                    .bind(column.attention)
                    .bind(column.holders)
                    .bind(column.tokens)
                    .fetch_all(&mut **transaction)
                    .await
            }
        };
        let mut deltas = Deltas::default();
        let mut ended = BTreeMap::new();
        for row in rows.map_err(DbError::in_op("elements_end"))? {
            let element = QueueElement::try_from(row)?;
            deltas.add(&element.queue_name, ElementStatus::InProgress, -1);
            deltas.add(&element.queue_name, element.status, 1);
            let message_before = element.message.clone();
            ended.insert(element.id, StatusSet { before: ElementStatus::InProgress, message_before, element });
        }
        self.counts_append(deltas).await?;
        Ok(ended)
    }
}

/// One end as a text whose fields stand at fixed places.
pub(in crate::queue) fn flat_end(end: &StatusChange) -> String {
    let holder = end.by.job().map_or_else(|| "-".repeat(32), |job| job.as_uuid().simple().to_string());
    let attention = u8::from(end.status.needs_attention());
    let token = end.token.map_or_else(|| "-".to_owned(), |token| token.value().to_string());
    format!("{}{holder}{attention}{:<9}{token}", end.id.as_uuid().simple(), end.status.as_str())
}

/// The ends, one array a column.
#[derive(Debug, Default)]
struct Columns {
    ids: Vec<Uuid>,
    statuses: Vec<&'static str>,
    attention: Vec<bool>,
    holders: Vec<Option<Uuid>>,
    tokens: Vec<Option<i64>>,
}

impl Columns {
    fn of(ends: &[&StatusChange]) -> Self {
        Self {
            ids: ends.iter().map(|end| end.id.as_uuid()).collect(),
            statuses: ends.iter().map(|end| end.status.as_str()).collect(),
            attention: ends.iter().map(|end| end.status.needs_attention()).collect(),
            holders: ends.iter().map(|end| end.by.job().map(JobId::as_uuid)).collect(),
            tokens: ends.iter().map(|end| end.token.map(LeaseToken::value)).collect(),
        }
    }
}

#[cfg(test)]
crate::statements::statements![ELEMENTS_END];
