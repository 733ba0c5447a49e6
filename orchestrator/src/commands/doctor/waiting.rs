//! Jobs that wait for workers that are not there.

use std::collections::BTreeSet;

use orchestrator_proto::v1 as pb;

use super::check::Check;
use crate::connection::Client;
use crate::error::Result;

const NAME: &str = "waiting jobs";

/// How many of the waiting jobs are looked at, the latest ones.
const LOOKED_AT: u32 = 200;

/// How many names are said.
const NAMED: usize = 5;

pub(super) async fn check(client: &Client, workers: &[pb::Worker]) -> Check {
    match queued(client).await {
        Ok((jobs, more)) => judged(&jobs, more, workers),
        Err(error) => Check::of_error(NAME, &error),
    }
}

async fn queued(client: &Client) -> Result<(Vec<pb::Job>, bool)> {
    let request = pb::ListJobsRequest {
        page: Some(pb::Page { limit: LOOKED_AT, cursor: String::new() }),
        statuses: vec!["QUEUED".to_owned()],
        ..pb::ListJobsRequest::default()
    };
    let reply = client.jobs().list(request).await?.into_inner();
    Ok((reply.jobs, !reply.next_cursor.is_empty()))
}

/// Workers that jobs name and nobody has ever heard of are wrong; those that are away may come back.
fn judged(jobs: &[pb::Job], more: bool, workers: &[pb::Worker]) -> Check {
    let state = |name: &str| workers.iter().find(|worker| worker.name == name).map(|worker| worker.state.as_str());
    let is_there = |name: &String| matches!(state(name), Some("UP" | "DRAINING"));
    let stranded: Vec<&pb::Job> = jobs
        .iter()
        .filter(|job| !job.worker_whitelist.is_empty() && !job.worker_whitelist.iter().any(is_there))
        .collect();
    let Some(first) = stranded.first() else {
        let least = if more { "at least " } else { "" };
        return Check::good(NAME, format!("{least}{}; none for a worker that is not there", jobs.len()));
    };
    let names: BTreeSet<&str> =
        stranded.iter().flat_map(|job| job.worker_whitelist.iter().map(String::as_str)).collect();
    let (unknown, away): (Vec<&str>, Vec<&str>) = names.into_iter().partition(|name| state(name).is_none());
    let finding = match (unknown.is_empty(), away.is_empty()) {
        (false, _) => format!("{} wait for workers that do not exist: {}", stranded.len(), some(&unknown)),
        (true, _) => format!("{} wait for workers that are not connected: {}", stranded.len(), some(&away)),
    };
    let trigger = &first.trigger_name;
    if unknown.is_empty() {
        return Check::odd(
            NAME,
            finding,
            format!("start one of them, or: orchestrator trigger edit \"{trigger}\" --only-on WORKER"),
        );
    }
    let fix = format!(
        "orchestrator trigger edit \"{trigger}\" --only-on WORKER, or set up a worker of that name: orchestrator worker enroll NAME"
    );
    Check::bad(NAME, finding, fix)
}

fn some(names: &[&str]) -> String {
    let said = names.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(NAMED) {
        0 => said,
        more => format!("{said} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::check::Outcome;
    use super::*;

    fn job(only_on: &[&str]) -> pb::Job {
        pb::Job {
            trigger_name: "night".to_owned(),
            worker_whitelist: only_on.iter().map(|&name| name.to_owned()).collect(),
            ..pb::Job::default()
        }
    }

    fn worker(name: &str, state: &str) -> pb::Worker {
        pb::Worker { name: name.to_owned(), state: state.to_owned(), ..pb::Worker::default() }
    }

    #[test]
    fn a_job_that_only_a_worker_that_does_not_exist_could_run_is_wrong() {
        let workers = [worker("a", "UP"), worker("b", "LOST")];
        let outcome = |jobs: &[pb::Job]| judged(jobs, false, &workers).outcome;
        assert_eq!(outcome(&[]), Outcome::Good);
        assert_eq!(outcome(&[job(&[]), job(&["a"]), job(&["a", "nobody"])]), Outcome::Good);
        assert_eq!(outcome(&[job(&["b"])]), Outcome::Odd);
        assert_eq!(outcome(&[job(&["a"]), job(&["nobody"])]), Outcome::Bad);
        let check = judged(&[job(&["nobody", "b"])], false, &workers);
        assert!(check.finding.ends_with("do not exist: nobody") && check.fix.contains("night"), "{check:?}");
    }
}
