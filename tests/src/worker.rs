//! A real worker process.

use std::path::PathBuf;
use std::process::{Command, ExitStatus};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use rustix::process::Signal;

use crate::eventually::eventually;
use crate::process::Process;
use crate::programs::program;
use crate::stage::{Stage, children_of, kill};
use crate::world::World;
use crate::{SOON, Wire};

/// A worker that is not started yet.
#[derive(Debug)]
pub struct WorkerBuilder<'a> {
    world: &'a World,
    name: String,
    slots: u32,
    url: String,
    exclusive: bool,
    state: String,
    configuration: String,
    variables: Vec<(String, String)>,
    beside: Option<String>,
}

impl World {
    /// A worker with this name and one slot, at the first server.
    pub fn worker(&self, name: &str) -> WorkerBuilder<'_> {
        WorkerBuilder {
            world: self,
            name: name.to_owned(),
            slots: 1,
            url: self.server().url(),
            exclusive: false,
            state: format!("worker-{name}"),
            // Repositories of scenarios are folders of this machine.
            configuration: "allowed_paths = [\"/\"]\n".to_owned(),
            variables: Vec::new(),
            beside: None,
        }
    }
}

impl WorkerBuilder<'_> {
    /// Holds so many jobs at once.
    #[must_use]
    pub fn slots(mut self, slots: u32) -> Self {
        self.slots = slots;
        self
    }

    /// Takes only jobs that name it.
    #[must_use]
    pub fn exclusive(mut self) -> Self {
        self.exclusive = true;
        self
    }

    /// Reaches the server over this wire.
    #[must_use]
    pub fn over(mut self, wire: &Wire) -> Self {
        self.url = wire.url();
        self
    }

    /// Is a second installation under the same name: keeps its state elsewhere.
    #[must_use]
    pub fn installed_in(mut self, folder: &str) -> Self {
        folder.clone_into(&mut self.state);
        self
    }

    /// Has these lines in its configuration file.
    #[must_use]
    pub fn configured(mut self, lines: &str) -> Self {
        lines.clone_into(&mut self.configuration);
        self
    }

    /// Has these variables in its environment, which robots inherit.
    #[must_use]
    pub fn variables(mut self, variables: impl IntoIterator<Item = (String, String)>) -> Self {
        self.variables.extend(variables);
        self
    }

    /// Has a shell script for a child when it starts, as one that a container's entry point has started before it.
    #[must_use]
    pub fn beside(mut self, script: &str) -> Self {
        self.beside = Some(script.to_owned());
        self
    }

    /// Makes its token, starts it and waits until the server knows it.
    pub async fn start(self) -> Worker {
        let world = self.world;
        let worker = self.install().await;
        worker.start();
        worker.is_up(world).await;
        worker
    }

    /// Makes its token and its configuration, and does not start it.
    ///
    /// # Panics
    ///
    /// When the server refuses.
    pub async fn install(self) -> Worker {
        let stage = self.world.stage();
        let token = self.world.worker_token(&self.name).await;
        let home = stage.folder(&self.state);
        let token_file = stage.file(format!("{}/worker.token", self.state), token);
        let configuration = stage.file(format!("{}/worker.toml", self.state), &self.configuration);
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(&token_file, mode).expect("the world's folder is writable");
        Worker {
            stage: Arc::clone(stage),
            name: self.name,
            slots: self.slots,
            exclusive: self.exclusive,
            url: self.url,
            home,
            token_file,
            configuration,
            variables: self.variables,
            beside: self.beside,
            robots_url: self.world.server().url(),
            robots_token: self.world.token_of("USER", &format!("robots of {}", self.state), "OPERATOR").await,
            process: Mutex::default(),
        }
    }
}

/// A worker: dead or alive. Killed on drop; its robots are swept with the world.
#[derive(Debug)]
pub struct Worker {
    stage: Arc<Stage>,
    name: String,
    slots: u32,
    exclusive: bool,
    url: String,
    home: PathBuf,
    token_file: PathBuf,
    configuration: PathBuf,
    variables: Vec<(String, String)>,
    beside: Option<String>,
    robots_url: String,
    robots_token: String,
    process: Mutex<Option<Arc<Process>>>,
}

impl Worker {
    fn command(&self) -> Command {
        let worker = program("orchestrator-worker");
        let mut command = match &self.beside {
            None => Command::new(worker),
            Some(script) => {
                let mut shell = Command::new("bash");
                shell.args(["-c", &format!("({script}) &\nexec \"$0\" \"$@\"")]).arg(worker);
                shell
            }
        };
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("ORCHESTRATOR_")) {
            command.env_remove(name);
        }
        command.args(["start", "--server", &self.url]).arg("--token-file").arg(&self.token_file);
        command.args(["--slots", &self.slots.to_string()]).arg("--config").arg(&self.configuration);
        command.arg("--data").arg(self.home.join("data"));
        if self.exclusive {
            command.arg("--exclusive");
        }
        command.env("HOME", &self.home).env("TMPDIR", self.stage.folder("tmp"));
        command.env("SCENARIO_URL", &self.robots_url).env("SCENARIO_TOKEN", &self.robots_token);
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        if std::env::var_os("RUST_LOG").is_none() {
            command.env("RUST_LOG", "info,orchestrator_worker=debug");
        }
        command
    }

    /// Starts it (again) and does not wait.
    pub fn start(&self) {
        let process = Process::start(&self.stage, &format!("worker-{}", self.name), self.command());
        *self.process.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(process));
    }

    fn process(&self) -> Arc<Process> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner).clone().expect("the worker was started")
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Waits until the server shows it as up.
    pub async fn is_up(&self, world: &World) {
        let process = self.process();
        let within = SOON + Duration::from_secs(10);
        eventually(&format!("worker {} is up", self.name), within, async || {
            assert!(process.ended().is_none(), "worker {} ended: {}", self.name, process.stderr());
            let shown = world.shown_worker(&self.name).await?;
            ensure!(shown.state == "UP", "it is {}", shown.state);
            Ok(())
        })
        .await;
    }

    /// Kills it and its watchdog without notice, as if by one blow; its robots stay.
    pub fn kill_9(&self) {
        // Stopped, it starts no other one.
        self.pause();
        if let Some(watchdog) = self.watchdog() {
            kill(watchdog, Signal::KILL);
        }
        self.kill_agent_9();
    }

    /// Kills the agent alone without notice. Its watchdog kills its robots.
    pub fn kill_agent_9(&self) {
        self.process().kill_9();
    }

    /// The process of its watchdog.
    pub fn watchdog(&self) -> Option<u32> {
        children_of(self.pid()).into_iter().find(|pid| {
            let command = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            command.starts_with(b"orch-watchdog\0")
        })
    }

    /// Sends TERM: it is to drain.
    pub fn ask_to_stop(&self) {
        self.process().signal(Signal::TERM);
    }

    /// Waits for its end.
    pub async fn end_within(&self, within: Duration) -> ExitStatus {
        self.process().end_within(within).await
    }

    /// Stops its execution, but not that of its robots.
    pub fn pause(&self) {
        self.process().signal(Signal::STOP);
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.process().signal(Signal::CONT);
    }

    /// What it said on standard error since it was started last.
    pub fn words(&self) -> String {
        self.process().stderr()
    }

    /// Fails when it is no longer there.
    pub fn still_runs(&self) -> Result<()> {
        self.process().still_runs().context("the worker")
    }

    /// The files in its spool, those of what was refused among them.
    pub fn spool(&self) -> Vec<PathBuf> {
        let spool = self.home.join("data/spool");
        let files = |folder: PathBuf| {
            std::fs::read_dir(folder).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()))
        };
        files(spool.clone()).chain(files(spool.join("refused"))).filter(|path| path.is_file()).collect()
    }

    /// The agent's folder.
    pub fn data(&self) -> PathBuf {
        self.home.join("data")
    }

    /// Where its token is.
    pub fn token_file(&self) -> &PathBuf {
        &self.token_file
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.process().pid()
    }
}
