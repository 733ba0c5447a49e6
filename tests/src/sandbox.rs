//! A real `orchestrator dev`.

use std::path::Path;
use std::process::ExitStatus;
use std::time::Duration;

use anyhow::{Context as _, Result};
use rustix::process::Signal;
use serde_json::Value;

use crate::cli::{self, Said};
use crate::eventually::eventually;
use crate::process::Process;
use crate::world::World;

/// Its first start makes a database, a key and a token, and runs a robot.
const READY_WITHIN: Duration = Duration::from_mins(1);

/// A running sandbox. Killed on drop.
#[derive(Debug)]
pub struct Sandbox {
    process: Process,
}

impl Sandbox {
    /// Starts one on a free port in the world's folder.
    pub fn start(world: &World, flags: &[&str]) -> Self {
        let temporary = world.stage().folder("temporary");
        Self::start_in(world, &world.stage().path(""), &temporary, flags)
    }

    /// Starts one in this folder, with this one for temporary files.
    pub fn start_in(world: &World, folder: &Path, temporary: &Path, flags: &[&str]) -> Self {
        let mut command = cli::orchestrator(world.stage());
        command.args(["dev", "--port", "0"]).args(flags).env("TMPDIR", temporary);
        Self { process: Process::start_in(world.stage(), "dev", command, folder) }
    }

    /// What it said so far.
    pub fn stdout(&self) -> String {
        self.process.stdout()
    }

    /// Fails when it is no longer there.
    pub fn still_runs(&self) -> Result<()> {
        self.process.still_runs()
    }

    /// The address in its greeting.
    ///
    /// # Panics
    ///
    /// When there is none.
    pub fn url_in(&self, greeting: &str) -> String {
        let from = greeting.find("http://127.0.0.1:").unwrap_or_else(|| panic!("no address in {greeting}"));
        let url = greeting[from..].split(|c: char| c.is_whitespace() || c == '"').next().unwrap_or_default();
        url.trim_end_matches('/').to_owned()
    }

    /// Its one line for scripts.
    pub async fn greeting(&self) -> Value {
        eventually("the sandbox is ready", READY_WITHIN, async || {
            self.still_runs()?;
            let said = self.stdout();
            let line = said.lines().next().context("it has said nothing")?;
            Ok(serde_json::from_str(line)?)
        })
        .await
    }

    /// Its address and the administrator's token.
    ///
    /// # Panics
    ///
    /// When its greeting lacks them.
    pub async fn for_scripts(&self) -> (String, String) {
        let line = self.greeting().await;
        let text = |key: &str| line[key].as_str().unwrap_or_else(|| panic!("no {key} in {line}")).to_owned();
        (text("url").trim_end_matches('/').to_owned(), text("token"))
    }

    /// Runs a command that finds the sandbox by the context that it wrote.
    pub async fn cli(&self, world: &World, arguments: &[&str]) -> Said {
        cli::run(cli::orchestrator(world.stage()), arguments, b"").await
    }

    /// Kills it without notice.
    pub fn kill_9(&self) {
        self.process.kill_9();
    }

    /// Ctrl-C.
    pub async fn interrupt(&self) -> ExitStatus {
        self.process.signal(Signal::INT);
        self.process.end_within(Duration::from_secs(40)).await
    }
}
