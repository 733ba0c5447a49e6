//! `worker`: the agents on robot machines.

mod drain;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use orchestrator_core::identity::IdentityKind;
use orchestrator_proto::v1 as pb;

use super::token::{NewToken, create_token};
use crate::app::App;
use crate::arguments::duration;
use crate::error::Result;
use crate::output::Single as _;

#[derive(Debug, Subcommand)]
pub(crate) enum WorkerCommand {
    /// Lists workers.
    List,
    /// Shows a worker.
    Show {
        /// Its name.
        name: String,
    },
    /// Makes a token for a new worker and tells what to type on its machine.
    Enroll(EnrollArgs),
    /// Lets a worker finish what it has and take nothing new. Exit codes with --wait: 6 when jobs still run at the time-out, 5
    /// when somebody lets it take jobs again.
    Drain(DrainArgs),
    /// Lets a drained worker take jobs again.
    Resume {
        /// Its name.
        name: String,
    },
    /// Forgets a worker that is stopped or lost and holds no job.
    Remove {
        /// Its name.
        name: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct DrainArgs {
    /// Its name.
    name: String,
    /// Wait until it has no job left.
    #[arg(long)]
    wait: bool,
    /// Wait no longer than this, such as 30m.
    #[arg(long, value_name = "DURATION", value_parser = duration, requires = "wait")]
    timeout: Option<Duration>,
}

#[derive(Debug, Args)]
pub(crate) struct EnrollArgs {
    /// The worker's name, to which the token is bound.
    name: String,
    /// How long the token is good for, such as 365days; for ever unless given.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    lifetime: Option<Duration>,
    /// Jobs at once, for the command that is shown.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    slots: u32,
    /// Write the token to this new file (readable by you alone) instead of showing it.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(crate) async fn run(command: WorkerCommand, app: &App) -> Result {
    match command {
        WorkerCommand::List => list(app).await,
        WorkerCommand::Show { name } => show(app, name).await,
        WorkerCommand::Enroll(args) => enroll(app, args).await,
        WorkerCommand::Drain(args) => drain::run(app, args).await,
        WorkerCommand::Resume { name } => resume(app, name).await,
        WorkerCommand::Remove { name } => remove(app, name).await,
    }
}

async fn list(app: &App) -> Result {
    let reply = app.connect().await?.admin().list_workers(pb::ListWorkersRequest {}).await?.into_inner();
    app.printer.list(&reply)
}

async fn show(app: &App, name: String) -> Result {
    let reply = app.connect().await?.admin().get_worker(pb::GetWorkerRequest { name }).await?.into_inner();
    app.printer.single(&reply)
}

async fn enroll(app: &App, args: EnrollArgs) -> Result {
    let EnrollArgs { name, lifetime, slots, out } = args;
    let (url, _, ca_cert) = app.connection().destination()?;
    let token = NewToken { name: name.clone(), lifetime, out: out.clone() };
    let reply = create_token(app, IdentityKind::Worker, None, token).await?;
    let mut command = format!("orchestrator-worker start --server {url} --slots {slots}");
    if ca_cert.is_some() {
        command.push_str(" --ca FILE");
    }
    let text = match &out {
        Some(file) => format!(
            "Worker \"{name}\" may connect. Carry {} to its machine, and there:\n\n  {command} --token-file {}",
            file.display(),
            file.file_name().unwrap_or(file.as_os_str()).display()
        ),
        None => format!(
            "Worker \"{name}\" may connect. On its machine:\n\n  {command}\n\nand when it asks for its token (it is not shown \
             again):\n\n  {}",
            reply.secret
        ),
    };
    app.printer.reply(&reply, || reply.secret.clone(), || crate::output::printable_lines(&text))
}

async fn resume(app: &App, name: String) -> Result {
    let reply = app.connect().await?.admin().resume_worker(pb::ResumeWorkerRequest { name }).await?.into_inner();
    let worker = reply.get()?;
    app.printer.done(&reply, &worker.name, &format!("Worker \"{}\" takes jobs again.", worker.name))
}

async fn remove(app: &App, name: String) -> Result {
    app.confirm(&format!("Remove worker \"{name}\"?"))?;
    let request = pb::RemoveWorkerRequest { name: name.clone() };
    let reply = app.connect().await?.admin().remove_worker(request).await?.into_inner();
    app.printer.done(&reply, &name, &format!("Worker \"{name}\" is removed."))
}
