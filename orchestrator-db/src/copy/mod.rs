//! A copy of an SQLite database in an empty PostgreSQL one: for a team whose server has outgrown its machine.
//!
//! All of it is one transaction: the copy is whole, or there is none. What is read does not change: the file's lock is held,
//! and it is written to by nobody. Ids, tokens, times and counters stay what they are, so that workers, robots and people
//! go on with the server that is started on the copy.

mod refused;
mod rows;
mod table;

use futures_util::TryStreamExt as _;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, SqliteConnection};

pub use self::refused::RefusedRow;
use self::refused::insert_or_name;
use self::rows::Batch;
pub use self::table::TABLES;
use self::table::Table;
use crate::connect::{ConnectError, Db, DbOptions};

/// Why no copy was made.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The source is not SQLite, or the target is not PostgreSQL.
    #[error("a copy is made from SQLite to PostgreSQL")]
    Direction,
    /// One of the databases cannot be opened.
    #[error("the database to copy {side} cannot be opened")]
    Open {
        /// `from` or `to`.
        side: &'static str,
        /// Why not.
        #[source]
        source: ConnectError,
    },
    /// The target has been used.
    #[error("the database to copy to is not empty: its table {table} has rows")]
    NotEmpty {
        /// The first table that has some.
        table: &'static str,
    },
    /// The row counts differ.
    #[error("{written} of {read} rows of {table} were written")]
    Incomplete {
        /// The table.
        table: &'static str,
        /// Rows of the source.
        read: u64,
        /// Rows of the copy.
        written: u64,
    },
    /// Reading failed.
    #[error("the rows of {table} cannot be read")]
    Read {
        /// The table.
        table: &'static str,
        /// What SQLite says.
        #[source]
        source: sqlx::Error,
    },
    /// PostgreSQL does not take a row.
    #[error("PostgreSQL refuses {row}")]
    Refused {
        /// The first such row.
        row: Box<RefusedRow>,
        /// What PostgreSQL says.
        #[source]
        source: sqlx::Error,
    },
    /// Writing failed.
    #[error("the rows of {table} cannot be written")]
    Write {
        /// The table.
        table: &'static str,
        /// What PostgreSQL says.
        #[source]
        source: sqlx::Error,
    },
}

/// How far a copy is: told after each part, and once more when a table is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Copied {
    /// The table.
    pub table: &'static str,
    /// Its rows that are written.
    pub rows: u64,
    /// Whether that is all of them.
    pub is_done: bool,
}

/// Copies everything. The source has all migrations and no server; the target is migrated, and refused where it holds
/// anything. Returns how many rows each table has, in the order of [`TABLES`].
pub async fn copy_to_postgres(
    from: &DbOptions,
    to: &DbOptions,
    mut progress: impl FnMut(Copied),
) -> Result<Vec<(&'static str, u64)>, CopyError> {
    if !from.url.starts_with("sqlite:") || !to.url.starts_with("postgres") {
        return Err(CopyError::Direction);
    }
    let source = open_source(from).await?;
    let target = open_target(to).await?;
    let done = match (source.sqlite(), target.postgres()) {
        (Some(read), Some(pool)) => {
            let failed = |source| CopyError::Open { side: "to", source: ConnectError::Unreachable(source) };
            let mut write = pool.acquire().await.map_err(failed)?;
            let mut read = read
                .acquire()
                .await
                .map_err(|source| CopyError::Open { side: "from", source: ConnectError::Unreachable(source) })?;
            copy(&mut read, &mut write, &mut progress).await
        }
        _ => Err(CopyError::Direction),
    };
    source.close().await;
    target.close().await;
    done
}

async fn open_source(from: &DbOptions) -> Result<Db, CopyError> {
    let failed = |source| CopyError::Open { side: "from", source };
    let db = Db::connect(from).await.map_err(failed)?;
    if db.migration_status().await.map_err(failed)?.iter().any(|migration| !migration.applied) {
        db.close().await;
        return Err(failed(ConnectError::NotMigrated));
    }
    Ok(db)
}

/// Migrates the target only once it is known to be empty: one that servers use may be of an older version, and must stay so.
async fn open_target(to: &DbOptions) -> Result<Db, CopyError> {
    let failed = |source| CopyError::Open { side: "to", source };
    let db = Db::connect(to).await.map_err(failed)?;
    let pool = db.postgres().ok_or(CopyError::Direction)?;
    let mut connection = pool.acquire().await.map_err(|source| failed(ConnectError::Unreachable(source)))?;
    for table in TABLES {
        if rows::exists(&mut connection, table).await? && rows::any(&mut connection, table).await? {
            return Err(CopyError::NotEmpty { table });
        }
    }
    drop(connection);
    db.migrate().await.map_err(failed)?;
    Ok(db)
}

async fn copy(
    read: &mut SqliteConnection,
    write: &mut PgConnection,
    progress: &mut impl FnMut(Copied),
) -> Result<Vec<(&'static str, u64)>, CopyError> {
    let first = TABLES[0];
    let mut read = read.begin().await.map_err(|source| CopyError::Read { table: first, source })?;
    let mut tx = write.begin().await.map_err(|source| CopyError::Write { table: first, source })?;
    // Nobody makes anything meanwhile: a server that is started on the target waits here.
    let lock = format!("LOCK TABLE {} IN EXCLUSIVE MODE", TABLES.join(", "));
    sqlx::query(AssertSqlSafe(lock))
        .execute(&mut *tx)
        .await
        .map_err(|source| CopyError::Write { table: first, source })?;
    for table in TABLES {
        if rows::any(&mut tx, table).await? {
            return Err(CopyError::NotEmpty { table });
        }
    }
    let mut counts = Vec::with_capacity(TABLES.len());
    for name in TABLES {
        let table = Table::describe(name, &mut tx).await?;
        let count = copy_table(&mut read, &mut tx, &table, progress).await?;
        counts.push((name, count));
    }
    tx.commit().await.map_err(|source| CopyError::Write { table: first, source })?;
    // Else the first claims would be planned for empty tables. All tables would be the system's too, each with a warning.
    let analyze = format!("ANALYZE {}", TABLES.join(", "));
    sqlx::query(AssertSqlSafe(analyze))
        .execute(write)
        .await
        .map_err(|source| CopyError::Write { table: first, source })?;
    Ok(counts)
}

async fn copy_table(
    read: &mut SqliteConnection,
    write: &mut PgConnection,
    table: &Table,
    progress: &mut impl FnMut(Copied),
) -> Result<u64, CopyError> {
    let name = table.name;
    let select = table.select();
    let mut found = sqlx::query_scalar::<_, String>(AssertSqlSafe(select)).fetch(&mut *read);
    let (mut batch, mut seen) = (Batch::default(), 0);
    while let Some(row) = found.try_next().await.map_err(|source| CopyError::Read { table: name, source })? {
        seen += 1;
        batch.add(row);
        if batch.is_full() {
            insert_or_name(write, table, &batch.take()).await?;
            progress(Copied { table: name, rows: seen, is_done: false });
        }
    }
    if !batch.is_empty() {
        insert_or_name(write, table, &batch.take()).await?;
    }
    let written = rows::count(write, name).await?;
    if written != seen {
        return Err(CopyError::Incomplete { table: name, read: seen, written });
    }
    progress(Copied { table: name, rows: seen, is_done: true });
    Ok(seen)
}
