//! Decisions of the scheduler not to run an instant, with the reason, so that "why did it not run?" has an answer.

use std::fmt;
use std::str::FromStr;

use orchestrator_core::clock::Timestamp;
use orchestrator_core::id::{DecisionId, TriggerId};
use orchestrator_core::states::UnknownName;
use serde::Serialize;
use sqlx::types::Json;
use uuid::Uuid;

use crate::answer::Bulk;
use crate::dialect::{Sql, sql};
use crate::error::{Corrupt, DbError, Readable, RowAddress};
use crate::lists::time_text;
use crate::page::PageRequest;
use crate::rows::{execute, fetch};
use crate::tx::Tx;

/// Why an instant did not become a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DecisionKind {
    /// The trigger was held.
    OnHold,
    /// A job of it was active, and the policy is to skip.
    Overlap,
    /// A job of it was active: the instant waits for the end, or made room for a later one.
    Buffered,
    /// No server was there, and the policy is not to make up for it.
    Missed,
    /// It was noticed later than the policy allows.
    TooLate,
    /// The trigger waits after a failure.
    Backoff,
}

impl DecisionKind {
    /// The name as it is stored and sent.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OnHold => "ON_HOLD",
            Self::Overlap => "OVERLAP",
            Self::Buffered => "BUFFERED",
            Self::Missed => "MISSED",
            Self::TooLate => "TOO_LATE",
            Self::Backoff => "BACKOFF",
        }
    }
}

impl fmt::Display for DecisionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for DecisionKind {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        [Self::OnHold, Self::Overlap, Self::Buffered, Self::Missed, Self::TooLate, Self::Backoff]
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| UnknownName {
                what: "decision",
                value: text.to_owned(),
                expected: "ON_HOLD OVERLAP BUFFERED MISSED TOO_LATE BACKOFF",
            })
    }
}

/// One instant that did not become a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Its id.
    pub id: DecisionId,
    /// The trigger.
    pub trigger_id: TriggerId,
    /// The instant.
    pub scheduled_at: Timestamp,
    /// When it was decided.
    pub decided_at: Timestamp,
    /// What was decided.
    pub decision: DecisionKind,
    /// Why, in words.
    pub reason: String,
}

#[derive(Debug, Serialize)]
struct Record<'a> {
    id: Uuid,
    trigger_id: Uuid,
    scheduled_at: String,
    decided_at: String,
    decision: &'static str,
    reason: &'a str,
}

#[derive(Debug, sqlx::FromRow)]
struct DecisionRow {
    id: Uuid,
    trigger_id: Uuid,
    scheduled_at: Timestamp,
    decided_at: Timestamp,
    decision: String,
    reason: String,
}

impl Bulk for DecisionRow {
    fn bytes(&self) -> usize {
        200 + self.decision.len() + self.reason.len()
    }
}

impl TryFrom<DecisionRow> for Decision {
    type Error = Corrupt;

    fn try_from(row: DecisionRow) -> Result<Self, Corrupt> {
        let at = RowAddress::new("trigger_decisions", row.id);
        Ok(Self {
            id: DecisionId::from_uuid(row.id),
            trigger_id: TriggerId::from_uuid(row.trigger_id),
            scheduled_at: row.scheduled_at,
            decided_at: row.decided_at,
            decision: row.decision.parse().map_err(at.column("decision"))?,
            reason: row.reason,
        })
    }
}

const DECISION_INSERT: Sql = sql!["INSERT INTO trigger_decisions (id, trigger_id, scheduled_at, decided_at, decision, reason) "
    [only sqlite "SELECT unhex(value->>'id', '-'), unhex(value->>'trigger_id', '-'), value->>'scheduled_at',
        value->>'decided_at', value->>'decision', value->>'reason' FROM json_each($1)"]
    [only postgres "SELECT id, trigger_id, scheduled_at, decided_at, decision, reason FROM jsonb_to_recordset($1)
        AS v(id uuid, trigger_id uuid, scheduled_at timestamptz, decided_at timestamptz, decision text, reason text)"]];

macro_rules! decision_columns {
    () => {
        "id, trigger_id, scheduled_at, decided_at, decision, reason"
    };
}

const DECISION_LIST: Sql = sql!["SELECT " [columns decision_columns] " FROM trigger_decisions
     WHERE id < $1 ORDER BY id DESC LIMIT $2"];

const DECISION_LIST_OF_TRIGGER: Sql = sql!["SELECT " [columns decision_columns] " FROM trigger_decisions
     WHERE trigger_id = $3 AND id < $1 ORDER BY id DESC LIMIT $2"];

const DECISION_PRUNE: Sql = sql!["DELETE FROM trigger_decisions WHERE id" [in_open]
    "SELECT id FROM trigger_decisions WHERE decided_at < $1 ORDER BY decided_at LIMIT $2" [in_close]];

impl Tx {
    /// Records decisions, all at once.
    pub async fn decision_insert(&mut self, rows: &[Decision]) -> Result<(), DbError> {
        if rows.is_empty() {
            return Ok(());
        }
        let records: Vec<Record<'_>> = rows
            .iter()
            .map(|row| Record {
                id: row.id.as_uuid(),
                trigger_id: row.trigger_id.as_uuid(),
                scheduled_at: time_text(row.scheduled_at),
                decided_at: time_text(row.decided_at),
                decision: row.decision.as_str(),
                reason: &row.reason,
            })
            .collect();
        execute!(self, "decision_insert", DECISION_INSERT, [Json(&records)])?;
        Ok(())
    }

    /// Decisions about one trigger or about all, the newest first, with the cursor of the next page.
    pub async fn decision_list(
        &mut self,
        trigger: Option<TriggerId>,
        page: &PageRequest,
    ) -> Result<(Vec<Decision>, Option<String>), DbError> {
        let before: Uuid = page.after()?.unwrap_or(Uuid::max());
        let mut rows = match trigger {
            None => fetch!(
                self,
                "decision_list",
                DECISION_LIST,
                table "trigger_decisions" key "id" as DecisionRow,
                [before, page.fetch()]
            )?,
            Some(trigger) => fetch!(
                self,
                "decision_list",
                DECISION_LIST_OF_TRIGGER,
                table "trigger_decisions" key "id" as DecisionRow,
                [before, page.fetch(), trigger.as_uuid()]
            )?,
        };
        let next = page.cut(&mut rows, |row| row.id);
        Ok((Readable::collect(rows.into_iter().map(|row| row?.try_into())).rows, next))
    }

    /// Deletes up to `limit` decisions that are older than `before`; how many.
    pub async fn decision_prune(&mut self, before: Timestamp, limit: u32) -> Result<u64, DbError> {
        execute!(self, "decision_prune", DECISION_PRUNE, [before, i64::from(limit)])
    }
}

#[cfg(test)]
crate::statements::statements![DECISION_INSERT, DECISION_LIST, DECISION_LIST_OF_TRIGGER, DECISION_PRUNE];
