//! The program `orchestrator-worker`.

mod desk_command;

use std::io::{IsTerminal as _, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Args, Parser, Subcommand};
use orchestrator_worker::agent::{Agent, AgentError, AgentOptions, IdentifyError, Stopping, identify};
use orchestrator_worker::configuration::Configuration;
use orchestrator_worker::doctor::{self, Outcome};
use orchestrator_worker::enrolment;
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;

/// The agent on a robot machine: claims jobs from a server, runs their processes, and tells how they ended.
#[derive(Debug, Parser)]
#[command(name = "orchestrator-worker", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the agent until it is told to stop (once: robots get their stop grace to end; twice: they are killed).
    Start(Start),
    /// Run a robot on this machine with your own token, as a development job, and show what it writes.
    Run(desk_command::Run),
    /// Keep a worker's token on this machine, after asking its server, so that `start` finds it.
    Enroll(Enroll),
    /// Check everything between this machine and a running robot; each finding with its fix.
    Doctor(Base),
}

/// What every command has to know.
#[derive(Debug, Args)]
struct Base {
    /// A configuration file (TOML).
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The server's address [default: http://127.0.0.1:8420].
    #[arg(long, value_name = "URL")]
    server: Option<String>,
    /// A file with the worker token. Without it: ORCHESTRATOR_WORKER_TOKEN, what `enroll` kept, or a prompt.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// The agent's own folder, one per agent [default: ./orchestrator-worker].
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// A certificate authority to trust beside the system's (PEM).
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct Enroll {
    /// The token. Other users of this machine can see it here: without it, it is taken as `start` takes it.
    #[arg(value_name = "TOKEN")]
    token: Option<String>,
    #[command(flatten)]
    base: Base,
}

#[derive(Debug, Args)]
struct Start {
    #[command(flatten)]
    base: Base,
    /// Jobs at once [default: 1].
    #[arg(long, value_name = "N")]
    slots: Option<u32>,
    /// Take only jobs whose whitelist names this worker.
    #[arg(long)]
    exclusive: bool,
    /// A folder that scripts and file:// repositories must lie in; may be given more than once [default: scripts anywhere,
    /// such repositories nowhere].
    #[arg(long = "allow-path", value_name = "DIR")]
    allowed_paths: Vec<PathBuf>,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    logs();
    // With one provider compiled in this cannot fail; it names the one we mean.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let ended = match cli.command {
        Command::Start(start) => run(&start).map(|()| ExitCode::SUCCESS),
        Command::Run(run) => desk_command::run(run),
        Command::Enroll(args) => enroll(&args).map(|()| ExitCode::SUCCESS),
        Command::Doctor(base) => doctor(&base),
    };
    match ended {
        Ok(code) => code,
        // It was told to stop while it waited for a server, and did.
        Err(error) if matches!(error.downcast_ref(), Some(AgentError::Stopped)) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

#[expect(clippy::print_stderr, reason = "the one place where the program tells why it ends")]
fn fail(error: &anyhow::Error) -> ExitCode {
    eprintln!("error: {error:#}");
    let fix = error.downcast_ref::<IdentifyError>().map_or("", IdentifyError::fix);
    if !fix.is_empty() {
        eprintln!("  next  {fix}");
    }
    // As the commands of `orchestrator`: 4 not allowed, 5 conflict, 6 unreachable, 1 anything else.
    match error.downcast_ref::<IdentifyError>() {
        Some(IdentifyError::Refused { .. } | IdentifyError::NoWorker { .. }) => return ExitCode::from(4),
        Some(IdentifyError::Away { .. }) => return ExitCode::from(6),
        Some(IdentifyError::Connect(_)) | None => {}
    }
    match error.downcast_ref::<AgentError>() {
        Some(AgentError::Refused { code: Some(code), .. }) if code == "WORKER_NAME_TAKEN" => ExitCode::from(5),
        Some(AgentError::Refused { .. }) => ExitCode::from(4),
        Some(AgentError::Installation(_)) => ExitCode::from(5),
        _ => ExitCode::from(1),
    }
}

fn run(start: &Start) -> anyhow::Result<()> {
    let mut configuration = configuration(&start.base)?;
    if let Some(slots) = start.slots {
        configuration.slots = slots;
    }
    configuration.exclusive |= start.exclusive;
    configuration.allowed_paths.extend(start.allowed_paths.iter().cloned());
    configuration.check()?;
    let token = worker_token(&configuration)?;
    let options = options(&configuration, token)?;
    let runtime = runtime()?;
    runtime.block_on(work(options))?;
    runtime.shutdown_timeout(Duration::from_secs(1));
    Ok(())
}

/// One thread for everything that waits: an agent has little to do, and a call of a robot that goes from thread to thread on
/// its way to the server and back is answered a tenth later.
fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().context("no runtime")
}

fn enroll(args: &Enroll) -> anyhow::Result<()> {
    let configuration = configuration(&args.base)?;
    let token = match &args.token {
        Some(token) => SecretString::from(token.trim().to_owned()),
        None => worker_token(&configuration)?,
    };
    let options = options(&configuration, token.clone())?;
    let name = runtime()?.block_on(identify(&options))?;
    let replaced = enrolment::keep(&options.data, &token)
        .with_context(|| format!("the token cannot be kept in '{}'", options.data.display()))?;
    let file = enrolment::token_file(&options.data);
    let replaced = if replaced { ", in the place of another one" } else { "" };
    say(&format!("Worker {name}: its token is kept in {}{replaced}.", file.display()));
    say(&format!("Next:  orchestrator-worker start --server {} --data {}", options.server, options.data.display()));
    Ok(())
}

fn doctor(base: &Base) -> anyhow::Result<ExitCode> {
    let configuration = configuration(base)?;
    let token = worker_token(&configuration)?;
    let findings = runtime()?.block_on(doctor::examine(&options(&configuration, token)?));
    say(&doctor::page(&findings));
    let is_well = findings.iter().all(|finding| finding.outcome != Outcome::Bad);
    Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

async fn work(options: AgentOptions) -> anyhow::Result<()> {
    let stopping = Stopping::default();
    let signals = CancellationToken::new();
    let listening = tokio_util::task::TaskTracker::new();
    listening.spawn(signals.clone().run_until_cancelled_owned(stop_on_signals(stopping.clone())));
    let server = options.server.clone();
    let slots = options.slots;
    let agent = Agent::start(options, stopping).await?;
    tracing::info!(worker.name = agent.worker_name(), server, slots, "ready");
    say(&format!(
        "Ready: worker {} at {server}, {slots} {}",
        agent.worker_name(),
        if slots == 1 { "slot" } else { "slots" }
    ));
    agent.run().await;
    signals.cancel();
    tracing::info!("stopped");
    Ok(())
}

/// One line for people and scripts that wait for it. Who started the agent may have closed the output.
fn say(line: &str) {
    let mut stdout = std::io::stdout().lock();
    if let Err(error) = writeln!(stdout, "{line}").and_then(|()| stdout.flush()) {
        tracing::debug!(%error, "nobody reads the standard output");
    }
}

/// The first signal asks for an orderly end, the second for a quick one.
async fn stop_on_signals(stopping: Stopping) {
    let mut signals = match Signals::new() {
        Ok(signals) => signals,
        Err(error) => {
            tracing::error!(%error, "signals cannot be heard: the agent ends only by being killed");
            return;
        }
    };
    signals.next().await;
    stopping.soft.cancel();
    signals.next().await;
    stopping.hard.cancel();
}

/// SIGINT and SIGTERM.
#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// Ctrl-C, and what the system sends when it shuts down.
#[cfg(windows)]
struct Signals {
    interrupt: tokio::signal::windows::CtrlC,
    shutdown: tokio::signal::windows::CtrlShutdown,
}

#[cfg(windows)]
impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self { interrupt: tokio::signal::windows::ctrl_c()?, shutdown: tokio::signal::windows::ctrl_shutdown()? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.shutdown.recv() => {}
        }
    }
}

fn configuration(base: &Base) -> anyhow::Result<Configuration> {
    let mut configuration = Configuration::load(base.config.as_deref())?;
    if let Some(server) = &base.server {
        configuration.server.clone_from(server);
    }
    if let Some(data) = &base.data {
        configuration.data.clone_from(data);
    }
    configuration.token_file = base.token_file.clone().or(configuration.token_file);
    configuration.ca_file = base.ca.clone().or(configuration.ca_file);
    configuration.check()?;
    Ok(configuration)
}

fn options(configuration: &Configuration, token: SecretString) -> anyhow::Result<AgentOptions> {
    let ca = configuration.ca_file.as_ref().map(|file| {
        std::fs::read(file).with_context(|| format!("the certificate authority '{}' cannot be read", file.display()))
    });
    Ok(AgentOptions {
        server: configuration.server.clone(),
        token,
        ca: ca.transpose()?,
        data: configuration.data.clone(),
        slots: configuration.slots,
        exclusive: configuration.exclusive,
        allowed_paths: configuration.allowed_paths.clone(),
        open_file_urls: false,
        git: configuration.git.clone(),
        mirrors_max_bytes: configuration.mirrors_max_bytes(),
        mirrors_max_age: configuration.mirrors_max_age(),
        checkout_limit: Duration::from_secs(configuration.checkout_limit_seconds),
        interpreters: configuration.interpreters(),
        process_interpreters: configuration.process_interpreters(),
        output: configuration.output(),
        robot_api: configuration.robot_api(),
    })
}

/// Where a token is looked for.
struct TokenFrom<'a> {
    file: Option<&'a Path>,
    variable: &'a str,
    /// Where `enroll` kept it.
    kept: Option<&'a Path>,
    prompt: &'a str,
    /// How one is come by.
    how: &'a str,
}

fn worker_token(configuration: &Configuration) -> anyhow::Result<SecretString> {
    let kept = enrolment::token_file(&configuration.data);
    token(&TokenFrom {
        file: configuration.token_file.as_deref(),
        variable: "ORCHESTRATOR_WORKER_TOKEN",
        kept: Some(&kept),
        prompt: "Worker token",
        how: "make one with `orchestrator worker enroll NAME`, and keep it here with `orchestrator-worker enroll`",
    })
}

/// The token: from a file, the environment, where `enroll` kept it, the terminal, or the standard input.
fn token(from: &TokenFrom<'_>) -> anyhow::Result<SecretString> {
    let TokenFrom { file, variable, kept, prompt, how } = *from;
    let text = if let Some(file) = file {
        read_token(file)?
    } else if let Ok(text) = std::env::var(variable) {
        text
    } else if let Some(kept) = kept.filter(|kept| kept.exists()) {
        read_token(kept)?
    } else if std::io::stdin().is_terminal() {
        dialoguer::Password::new().with_prompt(prompt).interact().context("no token was given")?
    } else {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).context("no token on the standard input")?;
        text
    };
    let text = text.trim();
    anyhow::ensure!(!text.is_empty(), "no token: {how}");
    Ok(SecretString::from(text.to_owned()))
}

fn read_token(file: &Path) -> anyhow::Result<String> {
    warn_if_open(file);
    std::fs::read_to_string(file).with_context(|| format!("the token file '{}' cannot be read", file.display()))
}

/// Who can read the token can take this worker's jobs.
#[cfg(unix)]
fn warn_if_open(file: &Path) {
    use std::os::unix::fs::MetadataExt as _;
    if std::fs::metadata(file).is_ok_and(|metadata| metadata.mode() & 0o077 != 0) {
        tracing::warn!(file = %file.display(), "the token file can be read by others; close it: chmod 600");
    }
}

/// Only Unix has such modes.
#[cfg(not(unix))]
fn warn_if_open(_file: &std::path::Path) {}

fn logs() {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if std::io::stderr().is_terminal() {
        logs.init();
    } else {
        logs.json().init();
    }
}
