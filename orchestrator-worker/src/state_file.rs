//! Which jobs this agent runs, on disk, so that the next agent can kill what a killed one left behind.
//!
//! The file is replaced as a whole, synced, and readable by its owner only. Changes made at the same time share one write.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use orchestrator_core::id::JobId;
use orchestrator_core::lease::LeaseToken;
use serde::{Deserialize, Serialize};

use crate::process::Identity;

/// A job that this agent runs, or that an earlier one ran.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunningJob {
    /// The job; its processes bear its cookie.
    pub job_id: JobId,
    /// The grant under which it runs.
    pub lease_token: LeaseToken,
    /// Its main process, once it is started.
    pub process: Option<Identity>,
}

/// Why the state file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateFileError {
    /// The operating system refused.
    #[error("failed to {verb} the state file '{}': {source}", path.display())]
    Io {
        /// What was tried.
        verb: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It was not written by this program, or by a newer one.
    #[error("the state file '{}' is not readable: {source}", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    jobs: Vec<RunningJob>,
}

#[derive(Debug, Default)]
struct Jobs {
    by_id: BTreeMap<JobId, RunningJob>,
    change_count: u64,
}

/// The list of running jobs, in memory and on disk.
#[derive(Debug, Clone)]
pub struct StateFile {
    path: Arc<Path>,
    jobs: Arc<Mutex<Jobs>>,
    /// How many changes the file holds.
    written: Arc<tokio::sync::Mutex<u64>>,
}

impl StateFile {
    /// Reads the file; one that is not there is empty. The jobs in it are leftovers of an earlier agent and stay listed
    /// until they are removed.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, StateFileError> {
        let path = path.into();
        let by_id = read(&path)?.into_iter().map(|job| (job.job_id, job)).collect();
        let jobs = Arc::new(Mutex::new(Jobs { by_id, change_count: 0 }));
        Ok(Self { path: path.into(), jobs, written: Arc::default() })
    }

    /// The jobs listed now.
    pub fn jobs(&self) -> Vec<RunningJob> {
        self.lock().by_id.values().cloned().collect()
    }

    /// Lists a job, and returns once that is on disk. To be called before the job's first process starts.
    pub async fn insert(&self, job: RunningJob) -> Result<(), StateFileError> {
        self.change(|jobs| jobs.insert(job.job_id, job)).await
    }

    /// Takes a job off the list, after its last process has ended.
    pub async fn remove(&self, job: JobId) -> Result<(), StateFileError> {
        self.change(|jobs| jobs.remove(&job)).await
    }

    fn lock(&self) -> MutexGuard<'_, Jobs> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn change<R>(
        &self,
        change: impl FnOnce(&mut BTreeMap<JobId, RunningJob>) -> R,
    ) -> Result<(), StateFileError> {
        let number = {
            let mut jobs = self.lock();
            change(&mut jobs.by_id);
            jobs.change_count += 1;
            jobs.change_count
        };
        let mut written = self.written.lock().await;
        if *written >= number {
            return Ok(());
        }
        let (content, newest) = {
            let jobs = self.lock();
            (Content { jobs: jobs.by_id.values().cloned().collect() }, jobs.change_count)
        };
        let path = Arc::clone(&self.path);
        let outcome = tokio::task::spawn_blocking(move || write(&path, &content)).await;
        outcome.map_err(io::Error::other).and_then(|outcome| outcome).map_err(|source| self.error("write", source))?;
        *written = newest;
        Ok(())
    }

    fn error(&self, verb: &'static str, source: io::Error) -> StateFileError {
        StateFileError::Io { verb, path: self.path.to_path_buf(), source }
    }
}

fn read(path: &Path) -> Result<Vec<RunningJob>, StateFileError> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(StateFileError::Io { verb: "read", path: path.to_owned(), source }),
    };
    let content: Content =
        serde_json::from_slice(&text).map_err(|source| StateFileError::Corrupt { path: path.to_owned(), source })?;
    Ok(content.jobs)
}

/// Replaces the file as a whole. A temporary file is readable by its owner only, and keeps that when it is renamed.
fn write(path: &Path, content: &Content) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    serde_json::to_writer(&mut file, content)?;
    file.flush()?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    // Windows has no handle on folders that could be synced.
    if cfg!(unix) { fs::File::open(folder)?.sync_all() } else { Ok(()) }
}
