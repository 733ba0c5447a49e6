//! The audit trail: append-only rows of who did what, written in the transaction that did it.

use chrono::{DateTime, Utc};
use orchestrator_core::actor::Actor;
use orchestrator_core::clock::Timestamp;
use orchestrator_core::id::AuditId;
use orchestrator_core::text::ActorName;
use serde_json::Value;
use sqlx::types::Json;
use uuid::Uuid;

use crate::answer::Bulk;
use crate::dialect::{Sql, sql};
use crate::error::{Corrupt, DbError, Readable, RowAddress};
use crate::lists::{containing, earliest, latest, time_text};
use crate::page::{PageRequest, STEP, Search, cursor};
use crate::rows::{execute, fetch, fetch_plain};
use crate::tx::{Tx, TxInner};

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

/// Which rows are listed. Everything that is set must fit. With more than one name set a page looks at
/// [`SEARCHED_ROWS`](crate::SEARCHED_ROWS) rows at most, so it may be empty and yet have a next one.
#[derive(Debug, Clone, Default)]
pub struct AuditFilter {
    /// Exactly the name of who did it.
    pub actor: Option<String>,
    /// Exactly what was done; a part up to a dot fits all of it: `trigger` fits `trigger.create`.
    pub action: Option<String>,
    /// Exactly the name or id of what it was done to.
    pub subject: Option<String>,
    /// At this instant or later.
    pub since: Option<Timestamp>,
    /// Before this instant.
    pub until: Option<Timestamp>,
    /// Part of the names or of the documents, whatever the case of letters; not a pattern.
    pub search: Option<String>,
}

/// Rows older than this may be pruned: what the triggers of the table go by.
const PRUNED_BEFORE: &str = "audit_pruned_before";

macro_rules! audit_columns {
    () => {
        "id, at, actor_kind, actor, action, subject_kind, subject, before, after"
    };
}

pub(crate) const AUDIT_INSERT: Sql = sql!["INSERT INTO audit (" [columns audit_columns] ")
     SELECT " [only sqlite "unhex(value->>0), $2, value->>1, value->>2, value->>3, value->>4, value->>5, value->>6, value->>7
         FROM json_each($1)"]
     [only postgres "entry_id, $2, entry_kind, entry_actor, entry_action, about_kind, about, was::jsonb, is_now::jsonb
         FROM unnest($1::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[])
             AS entry (entry_id, entry_kind, entry_actor, entry_action, about_kind, about, was, is_now)"]];
/// `$scope` names the index that fits: `$2` is the actor, `$3` the subject. What the pairs imply of the time is said again
/// on PostgreSQL, which estimates nothing from a pair.
macro_rules! list_text {
    ($scope:literal) => {
        sql!["SELECT " [columns audit_columns] " FROM audit
         WHERE " $scope " AND (at, id) < ($1, $5) AND (at, id) >= ($6, $7)"
             [only postgres " AND at <= $1 AND at >= $6"] " AND ($2 = '' OR actor = $2)
             AND ($3 = '' OR subject = $3) AND ($4 = '' OR action = $4 OR substr(action, 1, length($4) + 1) = $4 || '.')
             AND ($8 = '%%' OR actor" [like "$8"] " OR action" [like "$8"] " OR subject" [like "$8"] "
                 OR CAST(before AS TEXT)" [like "$8"] " OR CAST(after AS TEXT)" [like "$8"] ")
         ORDER BY at DESC, id DESC LIMIT $9"]
    };
}
const OF_SUBJECT: Sql = list_text!("subject = $3");
const OF_ACTOR: Sql = list_text!("actor = $2");
const ALL: Sql = list_text!("TRUE");

/// Where a step of a search ends.
macro_rules! window_text {
    ($scope:literal) => {
        sql!["SELECT at, id FROM audit WHERE " $scope " AND (at, id) < ($1, $2) AND (at, id) >= ($3, $4)
         ORDER BY at DESC, id DESC LIMIT 1 OFFSET $5"]
    };
}
const WINDOW_OF_NAME: [Sql; 2] = [window_text!("subject = $6"), window_text!("actor = $6")];
const WINDOW_OF_ALL: Sql = window_text!("TRUE");

const AUDIT_PRUNE: Sql = sql!["DELETE FROM audit WHERE id" [in_open] "SELECT id FROM audit WHERE at < $1 ORDER BY at, id LIMIT $2" [in_close]];

/// What a page goes on after.
type Key = (DateTime<Utc>, Uuid);

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

impl Bulk for StoredRow {
    fn bytes(&self) -> usize {
        let document = |document: &Option<Json<Value>>| document.as_ref().map_or(0, |json| json.0.to_string().len());
        200 + self.actor_kind.len()
            + self.actor.len()
            + self.action.len()
            + self.subject_kind.len()
            + self.subject.len()
            + document(&self.before)
            + document(&self.after)
    }
}

/// A row inside a JSON text.
pub(crate) type ListedRow<'a> =
    (String, &'static str, &'a str, &'static str, &'static str, &'a str, Option<String>, Option<String>);

impl AuditRow {
    /// The row inside a JSON text.
    fn as_list(&self, id: Uuid) -> ListedRow<'_> {
        let document = |document: &Option<Value>| document.as_ref().map(Value::to_string);
        (
            id.simple().to_string(),
            self.actor.kind.as_str(),
            self.actor.name.as_str(),
            self.action,
            self.subject_kind,
            self.subject.as_str(),
            document(&self.before),
            document(&self.after),
        )
    }
}

/// New rows inside a JSON text, for SQLite.
pub(crate) fn as_lists(rows: &[AuditRow]) -> Vec<ListedRow<'_>> {
    rows.iter().map(|row| row.as_list(AuditId::generate().as_uuid())).collect()
}

/// One column of the rows.
fn column<'a, T>(rows: &'a [AuditRow], of: impl FnMut(&'a AuditRow) -> T) -> Vec<T> {
    rows.iter().map(of).collect()
}

impl Tx {
    /// Adds rows, in order.
    pub async fn audit_insert(&mut self, rows: &[AuditRow], now: Timestamp) -> Result<(), DbError> {
        if rows.is_empty() {
            return Ok(());
        }
        match &mut self.inner {
            TxInner::Sqlite(transaction) => {
                let rows = Json(as_lists(rows));
                sqlx::query(AUDIT_INSERT.sqlite).bind(rows).bind(now).execute(&mut **transaction).await.map(drop)
            }
            TxInner::Postgres(transaction) => sqlx::query(AUDIT_INSERT.postgres)
                .bind(rows.iter().map(|_| AuditId::generate().as_uuid()).collect::<Vec<_>>())
                .bind(now)
                .bind(column(rows, |row| row.actor.kind.as_str()))
                .bind(column(rows, |row| row.actor.name.as_str()))
                .bind(column(rows, |row| row.action))
                .bind(column(rows, |row| row.subject_kind))
                .bind(column(rows, |row| row.subject.as_str()))
                .bind(column(rows, |row| row.before.as_ref().map(Value::to_string)))
                .bind(column(rows, |row| row.after.as_ref().map(Value::to_string)))
                .execute(&mut **transaction)
                .await
                .map(drop),
        }
        .map_err(DbError::in_op("audit_insert"))
    }

    /// A page of the trail, newest first, with the cursor of the next one.
    pub async fn audit_list(
        &mut self,
        filter: &AuditFilter,
        page: &PageRequest,
    ) -> Result<(Readable<AuditEntry>, Option<String>), DbError> {
        let until = (filter.until.unwrap_or_else(latest), Uuid::nil());
        let end = if filter.until.is_some() { until } else { (until.0, Uuid::max()) };
        let mut before = page.after::<Key>()?.map_or(end, |after| after.min(end));
        let since = (filter.since.unwrap_or_else(earliest), Uuid::nil());
        self.plan_for_values().await?;
        let mut rows = Vec::new();
        let mut search = Search::begin();
        let stopped = loop {
            let step = if filter.looks_further() { self.audit_window(filter, before, since).await? } else { None };
            let wanted = page.still_wanted(&rows);
            rows.extend(self.audit_rows(filter, before, step.unwrap_or(since), wanted).await?);
            match step {
                Some(step) if page.still_wanted(&rows) == 0 || !search.goes_on() => break Some(step),
                Some(step) => before = step,
                None => break None,
            }
        };
        let next = page.cut(&mut rows, |row| (row.at, row.id)).or_else(|| stopped.as_ref().map(cursor));
        Ok((Readable::collect(rows.into_iter().map(|row| row.and_then(AuditEntry::try_from))), next))
    }

    async fn audit_rows(
        &mut self,
        filter: &AuditFilter,
        before: Key,
        least: Key,
        limit: i64,
    ) -> Result<Vec<Result<StoredRow, Corrupt>>, DbError> {
        fetch!(self, "audit_list", filter.text(), table "audit" key "id" as StoredRow, [
            before.0,
            filter.actor.as_deref().unwrap_or_default(),
            filter.subject.as_deref().unwrap_or_default(),
            filter.action.as_deref().unwrap_or_default(),
            before.1,
            least.0,
            least.1,
            containing(filter.search.as_deref().unwrap_or_default()),
            limit,
        ])
    }

    /// The last row that a step of a search from `before` on looks at, when there are more.
    async fn audit_window(&mut self, filter: &AuditFilter, before: Key, since: Key) -> Result<Option<Key>, DbError> {
        let offset = i64::from(STEP) - 1;
        let of_name = match (&filter.subject, &filter.actor) {
            (Some(subject), _) => Some((WINDOW_OF_NAME[0], subject)),
            (None, Some(actor)) => Some((WINDOW_OF_NAME[1], actor)),
            (None, None) => None,
        };
        let mut rows = match of_name {
            Some((text, name)) => fetch_plain!(self, "audit_window", text, as Key, [
                before.0, before.1, since.0, since.1, offset, name
            ])?,
            None => fetch_plain!(self, "audit_window", WINDOW_OF_ALL, as Key, [
                before.0, before.1, since.0, since.1, offset
            ])?,
        };
        Ok(rows.pop())
    }

    /// Removes the oldest rows before an instant, at most `most` of them; how many. The instant is kept as a setting, and
    /// the table gives away nothing younger.
    pub async fn audit_prune(&mut self, before: Timestamp, most: u32, now: Timestamp) -> Result<u64, DbError> {
        self.setting_set(PRUNED_BEFORE, &time_text(before), now).await?;
        execute!(self, "audit_prune", AUDIT_PRUNE, [before, i64::from(most)])
    }
}

impl AuditFilter {
    /// Whether rows are looked at that do not fit: an index has those of one name only.
    fn looks_further(&self) -> bool {
        self.search.is_some() || self.action.is_some() || (self.subject.is_some() && self.actor.is_some())
    }

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
crate::statements::statements![
    AUDIT_INSERT,
    OF_SUBJECT,
    OF_ACTOR,
    ALL,
    WINDOW_OF_NAME[0],
    WINDOW_OF_NAME[1],
    WINDOW_OF_ALL,
    AUDIT_PRUNE
];
