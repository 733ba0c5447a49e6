//! The folder that makes this agent an installation: its identity, its lock, and the list of what it runs.
//!
//! An agent has the lock alone, for as long as it lives. Its watchdog shares it while it ends what the agent left, and who looks
//! whether an agent is there shares it for a moment: an agent that starts waits for these.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use orchestrator_core::id::InstanceId;
use tokio::time::{Instant, sleep};

use super::watchdog::{NAME as WATCHDOG, pid_in as watchdog_of};

/// How long an agent that starts waits for the watchdog of the one before, which needs a few seconds at most.
const WATCHDOG_PATIENCE: Duration = Duration::from_secs(20);

/// How often it looks.
const LOOK: Duration = Duration::from_millis(10);

/// Why the agent's folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum InstallationError {
    /// Another agent uses it.
    #[error("another worker agent is using the folder '{}'; give this one a --data folder and a token of its own", path.display())]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// The watchdog of the agent before still works there.
    #[error("the watchdog of the agent before is still ending robots of the folder '{}'; if it hangs, end it: {}", path.display(), end_of(*watchdog))]
    BeingClearedUp {
        /// The folder.
        path: PathBuf,
        /// The watchdog's process, where that can be told. Other agents of the machine have watchdogs, too.
        watchdog: Option<u32>,
    },
    /// The operating system refused.
    #[error("the folder '{}' cannot be used: {source}", path.display())]
    Io {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// The agent's folder, locked.
#[derive(Debug)]
pub(crate) struct Installation {
    pub(crate) folder: PathBuf,
    pub(crate) instance: InstanceId,
    /// Held until the agent ends.
    _lock: File,
}

impl Installation {
    /// Makes the folder if it is not there, locks it, and reads or makes its identity.
    pub(crate) async fn open(folder: &Path) -> Result<Self, InstallationError> {
        // Absolute, because robots start in folders of their own.
        let path =
            std::path::absolute(folder).map_err(|source| InstallationError::Io { path: folder.to_owned(), source })?;
        let folder = path.as_path();
        let failed = |source| InstallationError::Io { path: path.clone(), source };
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(folder).map_err(failed)?;
        let mut options = OpenOptions::new();
        // Locks on network drives can be shared only by who may read.
        options.create(true).truncate(false).read(true).write(true);
        let lock = options.open(lock_file(folder)).map_err(failed)?;
        match tokio::time::timeout(WATCHDOG_PATIENCE, lock_alone(&lock)).await {
            Ok(Ok(true)) => {}
            Ok(Ok(false)) => return Err(InstallationError::InUse { path }),
            Ok(Err(source)) => return Err(failed(source)),
            Err(_) => {
                let watchdog = watchdog_of(folder);
                return Err(InstallationError::BeingClearedUp { path, watchdog });
            }
        }
        let instance = instance(&folder.join("instance")).map_err(failed)?;
        Ok(Self { folder: folder.to_owned(), instance, _lock: lock })
    }
}

/// How the one watchdog is ended that is meant.
fn end_of(watchdog: Option<u32>) -> String {
    match watchdog {
        Some(pid) => format!("kill -9 {pid}"),
        None => format!("kill -9 the process {WATCHDOG} whose working folder this is"),
    }
}

fn lock_file(folder: &Path) -> PathBuf {
    folder.join("agent.lock")
}

/// Locks the folder for an agent; not where another one has it.
async fn lock_alone(lock: &File) -> io::Result<bool> {
    loop {
        if is_had(lock.try_lock())? {
            return Ok(true);
        }
        // Nobody shares it with an agent.
        if !is_had(lock.try_lock_shared())? {
            return Ok(false);
        }
        lock.unlock()?;
        sleep(LOOK).await;
    }
}

/// Locks the folder for the watchdog of an agent that has ended, while that is held; none when an agent has it. What has died
/// lets go of its lock a moment later than of its pipes, and is waited for that long.
pub(super) async fn share(folder: &Path, patience: Duration) -> io::Result<Option<File>> {
    let lock = File::open(lock_file(folder))?;
    let deadline = Instant::now() + patience;
    loop {
        if is_had(lock.try_lock_shared())? {
            return Ok(Some(lock));
        }
        if Instant::now() >= deadline {
            return Ok(None);
        }
        sleep(LOOK).await;
    }
}

fn is_had(tried: Result<(), TryLockError>) -> io::Result<bool> {
    match tried {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

fn instance(file: &Path) -> io::Result<InstanceId> {
    if let Some(known) = std::fs::read_to_string(file).ok().and_then(|text| text.trim().parse().ok()) {
        return Ok(known);
    }
    let made = InstanceId::generate();
    std::fs::write(file, made.to_string())?;
    Ok(made)
}
