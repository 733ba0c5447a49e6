use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use orchestrator_core::clock::{Clock, SystemClock};
use orchestrator_core::secret::KeyRing;
use orchestrator_db::{Db, DbOptions, LaneOptions};
use orchestrator_grpc::accounts::Accounts;
use orchestrator_grpc::disk::Machine;
use orchestrator_grpc::{ServeError, ServeOptions, Services, Shutdown, TlsFiles, serve};
use orchestrator_scheduler::{DisciplinedClock, Scheduler, SchedulerClock, SchedulerOptions, service};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::error::ServingError;
use super::{first_token, key_check};
use crate::certificate::{Ending, Remaining, remaining};
use crate::config::{Config, ConfigError, DatabaseUrl};
use crate::error::CliError;
use crate::lifecycle::Lifecycle;
use crate::secret_file;

/// How often is said that the certificate ends.
const A_DAY: Duration = Duration::from_hours(24);

/// A server that answers.
#[derive(Debug)]
pub(crate) struct Serving {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// Whether connections are encrypted.
    pub(crate) tls: bool,
    /// Decides; for what the program itself does on this server.
    pub(crate) scheduler: Scheduler,
    /// Signs people in.
    pub(crate) accounts: Accounts,
    /// Where the first administrator's token was written, when this start made it.
    pub(crate) new_admin_token: Option<PathBuf>,
}

impl Serving {
    /// The server's address as clients give it.
    pub(crate) fn url(&self) -> String {
        format!("{}://{}", if self.tls { "https" } else { "http" }, self.address)
    }
}

/// What the server keeps on this machine, and where, for those who look how much room there is. PostgreSQL keeps its own.
pub(crate) fn places(config: &Config) -> Vec<(&'static str, PathBuf)> {
    let data = config.database.data_folder.clone();
    let folder = match config.database.url() {
        Ok(DatabaseUrl::Sqlite(path)) => path.parent().map(Path::to_owned),
        Ok(DatabaseUrl::Postgres(_)) | Err(_) => None,
    };
    match folder {
        Some(folder) if folder == data => vec![("the database", data)],
        Some(folder) => vec![("the database", folder), ("the data folder", data)],
        None => vec![("the data folder", data)],
    }
}

/// The database that a configuration means.
pub(crate) fn database_options(config: &Config) -> Result<DbOptions, ConfigError> {
    let url = match config.database.url()? {
        DatabaseUrl::Sqlite(path) => format!("sqlite:{}", path.display()),
        DatabaseUrl::Postgres(url) => url,
    };
    Ok(DbOptions { accept_weak_durability: config.database.accept_weak_durability, ..DbOptions::new(url) })
}

/// Starts a server: opens and migrates the database, checks the key, opens the port, and begins to decide.
pub(crate) async fn begin(config: &Config, lifecycle: &Lifecycle) -> Result<Serving, CliError> {
    let folder = &config.database.data_folder;
    secret_file::create_folder(folder).map_err(|source| ServingError::File {
        action: "create",
        path: folder.clone(),
        source,
    })?;
    let keys = read_keys(&config.key_file())?;
    check_tls(config)?;
    let db = Db::open(&database_options(config)?).await.map_err(ServingError::from)?;
    let clock = Arc::new(DisciplinedClock::new(Arc::new(SystemClock)));
    clock.discipline(&db).await.map_err(ServingError::from)?;
    key_check::check(&db, &keys, &config.key_file(), clock.now()).await?;
    // Before a token is written that nobody would be told of.
    can_listen(config.server.listen)?;
    let made = first_token::ensure(&db, folder, clock.now()).await?;
    // Before anything is made that is measured.
    orchestrator_grpc::metrics::measure();
    let scheduler = Scheduler::new(SchedulerOptions {
        db,
        clock: SchedulerClock::Disciplined(clock.clone()),
        keys,
        limits: config.limits.to_limits(),
        zone: config.scheduling.time_zone,
        lanes: LaneOptions { is_on: config.server.lanes, ..LaneOptions::default() },
        retention: config.retention.to_retention()?,
    });
    // A child of its own: the server cuts its connections without ending the program.
    let shutdown = Shutdown { soft: lifecycle.soft(), hard: lifecycle.hard().child_token() };
    let accounts = Accounts::new(scheduler.clone(), config.security.account_options(config.server.tls().is_some()));
    let pages = Some(orchestrator_web::pages());
    let services = Services { scheduler: scheduler.clone(), clock, accounts: accounts.clone(), pages };
    let ends = certificate(config);
    let mut options = serve_options(config);
    options.machine = Machine { certificate_ends_at: ends.as_ref().map(|ends| ends.until), places: places(config) };
    let server = serve(options, services, shutdown).await.map_err(ServingError::from)?;
    if let Some(ends) = ends {
        lifecycle.spawn("certificate", warn_before_the_end(ends, scheduler.clone(), lifecycle.soft()));
    }
    let serving = Serving {
        address: server.address(),
        tls: config.server.tls().is_some(),
        scheduler: scheduler.clone(),
        accounts,
        new_admin_token: made.then(|| folder.join(first_token::ADMIN_TOKEN_FILE)),
    };
    lifecycle.spawn("server", async move { server.stopped().await });
    lifecycle.spawn("scheduler", run_loops(scheduler, lifecycle.clone()));
    Ok(serving)
}

/// The server's certificate. One that cannot be read here is refused by what serves with it.
fn certificate(config: &Config) -> Option<Ending> {
    let (file, _) = config.server.tls()?;
    Ending::first_of(file)
        .inspect_err(|error| tracing::warn!(%error, "nobody will be warned before the certificate ends"))
        .ok()
}

/// Says once a day that the certificate ends soon, or has ended.
async fn warn_before_the_end(ends: Ending, scheduler: Scheduler, stop: CancellationToken) {
    loop {
        let now = scheduler.now();
        if remaining(ends.until, now) != Remaining::Long {
            tracing::warn!(
                certificate.ends_at = %ends.until.to_rfc3339(),
                "{}; {}",
                ends.in_words(now),
                ends.renewal()
            );
        }
        tokio::select! { () = stop.cancelled() => return, () = tokio::time::sleep(A_DAY) => {} }
    }
}

/// The scheduler's loops, until the server stops; then the database is closed.
async fn run_loops(scheduler: Scheduler, lifecycle: Lifecycle) {
    let loops = TaskTracker::new();
    service::run(&scheduler, &loops, &lifecycle.soft());
    loops.close();
    loops.wait().await;
}

fn read_keys(path: &Path) -> Result<KeyRing, ServingError> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => zeroizing(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(ServingError::NoKey { path: path.to_owned() });
        }
        Err(source) => return Err(ServingError::File { action: "read", path: path.to_owned(), source }),
    };
    if secret_file::is_open_to_others(path) {
        return Err(ServingError::OpenKey { path: path.to_owned() });
    }
    KeyRing::parse(text.expose()).map_err(|source| ServingError::Key { path: path.to_owned(), source })
}

/// The file's text is wiped when it has been read.
fn zeroizing(text: String) -> orchestrator_core::secret::Plaintext {
    orchestrator_core::secret::Plaintext::new(text)
}

/// Whether certificate and key can be used, where TLS is.
pub(crate) fn check_tls(config: &Config) -> Result<(), ServingError> {
    let checked = tls_files(config).map_or(Ok(()), |files| files.check());
    checked.map_err(|error| ServeError::from(error).into())
}

fn can_listen(address: SocketAddr) -> Result<(), ServingError> {
    let bound = std::net::TcpListener::bind(address);
    bound.map(drop).map_err(|source| ServeError::Bind { address, source }.into())
}

fn tls_files(config: &Config) -> Option<TlsFiles> {
    let (certificate, key) = config.server.tls()?;
    Some(TlsFiles { certificate: certificate.clone(), key: key.clone() })
}

fn serve_options(config: &Config) -> ServeOptions {
    let section = &config.server;
    ServeOptions {
        tls: tls_files(config),
        insecure: section.insecure,
        allowed_hosts: section.allowed_hosts.clone(),
        ..ServeOptions::new(section.listen)
    }
}
