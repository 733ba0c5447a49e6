//! The list of triggers.

use orchestrator_core::trigger::{Trigger, TriggerStatus, TriggerType};

use super::row::{TriggerRow, trigger_columns, trigger_tables};
use crate::dialect::{Sql, sql};
use crate::error::{DbError, Readable};
use crate::lists::containing;
use crate::page::PageRequest;
use crate::rows::fetch;
use crate::tx::Tx;

/// Which triggers a list shows; all live ones by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TriggerFilter {
    /// A part of the trigger's or process's name, whatever the case; wildcards are literal.
    pub search: Option<String>,
    /// With this status.
    pub status: Option<TriggerStatus>,
    /// Of this kind.
    pub trigger_type: Option<TriggerType>,
}

const TRIGGER_LIST: Sql = sql!["SELECT " [columns trigger_columns] " FROM " [columns trigger_tables]
    " WHERE t.deleted_at IS NULL AND t.trigger_name > $1
        AND (t.process_status = $2 OR $2 IS NULL) AND (t.type = $3 OR $3 IS NULL)
        AND (t.trigger_name" [like "$4"] " OR t.process_name" [like "$4"] " OR $4 IS NULL)
     ORDER BY t.trigger_name LIMIT $5"];

impl Tx {
    /// Live triggers by name, with the cursor of the next page.
    pub async fn trigger_list(
        &mut self,
        filter: &TriggerFilter,
        page: &PageRequest,
    ) -> Result<(Readable<Trigger>, Option<String>), DbError> {
        // No name is empty.
        let after: String = page.after()?.unwrap_or_default();
        let status = filter.status.map(TriggerStatus::as_str);
        let kind = filter.trigger_type.map(TriggerType::as_str);
        let search = filter.search.as_deref().map(containing);
        let mut rows = fetch!(
            self,
            "trigger_list",
            TRIGGER_LIST,
            table "triggers" key "id" as TriggerRow,
            [&after, status, kind, search.as_deref(), page.fetch()]
        )?;
        let next = page.cut(&mut rows, |row| row.trigger_name.clone());
        Ok((Readable::collect(rows.into_iter().map(|row| row?.try_into())), next))
    }
}

#[cfg(test)]
crate::statements::statements![TRIGGER_LIST];
