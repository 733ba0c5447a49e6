//! `worker drain`.

use std::time::Duration;

use orchestrator_proto::v1 as pb;
use tokio::time::{Instant, sleep};

use super::DrainArgs;
use crate::app::App;
use crate::connection::Client;
use crate::error::{CliError, Result, answer_was_lost};
use crate::output::{Progress, Single as _};

/// Between two looks at what a worker still has.
const LOOK: Duration = Duration::from_secs(1);
/// How many looks in a row may fail: a server may be restarted meanwhile.
const PATIENCE: u32 = 60;

pub(super) async fn run(app: &App, args: DrainArgs) -> Result {
    let DrainArgs { name, wait, timeout } = args;
    let client = app.connect().await?;
    let mut reply = client.admin().drain_worker(pb::DrainWorkerRequest { name }).await?.into_inner();
    let worker = reply.get()?;
    if !wait {
        let may = jobs(worker.active_jobs);
        let sentence = format!("Worker \"{}\" takes nothing new; {may} on it may finish.", worker.name);
        return app.printer.done(&reply, &worker.name, &sentence);
    }
    if worker.active_jobs > 0 {
        let progress = Progress::telling(app.printer.is_for_people());
        reply.worker = Some(until_empty(&client, worker.clone(), timeout, &progress).await?);
    }
    let worker = reply.get()?;
    let sentence = format!("Worker \"{}\" takes nothing new, and has no jobs left.", worker.name);
    app.printer.done(&reply, &worker.name, &sentence)
}

async fn until_empty(
    client: &Client,
    mut worker: pb::Worker,
    timeout: Option<Duration>,
    progress: &Progress,
) -> Result<pb::Worker> {
    let began = Instant::now();
    let mut failures = 0;
    loop {
        progress.tell(&format!("{} on worker \"{}\" still to end", jobs(worker.active_jobs), worker.name));
        let left = timeout.map(|timeout| timeout.saturating_sub(began.elapsed()));
        if left.is_some_and(|left| left.is_zero()) {
            return Err(CliError::StillBusy { worker: worker.name, jobs: worker.active_jobs });
        }
        sleep(left.map_or(LOOK, |left| left.min(LOOK))).await;
        match client.admin().get_worker(pb::GetWorkerRequest { name: worker.name.clone() }).await {
            Ok(reply) => {
                failures = 0;
                worker = reply.into_inner().get()?.clone();
            }
            Err(status) if answer_was_lost(&status) && failures < PATIENCE => failures += 1,
            Err(status) => return Err(status.into()),
        }
        match (worker.active_jobs, worker.state.as_str()) {
            (_, "UP") => return Err(CliError::Resumed { worker: worker.name }),
            (0, _) => return Ok(worker),
            _ => {}
        }
    }
}

fn jobs(count: u32) -> String {
    if count == 1 { "1 job".to_owned() } else { format!("{count} jobs") }
}
