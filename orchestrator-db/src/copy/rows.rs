//! Rows on their way: as many as make a statement worth while.

use sqlx::{AssertSqlSafe, PgConnection};

use super::CopyError;
use super::table::Table;

/// Rows of one statement at most.
const MOST_ROWS: usize = 2_000;

/// Bytes of one statement, at which no more rows are added.
const ENOUGH_BYTES: usize = 4 << 20;

/// A list of objects that is being written.
#[derive(Debug, Default)]
pub(super) struct Batch {
    text: String,
    rows: usize,
}

impl Batch {
    pub(super) fn add(&mut self, row: &str) {
        self.text.push(if self.rows == 0 { '[' } else { ',' });
        self.text.push_str(row);
        self.rows += 1;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows == 0
    }

    pub(super) fn is_full(&self) -> bool {
        self.rows >= MOST_ROWS || self.text.len() >= ENOUGH_BYTES
    }

    /// The list, and an empty one in its place.
    pub(super) fn take(&mut self) -> String {
        let mut taken = std::mem::take(self);
        taken.text.push(']');
        taken.text
    }
}

pub(super) async fn insert(write: &mut PgConnection, table: &Table, rows: String) -> Result<(), CopyError> {
    let done = sqlx::query(AssertSqlSafe(table.insert())).bind(rows).execute(write).await;
    done.map(drop).map_err(|source| CopyError::Write { table: table.name, source })
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
