//! `job`: single runs of processes.

mod follow;
mod output;
mod retry;
mod watch;

use clap::{Args, Subcommand};
use orchestrator_core::job::JobStatus;
use orchestrator_proto::v1 as pb;

use crate::app::App;
use crate::arguments::{Bound, Paging, job_status, pages};
use crate::error::Result;
use crate::output::Single as _;

pub(crate) use follow::{Watch, ended_well, until_end};
pub(crate) use output::Sink;

#[derive(Debug, Subcommand)]
pub(crate) enum JobCommand {
    /// Lists jobs, newest first.
    List(ListArgs),
    /// Shows a job.
    Show {
        /// Its id, or any unique end or beginning of it.
        job: String,
    },
    /// Prints what a job's robot wrote to its output.
    Logs {
        /// Its id, or any unique end or beginning of it.
        job: String,
        /// Go on until the job has ended; the exit code is 7 when it failed.
        #[arg(short, long)]
        follow: bool,
    },
    /// Prints a line whenever the state of a job changes.
    Watch(watch::WatchArgs),
    /// Kills a running job, or cancels a waiting one.
    Kill {
        /// Its id, or any unique end or beginning of it.
        job: String,
    },
    /// Makes a new job of an ended one. Asks first where it was DONE or was retried before.
    Retry {
        /// Its id, or any unique end or beginning of it.
        job: String,
    },
    /// Ends a LOST job as failed: you know that its robot is gone.
    Dismiss {
        /// Its id, or any unique end or beginning of it.
        job: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// Only jobs of this trigger.
    #[arg(long, value_name = "TRIGGER", default_value_t, hide_default_value = true)]
    trigger: String,
    /// Only jobs of this process.
    #[arg(long, value_name = "PROCESS", default_value_t, hide_default_value = true)]
    process: String,
    /// Only jobs on this worker.
    #[arg(long, value_name = "WORKER", default_value_t, hide_default_value = true)]
    worker: String,
    /// Only jobs of this status, such as running or failed. May be repeated.
    #[arg(long = "status", value_name = "STATUS", value_parser = job_status)]
    statuses: Vec<JobStatus>,
    /// Only jobs that were made at this time or later, as 8h (so long ago), '2026-11-22 12:00' or 2026-11-22T11:00:00Z.
    #[arg(long, value_name = "TIME")]
    since: Option<Bound>,
    /// Only jobs that were made before this time.
    #[arg(long, value_name = "TIME")]
    until: Option<Bound>,
    #[command(flatten)]
    paging: Paging,
}

pub(crate) async fn run(command: JobCommand, app: &App) -> Result {
    match command {
        JobCommand::List(args) => list(app, args).await,
        JobCommand::Show { job } => show(app, job).await,
        JobCommand::Logs { job, follow: false } => output::print_kept(app, job).await,
        JobCommand::Logs { job, follow: true } => follow_output(app, job).await,
        JobCommand::Watch(args) => watch::watch(app, args).await,
        JobCommand::Kill { job } => kill(app, job).await,
        JobCommand::Retry { job } => retry::retry(app, &job).await,
        JobCommand::Dismiss { job } => dismiss(app, job).await,
    }
}

async fn list(app: &App, args: ListArgs) -> Result {
    let client = app.connect().await?;
    let request = pb::ListJobsRequest {
        page: None,
        trigger: args.trigger,
        process_name: args.process,
        statuses: args.statuses.iter().map(ToString::to_string).collect(),
        worker_name: args.worker,
        queued_from: args.since.map(|at| at.resolve(app.now)),
        queued_to: args.until.map(|at| at.resolve(app.now)),
    };
    let (jobs, next_cursor) = pages(&args.paging, async |page| {
        let request = pb::ListJobsRequest { page: Some(page), ..request.clone() };
        let reply = client.jobs().list(request).await?.into_inner();
        Ok((reply.jobs, reply.next_cursor))
    })
    .await?;
    app.printer.list(&pb::ListJobsResponse { jobs, next_cursor })
}

async fn show(app: &App, job: String) -> Result {
    let client = app.connect().await?;
    let reply = client.jobs().get(pb::GetJobRequest { job }).await?.into_inner();
    app.printer.single(&reply)?;
    if app.printer.format().is_json() || reply.get()?.status != "RUNNING" {
        return Ok(());
    }
    output::print_remarks(&client, reply.get()?.id.clone()).await
}

async fn follow_output(app: &App, job: String) -> Result {
    let client = app.connect().await?;
    let ended = until_end(app, &client, &job, Watch::of_command(app)).await?;
    ended_well(&ended)
}

async fn kill(app: &App, job: String) -> Result {
    let question = if app.asks() { kill_question(app, &job).await? } else { format!("Kill job {job}?") };
    app.confirm(&question)?;
    let client = app.connect().await?;
    let reply = client.jobs().kill(pb::KillJobRequest { job }).await?.into_inner();
    let job = reply.get()?;
    let sentence = match job.status.as_str() {
        "RUNNING" | "ASSIGNED" => format!("The kill of job {} is requested.", job.id),
        status => format!("Job {} is {status}.", job.id),
    };
    app.printer.done(&reply, &job.id, &sentence)
}

/// Names what would be killed.
async fn kill_question(app: &App, job: &str) -> Result<String> {
    let request = pb::GetJobRequest { job: job.to_owned() };
    let reply = app.connect().await?.jobs().get(request).await?.into_inner();
    let job = reply.get()?;
    Ok(format!("Kill job {} of trigger \"{}\", which is {}?", job.id, job.trigger_name, job.status))
}

async fn dismiss(app: &App, job: String) -> Result {
    app.confirm(&format!("Give up lost job {job} as failed?"))?;
    let reply = app.connect().await?.jobs().dismiss(pb::DismissJobRequest { job }).await?.into_inner();
    let job = reply.get()?;
    app.printer.done(&reply, &job.id, &format!("Job {} is {}.", job.id, job.status))
}
