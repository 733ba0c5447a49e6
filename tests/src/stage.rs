//! What all processes of one scenario share: a folder, a mark, and where their words are kept.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// The variable in the environment of a world's processes, robots included, that holds the world's id.
const MARK: &str = "SCENARIO_WORLD";

/// A folder, a mark, and the list of everybody's output.
#[derive(Debug)]
pub struct Stage {
    folder: TempDir,
    id: String,
    words: Mutex<Vec<(String, PathBuf)>>,
}

impl Stage {
    pub(crate) fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("orchestrator-scenario-").tempdir().expect("a temporary folder");
        Self { folder, id: uuid::Uuid::new_v4().to_string(), words: Mutex::default() }
    }

    /// A path in the world's folder.
    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A folder in the world's folder, made if needed.
    pub fn folder(&self, name: impl AsRef<Path>) -> PathBuf {
        let folder = self.path(name);
        std::fs::create_dir_all(&folder).expect("the world's folder is writable");
        folder
    }

    /// Writes a file and tells where it is.
    pub fn file(&self, name: impl AsRef<Path>, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, content).expect("the world's folder is writable");
        path
    }

    /// The variable that marks processes as this world's.
    pub(crate) fn mark(&self) -> (&'static str, &str) {
        (MARK, &self.id)
    }

    /// Where a process is to write, remembered for the post-mortem.
    pub(crate) fn words_of(&self, name: &str) -> PathBuf {
        let mut words = self.words.lock().unwrap_or_else(PoisonError::into_inner);
        let path = self.path(format!("{name}.{}.log", words.len()));
        words.push((name.to_owned(), path.clone()));
        path
    }

    /// Who wrote where.
    pub(crate) fn all_words(&self) -> Vec<(String, PathBuf)> {
        self.words.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The processes that have this world's mark and are not among `known`.
    pub fn processes_beside(&self, known: &[u32]) -> Vec<u32> {
        let mark = format!("{MARK}={}", self.id);
        processes_with(&mark).into_iter().filter(|pid| !known.contains(pid)).collect()
    }

    /// Kills whatever is left, until nothing is.
    pub(crate) fn sweep(&self) {
        for _ in 0..50 {
            let left = self.processes_beside(&[]);
            if left.is_empty() {
                return;
            }
            for pid in left {
                kill(pid, Signal::KILL);
            }
        }
    }
}

/// The living processes whose environment has this entry.
pub(crate) fn processes_with(entry: &str) -> Vec<u32> {
    let has = |pid: &u32| {
        let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|found| found == entry.as_bytes())
    };
    let me = std::process::id();
    let folders = std::fs::read_dir("/proc").expect("the list of processes");
    let pids = folders.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    pids.filter(|pid| *pid != me).filter(has).collect()
}

/// The processes that a process has started and has not collected, whichever of its threads did.
pub(crate) fn children_of(pid: u32) -> Vec<u32> {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten();
    let children = threads.filter_map(|thread| std::fs::read_to_string(thread.ok()?.path().join("children")).ok());
    children.flat_map(|pids| pids.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>()).collect()
}

/// Sends a signal to a process that may be gone.
pub(crate) fn kill(pid: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        // Gone is what is wanted.
        let _ = kill_process(pid, signal);
    }
}
