//! The command `orchestrator-worker service`.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use orchestrator_worker::enrolment;
use orchestrator_worker::service::{self, Scope, Service, ServiceError};
use serde_json::json;

use crate::form::Output;
use crate::{Start, configuration, say};

#[derive(Debug, Subcommand)]
pub(crate) enum ServiceCommand {
    /// Have the machine start the agent by itself, with the flags that are given here: a unit of systemd on Linux, a task of
    /// the task scheduler on Windows (not tried there yet).
    Install(Box<Install>),
    /// Stop the service and remove it. The agent's folder stays.
    Uninstall {
        #[command(flatten)]
        which: Which,
        /// Do not ask.
        #[arg(short, long)]
        yes: bool,
    },
    /// Tell how the service is. Exit code 3: there is none.
    Status(Which),
}

/// One service of the machine or of a user.
#[derive(Debug, Args)]
pub(crate) struct Which {
    /// What the machine calls it.
    #[arg(long, value_name = "NAME", default_value = "orchestrator-worker")]
    name: String,
    /// Your own service, and not one of the machine.
    #[arg(long)]
    user: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Install {
    #[command(flatten)]
    which: Which,
    /// The user under whose name a service of the machine runs [default on Linux: orchestrator-worker].
    #[arg(long, value_name = "USER", conflicts_with = "user")]
    run_as: Option<String>,
    /// Only print what would be installed.
    #[arg(long)]
    print: bool,
    /// Do not start it now.
    #[arg(long)]
    no_start: bool,
    /// Replace a service of that name that is there already.
    #[arg(long)]
    replace: bool,
    #[command(flatten)]
    start: Start,
}

pub(crate) fn run(command: ServiceCommand, output: Output) -> anyhow::Result<ExitCode> {
    match command {
        ServiceCommand::Install(args) => install(&args, output)?,
        ServiceCommand::Uninstall { which, yes } => uninstall(&which, yes, output)?,
        ServiceCommand::Status(which) => status(&which, output)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn install(args: &Install, output: Output) -> anyhow::Result<()> {
    let service = described(args)?;
    if args.print {
        say(service::print(&service)?.trim_end());
        return Ok(());
    }
    service::install(&service, !args.no_start, args.replace)?;
    let name = &service.name;
    output.print(&json!({ "name": name, "started": !args.no_start }), || {
        let started = if args.no_start { "starts with the machine" } else { "runs, and starts by itself from now on" };
        let mut lines = vec![format!("Service {name} {started}.")];
        let is_given = args.start.base.token_file.is_some() || enrolment::token_file(&service.data).exists();
        if !is_given {
            lines.push(format!("Next:  orchestrator-worker enroll --data {}", service.data.display()));
        }
        if cfg!(target_os = "linux") && service.scope == Scope::User {
            lines.push(
                "It ends when you sign out, unless the machine is told otherwise: loginctl enable-linger".to_owned(),
            );
        }
        lines.join("\n")
    })
}

fn uninstall(which: &Which, yes: bool, output: Output) -> anyhow::Result<()> {
    let name = &which.name;
    if !yes && !asked(name)? {
        anyhow::bail!("nothing was done");
    }
    service::uninstall(name, which.user)?;
    output.print(&json!({ "name": name }), || format!("Service {name} is stopped and removed."))
}

/// Whether whoever sits here says so. Robots that run are stopped with the service.
fn asked(name: &str) -> anyhow::Result<bool> {
    anyhow::ensure!(
        std::io::stdin().is_terminal(),
        "this needs a confirmation, and there is no terminal to ask on: --yes"
    );
    let question = format!("Stop and remove the service {name}?");
    Ok(dialoguer::Confirm::new().with_prompt(question).default(false).interact()?)
}

fn status(which: &Which, output: Output) -> anyhow::Result<()> {
    let status = service::status(&which.name, which.user)?;
    output.print(&status, || {
        let by_itself = if status.starts_by_itself { "starts by itself" } else { "does not start by itself" };
        let process = status.pid.map(|pid| format!(", process {pid}")).unwrap_or_default();
        format!("Service {} is {}{process}; it {by_itself}.", status.name, status.state)
    })
}

/// What is to be run: this very program, with the flags that were given and absolute paths.
fn described(args: &Install) -> anyhow::Result<Service> {
    let configuration = configuration(&args.start.base)?;
    let data = absolute(&configuration.data)?;
    let scope = match (args.which.user, &args.run_as) {
        (true, _) => Scope::User,
        (false, Some(user)) => Scope::System { run_as: user.clone() },
        (false, None) if cfg!(target_os = "linux") => Scope::System { run_as: "orchestrator-worker".to_owned() },
        (false, None) => anyhow::bail!("under whose name? --run-as USER, or your own service: --user"),
    };
    Ok(Service {
        name: args.which.name.clone(),
        program: std::env::current_exe().context("where this program is cannot be told")?,
        arguments: arguments(&args.start, &data)?,
        data,
        scope,
    })
}

fn arguments(start: &Start, data: &Path) -> anyhow::Result<Vec<String>> {
    let Start { base, slots, exclusive, allowed_paths } = start;
    let mut words = vec!["start".to_owned(), "--data".to_owned(), text(data)?];
    let files = [("--config", &base.config), ("--token-file", &base.token_file), ("--ca", &base.ca)];
    for (flag, file) in files {
        if let Some(file) = file {
            words.extend([flag.to_owned(), text(&absolute(file)?)?]);
        }
    }
    if let Some(server) = &base.server {
        words.extend(["--server".to_owned(), server.clone()]);
    }
    if let Some(slots) = slots {
        words.extend(["--slots".to_owned(), slots.to_string()]);
    }
    if *exclusive {
        words.push("--exclusive".to_owned());
    }
    for folder in allowed_paths {
        words.extend(["--allow-path".to_owned(), text(&absolute(folder)?)?]);
    }
    Ok(words)
}

fn absolute(path: &Path) -> anyhow::Result<PathBuf> {
    std::path::absolute(path).with_context(|| format!("'{}' is no path", path.display()))
}

fn text(path: &Path) -> anyhow::Result<String> {
    path.to_str().map(str::to_owned).with_context(|| format!("'{}' is not in UTF-8", path.display()))
}

/// As the commands of `orchestrator`.
pub(crate) fn exit_code(error: &ServiceError) -> u8 {
    match error {
        ServiceError::Name(_) | ServiceError::Character(_) => 2,
        ServiceError::Missing(_) => 3,
        ServiceError::NotRoot => 4,
        ServiceError::Exists { .. } | ServiceError::Foreign { .. } => 5,
        ServiceError::NoManager { .. } | ServiceError::File { .. } | ServiceError::Manager { .. } => 1,
    }
}
