//! Opening a database: migrations, durability, and one server per SQLite file.

mod begin;
mod error;
mod file;
mod migrations;
mod options;
mod pools;

use std::fs::File;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{Connection as _, PgConnection, PgPool, Sqlite, SqlitePool};
use uuid::Uuid;

pub(crate) use self::begin::{Hot, LaneLine};
pub use self::error::ConnectError;
pub(crate) use self::file::{lock_file, own_file};
pub use self::migrations::MigrationStatus;
pub(crate) use self::migrations::SQLITE_MIGRATIONS;
pub use self::options::DbOptions;
pub(crate) use self::pools::{STEADY_PLANS, is_dead};
use self::pools::{postgres_pool, sqlite_pool};
use crate::dialect::Dialect;
use crate::error::DbError;
use crate::line::Line;
use crate::queue::Marks;
use crate::tx::{Tx, TxInner};

/// Prepared statements that a connection keeps: more than there are, so that none is prepared twice.
const STATEMENTS: usize = 500;

/// Connections to PostgreSQL for what must not wait. The scheduler's verbs are short, and share their transactions.
pub(crate) const HOT_CONNECTIONS: u32 = 4;

/// Pages of SQLite's log after which a commit has to move them into the file by itself. [`Db::checkpoint`] does so much
/// sooner, beside the writer.
const MOST_LOG_PAGES: &str = "8000";

/// How much of the file SQLite's writer keeps in memory, in KiB (negative: not in pages). What does not fit is written twice
/// when a large transaction changes it.
const WRITER_CACHE: &str = "-16384";

/// A database, cheap to clone.
#[derive(Debug, Clone)]
pub struct Db {
    pools: Pools,
    origin: Uuid,
    /// Kept for PostgreSQL only: SQLite leaves no dead entries for claims to walk over.
    marks: Option<Arc<Marks>>,
}

#[derive(Debug, Clone)]
enum Pools {
    Sqlite {
        /// One connection: SQLite has one writer, and waiting in our own queue is fair.
        write: Line<Sqlite>,
        read: SqlitePool,
        /// Held while the database is open.
        _lock: Arc<File>,
    },
    Postgres {
        pool: PgPool,
        /// A few connections of their own for what must not wait: kept open, so that their statements stay prepared.
        hot: PgPool,
    },
}

impl Db {
    /// Opens a database, checks its durability and migrates it.
    pub async fn open(options: &DbOptions) -> Result<Self, ConnectError> {
        let db = Self::connect(options).await?;
        db.migrate().await?;
        Ok(db)
    }

    /// Opens a database without migrating it.
    pub async fn connect(options: &DbOptions) -> Result<Self, ConnectError> {
        let scheme = options.url.split(':').next().unwrap_or_default();
        match scheme {
            "sqlite" => Self::connect_sqlite(options).await,
            "postgres" | "postgresql" => Self::connect_postgres(options).await,
            _ => Err(ConnectError::UnknownScheme),
        }
    }

    async fn connect_sqlite(options: &DbOptions) -> Result<Self, ConnectError> {
        let connect = SqliteConnectOptions::from_str(&options.url)
            .map_err(ConnectError::Url)?
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(5))
            .pragma("wal_autocheckpoint", MOST_LOG_PAGES)
            .statement_cache_capacity(STATEMENTS);
        let lock = lock_file(connect.get_filename())?;
        own_file(connect.get_filename())?;
        let write = Line::new(connect.clone().pragma("cache_size", WRITER_CACHE));
        drop(write.take().await.map_err(ConnectError::Unreachable)?);
        let read = sqlite_pool()
            .max_connections(options.max_connections.max(2))
            .acquire_timeout(Duration::from_secs(30))
            .connect_with(connect)
            .await
            .map_err(ConnectError::Unreachable)?;
        let pools = Pools::Sqlite { write, read, _lock: Arc::new(lock) };
        Ok(Self { pools, origin: Uuid::new_v4(), marks: None })
    }

    async fn connect_postgres(options: &DbOptions) -> Result<Self, ConnectError> {
        let connect = PgConnectOptions::from_str(&options.url)
            .map_err(ConnectError::Url)?
            .application_name("orchestrator")
            .statement_cache_capacity(STATEMENTS);
        // One connection by hand first: a pool would try for long and then say only that it timed out.
        let first = PgConnection::connect_with(&connect).await.map_err(ConnectError::Unreachable)?;
        first.close().await.map_err(ConnectError::Unreachable)?;
        let pool = postgres_pool()
            .max_connections(options.max_connections.max(2))
            .connect_with(connect.clone())
            .await
            .map_err(ConnectError::Unreachable)?;
        let hot = postgres_pool()
            .max_connections(HOT_CONNECTIONS)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_lazy_with(connect.options(STEADY_PLANS));
        let marks = Some(Arc::new(Marks::default()));
        let db = Self { pools: Pools::Postgres { pool: pool.clone(), hot }, origin: Uuid::new_v4(), marks };
        let encoding: String = sqlx::query_scalar("SHOW server_encoding")
            .fetch_one(&pool)
            .await
            .map_err(DbError::in_op("encoding_check"))?;
        if encoding != "UTF8" {
            return Err(ConnectError::Encoding { encoding });
        }
        if !options.accept_weak_durability {
            for (setting, query) in [("fsync", "SHOW fsync"), ("synchronous_commit", "SHOW synchronous_commit")] {
                let value: String =
                    sqlx::query_scalar(query).fetch_one(&pool).await.map_err(DbError::in_op("durability_check"))?;
                if matches!(value.as_str(), "off" | "local") {
                    return Err(ConnectError::WeakDurability { setting, value });
                }
            }
        }
        Ok(db)
    }

    /// Which database this is.
    pub fn dialect(&self) -> Dialect {
        match self.pools {
            Pools::Sqlite { .. } => Dialect::Sqlite,
            Pools::Postgres { .. } => Dialect::Postgres,
        }
    }

    fn tx(&self, inner: TxInner) -> Tx {
        Tx::new(inner, self.origin, self.marks.clone())
    }

    /// Where this server's claims begin, where that matters.
    pub(crate) fn marks(&self) -> Option<&Arc<Marks>> {
        self.marks.as_ref()
    }

    /// Moves what was written from SQLite's log into its file, beside the writer: left to itself, every so many commits
    /// one would have to wait for that. Nothing on PostgreSQL, which does so by itself.
    pub async fn checkpoint(&self) -> Result<(), DbError> {
        let Pools::Sqlite { read, .. } = &self.pools else { return Ok(()) };
        let done = sqlx::query("PRAGMA wal_checkpoint(PASSIVE)").execute(read).await;
        done.map(drop).map_err(DbError::in_op("checkpoint"))
    }

    /// Names this handle in notifications.
    pub(crate) fn origin(&self) -> Uuid {
        self.origin
    }

    /// Where SQLite is read; `None` on PostgreSQL.
    pub(crate) fn sqlite(&self) -> Option<&SqlitePool> {
        match &self.pools {
            Pools::Sqlite { read, .. } => Some(read),
            Pools::Postgres { .. } => None,
        }
    }

    /// The PostgreSQL pool, for listening; `None` on SQLite, where one server is all there is.
    pub(crate) fn postgres(&self) -> Option<&PgPool> {
        match &self.pools {
            Pools::Postgres { pool, .. } => Some(pool),
            Pools::Sqlite { .. } => None,
        }
    }

    /// Closes all connections.
    pub async fn close(&self) {
        match &self.pools {
            Pools::Sqlite { write, read, .. } => {
                read.close().await;
                write.close().await;
            }
            Pools::Postgres { pool, hot } => {
                hot.close().await;
                pool.close().await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn sqlite_prepares_no_statement_anew_for_other_values() {
        let mut connection = sqlx::SqliteConnection::connect("sqlite::memory:").await.unwrap();
        // Without it each statement that ends with `LIMIT $1` would be parsed and planned whenever it is run.
        let is_stable: bool = sqlx::query_scalar("SELECT sqlite_compileoption_used('ENABLE_QPSG')")
            .fetch_one(&mut connection)
            .await
            .unwrap();
        assert!(is_stable);
    }

    #[tokio::test]
    async fn a_database_that_cannot_store_every_text_is_refused() {
        let url = orchestrator_test_postgres::database_url();
        let mut connection = PgConnection::connect(&url).await.unwrap();
        let name: String = sqlx::query_scalar("SELECT current_database()").fetch_one(&mut connection).await.unwrap();
        let text = format!("CREATE DATABASE \"{name}_latin\" ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0");
        sqlx::query(sqlx::AssertSqlSafe(text)).execute(&mut connection).await.unwrap();
        let latin = url.replace(&name, &format!("{name}_latin"));
        let refused = Db::connect(&DbOptions::new(&latin)).await.unwrap_err();
        assert!(matches!(&refused, ConnectError::Encoding { encoding } if encoding == "LATIN1"), "{refused}");
        assert!(refused.to_string().contains("createdb --encoding UTF8"), "{refused}");
    }

    #[tokio::test]
    async fn no_error_at_the_door_tells_the_password() {
        for url in ["postgres://u:hunter2@127.0.0.1:1/x", "postgres://u:hunter2@[bad/x", "pg://u:hunter2@h/x"] {
            let refused = Db::connect(&DbOptions::new(url)).await.unwrap_err();
            let mut told = format!("{refused} {refused:?}");
            let mut source = std::error::Error::source(&refused);
            while let Some(cause) = source {
                told = format!("{told}: {cause}");
                source = cause.source();
            }
            assert!(!told.contains("hunter2"), "{told}");
        }
    }
}
