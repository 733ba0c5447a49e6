//! All spool files of a worker.

use std::io;
use std::path::{Path, PathBuf};

use super::budget::Budget;
use super::file::SpoolFile;
use super::record::Head;
use super::refused::Refused;

/// How much is kept, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpoolLimits {
    /// Of all jobs together.
    pub worker_bytes: u64,
    /// Of one job.
    pub job_bytes: u64,
}

impl Default for SpoolLimits {
    fn default() -> Self {
        Self { worker_bytes: 256 << 20, job_bytes: 128 << 20 }
    }
}

/// The spool's folder cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the spool folder '{}' cannot be used: {source}", path.display())]
pub struct SpoolError {
    /// The folder or file.
    pub path: PathBuf,
    /// What the system said.
    pub source: io::Error,
}

/// The folder.
#[derive(Debug)]
pub(crate) struct Spools {
    folder: PathBuf,
    limits: SpoolLimits,
    budget: Budget,
}

impl Spools {
    /// Makes the folder, if it is not there.
    pub(crate) fn open(folder: &Path, limits: SpoolLimits) -> Result<Self, SpoolError> {
        let failed = |source| SpoolError { path: folder.to_owned(), source };
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(folder).map_err(failed)?;
        Ok(Self { folder: folder.to_owned(), limits, budget: Budget::new(limits.worker_bytes) })
    }

    /// Makes the file of a job.
    pub(crate) async fn create(&self, head: Head) -> io::Result<SpoolFile> {
        let path = self.folder.join(format!("{}-{}.spool", head.job_id, head.lease_token));
        SpoolFile::create(path, head, self.budget.clone(), self.limits.job_bytes).await
    }

    /// What an earlier agent left. A file that cannot be used is told and left as it is: it concerns one job, the others go on.
    pub(crate) fn left(&self) -> Result<Vec<(Head, SpoolFile)>, SpoolError> {
        let failed = |source| SpoolError { path: self.folder.clone(), source };
        let mut left = Vec::new();
        for entry in std::fs::read_dir(&self.folder).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            if path.extension().is_none_or(|extension| extension != "spool") {
                continue;
            }
            match SpoolFile::open(path.clone(), self.budget.clone(), self.limits.job_bytes) {
                Ok(Some(found)) => left.push(found),
                Ok(None) => set_aside(&path),
                Err(error) => tracing::error!(
                    file = %path.display(), %error,
                    "a spool file cannot be used, and what its robot wrote is not delivered; see to the disk, its free room and the \
                     permissions of the file, and restart the agent, which tries again; or move the file away to give it up"
                ),
            }
        }
        Ok(left)
    }

    /// Where what the server refuses of a job is kept.
    pub(crate) fn refused(&self, head: &Head) -> Refused {
        Refused::new(self.folder.join("refused").join(format!("{}.jsonl", head.job_id)))
    }
}

/// A file without a head holds nothing that a robot was promised, unless its disk lost it.
fn set_aside(path: &Path) {
    let is_empty = std::fs::metadata(path).is_ok_and(|metadata| metadata.len() == 0);
    let done =
        if is_empty { std::fs::remove_file(path) } else { std::fs::rename(path, path.with_extension("damaged")) };
    tracing::warn!(file = %path.display(), "a spool file has no beginning; it was set aside");
    if let Err(error) = done {
        tracing::error!(file = %path.display(), %error, "it could not be set aside");
    }
}
