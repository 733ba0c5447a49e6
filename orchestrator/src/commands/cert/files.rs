//! A certificate and its key, in files beside each other.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::error::{CliError, Result};
use crate::secret_file;

/// Where a certificate and its key are.
#[derive(Debug)]
pub(super) struct Pair {
    pub(super) certificate: PathBuf,
    pub(super) key: PathBuf,
}

impl Pair {
    /// `stem.pem` and `stem.key` in a folder.
    pub(super) fn new(folder: &Path, stem: &str) -> Self {
        Self { certificate: folder.join(format!("{stem}.pem")), key: folder.join(format!("{stem}.key")) }
    }

    pub(super) fn of_authority(folder: &Path) -> Self {
        Self::new(folder, "ca")
    }

    /// Refuses where either is there.
    pub(super) fn must_be_new(&self) -> Result {
        match [&self.key, &self.certificate].into_iter().find(|path| path.exists()) {
            Some(path) => Err(CliError::FileExists { path: path.clone() }),
            None => Ok(()),
        }
    }

    /// Writes both; the key for the owner alone, and first: a certificate without its key is of no use.
    pub(super) fn create(&self, certificate: &str, key: &str) -> Result {
        if let Some(folder) = self.key.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            secret_file::create_folder(folder).map_err(CliError::file("make the folder", folder))?;
        }
        secret_file::create(&self.key, key).map_err(|source| match source.kind() {
            ErrorKind::AlreadyExists => CliError::FileExists { path: self.key.clone() },
            _ => CliError::File { action: "write the key to", path: self.key.clone(), source },
        })?;
        std::fs::write(&self.certificate, certificate).map_err(CliError::file("write", &self.certificate))
    }

    /// Puts both in the place of what is there.
    pub(super) fn replace(&self, certificate: &str, key: &str) -> Result {
        secret_file::replace(&self.key, key).map_err(CliError::file("write the key to", &self.key))?;
        std::fs::write(&self.certificate, certificate).map_err(CliError::file("write", &self.certificate))
    }
}
