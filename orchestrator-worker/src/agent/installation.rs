//! The folder that makes this agent an installation: its identity, its lock, and the list of what it runs.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use orchestrator_core::id::InstanceId;

/// Why the agent's folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum InstallationError {
    /// Another agent uses it.
    #[error("another worker agent is using the folder '{}'; give this one a --data folder and a token of its own", path.display())]
    InUse {
        /// The folder.
        path: PathBuf,
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
    pub(crate) fn open(folder: &Path) -> Result<Self, InstallationError> {
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
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(folder.join("agent.lock"))
            .map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(InstallationError::InUse { path }),
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        let instance = instance(&folder.join("instance")).map_err(failed)?;
        Ok(Self { folder: folder.to_owned(), instance, _lock: lock })
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
