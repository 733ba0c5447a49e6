//! `worker`: the agents on robot machines.

use clap::Subcommand;
use orchestrator_proto::v1 as pb;

use crate::app::App;
use crate::error::{CliError, Refusal, Result};
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
    /// Lets a worker finish what it has and take nothing new.
    Drain {
        /// Its name.
        name: String,
    },
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

pub(crate) async fn run(command: WorkerCommand, app: &App) -> Result {
    match command {
        WorkerCommand::List => app.printer.list(&fetch(app).await?),
        WorkerCommand::Show { name } => show(app, &name).await,
        WorkerCommand::Drain { name } => drain(app, name).await,
        WorkerCommand::Resume { name } => resume(app, name).await,
        WorkerCommand::Remove { name } => remove(app, name).await,
    }
}

async fn fetch(app: &App) -> Result<pb::ListWorkersResponse> {
    Ok(app.connect().await?.admin().list_workers(pb::ListWorkersRequest {}).await?.into_inner())
}

async fn show(app: &App, name: &str) -> Result {
    let worker = fetch(app).await?.workers.into_iter().find(|worker| worker.name == name);
    let Some(worker) = worker else {
        return Err(CliError::Refused(Box::new(Refusal {
            kind: tonic::Code::NotFound,
            reason: "WORKER_NOT_FOUND".to_owned(),
            message: format!("there is no worker \"{name}\""),
            metadata: std::collections::BTreeMap::new(),
        })));
    };
    // There is no call for one worker; its answer would have this shape.
    app.printer.single(&pb::ResumeWorkerResponse { worker: Some(worker) })
}

async fn drain(app: &App, name: String) -> Result {
    let reply = app.connect().await?.admin().drain_worker(pb::DrainWorkerRequest { name }).await?.into_inner();
    let worker = reply.get()?;
    let sentence =
        format!("Worker \"{}\" takes nothing new; {} on it may finish.", worker.name, jobs(worker.active_jobs));
    app.printer.done(&reply, &worker.name, &sentence)
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

fn jobs(count: u32) -> String {
    if count == 1 { "1 job".to_owned() } else { format!("{count} jobs") }
}
