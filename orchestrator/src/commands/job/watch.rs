//! `job watch`: a line whenever the state of a job changes.

use std::collections::HashMap;
use std::time::Duration;

use clap::Args;
use orchestrator_proto::v1 as pb;
use tonic::Status;

use super::follow::ended_well;
use crate::app::App;
use crate::arguments::duration;
use crate::connection::Client;
use crate::error::{Result, answer_was_lost};
use crate::output::Single as _;

/// How many of the newest jobs are looked at.
const NEWEST: u32 = 200;
/// How many looks in a row may fail before we give up.
const PATIENCE: u32 = 60;

#[derive(Debug, Args)]
pub(crate) struct WatchArgs {
    /// Only this job, until it has ended; the exit code is 7 when it failed. All of them, until Ctrl-C, unless given.
    job: Option<String>,
    /// Only jobs of this trigger.
    #[arg(long, value_name = "TRIGGER", default_value_t, hide_default_value = true, conflicts_with = "job")]
    trigger: String,
    /// Only jobs of this process.
    #[arg(long, value_name = "PROCESS", default_value_t, hide_default_value = true, conflicts_with = "job")]
    process: String,
    /// Only jobs on this worker.
    #[arg(long, value_name = "WORKER", default_value_t, hide_default_value = true, conflicts_with = "job")]
    worker: String,
    /// Between two looks.
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = duration)]
    every: Duration,
}

pub(super) async fn watch(app: &App, args: WatchArgs) -> Result {
    let client = app.connect().await?;
    let mut seen = Seen::default();
    let mut failures = 0;
    loop {
        match look(&client, &args).await {
            Ok(jobs) => {
                failures = 0;
                let changed = seen.changed(jobs);
                if !changed.is_empty() {
                    app.printer.append(&pb::ListJobsResponse { jobs: changed, next_cursor: String::new() })?;
                }
                if let Some(ended) = args.job.as_ref().and_then(|_| seen.ended()) {
                    return ended_well(ended);
                }
            }
            Err(status) if answer_was_lost(&status) && failures < PATIENCE => {
                failures += 1;
                if failures == 1 {
                    app.printer.note("The server went away; waiting for it …");
                }
            }
            Err(status) => return Err(status.into()),
        }
        tokio::time::sleep(args.every.max(Duration::from_millis(100))).await;
    }
}

/// The jobs that are watched, oldest first.
async fn look(client: &Client, args: &WatchArgs) -> Result<Vec<pb::Job>, Status> {
    if let Some(job) = &args.job {
        let reply = client.jobs().get(pb::GetJobRequest { job: job.clone() }).await?.into_inner();
        return Ok(reply.row().cloned().into_iter().collect());
    }
    let request = pb::ListJobsRequest {
        page: Some(pb::Page { limit: NEWEST, cursor: String::new() }),
        trigger: args.trigger.clone(),
        process_name: args.process.clone(),
        worker_name: args.worker.clone(),
        ..pb::ListJobsRequest::default()
    };
    let mut jobs = client.jobs().list(request).await?.into_inner().jobs;
    jobs.reverse();
    Ok(jobs)
}

/// What was shown of each job.
#[derive(Debug, Default)]
struct Seen {
    begun: bool,
    jobs: HashMap<String, pb::Job>,
}

impl Seen {
    /// What is to be shown: at first the jobs that are not over yet, then whatever changes.
    fn changed(&mut self, jobs: Vec<pb::Job>) -> Vec<pb::Job> {
        let first = !std::mem::replace(&mut self.begun, true);
        let single = jobs.len() == 1;
        let mut changed = Vec::new();
        let mut now = HashMap::new();
        for job in jobs {
            let known = self.jobs.get(&job.id);
            let is_news = known.is_none_or(|known| differs(known, &job));
            if is_news && (!first || single || !is_over(&job)) {
                changed.push(job.clone());
            }
            now.insert(job.id.clone(), job);
        }
        // Jobs that have left the window are not news when they come back into it.
        self.jobs.extend(now);
        changed
    }

    /// The watched job, once it is over.
    fn ended(&self) -> Option<&pb::Job> {
        self.jobs.values().find(|job| is_over(job))
    }
}

fn differs(one: &pb::Job, other: &pb::Job) -> bool {
    (&one.status, &one.worker_name, one.kill_requested, &one.waiting_reason)
        != (&other.status, &other.worker_name, other.kill_requested, &other.waiting_reason)
}

fn is_over(job: &pb::Job) -> bool {
    !matches!(job.status.as_str(), "QUEUED" | "ASSIGNED" | "RUNNING" | "LOST")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(id: &str, status: &str) -> pb::Job {
        pb::Job { id: id.to_owned(), status: status.to_owned(), ..pb::Job::default() }
    }

    fn news(seen: &mut Seen, jobs: &[(&str, &str)]) -> Vec<String> {
        let jobs = jobs.iter().map(|(id, status)| job(id, status)).collect();
        seen.changed(jobs).into_iter().map(|job| format!("{} {}", job.id, job.status)).collect()
    }

    #[test]
    fn only_changes_are_told_and_old_ends_are_no_news() {
        let mut seen = Seen::default();
        assert_eq!(news(&mut seen, &[("1", "DONE"), ("2", "RUNNING")]), ["2 RUNNING"]);
        assert_eq!(news(&mut seen, &[("1", "DONE"), ("2", "RUNNING")]), [""; 0]);
        assert_eq!(news(&mut seen, &[("2", "FAILED"), ("3", "QUEUED")]), ["2 FAILED", "3 QUEUED"]);
        assert_eq!(news(&mut seen, &[("1", "DONE"), ("3", "RUNNING")]), ["3 RUNNING"]);
    }

    #[test]
    fn a_job_that_is_over_already_is_shown_and_ends_the_watch() {
        let mut seen = Seen::default();
        assert_eq!(news(&mut seen, &[("1", "DONE")]), ["1 DONE"]);
        assert_eq!(seen.ended().map(|job| job.id.as_str()), Some("1"));
    }
}
