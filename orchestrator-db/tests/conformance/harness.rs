//! A database of its own for every test.

use std::ops::Deref;

use orchestrator_db::{ConnectError, Db, DbOptions, Dialect};
use sqlx::{Connection, Executor};
use tempfile::TempDir;

/// A migrated, empty database. It dereferences to [`Db`]; `db.clone()` gives a `Db` for another task.
#[derive(Debug)]
pub(crate) struct TestDb {
    db: Db,
    url: String,
    folder: Option<TempDir>,
}

impl Deref for TestDb {
    type Target = Db;

    fn deref(&self) -> &Db {
        &self.db
    }
}

impl TestDb {
    /// Where it is, for what a second program would do.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// What the next start of the program would get.
    pub(crate) async fn reopened(self) -> Result<Self, ConnectError> {
        let Self { db, url, folder } = self;
        db.close().await;
        drop(db);
        Ok(Self { db: Db::open(&DbOptions::new(&url)).await?, url, folder })
    }

    /// Leaves it to somebody else: what keeps its files, until that is dropped.
    pub(crate) async fn closed(self) -> Option<TempDir> {
        self.db.close().await;
        self.folder
    }

    /// Until a transaction waits for a lock of another one. On SQLite they wait for the one connection that writes.
    pub(crate) async fn until_someone_waits(&self) {
        if self.db.dialect() == Dialect::Sqlite {
            return;
        }
        let waiting = "SELECT EXISTS (SELECT 1 FROM pg_stat_activity
             WHERE datname = current_database() AND wait_event_type = 'Lock')";
        let mut conn = sqlx::PgConnection::connect(&self.url).await.unwrap();
        while !sqlx::query_scalar::<_, bool>(waiting).fetch_one(&mut conn).await.unwrap() {}
        conn.close().await.unwrap();
    }

    /// As [`Self::execute`], for what the database itself refuses.
    pub(crate) async fn try_execute(&self, statement: &'static str) -> Result<(), sqlx::Error> {
        match self.db.dialect() {
            Dialect::Sqlite => sqlx::SqliteConnection::connect(&self.url).await?.execute(statement).await.map(drop),
            Dialect::Postgres => sqlx::PgConnection::connect(&self.url).await?.execute(statement).await.map(drop),
        }
    }

    /// Keeps every claim from going on until that is dropped.
    pub(crate) async fn stopped(&self) -> Stopped {
        match self.db.dialect() {
            Dialect::Sqlite => {
                let mut conn = sqlx::SqliteConnection::connect(&self.url).await.unwrap();
                conn.execute("BEGIN IMMEDIATE").await.unwrap();
                Stopped::Sqlite(conn)
            }
            Dialect::Postgres => {
                let mut conn = sqlx::PgConnection::connect(&self.url).await.unwrap();
                conn.execute("BEGIN; LOCK TABLE queues IN ACCESS EXCLUSIVE MODE").await.unwrap();
                Stopped::Postgres(conn)
            }
        }
    }

    /// Runs a statement past the storage, such as one that breaks a row. The text is for either database.
    pub(crate) async fn execute(&self, statement: &'static str) {
        match self.db.dialect() {
            Dialect::Sqlite => {
                let mut conn = sqlx::SqliteConnection::connect(&self.url).await.unwrap();
                conn.execute(statement).await.unwrap();
                conn.close().await.unwrap();
            }
            Dialect::Postgres => {
                let mut conn = sqlx::PgConnection::connect(&self.url).await.unwrap();
                conn.execute(statement).await.unwrap();
                conn.close().await.unwrap();
            }
        }
    }
}

/// A lock that is in the way of claims.
pub(crate) enum Stopped {
    Sqlite(sqlx::SqliteConnection),
    Postgres(sqlx::PgConnection),
}

impl Stopped {
    /// Lets them go on.
    pub(crate) async fn go_on(self) {
        match self {
            Self::Sqlite(conn) => conn.close().await.unwrap(),
            Self::Postgres(conn) => conn.close().await.unwrap(),
        }
    }
}

pub(crate) async fn sqlite() -> TestDb {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("orchestrator.db").display());
    open(url, Some(folder)).await
}

pub(crate) async fn postgres() -> TestDb {
    let url = orchestrator_test_postgres::database_url_from("orchestrator_db", async |url| {
        Db::open(&DbOptions::new(url)).await.unwrap().close().await;
    })
    .await;
    open(url, None).await
}

async fn open(url: String, folder: Option<TempDir>) -> TestDb {
    let db = Db::open(&DbOptions::new(&url)).await.unwrap();
    TestDb { db, url, folder }
}
