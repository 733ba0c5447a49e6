//! The audit trail: append-only rows of who did what, written in the transaction that did it.

use chrono::{DateTime, Utc};
use orchestrator_core::actor::Actor;
use orchestrator_core::clock::Timestamp;
use orchestrator_core::id::AuditId;
use orchestrator_core::text::ActorName;
use serde_json::Value;
use sqlx::types::Json;
use uuid::Uuid;

use crate::dialect::{Sql, sql};
use crate::error::{Corrupt, DbError, Readable, RowAddress};
use crate::page::PageRequest;
use crate::rows::{execute, fetch};
use crate::tx::Tx;

/// Something that was done. No secret is ever part of it.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditRow {
    /// Who did it.
    pub actor: Actor,
    /// What, such as `trigger.create`.
    pub action: &'static str,
    /// To what kind of thing, such as `trigger`.
    pub subject_kind: &'static str,
    /// To which: its name or id.
    pub subject: String,
    /// What it was like before.
    pub before: Option<Value>,
    /// What it is like now.
    pub after: Option<Value>,
}

/// A row of the trail as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditEntry {
    /// Its id.
    pub id: AuditId,
    /// When it was done.
    pub at: Timestamp,
    /// Who did it.
    pub actor: Actor,
    /// What.
    pub action: String,
    /// To what kind of thing.
    pub subject_kind: String,
    /// To which.
    pub subject: String,
    /// What it was like before.
    pub before: Option<Value>,
    /// What it is like now.
    pub after: Option<Value>,
}

/// Which rows are listed. Everything that is set must fit exactly.
#[derive(Debug, Clone, Default)]
pub struct AuditFilter {
    /// The name of who did it.
    pub actor: Option<String>,
    /// What was done; a part up to a dot fits all of it: `trigger` fits `trigger.create`.
    pub action: Option<String>,
    /// The name or id of what it was done to.
    pub subject: Option<String>,
}

macro_rules! audit_columns {
    () => {
        "id, at, actor_kind, actor, action, subject_kind, subject, before, after"
    };
}

const AUDIT_INSERT: Sql = sql!["INSERT INTO audit (" [columns audit_columns] ")
     SELECT " [only sqlite "unhex(value->>0), $2, value->>1, value->>2, value->>3, value->>4, value->>5, value->>6, value->>7
         FROM json_each($1)"]
     [only postgres "(value->>0)::uuid, $2, value->>1, value->>2, value->>3, value->>4, value->>5, (value->>6)::jsonb,
         (value->>7)::jsonb FROM json_array_elements($1::json) AS entry (value)"]];
/// `$scope` names the index that fits: `$2` is the actor, `$3` the subject.
macro_rules! list_text {
    ($scope:literal) => {
        sql!["SELECT " [columns audit_columns] " FROM audit
         WHERE " $scope " AND id < $1 AND ($2 = '' OR actor = $2) AND ($3 = '' OR subject = $3)
             AND ($4 = '' OR action = $4 OR substr(action, 1, length($4) + 1) = $4 || '.')
         ORDER BY id DESC LIMIT $5"]
    };
}
const OF_SUBJECT: Sql = list_text!("subject = $3");
const OF_ACTOR: Sql = list_text!("actor = $2");
const ALL: Sql = list_text!("TRUE");

#[derive(Debug, sqlx::FromRow)]
struct StoredRow {
    id: Uuid,
    at: DateTime<Utc>,
    actor_kind: String,
    actor: String,
    action: String,
    subject_kind: String,
    subject: String,
    before: Option<Json<Value>>,
    after: Option<Json<Value>>,
}

type NewRow<'a> = (String, &'static str, &'a str, &'static str, &'static str, &'a str, Option<String>, Option<String>);

impl Tx {
    /// Adds rows, in order.
    pub async fn audit_insert(&mut self, rows: &[AuditRow], now: Timestamp) -> Result<(), DbError> {
        if rows.is_empty() {
            return Ok(());
        }
        let rows: Vec<NewRow<'_>> = rows
            .iter()
            .map(|row| {
                (
                    AuditId::generate().as_uuid().simple().to_string(),
                    row.actor.kind.as_str(),
                    row.actor.name.as_str(),
                    row.action,
                    row.subject_kind,
                    row.subject.as_str(),
                    row.before.as_ref().map(Value::to_string),
                    row.after.as_ref().map(Value::to_string),
                )
            })
            .collect();
        execute!(self, "audit_insert", AUDIT_INSERT, [Json(&rows), now]).map(drop)
    }

    /// A page of the trail, newest first, with the cursor of the next one.
    pub async fn audit_list(
        &mut self,
        filter: &AuditFilter,
        page: &PageRequest,
    ) -> Result<(Readable<AuditEntry>, Option<String>), DbError> {
        let before = page.after::<Uuid>()?.unwrap_or_else(Uuid::max);
        let mut rows = fetch!(self, "audit_list", filter.text(), table "audit" key "id" as StoredRow, [
            before,
            filter.actor.as_deref().unwrap_or_default(),
            filter.subject.as_deref().unwrap_or_default(),
            filter.action.as_deref().unwrap_or_default(),
            page.fetch(),
        ])?;
        let next = page.cut(&mut rows, |row| row.id);
        Ok((Readable::collect(rows.into_iter().map(|row| row.and_then(AuditEntry::try_from))), next))
    }
}

impl AuditFilter {
    fn text(&self) -> Sql {
        match (&self.subject, &self.actor) {
            (Some(_), _) => OF_SUBJECT,
            (None, Some(_)) => OF_ACTOR,
            (None, None) => ALL,
        }
    }
}

impl TryFrom<StoredRow> for AuditEntry {
    type Error = Corrupt;

    fn try_from(row: StoredRow) -> Result<Self, Corrupt> {
        let at = RowAddress::new("audit", row.id);
        let kind = row.actor_kind.parse().map_err(at.column("actor_kind"))?;
        Ok(Self {
            id: AuditId::from_uuid(row.id),
            at: row.at,
            actor: Actor::new(kind, ActorName::from_stored(row.actor)),
            action: row.action,
            subject_kind: row.subject_kind,
            subject: row.subject,
            before: row.before.map(|Json(value)| value),
            after: row.after.map(|Json(value)| value),
        })
    }
}

#[cfg(test)]
crate::statements::statements![AUDIT_INSERT, OF_SUBJECT, OF_ACTOR, ALL];
