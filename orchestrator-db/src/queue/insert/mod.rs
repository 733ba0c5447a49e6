mod at_once;
mod imported;

use std::collections::HashSet;

use orchestrator_core::clock::Timestamp;
use orchestrator_core::id::ElementId;
use orchestrator_core::lease::LeaseToken;
use orchestrator_core::queue::{ElementStatus, ElementTimes, QueueElement};
use orchestrator_core::text::{CreatedBy, ElementData, QueueName, Reference};
use sqlx::types::Json;
use uuid::Uuid;

pub(crate) use self::at_once::{creations_fit_at_once, elements_create_at_once, elements_create_on_sqlite};
pub use self::imported::ImportedElement;
use super::count::Deltas;
use crate::dialect::{Sql, on_conn, sql};
use crate::error::DbError;
use crate::lists::Ids;
use crate::tx::{Tx, TxInner};

/// A piece of work to store. Elements of one call are claimed in the order of their ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewElement {
    /// Its id, made by the caller, so that a repeated call makes no second one.
    pub id: ElementId,
    /// The queue it goes into.
    pub queue_name: QueueName,
    /// What people search for.
    pub reference: Option<Reference>,
    /// What the robot needs to know.
    pub data: Option<ElementData>,
    /// Who or what made it.
    pub created_by: Option<CreatedBy>,
}

impl NewElement {
    /// The element as it is once it is stored.
    pub(crate) fn as_stored(&self, created_date: Timestamp) -> QueueElement {
        QueueElement {
            id: self.id,
            queue_name: self.queue_name.clone(),
            status: ElementStatus::New,
            data: self.data.clone(),
            reference: self.reference.clone(),
            times: ElementTimes { created_date, start_date: None, end_date: None },
            message: None,
            created_by: self.created_by.clone(),
            job_id: None,
            lease_token: LeaseToken::new(0),
            lease_expires_at: None,
            parked: false,
            attempt: 0,
        }
    }

    /// About how much memory it takes.
    pub(crate) fn bytes(&self) -> usize {
        300 + self.data.as_ref().map_or(0, |data| data.as_str().len())
    }
}

macro_rules! insert_text {
    ($on_conflict:literal) => {
        sql!["INSERT INTO queues (id, queue_name, status, ready, attention, created_date, lease_token, attempt,
             reference, data, created_by)
         SELECT " [only sqlite "unhex(value->>0), value->>1, 'NEW', TRUE, FALSE, $2, 0, 0, value->>2, value->>3,
             value->>4 FROM json_each($1) WHERE TRUE"]
             [only postgres "id, queue_name, 'NEW', TRUE, FALSE, $2, 0, 0, reference, data, created_by
             FROM unnest($1::uuid[], $3::text[], $4::text[], $5::text[], $6::text[])
                 AS element (id, queue_name, reference, data, created_by)"]
         $on_conflict " RETURNING id, queue_name"]
    };
}
const ELEMENT_INSERT: Sql = insert_text!("");
const ELEMENT_INSERT_MISSING: Sql = insert_text!(" ON CONFLICT (id) DO NOTHING");

const ELEMENT_ANY_ELSEWHERE: Sql =
    sql!["SELECT EXISTS (SELECT 1 FROM queues WHERE id" [in_ids "$1"] " AND queue_name <> $2)"];

impl Tx {
    /// Creates elements, all or none, with one creation instant. With `repeat` the ids that are in their queue already are left
    /// as they are; others, and without it all, are a conflict. How many were created.
    pub async fn element_insert(
        &mut self,
        elements: &[NewElement],
        repeat: bool,
        now: Timestamp,
    ) -> Result<usize, DbError> {
        let text = if repeat { ELEMENT_INSERT_MISSING } else { ELEMENT_INSERT };
        let elements: Vec<&NewElement> = elements.iter().collect();
        let created = self.insert_elements(text, &elements, now).await?.len();
        if created < elements.len() && self.element_any_elsewhere(&elements).await? {
            return Err(DbError::Conflict { constraint: "queues.id".to_owned() });
        }
        Ok(created)
    }

    /// Whether an element with the id of one of these, which are of one queue, is in another queue: then it is not the one that
    /// an earlier call made.
    pub(crate) async fn element_any_elsewhere(&mut self, elements: &[&NewElement]) -> Result<bool, DbError> {
        let Some(first) = elements.first() else { return Ok(false) };
        let ids: Ids = elements.iter().map(|element| element.id.as_uuid()).collect();
        on_conn!(self, |conn, dialect| {
            sqlx::query_scalar(ELEMENT_ANY_ELSEWHERE.text(dialect))
                .bind(&ids)
                .bind(first.queue_name.as_str())
                .fetch_one(conn)
                .await
        })
        .map_err(DbError::in_op("element_any_elsewhere"))
    }

    /// Creates the elements whose ids are not there yet, with one creation instant, and tells which.
    pub(crate) async fn element_insert_missing(
        &mut self,
        elements: &[&NewElement],
        now: Timestamp,
    ) -> Result<HashSet<ElementId>, DbError> {
        let rows = self.insert_elements(ELEMENT_INSERT_MISSING, elements, now).await?;
        Ok(rows.into_iter().map(|(id, _)| ElementId::from_uuid(id)).collect())
    }

    async fn insert_elements(
        &mut self,
        text: Sql,
        elements: &[&NewElement],
        now: Timestamp,
    ) -> Result<Vec<(Uuid, String)>, DbError> {
        if elements.is_empty() {
            return Ok(Vec::new());
        }
        let rows: Vec<(Uuid, String)> = match &mut self.inner {
            TxInner::Sqlite(transaction) => {
                sqlx::query_as(text.sqlite).bind(as_json(elements)).bind(now).fetch_all(&mut **transaction).await
            }
            TxInner::Postgres(transaction) => {
                let columns = Columns::of(elements);
                sqlx::query_as(text.postgres)
                    .bind(columns.ids)
                    .bind(now)
                    .bind(columns.queues)
                    .bind(columns.references)
                    .bind(columns.data)
                    .bind(columns.creators)
                    .fetch_all(&mut **transaction)
                    .await
            }
        }
        .map_err(DbError::in_op("element_insert"))?;
        let mut deltas = Deltas::default();
        for (_, queue) in &rows {
            deltas.add_text(queue, ElementStatus::New, 1);
            self.mark_changes.created(queue, now);
        }
        self.counts_append(deltas).await?;
        Ok(rows)
    }
}

type JsonRow<'a> = (String, &'a str, Option<&'a str>, Option<&'a str>, Option<&'a str>);

fn as_json<'a>(elements: &[&'a NewElement]) -> Json<Vec<JsonRow<'a>>> {
    let rows = elements.iter().map(|element| {
        (
            element.id.as_uuid().simple().to_string(),
            element.queue_name.as_str(),
            element.reference.as_ref().map(Reference::as_str),
            element.data.as_ref().map(ElementData::as_str),
            element.created_by.as_ref().map(CreatedBy::as_str),
        )
    });
    Json(rows.collect())
}

/// The same, one array a column.
#[derive(Debug)]
struct Columns<'a> {
    ids: Vec<Uuid>,
    queues: Vec<&'a str>,
    references: Vec<Option<&'a str>>,
    data: Vec<Option<&'a str>>,
    creators: Vec<Option<&'a str>>,
}

impl<'a> Columns<'a> {
    fn of(elements: &[&'a NewElement]) -> Self {
        Self {
            ids: elements.iter().map(|element| element.id.as_uuid()).collect(),
            queues: elements.iter().map(|element| element.queue_name.as_str()).collect(),
            references: elements.iter().map(|element| element.reference.as_ref().map(Reference::as_str)).collect(),
            data: elements.iter().map(|element| element.data.as_ref().map(ElementData::as_str)).collect(),
            creators: elements.iter().map(|element| element.created_by.as_ref().map(CreatedBy::as_str)).collect(),
        }
    }
}

#[cfg(test)]
crate::statements::statements![ELEMENT_INSERT, ELEMENT_INSERT_MISSING, ELEMENT_ANY_ELSEWHERE; at_once];
