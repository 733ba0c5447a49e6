//! The programs that are started, each in an environment without anything of ours, and what they said when they fail.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command};

use anyhow::{Context as _, ensure};

use crate::report::progress;

/// So many of its last lines are shown of a program that failed.
const LAST_LINES: usize = 20;

/// A program with the caller's environment but for what sets up an orchestrator: with the URL of somebody's database in it
/// a benchmark would fill that. `bench/robots/compare.py` does the same.
pub(crate) fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    for name in settings(std::env::vars_os().map(|(name, _)| name)) {
        command.env_remove(name);
    }
    command
}

fn settings(names: impl Iterator<Item = OsString>) -> impl Iterator<Item = OsString> {
    names.filter(|name| name.as_encoded_bytes().starts_with(b"ORCHESTRATOR"))
}

/// A program that was built with this one.
pub(crate) fn built(name: &str) -> anyhow::Result<PathBuf> {
    let path = std::env::current_exe()?.with_file_name(name);
    ensure!(path.exists(), "{} is missing: run cargo build --release --workspace first", path.display());
    Ok(path)
}

/// A child that does not outlive the measurement.
#[derive(Debug)]
pub(crate) struct Killed(pub(crate) Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A child that runs until it is dropped, and whose errors are kept in a file. Where it ended by itself before, its last
/// lines are shown then, unless an error has them.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    name: &'static str,
    log: PathBuf,
    is_told: bool,
}

impl Running {
    /// Starts it. Errors go to `<name>.log` in the folder, after those of its predecessor.
    pub(crate) fn start(command: &mut Command, name: &'static str, folder: &Path) -> anyhow::Result<Self> {
        let log = folder.join(format!("{name}.log"));
        let errors = File::options().create(true).append(true).open(&log)?;
        let child = command.stderr(errors).spawn().with_context(|| format!("the {name} does not start"))?;
        Ok(Self { child, name, log, is_told: false })
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Its output, once.
    pub(crate) fn output(&mut self) -> anyhow::Result<ChildStdout> {
        self.child.stdout.take().context("no output")
    }

    /// Whether it ended by itself.
    pub(crate) fn has_ended(&mut self) -> anyhow::Result<bool> {
        Ok(self.child.try_wait()?.is_some())
    }

    /// What its last lines say, for an error about it.
    pub(crate) fn last_lines(&mut self) -> String {
        self.is_told = true;
        let said = std::fs::read(&self.log).unwrap_or_default();
        let lines = last_lines(&String::from_utf8_lossy(&said), LAST_LINES);
        if lines.is_empty() { format!("the {} said nothing", self.name) } else { format!("its last lines:\n{lines}") }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Ok(Some(status)) = self.child.try_wait()
            && !self.is_told
        {
            let said = self.last_lines();
            progress(&format!("the {} ended by itself, {status}; {said}", self.name));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

#[cfg(test)]
mod tests {
    use std::process::Stdio;

    use super::*;

    #[test]
    fn settings_of_an_orchestrator_are_taken_away_and_nothing_else() {
        let names = ["ORCHESTRATOR__DATABASE__URL", "PATH", "ORCHESTRATOR_TOKEN", "MY_ORCHESTRATOR", "ORCHESTRATOR"];
        let taken: Vec<_> = settings(names.into_iter().map(OsString::from)).collect();
        assert_eq!(taken, ["ORCHESTRATOR__DATABASE__URL", "ORCHESTRATOR_TOKEN", "ORCHESTRATOR"]);
    }

    #[test]
    fn the_last_lines_are_the_last() {
        assert_eq!(last_lines("one\ntwo\nthree\n", 2), "two\nthree");
        assert_eq!(last_lines("one\n", 2), "one");
        assert_eq!(last_lines("", 2), "");
    }

    #[test]
    fn what_a_program_said_before_it_ended_is_kept() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let mut said = String::new();
        for sentence in ["no such key", "no such port"] {
            let mut program = command("sh");
            program.args(["-c", "echo $0 >&2", sentence]).stdout(Stdio::piped());
            let mut running = Running::start(&mut program, "server", folder.path())?;
            // Its output ends when it does.
            std::io::copy(&mut running.output()?, &mut std::io::sink())?;
            said = running.last_lines();
        }
        assert_eq!(said, "its last lines:\nno such key\nno such port");
        Ok(())
    }
}
