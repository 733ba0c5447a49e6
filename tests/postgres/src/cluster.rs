//! One PostgreSQL server with its own data.

use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tempfile::TempDir;

use crate::programs::Programs;
use crate::watchdog;

/// Ports are picked while free and bound a moment later; another program may be faster.
const PORT_TRIES: usize = 5;

/// A PostgreSQL server of one's own, stopped and removed on drop.
#[derive(Debug)]
pub struct Cluster {
    server: Server,
    _folder: TempDir,
}

impl Cluster {
    /// Makes and starts one.
    ///
    /// # Panics
    ///
    /// When PostgreSQL is not installed or does not start.
    pub fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("orchestrator-postgres-").tempdir().expect("a temporary folder");
        let server = Server::create(folder.path()).unwrap_or_else(|error| panic!("{error}"));
        watchdog::remove_after(std::process::id(), folder.path());
        Self { server, _folder: folder }
    }

    /// The URL of a fresh, empty database.
    pub fn database_url(&self) -> String {
        self.server.create_database(None).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Stops the server as an administrator's restart does: sessions are ended, everything committed is kept.
    pub fn stop(&self) {
        self.server.stop("fast").unwrap_or_else(|error| panic!("{error}"));
    }

    /// Stops the server as a crash does: nothing is flushed, the log is replayed at the next start.
    pub fn crash(&self) {
        self.server.stop("immediate").unwrap_or_else(|error| panic!("{error}"));
    }

    /// Starts the server again, on the same port.
    pub fn start_again(&self) {
        self.server.start().unwrap_or_else(|error| panic!("{error}"));
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // It may be stopped already; the watchdog removes what is left.
        let _ = self.server.stop("immediate");
    }
}

/// A server whose data is in a folder.
#[derive(Debug)]
pub(crate) struct Server {
    programs: Programs,
    folder: PathBuf,
    port: u16,
}

impl Server {
    /// Makes the data and starts the server.
    pub(crate) fn create(folder: &Path) -> Result<Self, String> {
        let programs = Programs::find();
        make_reachable(&programs, folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        programs.run("initdb", |command| {
            command.arg("--pgdata").arg(data(folder)).args([
                "--username=postgres",
                "--auth=trust",
                "--encoding=UTF8",
                "--locale=C",
                "--no-sync",
            ])
        })?;
        let mut server = Self { programs, folder: folder.to_owned(), port: 0 };
        let mut refused = String::new();
        for _ in 0..PORT_TRIES {
            server.port = free_port()?;
            match server.start() {
                Ok(()) => return Ok(server),
                Err(error) => refused = error,
            }
        }
        Err(refused)
    }

    /// One that another process started.
    pub(crate) fn running(folder: &Path, port: u16) -> Self {
        Self { programs: Programs::find(), folder: folder.to_owned(), port }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn start(&self) -> Result<(), String> {
        // `fsync` and `synchronous_commit` stay on: the server refuses a database without them.
        let settings = format!(
            "-c listen_addresses=127.0.0.1 -c unix_socket_directories= -p {} -c max_connections=300 -c shared_buffers=64MB",
            self.port
        );
        let log = self.folder.join("data/server.log");
        let started = self.programs.run("pg_ctl", |command| {
            command
                .arg("start")
                .arg("--wait")
                .arg("--pgdata")
                .arg(data(&self.folder))
                .arg("--log")
                .arg(&log)
                .arg("--options")
                .arg(settings)
                // The server inherits these; a pipe would keep the test runner waiting for its end.
                .stdin(Stdio::null())
        });
        started.map_err(|error| format!("{error}\n{}", std::fs::read_to_string(&log).unwrap_or_default()))
    }

    fn stop(&self, mode: &str) -> Result<(), String> {
        self.programs.run("pg_ctl", |command| {
            command.arg("stop").arg("--wait").args(["--mode", mode]).arg("--pgdata").arg(data(&self.folder))
        })
    }

    /// Makes a database, empty or as a copy, and tells its URL.
    pub(crate) fn create_database(&self, template: Option<&str>) -> Result<String, String> {
        let name = format!("test_{}", unique());
        self.create_named(&name, template)?;
        Ok(self.url(&name))
    }

    pub(crate) fn create_named(&self, name: &str, template: Option<&str>) -> Result<(), String> {
        let port = self.port.to_string();
        self.programs.run("createdb", |command| {
            command.args(["--host=127.0.0.1", "--username=postgres", "--port", &port]);
            command.args(["--template", template.unwrap_or("template0"), name])
        })
    }

    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}?sslmode=disable", self.port)
    }
}

fn data(folder: &Path) -> PathBuf {
    folder.join("data")
}

/// Lets PostgreSQL's owner into the folder and gives it the data folder.
fn make_reachable(programs: &Programs, folder: &Path) -> std::io::Result<()> {
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755))?;
    std::fs::create_dir(data(folder))?;
    if let Some((uid, gid)) = programs.owner {
        chown(data(folder), Some(uid), Some(gid))?;
    }
    Ok(())
}

fn free_port() -> Result<u16, String> {
    let probe = TcpListener::bind(("127.0.0.1", 0)).map_err(|error| format!("no free port: {error}"))?;
    probe.local_addr().map(|address| address.port()).map_err(|error| format!("no free port: {error}"))
}

/// A name that no other test of this run has. Numbers of processes come again in a long run, so it has a random part.
fn unique() -> String {
    use std::hash::{BuildHasher as _, RandomState};
    use std::sync::atomic::{AtomicU32, Ordering};
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let random = RandomState::new().hash_one(std::process::id());
    format!("{random:016x}_{}", COUNT.fetch_add(1, Ordering::Relaxed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_that_crashed_or_was_stopped_comes_back_where_it_was() {
        let cluster = Cluster::start();
        let place = |url: String| url.split('/').nth(2).map(ToOwned::to_owned);
        let before = place(cluster.database_url());
        cluster.stop();
        cluster.start_again();
        cluster.crash();
        cluster.start_again();
        assert_eq!(place(cluster.database_url()), before);
    }
}
