//! One program that runs, with its words kept.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use rustix::process::Signal;

use crate::eventually::eventually;
use crate::stage::{Stage, kill};

/// A running program. Killed on drop.
#[derive(Debug)]
pub(crate) struct Process {
    name: String,
    child: Mutex<Child>,
    pid: u32,
    stdout: PathBuf,
    stderr: PathBuf,
}

impl Process {
    /// Starts a program in the world's folder.
    pub(crate) fn start(stage: &Arc<Stage>, name: &str, command: Command) -> Self {
        Self::start_in(stage, name, command, &stage.path(""))
    }

    /// Starts a program in another folder.
    pub(crate) fn start_in(stage: &Arc<Stage>, name: &str, mut command: Command, folder: &Path) -> Self {
        let stdout = stage.words_of(&format!("{name}.stdout"));
        let stderr = stage.words_of(&format!("{name}.stderr"));
        let (variable, value) = stage.mark();
        let open = |path| File::create(path).expect("the world's folder is writable");
        command
            .env(variable, value)
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(open(&stdout))
            .stderr(open(&stderr));
        let child = command.spawn().unwrap_or_else(|error| panic!("{name} could not be started: {error}"));
        Self { name: name.to_owned(), pid: child.id(), child: Mutex::new(child), stdout, stderr }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// What it wrote to standard output so far.
    pub(crate) fn stdout(&self) -> String {
        std::fs::read_to_string(&self.stdout).unwrap_or_default()
    }

    /// What it wrote to standard error so far.
    pub(crate) fn stderr(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.stderr).unwrap_or_default()).into_owned()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        // Under the lock, so that the id cannot have been collected and given to another.
        if self.ended().is_none() {
            kill(self.pid, signal);
        }
    }

    /// How it ended, if it did.
    pub(crate) fn ended(&self) -> Option<ExitStatus> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner).try_wait().ok().flatten()
    }

    /// Fails when it is no longer there.
    pub(crate) fn still_runs(&self) -> Result<()> {
        match self.ended() {
            None => Ok(()),
            Some(status) => bail!("{} ended with {status}: {}", self.name, self.stderr()),
        }
    }

    pub(crate) fn kill_9(&self) {
        let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        // Both fail only when it is gone.
        let _ = child.kill();
        let _ = child.wait();
    }

    /// Waits for its end.
    pub(crate) async fn end_within(&self, within: Duration) -> ExitStatus {
        eventually(&format!("{} ends", self.name), within, async || self.ended().context("it still runs")).await
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill_9();
    }
}
