//! Constants.

use chrono::{DateTime, Utc};
use orchestrator_core::constant::Constant;
use orchestrator_core::text::{ActorName, ConstantName, ConstantValue};

use crate::answer::{Bulk, texts};
use crate::dialect::{Sql, sql};
use crate::error::{DbError, Readable};
use crate::page::PageRequest;
use crate::rows::{execute, fetch, fetch_scalars};
use crate::tx::Tx;

macro_rules! constant_columns {
    () => {
        "name, value, changed_at, changed_by"
    };
}

const CONSTANT_GET: Sql = sql!["SELECT " [columns constant_columns] " FROM constants WHERE name = $1"];
const CONSTANT_NAMES: Sql = sql!["SELECT name FROM constants"];
const CONSTANT_LIST: Sql =
    sql!["SELECT " [columns constant_columns] " FROM constants WHERE name > $1 ORDER BY name LIMIT $2"];
const CONSTANT_CREATE: Sql = sql!["INSERT INTO constants (" [columns constant_columns] ") VALUES ($1, $2, $3, $4)"];
const CONSTANT_SET: Sql = sql!["INSERT INTO constants (" [columns constant_columns] ") VALUES ($1, $2, $3, $4)
     ON CONFLICT (name) DO UPDATE
     SET value = excluded.value, changed_at = excluded.changed_at, changed_by = excluded.changed_by"];
const CONSTANT_UPDATE: Sql = sql!["UPDATE constants SET value = $2, changed_at = $3, changed_by = $4 WHERE name = $1"];
const CONSTANT_DELETE: Sql = sql!["DELETE FROM constants WHERE name = $1"];

#[derive(Debug, sqlx::FromRow)]
struct ConstantRow {
    name: String,
    value: String,
    changed_at: DateTime<Utc>,
    changed_by: Option<String>,
}

impl Bulk for ConstantRow {
    fn bytes(&self) -> usize {
        100 + self.name.len() + self.value.len() + texts([&self.changed_by])
    }
}

impl From<ConstantRow> for Constant {
    fn from(row: ConstantRow) -> Self {
        Self {
            name: ConstantName::from_stored(row.name),
            value: ConstantValue::from_stored(row.value),
            changed_at: row.changed_at,
            changed_by: row.changed_by.map(ActorName::from_stored),
        }
    }
}

impl Tx {
    /// A constant.
    pub async fn constant_get(&mut self, name: &ConstantName) -> Result<Constant, DbError> {
        let rows =
            fetch!(self, "constant_get", CONSTANT_GET, table "constants" key "name" as ConstantRow, [name.as_str()]);
        let row = rows?.pop().ok_or_else(|| DbError::not_found("constant", name))?;
        Ok(row?.into())
    }

    /// The constant that is meant by a name: the one that has it, or else the only one whose name differs in case and
    /// trailing blanks only.
    pub async fn constant_meant(&mut self, name: &ConstantName) -> Result<Constant, DbError> {
        match self.constant_get(name).await {
            Err(DbError::NotFound { .. }) => {}
            found => return found,
        }
        let names = fetch_scalars!(self, "constant_names", CONSTANT_NAMES, as String, [])?;
        let meant = DbError::meant_of("constant", name.as_str(), names)?;
        self.constant_get(&ConstantName::from_stored(meant)).await
    }

    /// A page of constants by name, with the cursor of the next one.
    pub async fn constant_list(&mut self, page: &PageRequest) -> Result<(Readable<Constant>, Option<String>), DbError> {
        let after = page.after::<String>()?.unwrap_or_default();
        let mut rows = fetch!(self, "constant_list", CONSTANT_LIST, table "constants" key "name" as ConstantRow, [
            after,
            page.fetch(),
        ])?;
        let next = page.cut(&mut rows, |row| row.name.clone());
        Ok((Readable::collect(rows.into_iter().map(|row| row.map(Constant::from))), next))
    }

    /// Creates a constant; a conflict when the name exists.
    pub async fn constant_create(&mut self, constant: &Constant) -> Result<(), DbError> {
        self.constant_write("constant_create", CONSTANT_CREATE, constant).await.map(drop)
    }

    /// Creates or replaces a constant.
    pub async fn constant_set(&mut self, constant: &Constant) -> Result<(), DbError> {
        self.constant_write("constant_set", CONSTANT_SET, constant).await.map(drop)
    }

    /// Replaces a constant that exists.
    pub async fn constant_update(&mut self, constant: &Constant) -> Result<(), DbError> {
        match self.constant_write("constant_update", CONSTANT_UPDATE, constant).await? {
            0 => Err(DbError::not_found("constant", &constant.name)),
            _ => Ok(()),
        }
    }

    /// Removes a constant.
    pub async fn constant_delete(&mut self, name: &ConstantName) -> Result<(), DbError> {
        match execute!(self, "constant_delete", CONSTANT_DELETE, [name.as_str()])? {
            0 => Err(DbError::not_found("constant", name)),
            _ => Ok(()),
        }
    }

    async fn constant_write(&mut self, op: &'static str, text: Sql, constant: &Constant) -> Result<u64, DbError> {
        execute!(
            self,
            op,
            text,
            [
                constant.name.as_str(),
                constant.value.as_str(),
                constant.changed_at,
                constant.changed_by.as_ref().map(ActorName::as_str),
            ]
        )
    }
}

#[cfg(test)]
crate::statements::statements![
    CONSTANT_GET,
    CONSTANT_NAMES,
    CONSTANT_LIST,
    CONSTANT_CREATE,
    CONSTANT_SET,
    CONSTANT_UPDATE,
    CONSTANT_DELETE
];
