//! The command `orchestrator-worker run`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use orchestrator_core::source::{EntryPoint, GitRef, GitUrl};
use orchestrator_worker::agent::Stopping;
use orchestrator_worker::configuration::Configuration;
use orchestrator_worker::desk::{self, DeskRun, DeskSource};
use orchestrator_worker::process::Exit;
use tokio_util::sync::CancellationToken;

use crate::stop::stop_on_signals;
use crate::{TokenFrom, options, token};

/// Arguments of `run`.
#[derive(Debug, Args)]
pub(crate) struct Run {
    /// The robot: a file of this machine, or the URL of a git repository.
    #[arg(value_name = "PATH|GIT_URL")]
    robot: String,
    /// A configuration file of a worker (TOML), for its interpreters.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The server's address [default: http://127.0.0.1:8420].
    #[arg(long, value_name = "URL")]
    server: Option<String>,
    /// A file with your own token (operator or higher). Without it: ORCHESTRATOR_TOKEN, or a prompt.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// A certificate authority to trust beside the system's (PEM).
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// The name of the process in logs and lists [default: the robot's own].
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// The process arguments, handed over as one value.
    #[arg(long, value_name = "TEXT", default_value = "", allow_hyphen_values = true)]
    args: String,
    /// The branch or tag of a repository [default: its default branch].
    #[arg(long, value_name = "REF")]
    branch: Option<String>,
    /// The file of a repository to run [default: the main.py nearest to the top].
    #[arg(long, value_name = "FILE")]
    entry_point: Option<String>,
}

/// Runs the robot; its exit code becomes the program's.
pub(crate) fn run(run: Run) -> anyhow::Result<ExitCode> {
    let mut configuration = Configuration::load(run.config.as_deref())?;
    if let Some(server) = &run.server {
        configuration.server.clone_from(server);
    }
    configuration.ca_file = run.ca.clone().or(configuration.ca_file);
    configuration.check()?;
    // A name with a typing error is told before anybody is asked for a token.
    let (source, name) = source(&run)?;
    let token = token(&TokenFrom {
        file: run.token_file.as_deref(),
        variable: "ORCHESTRATOR_TOKEN",
        kept: None,
        prompt: "Your token",
        how: "make yourself one with `orchestrator token create user NAME --role operator --out FILE`, and give it with \
              --token-file",
    })?;
    let options = options(&configuration, token)?;
    let name = run.name.unwrap_or(name);
    let desk = DeskRun { options, process_name: name, process_args: run.args, source };
    let runtime = crate::runtime()?;
    let exit = runtime.block_on(async {
        let stopping = Stopping::default();
        let signals = CancellationToken::new();
        let listening = tokio_util::task::TaskTracker::new();
        listening.spawn(signals.clone().run_until_cancelled_owned(stop_on_signals(stopping.clone())));
        let exit = desk::run(desk, stopping).await;
        signals.cancel();
        exit
    })?;
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    tracing::info!(%exit, "the robot has ended");
    Ok(match exit {
        Exit::Code(code) => ExitCode::from(u8::try_from(code).unwrap_or(1)),
        // As shells do.
        Exit::Signal(signal) => ExitCode::from(u8::try_from(128 + signal).unwrap_or(1)),
    })
}

/// What is to be run, and the name that it has by itself.
fn source(run: &Run) -> anyhow::Result<(DeskSource, String)> {
    let path = PathBuf::from(&run.robot);
    if path.exists() {
        anyhow::ensure!(
            run.branch.is_none() && run.entry_point.is_none(),
            "'{}' is a file: --branch and --entry-point are for repositories",
            run.robot
        );
        let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        return Ok((DeskSource::File(path), name));
    }
    let url =
        GitUrl::parse(&run.robot).context("the robot is neither a file that exists nor the URL of a git repository")?;
    let name = url.to_string();
    let name = name.trim_end_matches('/').rsplit(['/', ':']).next().unwrap_or_default().trim_end_matches(".git");
    let git_ref = run.branch.as_deref().map(GitRef::parse).transpose()?;
    let entry_point = run.entry_point.as_deref().map(EntryPoint::parse).transpose()?;
    Ok((DeskSource::Repository { url, git_ref, entry_point }, name.to_owned()))
}
