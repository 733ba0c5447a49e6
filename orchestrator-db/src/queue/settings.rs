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

const SETTINGS_ALL: Sql = sql!["SELECT queue_name, max_attempts FROM queue_settings"];
const SETTINGS_OF: Sql = sql!["SELECT queue_name, max_attempts FROM queue_settings WHERE queue_name" [in_texts "$1"]];
const SETTINGS_SET: Sql = sql![
    "INSERT INTO queue_settings (queue_name, max_attempts, changed_at, changed_by)
     VALUES ($1, $2, $3, $4) ON CONFLICT (queue_name) DO UPDATE
     SET max_attempts = excluded.max_attempts, changed_at = excluded.changed_at, changed_by = excluded.changed_by"
];

impl Tx {
    pub(super) async fn queue_settings_all(&mut self) -> Result<BTreeMap<String, QueueSettings>, DbError> {
        let rows = fetch_plain!(self, "queue_settings", SETTINGS_ALL, as (String, i64), [])?;
        decode(rows)
    }

    /// The settings of some queues; those that have none are left out.
    pub(super) async fn queue_settings_of(
        &mut self,
        queues: impl Iterator<Item = &QueueName>,
    ) -> Result<BTreeMap<String, QueueSettings>, DbError> {
        let names: Texts = queues.map(QueueName::as_str).collect::<BTreeSet<_>>().into_iter().collect();
        let rows = fetch_plain!(self, "queue_settings", SETTINGS_OF, as (String, i64), [&names])?;
        decode(rows)
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

fn decode(rows: Vec<(String, i64)>) -> Result<BTreeMap<String, QueueSettings>, DbError> {
    rows.into_iter()
        .map(|(queue, max_attempts)| {
            let at = RowAddress::new("queue_settings", &queue);
            let max_attempts = u32::try_from(max_attempts).map_err(at.column("max_attempts"))?;
            Ok((queue, QueueSettings { max_attempts }))
        })
        .collect()
}

#[cfg(test)]
crate::statements::statements![SETTINGS_ALL, SETTINGS_OF, SETTINGS_SET];
