//! One trigger, by what a person calls it or by its id.

use orchestrator_core::id::TriggerId;
use orchestrator_core::trigger::Trigger;
use uuid::Uuid;

use super::StoredTrigger;
use super::row::{TriggerRow, trigger_columns, trigger_tables};
use crate::dialect::{Sql, sql};
use crate::error::{Corrupt, DbError};
use crate::id_part::IdPart;
use crate::rows::{fetch, fetch_scalars};
use crate::tx::Tx;

const TRIGGER_GET: Sql = sql!["SELECT " [columns trigger_columns] " FROM " [columns trigger_tables] " WHERE t.id = $1"];

const TRIGGER_BY_NAME: Sql = sql!["SELECT " [columns trigger_columns] " FROM " [columns trigger_tables]
    " WHERE t.trigger_name = $1 AND t.deleted_at IS NULL"];

const TRIGGER_BY_ID_PART: Sql = sql!["SELECT id FROM triggers WHERE deleted_at IS NULL AND (id BETWEEN $1 AND $2 OR "
    [only postgres "REPLACE(CAST(id AS TEXT), '-', '')"] [only sqlite "lower(hex(id))"] " LIKE $3) LIMIT 2"];

const TRIGGER_EVER_BY_ID_PART: Sql = sql!["SELECT id FROM triggers WHERE id BETWEEN $1 AND $2 OR "
    [only postgres "REPLACE(CAST(id AS TEXT), '-', '')"] [only sqlite "lower(hex(id))"] " LIKE $3 LIMIT 2"];

impl Tx {
    /// The live trigger that a person means: by id, by exact name, or by a part of the id (its beginning or end, four
    /// characters at least, hyphens ignored) that fits only one.
    pub async fn trigger_find(&mut self, key: &str) -> Result<Trigger, DbError> {
        if let Ok(id) = key.parse::<TriggerId>() {
            match self.trigger_get(id).await {
                Ok(found) if !found.deleted => return Ok(found.trigger),
                Ok(_) | Err(DbError::NotFound { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        let named = fetch!(self, "trigger_find", TRIGGER_BY_NAME, table "triggers" key "id" as TriggerRow, [key])?;
        if let Some(row) = named.into_iter().next() {
            return Ok(row?.try_into()?);
        }
        let id = self.trigger_id_by_part(key).await?;
        Ok(self.trigger_get(id).await?.trigger)
    }

    /// The trigger, deleted or not, whose id has this unique beginning or end.
    pub async fn trigger_id_ever(&mut self, key: &str) -> Result<TriggerId, DbError> {
        self.trigger_id_in(TRIGGER_EVER_BY_ID_PART, key).await
    }

    async fn trigger_id_by_part(&mut self, key: &str) -> Result<TriggerId, DbError> {
        self.trigger_id_in(TRIGGER_BY_ID_PART, key).await
    }

    async fn trigger_id_in(&mut self, statement: Sql, key: &str) -> Result<TriggerId, DbError> {
        let part = IdPart::parse(key).ok_or_else(|| DbError::not_found("trigger", key))?;
        let (least, most) = part.range();
        let pattern = part.end_pattern();
        let ids = fetch_scalars!(self, "trigger_find", statement, as Uuid, [least, most, &pattern])?;
        match ids[..] {
            [] => Err(DbError::not_found("trigger", key)),
            [id] => Ok(TriggerId::from_uuid(id)),
            _ => Err(DbError::Ambiguous { what: "trigger", key: key.to_owned() }),
        }
    }

    /// A trigger by its id, deleted or not.
    pub async fn trigger_get(&mut self, id: TriggerId) -> Result<StoredTrigger, DbError> {
        let rows = fetch!(self, "trigger_get", TRIGGER_GET, table "triggers" key "id" as TriggerRow, [id.as_uuid()])?;
        let row: Option<Result<TriggerRow, Corrupt>> = rows.into_iter().next();
        Ok(row.ok_or_else(|| DbError::not_found("trigger", id))??.try_into()?)
    }
}

#[cfg(test)]
crate::statements::statements![TRIGGER_GET, TRIGGER_BY_NAME, TRIGGER_BY_ID_PART, TRIGGER_EVER_BY_ID_PART];
