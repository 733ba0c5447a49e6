//! Migrations: forward only, the same list for both databases.

use sqlx::migrate::{MigrateError, Migrator};

use super::{ConnectError, Db, Pools};
use crate::dialect::Dialect;

pub(crate) static SQLITE_MIGRATIONS: Migrator = sqlx::migrate!("migrations/sqlite");
static POSTGRES_MIGRATIONS: Migrator = sqlx::migrate!("migrations/postgres");

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

impl Db {
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
}
