//! The cluster that all tests of one run share.

use std::fs::File;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use crate::cluster::Server;
use crate::watchdog;

/// The URL of a fresh, empty database of the run's cluster.
///
/// # Panics
///
/// When PostgreSQL is not installed or does not start.
pub fn database_url() -> String {
    let run = Run::current();
    let server = run.locked(|| run.server());
    server.create_database(None).unwrap_or_else(|error| panic!("{error}"))
}

/// The URL of a fresh database that is a copy of the template `name`. The first test of the run that asks for it prepares
/// it with `prepare`, which gets the URL and must have closed its connections when it returns.
///
/// # Panics
///
/// When PostgreSQL is not installed or does not start.
pub async fn database_url_from(name: &str, prepare: impl AsyncFnOnce(String)) -> String {
    let run = Run::current();
    let lock = run.lock();
    let server = run.server();
    let template = format!("template_{name}");
    let mark = run.folder.join(&template);
    if !mark.exists() {
        server.create_named(&template, None).unwrap_or_else(|error| panic!("{error}"));
        prepare(server.url(&template)).await;
        File::create(mark).expect("the run's folder is writable");
    }
    drop(lock);
    server.create_database(Some(&template)).unwrap_or_else(|error| panic!("{error}"))
}

/// The folder by which the processes of one test run find each other.
#[derive(Debug)]
struct Run {
    folder: PathBuf,
    runner: u32,
}

impl Run {
    fn current() -> Self {
        let runner = match std::os::unix::process::parent_id() {
            // Started by init itself: there is nobody to outlive but this process.
            0 | 1 => std::process::id(),
            parent => parent,
        };
        let name = std::env::var("NEXTEST_RUN_ID").unwrap_or_else(|_| format!("process-{runner}"));
        Self { folder: base().join(name), runner }
    }

    /// Held while the cluster or a template is made. Freed by the system when the process dies.
    fn lock(&self) -> File {
        let lock =
            File::create(self.folder.with_extension("lock")).expect("the folder of the test clusters is writable");
        lock.lock().expect("a lock on the test cluster");
        lock
    }

    fn locked<T>(&self, then: impl FnOnce() -> T) -> T {
        let _lock = self.lock();
        then()
    }

    /// The run's server, started when this is the first process that needs it. Called under the lock.
    fn server(&self) -> Server {
        let port_file = self.folder.join("port");
        let known = std::fs::read_to_string(&port_file).ok().and_then(|text| text.parse().ok());
        if let Some(port) = known {
            return Server::running(&self.folder, port);
        }
        // A process that died half-way left pieces.
        let _ = std::fs::remove_dir_all(&self.folder);
        std::fs::create_dir(&self.folder).expect("the folder of the test clusters is writable");
        let server = Server::create(&self.folder).unwrap_or_else(|error| panic!("{error}"));
        watchdog::remove_after(self.runner, &self.folder);
        std::fs::write(port_file, server.port().to_string()).expect("the run's folder is writable");
        server
    }
}

/// A folder of this user's in the system's temporary folder: PostgreSQL's owner must be able to reach it, which it is not
/// in a home folder.
fn base() -> PathBuf {
    let me = std::fs::metadata("/proc/self").map_or(0, |me| me.uid());
    let folder = std::env::temp_dir().join(format!("orchestrator-test-postgres-{me}"));
    if let Err(error) = std::fs::DirBuilder::new().mode(0o755).create(&folder) {
        assert!(is_mine(&folder, me), "{}: {error}", folder.display());
    }
    folder
}

fn is_mine(folder: &Path, me: u32) -> bool {
    std::fs::symlink_metadata(folder).is_ok_and(|found| found.is_dir() && found.uid() == me)
}
