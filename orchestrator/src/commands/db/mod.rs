//! `db`: the database of a server, looked at, migrated, copied and put back without starting one.

mod copies;
mod copy;
mod prune;

use std::path::PathBuf;

use clap::Subcommand;
use orchestrator_db::{Db, MigrationStatus};
use serde_json::json;

use self::copy::CopyArgs;
use self::prune::PruneArgs;
use crate::app::App;
use crate::config::{Config, ConfigFlags};
use crate::error::Result;
use crate::output;
use crate::serving::{ServingError, database_options};

#[derive(Debug, Subcommand)]
pub(crate) enum DbCommand {
    /// Brings the database to this program's version. A server does the same when it starts.
    Migrate(ConfigFlags),
    /// Tells which migrations the database has.
    Status(ConfigFlags),
    /// Copies an SQLite database into a new file, also while a server runs. Not the key file: keep that elsewhere.
    Backup {
        /// The new file.
        file: PathBuf,
        #[command(flatten)]
        config: ConfigFlags,
    },
    /// Puts a copy in the place of an SQLite database; the server must be stopped. What was there is kept beside it.
    Restore {
        /// The copy.
        file: PathBuf,
        #[command(flatten)]
        config: ConfigFlags,
    },
    /// Copies an SQLite database into an empty PostgreSQL one, for a server that has outgrown its machine; the server must be
    /// stopped. The SQLite database stays as it is.
    Copy(CopyArgs),
    /// Deletes what is older than it has to be kept, once. A server does the same by itself where [retention] says so.
    Prune(PruneArgs),
}

pub(crate) async fn run(command: DbCommand, app: &App) -> Result {
    match command {
        DbCommand::Migrate(flags) => migrations(app, &flags, true).await,
        DbCommand::Status(flags) => migrations(app, &flags, false).await,
        DbCommand::Backup { file, config } => copies::backup(app, &file, &config).await,
        DbCommand::Copy(args) => copy::copy(app, args).await,
        DbCommand::Prune(args) => prune::prune(app, args).await,
        DbCommand::Restore { file, config } => copies::restore(app, &file, &config).await,
    }
}

async fn migrations(app: &App, flags: &ConfigFlags, migrate: bool) -> Result {
    let config = Config::load(flags)?;
    let db = Db::connect(&database_options(&config)?).await.map_err(ServingError::from)?;
    let before = db.migration_status().await.map_err(ServingError::from)?;
    if migrate {
        db.migrate().await.map_err(ServingError::from)?;
    }
    let after = db.migration_status().await.map_err(ServingError::from)?;
    db.close().await;
    let ran = after
        .iter()
        .filter(|now| now.applied && before.iter().any(|then| then.version == now.version && !then.applied));
    let ran = ran.count();
    if app.printer.format().is_json() {
        let migrations: Vec<_> = after.iter().map(document).collect();
        return output::stdout_line(&json!({ "migrations": migrations, "ran": ran }).to_string());
    }
    for migration in &after {
        output::stdout_line(&line(migration))?;
    }
    output::stdout_line(&summary(&after, ran, migrate))
}

fn document(migration: &MigrationStatus) -> serde_json::Value {
    json!({ "version": migration.version, "name": migration.name, "applied": migration.applied })
}

fn line(migration: &MigrationStatus) -> String {
    let state = if migration.applied { "applied" } else { "missing" };
    format!("{:04}  {state}  {}", migration.version, migration.name)
}

fn summary(migrations: &[MigrationStatus], ran: usize, migrated: bool) -> String {
    let missing = migrations.iter().filter(|migration| !migration.applied).count();
    match (migrated, missing) {
        (true, _) if ran > 0 => format!("{ran} migrations were run; the database is up to date."),
        (_, 0) => "The database is up to date.".to_owned(),
        (_, missing) => format!("{missing} migrations are missing. Next: orchestrator db migrate"),
    }
}
