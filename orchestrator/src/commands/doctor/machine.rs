//! This machine, as a server's (where there is a configuration or a data folder) and as a worker's.

use std::path::Path;
use std::process::Command;

use orchestrator_core::clock::Timestamp;
use orchestrator_core::secret::KeyRing;
use orchestrator_db::{ConnectError, Db};
use orchestrator_grpc::disk::look;

use super::certificate;
use super::check::Check;
use super::disk::disks;
use super::reach::no_writes;
use crate::config::{Config, ConfigFlags, DatabaseUrl};
use crate::error::CliError;
use crate::secret_file;
use crate::serving::{ADMIN_TOKEN_FILE, ServingError, database_options, places};

/// Of a server that answers its disks are known already.
pub(super) async fn checks(flags: &ConfigFlags, now: Timestamp, server_answers: bool) -> Vec<Check> {
    let mut checks = Vec::new();
    match Config::load_checked(flags) {
        Ok(config) if is_servers_machine(flags, &config) => {
            checks.push(Check::good("configuration", format!("can be used; listens on {}", config.server.listen)));
            checks.push(key_file(&config.key_file()));
            checks.extend(first_token(&config.database.data_folder));
            checks.push(database(&config).await);
            if !server_answers {
                let places = places(&config);
                checks.extend(disks(&places.iter().filter_map(|(holds, path)| look(holds, path)).collect::<Vec<_>>()));
            }
            checks.extend(config.server.tls().map(|(file, _)| certificate::of_file("certificate file", file, now)));
        }
        // No server is meant to run here.
        Ok(_) => {}
        Err(error) => checks.push(Check::of_error("configuration", &CliError::Config(error))),
    }
    checks.push(program("git", "robots from repositories cannot run on this machine"));
    checks.push(program("python3", "robots in Python cannot run on this machine"));
    checks
}

fn is_servers_machine(flags: &ConfigFlags, config: &Config) -> bool {
    flags.config.is_some() || flags.data.is_some() || flags.database.is_some() || config.database.data_folder.exists()
}

fn key_file(path: &Path) -> Check {
    const NAME: &str = "key file";
    let place = path.display();
    let text = match std::fs::read_to_string(path) {
        Ok(text) => orchestrator_core::secret::Plaintext::new(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let fix = format!("a new server: orchestrator key generate {place}; an old one: restore its copy");
            return Check::bad(NAME, format!("{place} is not there"), fix);
        }
        Err(error) => {
            return Check::bad(NAME, format!("{place} cannot be read: {error}"), "run this as the server's user");
        }
    };
    if secret_file::is_open_to_others(path) {
        return Check::bad(NAME, format!("{place} can be read by others"), format!("chmod 600 {place}"));
    }
    match KeyRing::parse(text.expose()) {
        Ok(_) => Check::good(NAME, format!("{place}, readable by its owner alone")),
        Err(error) => Check::bad(NAME, format!("{place} is damaged: {error}"), "restore its copy"),
    }
}

/// The file of the first start has done its work once someone else is an administrator.
fn first_token(folder: &Path) -> Option<Check> {
    let file = folder.join(ADMIN_TOKEN_FILE);
    file.exists().then(|| {
        let fix =
            "make tokens for people (orchestrator token create user NAME --role admin), then move it to a safe place";
        Check::odd("first token", format!("{} still lies here", file.display()), fix)
    })
}

async fn database(config: &Config) -> Check {
    const NAME: &str = "database file";
    let failed = |error: CliError| Check::of_error(NAME, &error);
    let place = match config.database.url() {
        Ok(DatabaseUrl::Sqlite(path)) if !path.exists() => {
            return Check::odd(
                NAME,
                format!("{} is not there yet", path.display()),
                "orchestrator server start makes it",
            );
        }
        Ok(DatabaseUrl::Sqlite(path)) => path.display().to_string(),
        Ok(DatabaseUrl::Postgres(_)) => "PostgreSQL".to_owned(),
        Err(error) => return failed(error.into()),
    };
    let options = match database_options(config) {
        Ok(options) => options,
        Err(error) => return failed(error.into()),
    };
    let db = match Db::connect(&options).await {
        Ok(db) => db,
        Err(ConnectError::InUse { .. }) => return Check::good(NAME, format!("{place}; a server has it")),
        Err(error) => return failed(ServingError::from(error).into()),
    };
    let (status, writes) = (db.migration_status().await, db.check_writes().await);
    db.close().await;
    match status {
        // Without migrations there is nothing yet that could be written to.
        Ok(_) if writes.is_err_and(|error| error.is_read_only()) => {
            Check::bad(NAME, format!("{place} takes no writes"), no_writes(db.dialect().as_str()))
        }
        Ok(steps) => match steps.iter().filter(|step| !step.applied).count() {
            0 => Check::good(NAME, format!("{place}, up to date")),
            missing => Check::odd(
                NAME,
                format!("{place} lacks {missing} migrations"),
                "the next start runs them, or: orchestrator db migrate",
            ),
        },
        Err(error) => failed(ServingError::from(error).into()),
    }
}

fn program(name: &'static str, without: &str) -> Check {
    match Command::new(name).arg("--version").output() {
        Ok(output) if output.status.success() => {
            let text = String::from_utf8_lossy(&output.stdout);
            Check::good(name, text.lines().next().unwrap_or_default().trim())
        }
        _ => Check::odd(name, format!("not found: {without}"), format!("install {name} where robots are to run")),
    }
}
