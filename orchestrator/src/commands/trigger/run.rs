//! `trigger run`: a job now, and if asked to, its output and its end.

use clap::Args;
use orchestrator_proto::v1 as pb;

use crate::app::App;
use crate::call::with_request_id;
use crate::commands::job::{Sink, Watch, ended_well, until_end};
use crate::connection::Client;
use crate::error::Result;
use crate::output::Single as _;

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// Its name, its id, or any unique end or beginning of the id.
    trigger: String,
    /// Instead of the trigger's arguments, for this one job.
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    args: Option<String>,
    /// Print the robot's output until the job has ended; the exit code is 7 when it failed.
    #[arg(short, long, conflicts_with = "wait")]
    follow: bool,
    /// Wait until the job has ended; the exit code is 7 when it failed.
    #[arg(short, long)]
    wait: bool,
}

pub(super) async fn run_now(app: &App, args: RunArgs) -> Result {
    let client = app.connect().await?;
    let request =
        |call| pb::RunNowRequest { trigger: args.trigger.clone(), process_args: args.args.clone(), call: Some(call) };
    let reply = with_request_id(async |call| client.triggers().run_now(request(call)).await).await?;
    if args.follow || args.wait {
        return to_the_end(app, &client, reply, args.follow).await;
    }
    let job = reply.get()?;
    app.printer.done(&reply, &job.id, &is_now(job))
}

async fn to_the_end(app: &App, client: &Client, mut reply: pb::RunNowResponse, follow: bool) -> Result {
    let job = reply.get()?.id.clone();
    let watch = match (follow, app.printer.is_for_people()) {
        (false, _) => Watch::Wait,
        (true, true) => Watch::Print(Sink::of_stdout()),
        // Standard output is for the answer alone.
        (true, false) => Watch::Print(Sink::Stderr),
    };
    app.printer.note(&format!("Job {job} …"));
    let ended = until_end(app, client, &job, watch).await?;
    reply.job = Some(ended.clone());
    match (follow, app.printer.is_for_people()) {
        (true, true) => app.printer.note(&is_now(&ended)),
        _ => app.printer.done(&reply, &job, &is_now(&ended))?,
    }
    ended_well(&ended)
}

fn is_now(job: &pb::Job) -> String {
    let why = if job.waiting_reason.is_empty() { String::new() } else { format!(": {}", job.waiting_reason) };
    format!("Job {} of trigger \"{}\" is {}{why}.", job.id, job.trigger_name, job.status)
}
