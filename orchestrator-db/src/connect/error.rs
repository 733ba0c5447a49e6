//! Why a database could not be opened.

use std::path::PathBuf;

use sqlx::migrate::MigrateError;

use crate::error::DbError;

/// Why a database could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// Neither `sqlite:` nor `postgres:`.
    #[error("the database URL must begin with sqlite: or postgres:")]
    UnknownScheme,
    /// The URL cannot be read.
    #[error("the database URL cannot be read")]
    Url(#[source] sqlx::Error),
    /// Another server has the file.
    #[error("another server is using {path} (its lock {path}.lock is held); one server per SQLite file")]
    InUse {
        /// The database file.
        path: PathBuf,
    },
    /// The lock file cannot be made.
    #[error("the lock file of {path} cannot be opened")]
    Lock {
        /// The database file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The database file cannot be made.
    #[error("the database file {path} cannot be made")]
    File {
        /// The database file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// No connection.
    #[error("no connection to the database")]
    Unreachable(#[source] sqlx::Error),
    /// A newer program has migrated it.
    #[error(
        "the database has migration {version}, which this program does not know: it was written by a newer version; update the program or restore a backup"
    )]
    TooNew {
        /// The unknown migration.
        version: i64,
    },
    /// A migration failed.
    #[error("the database could not be migrated")]
    Migrate(#[source] MigrateError),
    /// There are migrations to run, and the caller asked for none.
    #[error("the database lacks migrations; run: orchestrator db migrate")]
    NotMigrated,
    /// Settings under which a power failure loses acknowledged work.
    #[error(
        "{setting} is {value}: acknowledged work could be lost at a power failure; set it to on, or start with --accept-weak-durability"
    )]
    WeakDurability {
        /// The database's setting.
        setting: &'static str,
        /// Its value.
        value: String,
    },
    /// Not every text could be stored.
    #[error(
        "the database stores text as {encoding}, which lacks characters that robots write; make one with: createdb --encoding UTF8 --template template0"
    )]
    Encoding {
        /// The database's encoding.
        encoding: String,
    },
    /// A statement at start failed.
    #[error(transparent)]
    Db(#[from] DbError),
}
