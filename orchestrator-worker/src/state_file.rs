//! Which jobs this agent runs, on disk, so that the next agent can kill what a killed one left behind.
//!
//! The file is replaced as a whole, and readable by its owner only. Changes made at the same time share one write.
//!
//! What it lists are processes. Those of an agent that was killed live on, and what the agent wrote is there as well: it is
//! the system's by then. Those of a machine that lost its power do not, and neither need the list: on Linux, which tells
//! since when it runs, nothing waits for the disk, and a list from before that which cannot be read is an empty one.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use orchestrator_core::id::{InstanceId, JobId};
use orchestrator_core::lease::LeaseToken;
use serde::{Deserialize, Serialize};

use crate::process::{Era, Grant, Identity, JobCookie, Leftover, RunningProcess, started_at_second};

/// A job that this agent runs, or that an earlier one ran.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunningJob {
    /// The job; its processes bear its cookie.
    pub job_id: JobId,
    /// The grant under which it runs.
    pub lease_token: LeaseToken,
    /// Its main process, once it is started. Where no era is given its start is in seconds since the epoch.
    pub process: Option<Identity>,
    /// The agent's installation, which the processes bear as well. Up to version 0.1.0 they bore the job alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub installation: Option<InstanceId>,
    /// Descendants of the main process, and members of its group, that bear no cookie.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub strays: Vec<Identity>,
    /// When the processes are identified by this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub era: Option<Era>,
    /// What a later agent could not kill.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub survivors: Option<Survivors>,
}

/// Processes that did not end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Survivors {
    /// When these identities name them.
    pub era: Era,
    /// The processes.
    pub processes: Vec<Identity>,
}

impl RunningJob {
    /// A job that has no process yet.
    pub fn granted(cookie: JobCookie) -> Self {
        let Grant { installation, lease_token } = cookie.grant();
        Self {
            job_id: cookie.job(),
            lease_token,
            process: None,
            installation: Some(installation),
            strays: Vec::new(),
            era: None,
            survivors: None,
        }
    }

    /// A job whose robot runs.
    pub fn started(cookie: JobCookie, process: &RunningProcess) -> Self {
        Self { process: Some(process.identity()), era: Some(Era::current()), ..Self::granted(cookie) }
    }

    /// What can be said now of the processes that were noted. Those of another era have ended, and their ids may name others.
    pub fn leftover(&self) -> Leftover {
        let is_present = self.era.as_ref().is_some_and(|era| *era == Era::current());
        let main = match (&self.era, self.process) {
            (Some(_), process) => process.filter(|_| is_present),
            (None, process) => process.and_then(|Identity { pid, started }| started_at_second(pid, started)),
        };
        let mut strays = if is_present { self.strays.clone() } else { Vec::new() };
        let survivors = self.survivors.as_ref().filter(|survivors| survivors.era == Era::current());
        strays.extend(survivors.into_iter().flat_map(|survivors| survivors.processes.iter().copied()));
        Leftover {
            job: self.job_id,
            grant: self.installation.map(|installation| Grant { installation, lease_token: self.lease_token }),
            is_started: self.process.is_some(),
            main,
            strays,
        }
    }
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

    /// Lists a job, and returns once that is in the file. To be called before the job's first process starts.
    pub async fn insert(&self, job: RunningJob) -> Result<(), StateFileError> {
        self.change(|jobs| jobs.insert(job.job_id, job)).await
    }

    /// Notes the descendants of a job's main process that bear no cookie, if the job is listed and they are others than before.
    pub async fn note_strays(&self, cookie: JobCookie, strays: Vec<Identity>) -> Result<(), StateFileError> {
        let is_meant = |job: &RunningJob| job.lease_token == cookie.grant().lease_token && job.process.is_some();
        let is_news = |job: &RunningJob| is_meant(job) && job.strays != strays;
        if !self.lock().by_id.get(&cookie.job()).is_some_and(is_news) {
            return Ok(());
        }
        self.change(|jobs| {
            if let Some(job) = jobs.get_mut(&cookie.job()).filter(|job| is_meant(job)) {
                job.strays = strays;
            }
        })
        .await
    }

    /// Notes what of a job could not be killed, for whoever tries after this agent.
    pub async fn note_survivors(&self, job: JobId, processes: Vec<Identity>) -> Result<(), StateFileError> {
        let survivors = Some(Survivors { era: Era::current(), processes });
        if self.lock().by_id.get(&job).is_none_or(|job| job.survivors == survivors) {
            return Ok(());
        }
        self.change(|jobs| {
            if let Some(job) = jobs.get_mut(&job) {
                job.survivors = survivors;
            }
        })
        .await
    }

    /// Takes a job off the list, after its last process has ended.
    pub async fn remove(&self, job: JobId) -> Result<(), StateFileError> {
        self.change(|jobs| jobs.remove(&job)).await
    }

    /// Writes the file as it is: whether that can be done.
    pub async fn rewrite(&self) -> Result<(), StateFileError> {
        self.change(|_| ()).await
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

/// The jobs that a file lists, for who only looks at it.
pub fn listed(path: &Path) -> Result<Vec<RunningJob>, StateFileError> {
    read(path)
}

fn read(path: &Path) -> Result<Vec<RunningJob>, StateFileError> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(StateFileError::Io { verb: "read", path: path.to_owned(), source }),
    };
    match serde_json::from_slice::<Content>(&text) {
        Ok(content) => Ok(content.jobs),
        Err(error) if is_older_than_the_system(path) => {
            tracing::warn!(%error, path = %path.display(), "the list of what ran before the system started is not readable");
            Ok(Vec::new())
        }
        Err(source) => Err(StateFileError::Corrupt { path: path.to_owned(), source }),
    }
}

/// Whether the file was written before this system started, so that nothing in it can run any more.
fn is_older_than_the_system(path: &Path) -> bool {
    let started = || -> Option<SystemTime> {
        let stat = fs::read_to_string("/proc/stat").ok()?;
        let seconds = stat.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()?;
        Some(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
    };
    let written = fs::metadata(path).and_then(|file| file.modified()).ok();
    written.zip(started()).is_some_and(|(written, started)| written < started)
}

/// Replaces the file as a whole. A temporary file is readable by its owner only, and keeps that when it is renamed.
fn write(path: &Path, content: &Content) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(&serde_json::to_vec(content)?)?;
    let waits_for_disk = !cfg!(target_os = "linux");
    if waits_for_disk {
        file.as_file().sync_all()?;
    }
    file.persist(path).map_err(|error| error.error)?;
    // Windows has no handle on folders that could be synced.
    if waits_for_disk && cfg!(unix) { fs::File::open(folder)?.sync_all() } else { Ok(()) }
}
