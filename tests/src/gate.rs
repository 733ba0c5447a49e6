//! How a scenario and its robots wait for each other: by files.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;

use crate::SOON;
use crate::eventually::eventually;
use crate::stage::Stage;

/// Something that robots wait in front of until the scenario opens it.
#[derive(Debug, Clone)]
pub struct Gate {
    file: PathBuf,
}

impl Gate {
    pub(crate) fn new(stage: &Arc<Stage>, name: &str) -> Self {
        Self { file: stage.path(format!("gate-{name}")) }
    }

    /// Lets everybody through.
    ///
    /// # Panics
    ///
    /// When the world's folder is not writable.
    pub fn open(&self) {
        std::fs::write(&self.file, "").expect("the world's folder is writable");
    }

    /// A line of shell that waits for it.
    pub fn wait(&self) -> String {
        format!("while [ ! -e '{}' ]; do sleep 0.02; done", self.file.display())
    }

    /// A line of Python that waits for it.
    pub fn wait_in_python(&self) -> String {
        format!("while not os.path.exists('{}'): time.sleep(0.02)", self.file.display())
    }
}

/// A file to which robots add lines, so that it can be counted what really ran.
#[derive(Debug, Clone)]
pub struct Ledger {
    file: PathBuf,
}

impl Ledger {
    pub(crate) fn new(stage: &Arc<Stage>, name: &str) -> Self {
        Self { file: stage.file(format!("ledger-{name}"), "") }
    }

    /// A line of shell that adds `text`, in which the shell's variables count.
    pub fn add(&self, text: &str) -> String {
        format!("echo \"{text}\" >> '{}'", self.file.display())
    }

    /// A line of Python that adds the value of an expression.
    pub fn add_in_python(&self, expression: &str) -> String {
        format!("print({expression}, file=open('{}', 'a'), flush=True)", self.file.display())
    }

    /// Waits until something is written; the last line.
    pub async fn is_written(&self) -> String {
        let what = format!("somebody writes to {}", self.file.display());
        eventually(&what, SOON + SOON, async || self.lines().pop().context("nothing yet")).await
    }

    /// What was written so far.
    pub fn lines(&self) -> Vec<String> {
        std::fs::read_to_string(&self.file).unwrap_or_default().lines().map(str::to_owned).collect()
    }
}
