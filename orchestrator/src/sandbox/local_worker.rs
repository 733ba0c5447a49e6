//! The sandbox's own worker, in this process.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use orchestrator_core::identity::IdentityKind;
use orchestrator_worker::agent::{Agent, AgentOptions, Stopping, own_watchdog};
use orchestrator_worker::configuration::Configuration;
use secrecy::SecretString;
use tokio_util::task::TaskTracker;

use crate::error::{CliError, Result};
use crate::lifecycle::Lifecycle;
use crate::serving::{Serving, make_token};

/// The name of the sandbox's worker.
const NAME: &str = "this-machine";

/// What is known of the worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LocalWorker {
    /// Jobs at once.
    pub(crate) slots: u32,
    /// The version of Python, where there is one.
    pub(crate) python: Option<String>,
    /// The version of git, where there is one.
    pub(crate) git: Option<String>,
}

/// Starts a worker for the server of this process. It stops with the program. Its own task is one of `agents`, which
/// the hard stage does not drop: it kills the robots then, those among them that left its group.
pub(crate) async fn start_worker(
    serving: &Serving,
    data: &Path,
    slots: u32,
    lifecycle: &Lifecycle,
    agents: &TaskTracker,
) -> Result<LocalWorker> {
    let token = token(serving, &data.join("worker.token")).await?;
    let configuration = Configuration { data: data.join("worker"), slots, ..Configuration::default() };
    let options = AgentOptions {
        server: serving.url(),
        token,
        ca: None,
        data: absolute(&configuration.data),
        slots,
        exclusive: false,
        // A sandbox runs whatever its user points it at.
        allowed_paths: Vec::new(),
        open_file_urls: true,
        git: configuration.git.clone(),
        mirrors_max_bytes: configuration.mirrors_max_bytes(),
        mirrors_max_age: configuration.mirrors_max_age(),
        checkout_limit: Duration::from_secs(configuration.checkout_limit_seconds),
        interpreters: configuration.interpreters(),
        process_interpreters: configuration.process_interpreters(),
        output: configuration.output(),
        robot_api: configuration.robot_api(),
        watchdog: own_watchdog(),
        unfit_pause: AgentOptions::UNFIT_PAUSE,
    };
    let stopping = Stopping { soft: lifecycle.soft(), hard: lifecycle.hard() };
    let agent = Agent::start(options, stopping).await.map_err(|error| CliError::Worker(error.to_string()))?;
    let running = agents.spawn(agent.run());
    lifecycle.spawn("worker", async move {
        if let Err(error) = running.await {
            tracing::error!(%error, "the worker failed");
        }
    });
    Ok(LocalWorker { slots, python: version("python3"), git: version("git") })
}

/// The worker's token: the one of an earlier run, or a new one.
async fn token(serving: &Serving, file: &Path) -> Result<SecretString> {
    // A token of an earlier database is worth nothing.
    let is_new = serving.new_admin_token.is_some();
    if let Some(text) = std::fs::read_to_string(file).ok().filter(|_| !is_new) {
        return Ok(SecretString::from(text.trim().to_owned()));
    }
    let now = serving.scheduler.now();
    let token = make_token(serving.scheduler.db(), IdentityKind::Worker, NAME, None, file, now).await?;
    Ok(SecretString::from(token.expose().to_owned()))
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// The number that a program says when it is asked for its version.
fn version(program: &str) -> Option<String> {
    let output = Command::new(program).arg("--version").output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    text.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit())).map(ToOwned::to_owned)
}
