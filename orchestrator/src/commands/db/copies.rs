//! `db backup` and `db restore`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use orchestrator_db::{sqlite_backup, sqlite_restore};
use serde_json::json;

use crate::app::App;
use crate::config::{Config, ConfigFlags, DatabaseUrl};
use crate::error::{CliError, Result};
use crate::output::printable;
use crate::secret_file;

/// An agent that waits for its server takes what is due again within a second of the start: nobody pauses that fast.
const AFTER_RESTORE: &str = "What was done since the copy is due again. Before the server is started:
  1. stop all agents: one that runs connects at once, and runs again what was done
  2. start the server; triggers that are due make jobs, which wait
  3. look: orchestrator trigger list, orchestrator job list
     and hold what must not run twice: orchestrator trigger pause, queue pause, job kill
  4. start the agents";

/// Into an empty database: `--clean` leaves the tables that the copy does not know.
const RESTORE_POSTGRES: &str = "stop all agents, then all servers; make an empty database of the same owner (not --clean, which leaves \
                                what the copy does not know); pg_restore --dbname=NAME FILE; start a server; pause or kill what \
                                must not run twice; start the agents";

pub(super) async fn backup(app: &App, file: &Path, flags: &ConfigFlags) -> Result {
    let config = Config::load(flags)?;
    let database = sqlite(&config, "pg_dump --format=custom --file=FILE DATABASE")?;
    sqlite_backup(&database, file).await.map_err(CliError::Backup)?;
    let size = std::fs::metadata(file).map_err(CliError::file("look at", file))?.len();
    app.printer.note("Keep it apart from the key file: who has both can read all passwords.");
    let document = json!({ "file": file, "bytes": size });
    let sentence = format!("{} is copied to {} ({} MiB).", database.display(), file.display(), size.div_ceil(1 << 20));
    app.printer.own(&document, || file.display().to_string(), || printable(&sentence))
}

pub(super) async fn restore(app: &App, file: &Path, flags: &ConfigFlags) -> Result {
    let config = Config::load(flags)?;
    let database = sqlite(&config, RESTORE_POSTGRES)?;
    let aside = aside(&database, &app.now.format("%Y%m%dT%H%M%SZ").to_string());
    if database.exists() {
        app.confirm(&format!("Put {} in the place of {}?", file.display(), database.display()))?;
    }
    sqlite_restore(file, &database, &aside).await.map_err(CliError::Backup)?;
    let kept = aside.exists().then_some(&aside);
    give_to_server(&database, kept.map(PathBuf::as_path))
        .map_err(CliError::file("give to the server's user", &database))?;
    app.printer.note(AFTER_RESTORE);
    let was = kept.map(|kept| format!(" What was there is {}.", kept.display())).unwrap_or_default();
    let sentence = format!("{} is as it was in {}.{was}", database.display(), file.display());
    app.printer.own(
        &json!({ "database": database, "kept": kept }),
        || database.display().to_string(),
        || printable(&sentence),
    )
}

/// Root restores for a server that runs as another user: the files go to whoever had the last ones, else the folder.
fn give_to_server(database: &Path, before: Option<&Path>) -> std::io::Result<()> {
    let folder = database.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    let owner = before.unwrap_or(folder);
    let mut lock = OsString::from(database);
    lock.push(".lock");
    for file in [database, Path::new(&lock)] {
        secret_file::keep_owner(owner, file)?;
    }
    Ok(())
}

/// The file of the database; PostgreSQL has tools of its own.
fn sqlite(config: &Config, instead: &str) -> Result<PathBuf> {
    match config.database.url()? {
        DatabaseUrl::Sqlite(path) => Ok(path),
        DatabaseUrl::Postgres(_) => Err(CliError::Usage {
            message: "the database is PostgreSQL, which is copied with its own tools".to_owned(),
            next: Some(instead.to_owned()),
        }),
    }
}

fn aside(database: &Path, now: &str) -> PathBuf {
    let mut name = OsString::from(database);
    name.push(format!(".before-restore-{now}"));
    PathBuf::from(name)
}
