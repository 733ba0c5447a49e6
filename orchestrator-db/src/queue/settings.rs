use std::collections::{BTreeMap, BTreeSet};

use orchestrator_core::actor::Actor;
use orchestrator_core::clock::Timestamp;
use orchestrator_core::text::QueueName;

use crate::dialect::{Sql, sql};
use crate::error::{DbError, RowAddress};
use crate::lists::Texts;
use crate::rows::{execute, fetch_plain};
use crate::tx::Tx;

/// How a queue treats its elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueSettings {
    /// How often an element may be claimed before it is abandoned, at least 1.
    pub max_attempts: u32,
}

impl Default for QueueSettings {
    fn default() -> Self {
        Self { max_attempts: 1 }
    }
}

/// What is stored of a queue beside its elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Stored {
    pub(super) settings: QueueSettings,
    pub(super) paused: bool,
}

const SETTINGS_ALL: Sql = sql!["SELECT queue_name, max_attempts, paused FROM queue_settings"];
const SETTINGS_OF: Sql =
    sql!["SELECT queue_name, max_attempts, paused FROM queue_settings WHERE queue_name" [in_texts "$1"]];
const SETTINGS_SET: Sql = sql![
    "INSERT INTO queue_settings (queue_name, max_attempts, changed_at, changed_by)
     VALUES ($1, $2, $3, $4) ON CONFLICT (queue_name) DO UPDATE
     SET max_attempts = excluded.max_attempts, changed_at = excluded.changed_at, changed_by = excluded.changed_by"
];
// One that is resumed keeps its row: what else was set for it stays.
const PAUSED_SET: Sql = sql![
    "INSERT INTO queue_settings (queue_name, max_attempts, paused, changed_at, changed_by)
     VALUES ($1, 1, $2, $3, $4) ON CONFLICT (queue_name) DO UPDATE
     SET paused = excluded.paused, changed_at = excluded.changed_at, changed_by = excluded.changed_by
     WHERE queue_settings.paused <> excluded.paused"
];
const SETTINGS_DELETE: Sql = sql!["DELETE FROM queue_settings WHERE queue_name = $1"];

type SettingsRow = (String, i64, bool);

impl Tx {
    pub(super) async fn queue_settings_all(&mut self) -> Result<BTreeMap<String, Stored>, DbError> {
        let rows = fetch_plain!(self, "queue_settings", SETTINGS_ALL, as SettingsRow, [])?;
        decode(rows)
    }

    pub(super) async fn queue_stored_settings(&mut self, queue: &QueueName) -> Result<Option<Stored>, DbError> {
        let names: Texts = std::iter::once(queue.as_str()).collect();
        let rows = fetch_plain!(self, "queue_settings", SETTINGS_OF, as SettingsRow, [&names])?;
        Ok(decode(rows)?.remove(queue.as_str()))
    }

    /// Holds a queue, or lets go of it. Whether that changed anything.
    pub async fn queue_set_paused(
        &mut self,
        queue: &QueueName,
        paused: bool,
        by: &Actor,
        now: Timestamp,
    ) -> Result<bool, DbError> {
        // To resume a queue that was never paused would make settings for it.
        if !paused && !self.queue_stored_settings(queue).await?.unwrap_or_default().paused {
            return Ok(false);
        }
        let changed = execute!(self, "queue_set_paused", PAUSED_SET, [queue.as_str(), paused, now, by.name.as_str()])?;
        Ok(changed > 0)
    }

    /// Forgets what was set for a queue.
    pub async fn queue_settings_delete(&mut self, queue: &QueueName) -> Result<(), DbError> {
        execute!(self, "queue_settings_delete", SETTINGS_DELETE, [queue.as_str()]).map(drop)
    }

    /// The settings of some queues; those that have none are left out.
    pub(super) async fn queue_settings_of(
        &mut self,
        queues: impl Iterator<Item = &QueueName>,
    ) -> Result<BTreeMap<String, QueueSettings>, DbError> {
        let names: Texts = queues.map(QueueName::as_str).collect::<BTreeSet<_>>().into_iter().collect();
        let rows = fetch_plain!(self, "queue_settings", SETTINGS_OF, as SettingsRow, [&names])?;
        Ok(decode(rows)?.into_iter().map(|(queue, stored)| (queue, stored.settings)).collect())
    }

    /// What was set for a queue, if anything was.
    pub async fn queue_settings_get(&mut self, queue: &QueueName) -> Result<Option<QueueSettings>, DbError> {
        Ok(self.queue_settings_of(std::iter::once(queue)).await?.remove(queue.as_str()))
    }

    /// Sets how a queue treats its elements.
    pub async fn queue_settings_set(
        &mut self,
        queue: &QueueName,
        settings: QueueSettings,
        by: &Actor,
        now: Timestamp,
    ) -> Result<(), DbError> {
        execute!(
            self,
            "queue_settings_set",
            SETTINGS_SET,
            [queue.as_str(), i64::from(settings.max_attempts), now, by.name.as_str()]
        )
        .map(drop)
    }
}

fn decode(rows: Vec<SettingsRow>) -> Result<BTreeMap<String, Stored>, DbError> {
    rows.into_iter()
        .map(|(queue, max_attempts, paused)| {
            let at = RowAddress::new("queue_settings", &queue);
            let max_attempts = u32::try_from(max_attempts).map_err(at.column("max_attempts"))?;
            Ok((queue, Stored { settings: QueueSettings { max_attempts }, paused }))
        })
        .collect()
}

#[cfg(test)]
crate::statements::statements![SETTINGS_ALL, SETTINGS_OF, SETTINGS_SET, PAUSED_SET, SETTINGS_DELETE];
