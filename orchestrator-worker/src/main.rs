//! The program `orchestrator-worker`.

mod desk_command;
mod doctor_command;
mod drain_command;
mod form;
#[cfg(test)]
mod help;
mod service_command;
mod status_command;
mod stop;

use std::io::{IsTerminal as _, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Args, Parser, Subcommand};
use orchestrator_worker::agent::{
    Agent, AgentError, AgentOptions, DrainError, IdentifyError, Stopping, identify, is_watchdog, own_watchdog, watch,
};
use orchestrator_worker::configuration::Configuration;
use orchestrator_worker::service::ServiceError;
use orchestrator_worker::{enrolment, log_filter};
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;

use crate::form::Output;
use crate::stop::stop_on_signals;

/// The agent on a robot machine: claims jobs from a server, runs their processes, and tells how they ended.
#[derive(Debug, Parser)]
#[command(name = "orchestrator-worker", version)]
struct Cli {
    /// How results are printed.
    #[arg(short, long, global = true, value_enum, value_name = "FORMAT", default_value_t)]
    output: Output,
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
    /// Tell what the agent of this machine does, from its folder: its jobs, its server, its spool. Exit code 3: no agent
    /// runs there; 6: it runs, and its server does not answer.
    Status(Base),
    /// Have the server give this worker nothing new; what runs goes on. Exit codes with --wait: 6 when jobs still run at the
    /// time-out or the server stays away, 5 when somebody lets it take jobs again.
    Drain(drain_command::Drain),
    /// The agent as a service that starts by itself.
    #[command(subcommand)]
    Service(service_command::ServiceCommand),
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
    if is_watchdog() {
        logs();
        return watch();
    }
    let cli = Cli::parse();
    logs();
    // With one provider compiled in this cannot fail; it names the one we mean.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let ended = match cli.command {
        Command::Start(start) => run(&start).map(|()| ExitCode::SUCCESS),
        Command::Run(run) => desk_command::run(run),
        Command::Enroll(args) => enroll(&args).map(|()| ExitCode::SUCCESS),
        Command::Doctor(base) => doctor_command::run(&base, cli.output),
        Command::Status(base) => status_command::run(&base, cli.output),
        Command::Drain(args) => drain_command::run(&args, cli.output),
        Command::Service(command) => service_command::run(command, cli.output),
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
    // As the commands of `orchestrator`: 2 a value that cannot be used, 4 not allowed, 5 conflict, 6 unreachable, 1 anything else.
    match error.downcast_ref::<IdentifyError>() {
        Some(IdentifyError::Refused { .. } | IdentifyError::NoWorker { .. }) => return ExitCode::from(4),
        Some(IdentifyError::Away { .. }) => return ExitCode::from(6),
        Some(IdentifyError::Connect(_)) => return ExitCode::from(2),
        None => {}
    }
    if let Some(error) = error.downcast_ref::<DrainError>() {
        return ExitCode::from(drain_command::exit_code(error));
    }
    if let Some(error) = error.downcast_ref::<ServiceError>() {
        return ExitCode::from(service_command::exit_code(error));
    }
    match error.downcast_ref::<AgentError>() {
        Some(AgentError::Connect(_)) => ExitCode::from(2),
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
        watchdog: own_watchdog(),
        unfit_pause: AgentOptions::UNFIT_PAUSE,
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
    token(&worker_token_from(configuration, Some(&enrolment::token_file(&configuration.data))))
}

/// The worker's token, where nobody has to be asked for it.
fn found_worker_token(configuration: &Configuration) -> anyhow::Result<Option<SecretString>> {
    let kept = enrolment::token_file(&configuration.data);
    let found = found_token(&worker_token_from(configuration, Some(&kept)))?;
    Ok(found.map(|text| SecretString::from(text.trim().to_owned())))
}

fn worker_token_from<'a>(configuration: &'a Configuration, kept: Option<&'a Path>) -> TokenFrom<'a> {
    TokenFrom {
        file: configuration.token_file.as_deref(),
        variable: "ORCHESTRATOR_WORKER_TOKEN",
        kept,
        prompt: "Worker token",
        how: "make one with `orchestrator worker enroll NAME`, and keep it here with `orchestrator-worker enroll`",
    }
}

/// The token: from a file, the environment, where `enroll` kept it, the terminal, or the standard input.
fn token(from: &TokenFrom<'_>) -> anyhow::Result<SecretString> {
    let text = if let Some(text) = found_token(from)? {
        text
    } else if std::io::stdin().is_terminal() {
        dialoguer::Password::new().with_prompt(from.prompt).interact().context("no token was given")?
    } else {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).context("no token on the standard input")?;
        text
    };
    let text = text.trim();
    anyhow::ensure!(!text.is_empty(), "no token: {}", from.how);
    Ok(SecretString::from(text.to_owned()))
}

/// The token, where nobody has to be asked for it.
fn found_token(from: &TokenFrom<'_>) -> anyhow::Result<Option<String>> {
    if let Some(file) = from.file {
        return read_token(file).map(Some);
    }
    if let Ok(text) = std::env::var(from.variable) {
        return Ok(Some(text));
    }
    from.kept.filter(|kept| kept.exists()).map(read_token).transpose()
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
    let given = std::env::var_os(log_filter::VARIABLE);
    let (filter, unusable) = log_filter::or_default(given.as_deref(), "info");
    // A line that nobody reads any more is not worth a panic.
    let logs =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).log_internal_errors(false);
    if std::io::stderr().is_terminal() {
        logs.init();
    } else {
        logs.json().init();
    }
    if let Some(why) = unusable {
        tracing::error!("{} is passed over: {why}", log_filter::VARIABLE);
    }
}
