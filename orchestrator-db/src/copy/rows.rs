//! Rows on their way: as many as make a statement worth while.

use sqlx::{AssertSqlSafe, PgConnection};

use super::CopyError;
use super::table::Table;

/// Rows of one statement at most.
const MOST_ROWS: usize = 2_000;

/// Bytes of one statement, at which no more rows are added.
const ENOUGH_BYTES: usize = 4 << 20;

/// Objects that are being written.
#[derive(Debug, Default)]
pub(super) struct Batch {
    rows: Vec<String>,
    bytes: usize,
}

impl Batch {
    pub(super) fn add(&mut self, row: String) {
        self.bytes += row.len();
        self.rows.push(row);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub(super) fn is_full(&self) -> bool {
        self.rows.len() >= MOST_ROWS || self.bytes >= ENOUGH_BYTES
    }

    /// The objects, and nothing in their place.
    pub(super) fn take(&mut self) -> Vec<String> {
        self.bytes = 0;
        std::mem::take(&mut self.rows)
    }
}

pub(super) async fn insert(write: &mut PgConnection, table: &Table, rows: &[String]) -> Result<(), sqlx::Error> {
    let list = format!("[{}]", rows.join(","));
    sqlx::query(AssertSqlSafe(table.insert())).bind(list).execute(write).await.map(drop)
}

/// The columns of a table's primary key.
pub(super) async fn key_of(write: &mut PgConnection, table: &'static str) -> Result<Vec<String>, CopyError> {
    sqlx::query_scalar(
        "SELECT a.attname::text FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY(i.indkey)
         WHERE i.indrelid = to_regclass($1) AND i.indisprimary ORDER BY a.attnum",
    )
    .bind(table)
    .fetch_all(write)
    .await
    .map_err(|source| CopyError::Write { table, source })
}

pub(super) async fn count(write: &mut PgConnection, table: &'static str) -> Result<u64, CopyError> {
    let count: i64 = sqlx::query_scalar(AssertSqlSafe(format!("SELECT COUNT(*) FROM {table}")))
        .fetch_one(write)
        .await
        .map_err(|source| CopyError::Write { table, source })?;
    Ok(u64::try_from(count).unwrap_or_default())
}

pub(super) async fn exists(write: &mut PgConnection, table: &'static str) -> Result<bool, CopyError> {
    sqlx::query_scalar("SELECT to_regclass($1) IS NOT NULL")
        .bind(table)
        .fetch_one(write)
        .await
        .map_err(|source| CopyError::Write { table, source })
}

pub(super) async fn any(write: &mut PgConnection, table: &'static str) -> Result<bool, CopyError> {
    sqlx::query_scalar(AssertSqlSafe(format!("SELECT EXISTS (SELECT 1 FROM {table})")))
        .fetch_one(write)
        .await
        .map_err(|source| CopyError::Write { table, source })
}
