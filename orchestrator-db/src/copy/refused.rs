//! Which row it is that PostgreSQL refuses: whoever asked for the copy has to find it.

use std::fmt;

use serde_json::Value;
use sqlx::{Connection as _, PgConnection};
use uuid::Uuid;

use super::CopyError;
use super::rows::{self, insert};
use super::table::Table;

/// A row of the source that PostgreSQL does not take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedRow {
    /// Its table.
    pub table: &'static str,
    /// The columns of its key with their values, an id as people write it.
    pub key: Vec<(String, String)>,
    /// The column that is refused, where that can be told.
    pub column: Option<String>,
    /// That column is a text with a NUL character, which no text of PostgreSQL can have.
    pub has_nul: bool,
}

/// As people find it: `id 0199c1de-…`, with its column.
impl fmt::Display for RefusedRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the row of {} with ", self.table)?;
        for (index, (name, value)) in self.key.iter().enumerate() {
            write!(f, "{}{name} {value}", if index == 0 { "" } else { ", " })?;
        }
        if let Some(column) = &self.column {
            write!(f, ": its column {column}")?;
        }
        Ok(())
    }
}

/// Writes rows, all or none; where one is refused, it is named.
pub(super) async fn insert_or_name(write: &mut PgConnection, table: &Table, rows: &[String]) -> Result<(), CopyError> {
    let failed = |source| CopyError::Write { table: table.name, source };
    // What is refused would end the transaction with which its neighbours are looked at.
    let mut attempt = write.begin().await.map_err(failed)?;
    match insert(&mut attempt, table, rows).await {
        Ok(()) => attempt.commit().await.map_err(failed),
        Err(source @ sqlx::Error::Database(_)) => {
            attempt.rollback().await.map_err(failed)?;
            Err(name(write, table, rows, source).await?)
        }
        Err(source) => Err(failed(source)),
    }
}

/// The first of the rows that is refused, found by halves.
async fn name(
    write: &mut PgConnection,
    table: &Table,
    rows: &[String],
    mut source: sqlx::Error,
) -> Result<CopyError, CopyError> {
    let failed = |source| CopyError::Write { table: table.name, source };
    let mut suspects = rows;
    while suspects.len() > 1 {
        let (older, newer) = suspects.split_at(suspects.len() / 2);
        let mut attempt = write.begin().await.map_err(failed)?;
        suspects = match insert(&mut attempt, table, older).await {
            // They stay, because the others may refer to them.
            Ok(()) => {
                attempt.commit().await.map_err(failed)?;
                newer
            }
            Err(error) => {
                attempt.rollback().await.map_err(failed)?;
                source = error;
                older
            }
        };
    }
    let Some(row) = suspects.first() else { return Ok(failed(source)) };
    // What the last of several is refused for was said of all of them, which may not be the same.
    let mut attempt = write.begin().await.map_err(failed)?;
    if let Err(error) = insert(&mut attempt, table, std::slice::from_ref(row)).await {
        source = error;
    }
    attempt.rollback().await.map_err(failed)?;
    let key = rows::key_of(write, table.name).await?;
    Ok(match refused(table.name, &key, row, &source) {
        Some(row) => CopyError::Refused { row: Box::new(row), source },
        None => failed(source),
    })
}

fn refused(table: &'static str, key: &[String], row: &str, source: &sqlx::Error) -> Option<RefusedRow> {
    let Ok(Value::Object(values)) = serde_json::from_str::<Value>(row) else { return None };
    let named = |name: &String| values.get(name).map(|value| (name.clone(), shown(value)));
    let mut key: Vec<(String, String)> = key.iter().filter_map(named).collect();
    if key.is_empty() {
        // A number that PostgreSQL makes itself is not copied: what the row says is all there is to know it by.
        key = values.iter().map(|(name, value)| (name.clone(), shown(value))).collect();
    }
    let nul = values.iter().find(|(_, value)| has_nul(value)).map(|(name, _)| name.clone());
    // In a document it is spelled otherwise than in a text.
    let has_nul = nul.as_ref().is_some_and(|name| values.get(name).is_some_and(Value::is_string));
    let column = nul.or_else(|| column_of(source));
    Some(RefusedRow { table, key, column, has_nul })
}

/// A value as people write it.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) if text.len() == 32 => {
            Uuid::parse_str(text).map_or_else(|_| text.clone(), |id| id.to_string())
        }
        Value::String(text) => text.escape_debug().to_string(),
        other => other.to_string(),
    }
}

fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(values) => values.iter().any(has_nul),
        Value::Object(fields) => fields.iter().any(|(name, value)| name.contains('\0') || has_nul(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// The column that PostgreSQL names: by itself, or in the place where it was when it refused (`JSON key "x"`).
fn column_of(source: &sqlx::Error) -> Option<String> {
    let said = source.as_database_error()?.try_downcast_ref::<sqlx::postgres::PgDatabaseError>()?;
    let of_json = || Some(said.r#where()?.rsplit_once("JSON key \"")?.1.split_once('"')?.0.to_owned());
    said.column().map(str::to_owned).or_else(of_json).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_named_by_its_key_and_column() {
        let named = |data: &str| {
            let row = format!("{{\"id\": \"0199C1DE7A107000800000000000000A\", \"data\": {data}}}");
            refused("queues", &["id".to_owned()], &row, &sqlx::Error::RowNotFound).unwrap()
        };
        let found = named("{\"a\": [\"x\\u0000\"]}");
        assert!(!found.has_nul && named("\"x\\u0000\"").has_nul);
        assert_eq!(
            found.to_string(),
            "the row of queues with id 0199c1de-7a10-7000-8000-00000000000a: its column data"
        );
    }
}
