//! The list of triggers.

use orchestrator_core::clock::Timestamp;
use orchestrator_core::trigger::{Trigger, TriggerStatus, TriggerType};

use super::row::{TriggerRow, trigger_columns, trigger_tables};
use crate::answer::Bulk;
use crate::dialect::{Sql, sql};
use crate::error::{DbError, Readable};
use crate::lists::containing;
use crate::page::PageRequest;
use crate::rows::fetch;
use crate::tx::Tx;

/// By what a list is sorted; triggers that are equal in it are in the order of their names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TriggerSort {
    /// Their name.
    #[default]
    Name,
    /// Their priority.
    Priority,
    /// The name of their status.
    Status,
    /// The name of their process.
    Process,
    /// When they last ran; those that never did first.
    LastRun,
    /// When they run next by the clock; those that will not first.
    NextRun,
}

/// Which triggers a list shows, and in which order; all live ones by name by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TriggerFilter {
    /// A part of the trigger's or process's name, whatever the case; wildcards are literal.
    pub search: Option<String>,
    /// With this status.
    pub status: Option<TriggerStatus>,
    /// Of this kind.
    pub trigger_type: Option<TriggerType>,
    /// Not held, and due before this instant: no server has looked.
    pub due_before: Option<Timestamp>,
    /// In this order.
    pub sort: TriggerSort,
    /// The other way round.
    pub descending: bool,
}

/// The key is a text on both databases, so that one cursor fits every order. Nobody has so many triggers that sorting
/// them would be slow. `COLLATE "C"` makes PostgreSQL compare as SQLite does.
macro_rules! list_text {
    ($sqlite_key:literal, $postgres_key:literal, $after:literal, $direction:literal) => {
        sql!["SELECT * FROM (SELECT " [columns trigger_columns] ", "
            [only sqlite $sqlite_key] [only postgres $postgres_key] " AS sort_key
            FROM " [columns trigger_tables]
            " WHERE t.deleted_at IS NULL
                AND (t.process_status = $3 OR $3 IS NULL) AND (t.type = $4 OR $4 IS NULL)
                AND (t.trigger_name" [like "$5"] " OR t.process_name" [like "$5"] " OR $5 IS NULL)
                AND ((t.hold = 'NONE' AND t.due_at < $6) OR $6 IS NULL)) listed
         WHERE (sort_key" [only postgres " COLLATE \"C\""] ", trigger_name" [only postgres " COLLATE \"C\""] ") "
            $after " ($1, $2)
         ORDER BY sort_key" [only postgres " COLLATE \"C\""] $direction
            ", trigger_name" [only postgres " COLLATE \"C\""] $direction " LIMIT $7"]
    };
    ($sqlite_key:literal, $postgres_key:literal) => {
        [
            list_text!($sqlite_key, $postgres_key, ">", ""),
            list_text!($sqlite_key, $postgres_key, "<", " DESC"),
        ]
    };
}
const BY_NAME: [Sql; 2] = list_text!("''", "''::text");
/// Moved to where all have ten digits, so that their texts compare as they do.
const BY_PRIORITY: [Sql; 2] =
    list_text!("CAST(t.priority + 5000000000 AS TEXT)", "CAST(t.priority::bigint + 5000000000 AS TEXT)");
const BY_STATUS: [Sql; 2] = list_text!("t.process_status", "t.process_status");
const BY_PROCESS: [Sql; 2] = list_text!("t.process_name", "t.process_name");
const BY_LAST_RUN: [Sql; 2] = list_text!(
    "COALESCE(t.last_run, '')",
    "COALESCE(to_char(t.last_run AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US'), '')"
);
const BY_NEXT_RUN: [Sql; 2] = list_text!(
    "COALESCE(s.next_run, o.next_run, '')",
    "COALESCE(to_char(COALESCE(s.next_run, o.next_run) AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US'), '')"
);

/// After every text that is stored.
const LAST: &str = "\u{10ffff}";

#[derive(Debug, sqlx::FromRow)]
struct ListedRow {
    #[sqlx(flatten)]
    trigger: TriggerRow,
    sort_key: String,
}

impl Bulk for ListedRow {
    fn bytes(&self) -> usize {
        self.trigger.bytes()
    }
}

impl TriggerFilter {
    fn statement(&self) -> Sql {
        let [ascending, descending] = match self.sort {
            TriggerSort::Name => BY_NAME,
            TriggerSort::Priority => BY_PRIORITY,
            TriggerSort::Status => BY_STATUS,
            TriggerSort::Process => BY_PROCESS,
            TriggerSort::LastRun => BY_LAST_RUN,
            TriggerSort::NextRun => BY_NEXT_RUN,
        };
        if self.descending { descending } else { ascending }
    }
}

impl Tx {
    /// Live triggers, with the cursor of the next page.
    pub async fn trigger_list(
        &mut self,
        filter: &TriggerFilter,
        page: &PageRequest,
    ) -> Result<(Readable<Trigger>, Option<String>), DbError> {
        let start = if filter.descending { LAST } else { "" };
        let after: (String, String) = page.after()?.unwrap_or_else(|| (start.to_owned(), start.to_owned()));
        let status = filter.status.map(TriggerStatus::as_str);
        let kind = filter.trigger_type.map(TriggerType::as_str);
        let search = filter.search.as_deref().map(containing);
        self.plan_for_values().await?;
        let mut rows = fetch!(
            self,
            "trigger_list",
            filter.statement(),
            table "triggers" key "id" as ListedRow,
            [&after.0, &after.1, status, kind, search.as_deref(), filter.due_before, page.fetch()]
        )?;
        let next = page.cut(&mut rows, |row| (row.sort_key.clone(), row.trigger.trigger_name.clone()));
        Ok((Readable::collect(rows.into_iter().map(|row| row?.trigger.try_into())), next))
    }
}

#[cfg(test)]
crate::statements::statements![
    BY_NAME[0],
    BY_NAME[1],
    BY_PRIORITY[0],
    BY_PRIORITY[1],
    BY_STATUS[0],
    BY_STATUS[1],
    BY_PROCESS[0],
    BY_PROCESS[1],
    BY_LAST_RUN[0],
    BY_LAST_RUN[1],
    BY_NEXT_RUN[0],
    BY_NEXT_RUN[1]
];
