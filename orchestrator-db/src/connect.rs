//! Opening a database: migrations, durability, and one server per SQLite file.

use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection as _, PgConnection, PgPool, Postgres, Sqlite, SqlitePool};
use uuid::Uuid;

use crate::dialect::Dialect;
use crate::error::DbError;
use crate::line::Line;
use crate::queue::Marks;
use crate::tx::{Open, Tx, TxInner};

pub(crate) static SQLITE_MIGRATIONS: Migrator = sqlx::migrate!("migrations/sqlite");
static POSTGRES_MIGRATIONS: Migrator = sqlx::migrate!("migrations/postgres");

/// Prepared statements that a connection keeps: more than there are, so that none is prepared twice.
const STATEMENTS: usize = 500;

/// Connections to PostgreSQL for what must not wait. The scheduler's verbs are short, and share their transactions.
pub(crate) const HOT_CONNECTIONS: u32 = 4;

/// How long a connection must have been idle before it is asked whether it is still there. What breaks sooner is told by
/// the first statement, as an outage.
const TRUSTED: Duration = Duration::from_secs(1);

/// Pages of SQLite's log after which a commit has to move them into the file by itself. [`Db::checkpoint`] does so much
/// sooner, beside the writer.
const MOST_LOG_PAGES: &str = "8000";

/// How much of the file SQLite's writer keeps in memory, in KiB (negative: not in pages). What does not fit is written twice
/// when a large transaction changes it.
const WRITER_CACHE: &str = "-16384";

/// For connections of PostgreSQL whose statements are made all day. A plan made for the values of one call may be one that
/// sorts all there is, and one made while a table was small reads all of it as long as it is kept: until the table is analyzed,
/// which may be a minute and ten thousand rows later.
pub(crate) const STEADY_PLANS: [(&str, &str); 2] =
    [("plan_cache_mode", "force_generic_plan"), ("enable_seqscan", "off")];

/// Has the database ask every now and then whether an idle connection is still there. What stands between two machines
/// forgets connections on which nothing happens, and a listener waits for ever on one that is forgotten.
const KEEP_ALIVE: [(&str, &str); 2] = [("tcp_keepalives_idle", "30"), ("tcp_keepalives_interval", "10")];

/// Where the data is, and how careful to be with it.
#[derive(Clone)]
pub struct DbOptions {
    /// `sqlite:PATH` or `postgres://…`.
    pub url: String,
    /// The most connections to PostgreSQL, or readers of SQLite.
    pub max_connections: u32,
    /// Accept a database that may forget acknowledged work after a power failure.
    pub accept_weak_durability: bool,
}

impl DbOptions {
    /// Defaults for a URL.
    pub fn new(url: impl Into<String>) -> Self {
        Self { url: url.into(), max_connections: 10, accept_weak_durability: false }
    }
}

/// Without the URL, which may hold a password.
impl fmt::Debug for DbOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DbOptions")
            .field("max_connections", &self.max_connections)
            .field("accept_weak_durability", &self.accept_weak_durability)
            .finish_non_exhaustive()
    }
}

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
    /// A statement at start failed.
    #[error(transparent)]
    Db(#[from] DbError),
}

/// One migration, as `db status` lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MigrationStatus {
    /// Its number.
    pub version: i64,
    /// Its name.
    pub name: String,
    /// Whether the database has it.
    pub applied: bool,
}

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

    /// Begins a transaction that only reads.
    pub async fn begin_read(&self) -> Result<Tx, DbError> {
        let inner = match &self.pools {
            Pools::Sqlite { read, .. } => sqlite(Box::pin(read.begin_with("BEGIN DEFERRED")).await.map(Open::Pooled)),
            Pools::Postgres { pool, .. } => postgres(begin(pool, "BEGIN READ ONLY").await.map(Open::Pooled)),
        };
        inner.map(|inner| self.tx(inner)).map_err(DbError::in_op("begin_read"))
    }

    /// Begins a transaction that writes. On SQLite it holds the write lock from the first moment.
    pub async fn begin_write(&self) -> Result<Tx, DbError> {
        let inner = match &self.pools {
            Pools::Sqlite { write, .. } => sqlite(write.begin("BEGIN IMMEDIATE").await.map(Open::OnLine)),
            Pools::Postgres { pool, .. } => postgres(begin(pool, "BEGIN").await.map(Open::Pooled)),
        };
        inner.map(|inner| self.tx(inner)).map_err(DbError::in_op("begin_write"))
    }

    /// A connection of its own for a lane; the lanes of SQLite share its single writer.
    pub(crate) fn lane_line(&self) -> LaneLine {
        match &self.pools {
            Pools::Sqlite { write, .. } => LaneLine::Sqlite(write.clone()),
            Pools::Postgres { pool, .. } => {
                let options = (*pool.connect_options()).clone();
                LaneLine::Postgres(Line::new(options.options(STEADY_PLANS).options(KEEP_ALIVE)))
            }
        }
    }

    /// Begins a transaction that writes, on a lane's connection.
    pub(crate) async fn begin_on(&self, line: &LaneLine) -> Result<Tx, DbError> {
        let inner = match line {
            LaneLine::Sqlite(line) => sqlite(line.begin("BEGIN IMMEDIATE").await.map(Open::OnLine)),
            LaneLine::Postgres(line) => postgres(line.begin("BEGIN").await.map(Open::OnLine)),
        };
        inner.map(|inner| self.tx(inner)).map_err(DbError::in_op("begin_lane"))
    }

    /// Begins a transaction that writes and must not wait behind lists and reports: those of the scheduler's verbs. On
    /// PostgreSQL it has a connection that was not used for anything else, with its statements prepared.
    pub async fn begin_hot(&self) -> Result<Tx, DbError> {
        let Pools::Postgres { hot, .. } = &self.pools else { return self.begin_write().await };
        let inner = postgres(begin(hot, "BEGIN").await.map(Open::Pooled));
        inner.map(|inner| self.tx(inner)).map_err(DbError::in_op("begin_hot"))
    }

    /// Where statements are made that are transactions of their own, as those of [`Db::begin_hot`] are for several. A
    /// connection may have broken since it was used last, which its statement tells.
    pub(crate) fn hot(&self) -> Hot<'_> {
        match &self.pools {
            Pools::Sqlite { write, .. } => Hot::Sqlite(write),
            Pools::Postgres { hot, .. } => Hot::Postgres(hot),
        }
    }

    /// Moves what was written from SQLite's log into its file, beside the writer: left to itself, every so many commits
    /// one would have to wait for that. Nothing on PostgreSQL, which does so by itself.
    pub async fn checkpoint(&self) -> Result<(), DbError> {
        let Pools::Sqlite { read, .. } = &self.pools else { return Ok(()) };
        let done = sqlx::query("PRAGMA wal_checkpoint(PASSIVE)").execute(read).await;
        done.map(drop).map_err(DbError::in_op("checkpoint"))
    }

    /// Runs the migrations that the database lacks.
    pub async fn migrate(&self) -> Result<(), ConnectError> {
        match &self.pools {
            Pools::Sqlite { write, .. } => {
                let mut connection = write.take().await.map_err(ConnectError::Unreachable)?;
                SQLITE_MIGRATIONS.run(&mut *connection).await
            }
            Pools::Postgres { pool, .. } => POSTGRES_MIGRATIONS.run(pool).await,
        }
        .map_err(|error| match error {
            MigrateError::VersionMissing(version) => ConnectError::TooNew { version },
            other => ConnectError::Migrate(other),
        })
    }

    /// Every migration this program knows, with whether the database has it.
    pub async fn migration_status(&self) -> Result<Vec<MigrationStatus>, ConnectError> {
        const APPLIED: &str = "SELECT version FROM _sqlx_migrations ORDER BY version";
        let applied: Result<Vec<i64>, sqlx::Error> = match &self.pools {
            Pools::Sqlite { read, .. } => sqlx::query_scalar(APPLIED).fetch_all(read).await,
            Pools::Postgres { pool, .. } => sqlx::query_scalar(APPLIED).fetch_all(pool).await,
        };
        // A fresh database has no ledger yet.
        let applied = applied.unwrap_or_default();
        let known = match self.dialect() {
            Dialect::Sqlite => &SQLITE_MIGRATIONS,
            Dialect::Postgres => &POSTGRES_MIGRATIONS,
        };
        if let Some(version) = applied.iter().find(|version| !known.iter().any(|m| m.version == **version)) {
            return Err(ConnectError::TooNew { version: *version });
        }
        Ok(known
            .iter()
            .map(|migration| MigrationStatus {
                version: migration.version,
                name: migration.description.to_string(),
                applied: applied.contains(&migration.version),
            })
            .collect())
    }

    /// Names this handle in notifications.
    pub(crate) fn origin(&self) -> Uuid {
        self.origin
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

/// What must not wait behind lists and reports is done here.
#[derive(Debug)]
pub(crate) enum Hot<'a> {
    Sqlite(&'a Line<Sqlite>),
    Postgres(&'a PgPool),
}

/// Which connection a lane writes on.
#[derive(Debug, Clone)]
pub(crate) enum LaneLine {
    Sqlite(Line<Sqlite>),
    Postgres(Line<Postgres>),
}

impl LaneLine {
    /// Gives the connection back, unless others write on it, too.
    pub(crate) async fn close(&self) {
        match self {
            Self::Sqlite(_) => {}
            Self::Postgres(line) => line.close().await,
        }
    }
}

fn sqlite(begun: Result<Open<Sqlite>, sqlx::Error>) -> Result<TxInner, sqlx::Error> {
    begun.map(TxInner::Sqlite)
}

fn postgres(begun: Result<Open<Postgres>, sqlx::Error>) -> Result<TxInner, sqlx::Error> {
    begun.map(TxInner::Postgres)
}

/// A pool whose connections come back without a transaction. SQLite undoes a transaction by itself when the disk is full;
/// the driver then believes for ever that one is open, and such a connection is closed.
fn sqlite_pool() -> SqlitePoolOptions {
    SqlitePoolOptions::new().after_release(|connection, _| {
        Box::pin(async move {
            // What a dropped transaction left to be undone is done when this is answered.
            connection.ping().await?;
            Ok(!connection.is_in_transaction())
        })
    })
}

/// Begins on a connection of the pool. Connections that were used a moment ago are not tried out before, so after a restart of
/// the database some are dead: nothing has happened on them, and the next one is taken. In a box: a call keeps room for the
/// largest of its steps, and what a pool does to connect would be 14 KiB of every call, of most of which it is no step at all.
async fn begin(
    pool: &PgPool,
    statement: &'static str,
) -> Result<sqlx::Transaction<'static, sqlx::Postgres>, sqlx::Error> {
    let mut dead = 0;
    loop {
        match Box::pin(pool.begin_with(statement)).await {
            Err(error) if is_dead(&error) && dead < pool.options().get_max_connections() => dead += 1,
            outcome => return outcome,
        }
    }
}

/// Whether the connection was closed from the other side.
pub(crate) fn is_dead(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(error) => error.kind() != std::io::ErrorKind::ConnectionRefused,
        sqlx::Error::Database(error) => matches!(error.code().as_deref(), Some("57P01" | "57P02")),
        _ => false,
    }
}

/// A pool whose connections plan each statement once. The statements are few, and none is better off with a plan for its
/// own values; without this the server would plan each one five times on each connection, and some for ever.
fn postgres_pool() -> PgPoolOptions {
    PgPoolOptions::new()
        .acquire_timeout(Duration::from_secs(10))
        .test_before_acquire(false)
        .before_acquire(|connection, meta| {
            Box::pin(async move {
                if meta.idle_for >= TRUSTED {
                    connection.ping().await?;
                }
                Ok(true)
            })
        })
        .after_connect(|connection, _| {
            Box::pin(async move {
                // Not every database that speaks PostgreSQL's protocol has the setting, and none needs it.
                let set = sqlx::query("SET plan_cache_mode = force_generic_plan").execute(&mut *connection).await;
                if let Err(error) = set {
                    tracing::debug!(%error, "the database plans statements in its own way");
                }
                for (setting, seconds) in KEEP_ALIVE {
                    let set = sqlx::query("SELECT set_config($1, $2, FALSE)").bind(setting).bind(seconds);
                    if let Err(error) = set.execute(&mut *connection).await {
                        tracing::debug!(%error, "the database does not ask whether connections are still there");
                    }
                }
                Ok(())
            })
        })
}

/// Makes the database file, readable by its owner only, where there is none. Its companions take over its mode.
pub(crate) fn own_file(database: &Path) -> Result<(), ConnectError> {
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(database) {
        Err(source) if source.kind() != std::io::ErrorKind::AlreadyExists => {
            Err(ConnectError::File { path: database.to_owned(), source })
        }
        _ => Ok(()),
    }
}

pub(crate) fn lock_file(database: &Path) -> Result<File, ConnectError> {
    let path = database.to_path_buf();
    let mut lock_path = path.clone().into_os_string();
    lock_path.push(".lock");
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&lock_path)
        .map_err(|source| ConnectError::Lock { path: path.clone(), source })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(ConnectError::InUse { path }),
        Err(std::fs::TryLockError::Error(source)) => Err(ConnectError::Lock { path, source }),
    }
}

#[cfg(test)]
mod tests {
    use sqlx::Connection as _;

    use super::*;

    #[test]
    fn options_are_shown_without_the_password_in_the_url() {
        let shown = format!("{:?}", DbOptions::new("postgres://orchestrator:hunter2@db/orchestrator"));
        assert!(shown.contains("max_connections") && !shown.contains("hunter2"), "{shown}");
    }

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
