//! A real server process.

use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result};
use rustix::process::Signal;

use crate::cli::orchestrator;
use crate::eventually::eventually;
use crate::process::Process;
use crate::stage::Stage;

/// How long a server may take until it serves. The product promises half a second; the machine is busy.
const READY_WITHIN: Duration = Duration::from_secs(30);

/// One server of a world: dead or alive, always at the same address.
#[derive(Debug)]
pub struct Server {
    stage: Arc<Stage>,
    name: String,
    data: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    database: String,
    process: Option<Arc<Process>>,
    port: u16,
    /// What its command is wrapped in, such as limits.
    wrapper: Option<String>,
}

impl Server {
    pub(crate) fn new(stage: &Arc<Stage>, name: &str, database: &str) -> Self {
        Self {
            stage: Arc::clone(stage),
            name: name.to_owned(),
            data: stage.path(name),
            state: Mutex::new(State { database: database.to_owned(), ..State::default() }),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.state().port)
    }

    /// Its data folder.
    pub fn data(&self) -> &PathBuf {
        &self.data
    }

    /// The key file that all servers of a world share.
    pub(crate) fn key_file(stage: &Stage) -> PathBuf {
        stage.path("orchestrator.key")
    }

    /// From the next start on, runs under a shell that executes these lines first.
    pub fn start_after(&self, lines: &str) {
        self.state().wrapper = Some(lines.to_owned());
    }

    /// From the next start on, has another database.
    pub fn move_to(&self, database: &str) {
        database.clone_into(&mut self.state().database);
    }

    /// The command that starts it, at the port it had before.
    fn command(&self) -> Command {
        let mut start = orchestrator(&self.stage);
        start.args(["server", "start", "--data"]).arg(&self.data);
        start.arg("--listen").arg(format!("127.0.0.1:{}", self.state().port));
        start.arg("--key-file").arg(Self::key_file(&self.stage));
        // Not in the arguments: that is what the product advises.
        start.env("ORCHESTRATOR__DATABASE__URL", &self.state().database);
        start.env("ORCHESTRATOR__SCHEDULING__TIME_ZONE", "UTC");
        if std::env::var_os("RUST_LOG").is_none() {
            start.env("RUST_LOG", "info,orchestrator=debug");
        }
        let Some(lines) = self.state().wrapper.clone() else { return start };
        let mut shell = Command::new("bash");
        shell.args(["-c", &format!("{lines}\nexec \"$@\""), "bash"]).arg(start.get_program()).args(start.get_args());
        shell.envs(start.get_envs().filter_map(|(name, value)| Some((name, value?))));
        shell
    }

    /// Starts it and does not wait.
    pub(crate) fn launch(&self) -> Arc<Process> {
        let process = Arc::new(Process::start(&self.stage, &self.name, self.command()));
        self.state().process = Some(Arc::clone(&process));
        process
    }

    /// Starts it and waits until it serves.
    ///
    /// # Panics
    ///
    /// When it ends instead, or takes too long.
    pub async fn start(&self) {
        let process = self.launch();
        let address = eventually(&format!("{} serves", self.name), READY_WITHIN, async || {
            if process.ended().is_some() {
                return Ok(None);
            }
            let port = address_in(&process.stdout()).or_else(|| address_in(&process.stderr()));
            let port = port.context("it has not said where it listens")?;
            is_ready(port).await.map(|()| Some(port))
        })
        .await;
        let Some(port) = address else { panic!("{} ended: {}", self.name, process.stderr()) };
        self.state().port = port;
    }

    /// Starts it where it must refuse to serve; returns its exit code and what it said.
    ///
    /// # Panics
    ///
    /// When it does not end.
    pub async fn refuses_to_start(&self) -> (Option<i32>, String) {
        let process = self.launch();
        let status = process.end_within(READY_WITHIN).await;
        (status.code(), format!("{}{}", process.stdout(), process.stderr()))
    }

    fn process(&self) -> Arc<Process> {
        self.state().process.clone().expect("the server was started")
    }

    /// Kills it without notice.
    pub fn kill_9(&self) {
        self.process().kill_9();
    }

    /// Asks it to stop and waits until it has.
    ///
    /// # Panics
    ///
    /// When it does not, or not well.
    pub async fn stop(&self) {
        let process = self.process();
        process.signal(Signal::TERM);
        let status = process.end_within(Duration::from_secs(40)).await;
        assert!(status.success(), "{} stopped with {status}", self.name);
    }

    /// Stops its execution.
    pub fn pause(&self) {
        self.process().signal(Signal::STOP);
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.process().signal(Signal::CONT);
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.process().pid()
    }

    /// What it said on standard error since it was started last.
    pub fn words(&self) -> String {
        self.process().stderr()
    }

    /// Fails when it is no longer there.
    pub fn still_runs(&self) -> Result<()> {
        self.process().still_runs()
    }
}

/// The port in the first address on loopback that is named in `text`.
fn address_in(text: &str) -> Option<u16> {
    let after = text.match_indices("127.0.0.1:").map(|(at, found)| &text[at + found.len()..]);
    let mut ports = after.filter_map(|rest| rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok());
    ports.find(|port| *port != 0)
}

/// Asks as a load balancer does.
async fn is_ready(port: u16) -> Result<()> {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await?;
    let request = format!("GET /readyz HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let first = answer.lines().next().unwrap_or_default();
    anyhow::ensure!(first.contains(" 200 "), "/readyz says {first:?}");
    Ok(())
}
