//! What the agent of a folder does, read from that folder: nothing is asked of the agent or its server.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;

use serde::Serialize;

use crate::agent::{Report, report_file};
use crate::state_file::{self, RunningJob, StateFileError};

/// What there is to tell of an agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// Whether an agent works in the folder.
    pub running: bool,
    /// What it told last; absent where none ever worked there, or none that tells.
    pub agent: Option<Report>,
    /// The jobs whose robots it runs, or left running when it was killed.
    pub jobs: Vec<RunsNow>,
    /// What robots wrote and the server does not have yet.
    pub spool: Spool,
}

/// A job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RunsNow {
    /// The job.
    pub job_id: String,
    /// Whether its robot was started.
    pub started: bool,
    /// Its main process, while that lives.
    pub pid: Option<u32>,
    /// Processes of it that live although they were killed, or although its main process has ended: they keep the job from
    /// being over.
    pub survivors: Vec<u32>,
}

impl RunsNow {
    fn of(job: &RunningJob) -> Self {
        let left = job.leftover();
        let living = left.living();
        let pid = left.main.map(|main| main.pid).filter(|pid| living.contains(pid));
        let is_held = job.survivors.is_some() || (left.is_started && pid.is_none());
        Self {
            job_id: job.job_id.to_string(),
            started: left.is_started,
            pid,
            survivors: if is_held { living } else { Vec::new() },
        }
    }
}

/// The spool's files.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Spool {
    /// Jobs with something in it.
    pub files: u64,
    /// Their size.
    pub bytes: u64,
    /// Jobs of which the server refused something for good.
    pub refused_files: u64,
}

/// Why the folder tells nothing.
#[derive(Debug, thiserror::Error)]
pub enum StatusError {
    /// It cannot be read.
    #[error("{what} cannot be read: {source}; run this as the worker's user")]
    Io {
        /// The file or folder.
        what: String,
        /// What the system said.
        source: io::Error,
    },
    /// The list of what runs cannot be read.
    #[error(transparent)]
    State(#[from] StateFileError),
}

/// Looks at an agent's folder. One that is not there has no agent.
pub fn look(data: &Path) -> Result<Status, StatusError> {
    let running = is_locked(&data.join("agent.lock"))?;
    let agent = read(&report_file(data))?;
    let listed = state_file::listed(&data.join("jobs.json"))?;
    let jobs = listed.iter().map(RunsNow::of);
    Ok(Status { running, agent, jobs: jobs.collect(), spool: spool(&data.join("spool"))? })
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> StatusError {
    let what = format!("'{}'", path.display());
    move |source| StatusError::Io { what, source }
}

/// Whether an agent holds the lock of its folder.
fn is_locked(path: &Path) -> Result<bool, StatusError> {
    let lock = match File::open(path) {
        Ok(lock) => lock,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(failed(path)(error)),
    };
    match lock.try_lock_shared() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(failed(path)(error)),
    }
}

/// A report of another version than this is none.
fn read(path: &Path) -> Result<Option<Report>, StatusError> {
    match std::fs::read(path) {
        Ok(text) => Ok(serde_json::from_slice(&text).ok()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(path)(error)),
    }
}

fn spool(folder: &Path) -> Result<Spool, StatusError> {
    let kept = sizes(folder)?;
    let refused = sizes(&folder.join("refused"))?;
    Ok(Spool { files: kept.len() as u64, bytes: kept.iter().sum(), refused_files: refused.len() as u64 })
}

/// Of the files that are not empty. One that goes away meanwhile was delivered.
fn sizes(folder: &Path) -> Result<Vec<u64>, StatusError> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(folder)(error)),
    };
    let files =
        entries.filter_map(Result::ok).filter_map(|entry| entry.metadata().ok()).filter(std::fs::Metadata::is_file);
    Ok(files.map(|file| file.len()).filter(|bytes| *bytes > 0).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_is_not_there_has_no_agent() {
        let folder = tempfile::tempdir().unwrap();
        let status = look(&folder.path().join("none")).unwrap();
        assert_eq!(status, Status { running: false, agent: None, jobs: Vec::new(), spool: Spool::default() });
    }

    #[test]
    fn an_agent_works_while_it_holds_its_lock() {
        let folder = tempfile::tempdir().unwrap();
        let lock = File::create(folder.path().join("agent.lock")).unwrap();
        assert!(!look(folder.path()).unwrap().running);
        lock.lock().unwrap();
        assert!(look(folder.path()).unwrap().running);
        drop(lock);
        assert!(!look(folder.path()).unwrap().running);
    }

    #[test]
    fn the_spool_is_what_its_files_hold() {
        let folder = tempfile::tempdir().unwrap();
        let spool = folder.path().join("spool");
        std::fs::create_dir_all(spool.join("refused")).unwrap();
        for (name, content) in
            [("a-1.spool", "12345"), ("b-1.spool", "123"), ("c-1.spool", ""), ("refused/a.jsonl", "x")]
        {
            std::fs::write(spool.join(name), content).unwrap();
        }
        assert_eq!(look(folder.path()).unwrap().spool, Spool { files: 2, bytes: 8, refused_files: 1 });
    }
}
