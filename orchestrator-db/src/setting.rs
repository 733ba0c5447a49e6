//! Settings of the whole installation: named documents.

use orchestrator_core::clock::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use sqlx::types::Json;

use crate::dialect::{Sql, sql};
use crate::error::{DbError, RowAddress};
use crate::rows::{execute, fetch_scalars};
use crate::tx::Tx;

const SETTING_GET: Sql = sql!["SELECT value FROM settings WHERE name = $1"];
const SETTING_SET: Sql = sql![
    "INSERT INTO settings (name, value, changed_at) VALUES ($1, $2, $3)
     ON CONFLICT (name) DO UPDATE SET value = excluded.value, changed_at = excluded.changed_at"
];

impl Tx {
    /// A setting, if it was ever set.
    pub async fn setting_get<T: DeserializeOwned>(&mut self, name: &str) -> Result<Option<T>, DbError> {
        let value = fetch_scalars!(self, "setting_get", SETTING_GET, as Json<Value>, [name])?.pop();
        let at = RowAddress::new("settings", name);
        Ok(value.map(|Json(value)| serde_json::from_value(value)).transpose().map_err(at.column("value"))?)
    }

    /// Sets a setting.
    pub async fn setting_set<T: Serialize + Sync>(
        &mut self,
        name: &str,
        value: &T,
        now: Timestamp,
    ) -> Result<(), DbError> {
        execute!(self, "setting_set", SETTING_SET, [name, Json(value), now]).map(drop)
    }
}

#[cfg(test)]
crate::statements::statements![SETTING_GET, SETTING_SET];
