//! What the server knows of workers, jobs and triggers.

use orchestrator_proto::v1 as pb;

use super::check::Check;
use super::disk::disks;
use super::waiting;
use crate::app::App;
use crate::commands::glance::{Facts, facts};
use crate::connection::Client;
use crate::output::instant;

/// How long ago two agents may have wanted one place for that to be told. The one that is refused comes again sooner.
const CONTESTED_FOR: chrono::TimeDelta = chrono::TimeDelta::minutes(10);

pub(super) async fn checks(app: &App, client: &Client) -> Vec<Check> {
    match facts(app, client).await {
        Ok(facts) => {
            let mut checks = findings(&facts);
            checks.push(waiting::check(client, &facts.workers).await);
            checks
        }
        Err(error) => vec![Check::of_error("workers", &error)],
    }
}

fn findings(facts: &Facts) -> Vec<Check> {
    let mut checks = disks(&facts.status.disks);
    checks.extend(workers(facts));
    checks.extend(unfit(&facts.workers));
    checks.extend(contested(facts));
    checks.push(lost(facts));
    checks.push(failing(facts));
    checks.push(overdue(facts));
    checks
}

fn workers(facts: &Facts) -> Vec<Check> {
    const NAME: &str = "workers";
    let of = |state: &str| {
        let names = facts.workers.iter().filter(|worker| worker.state == state).map(|worker| worker.name.as_str());
        names.collect::<Vec<_>>()
    };
    let (up, lost, all) = (of("UP"), of("LOST"), facts.workers.len());
    let state = if all == 0 {
        Check::bad(NAME, "there is none: nothing can run", "orchestrator worker enroll NAME")
    } else if !lost.is_empty() {
        let fix = "is its machine up, and the agent running? If it is gone for good: orchestrator worker remove NAME";
        Check::bad(NAME, format!("{} of {all} lost: {}", lost.len(), lost.join(", ")), fix)
    } else if up.is_empty() {
        Check::bad(NAME, format!("none of {all} takes jobs"), "start one, or: orchestrator worker resume NAME")
    } else {
        Check::good(NAME, format!("{} of {all} up", up.len()))
    };
    let mut checks = vec![state];
    let differs = |worker: &&pb::Worker| worker.state != "STOPPED" && worker.version != facts.status.version;
    let other: Vec<String> =
        facts.workers.iter().filter(differs).map(|worker| format!("{} ({})", worker.name, worker.version)).collect();
    if !other.is_empty() {
        let finding = format!("not of the server's version {}: {}", facts.status.version, other.join(", "));
        checks.push(Check::odd(
            "versions of workers",
            finding,
            "replace orchestrator-worker there; see: orchestrator upgrade",
        ));
    }
    checks
}

/// Workers that are connected and can start nothing.
fn unfit(workers: &[pb::Worker]) -> Option<Check> {
    let unfit = workers.iter().filter(|worker| worker.state == "UP" && !worker.trouble.is_empty());
    let said: Vec<String> = unfit.map(|worker| format!("{}: {}", worker.name, worker.trouble)).collect();
    let fix = "make room on the worker's machine (its data folder, temporary files, processes); it looks again by itself within five \
               minutes, at once when its agent is restarted, and then takes jobs";
    (!said.is_empty()).then(|| Check::bad("unfit workers", format!("take nothing for now; {}", said.join("; ")), fix))
}

/// Workers whose place another agent with a copy of their data folder wanted of late.
fn contested(facts: &Facts) -> Option<Check> {
    let now = instant(facts.status.now.as_ref())?;
    let is_recent =
        |worker: &&pb::Worker| instant(worker.contested_at.as_ref()).is_some_and(|at| now - at < CONTESTED_FOR);
    let names: Vec<&str> = facts.workers.iter().filter(is_recent).map(|worker| worker.name.as_str()).collect();
    let finding = format!(
        "two agents with copies of one data folder want to be worker {}; one of them is refused and runs nothing",
        names.join(", ")
    );
    let fix = "stop one of the two, and give it a token and an empty data folder of its own: orchestrator worker enroll NAME. After \
               an agent that crashes again and again: see its log";
    (!names.is_empty()).then(|| Check::bad("copied workers", finding, fix))
}

fn lost(facts: &Facts) -> Check {
    const NAME: &str = "lost jobs";
    match facts.lost.first() {
        None => Check::good(NAME, "none"),
        Some(job) => {
            let finding = format!(
                "{} ({}): their robots may still run, nothing else of their triggers starts",
                facts.status.jobs_lost,
                some(facts.lost.iter().map(|job| job.trigger_name.as_str()), facts.status.jobs_lost),
            );
            Check::bad(
                NAME,
                finding,
                format!("see docs/operating.md, LOST jobs; the first: orchestrator job show {}", job.id),
            )
        }
    }
}

fn failing(facts: &Facts) -> Check {
    const NAME: &str = "failing triggers";
    match facts.failed.first() {
        None => Check::good(NAME, "none"),
        Some(trigger) => {
            let fix = format!(
                "orchestrator trigger show \"{0}\" tells which job failed; then: orchestrator trigger enable \"{0}\"",
                trigger.name
            );
            let count = facts.status.triggers_failed;
            let names = some(facts.failed.iter().map(|trigger| trigger.name.as_str()), count);
            Check::odd(NAME, format!("{count} held after failures, and not run until enabled: {names}"), fix)
        }
    }
}

fn overdue(facts: &Facts) -> Check {
    const NAME: &str = "overdue triggers";
    match facts.overdue.first() {
        _ if facts.status.triggers_overdue == 0 => Check::good(NAME, "none"),
        Some(trigger) => {
            let fix = format!("orchestrator trigger show \"{}\" tells why it waits", trigger.name);
            Check::odd(NAME, format!("{} were due and wait", facts.status.triggers_overdue), fix)
        }
        None => Check::odd(NAME, format!("{} were due and wait", facts.status.triggers_overdue), "orchestrator status"),
    }
}

/// Those that are known by name, and how many more there are.
fn some<'a>(names: impl Iterator<Item = &'a str>, count: u32) -> String {
    let names: Vec<&str> = names.collect();
    let more = usize::try_from(count).unwrap_or(usize::MAX).saturating_sub(names.len());
    let said = names.join(", ");
    if more == 0 { said } else { format!("{said} and {more} more") }
}

#[cfg(test)]
mod tests {
    use super::super::check::Outcome;
    use super::*;

    fn worker(name: &str, state: &str) -> pb::Worker {
        pb::Worker { name: name.to_owned(), state: state.to_owned(), version: "1".to_owned(), ..pb::Worker::default() }
    }

    fn outcome(workers: Vec<pb::Worker>) -> Outcome {
        let status = pb::GetStatusResponse { version: "1".to_owned(), ..pb::GetStatusResponse::default() };
        super::workers(&Facts { status, workers, ..Facts::default() })[0].outcome
    }

    #[test]
    fn a_fleet_that_can_run_nothing_is_wrong() {
        assert_eq!(outcome(vec![]), Outcome::Bad);
        assert_eq!(outcome(vec![worker("a", "UP")]), Outcome::Good);
        assert_eq!(outcome(vec![worker("a", "UP"), worker("b", "LOST")]), Outcome::Bad);
        assert_eq!(outcome(vec![worker("a", "DRAINING"), worker("b", "STOPPED")]), Outcome::Bad);
    }

    #[test]
    fn held_triggers_and_lost_jobs_are_named() {
        let status = pb::GetStatusResponse { triggers_failed: 3, jobs_lost: 1, ..pb::GetStatusResponse::default() };
        let failed = ["night", "mail"].map(|name| pb::Trigger { name: name.to_owned(), ..pb::Trigger::default() });
        let lost = pb::Job { id: "7".to_owned(), trigger_name: "pay".to_owned(), ..pb::Job::default() };
        let facts = Facts { status, failed: failed.into(), lost: vec![lost], ..Facts::default() };
        let (failing, lost) = (super::failing(&facts), super::lost(&facts));
        assert_eq!((failing.outcome, lost.outcome), (Outcome::Odd, Outcome::Bad));
        assert!(failing.finding.ends_with("night, mail and 1 more"), "{}", failing.finding);
        assert!(failing.fix.ends_with("enable \"night\"") && lost.finding.starts_with("1 (pay)"), "{lost:?}");
    }

    #[test]
    fn workers_that_can_start_nothing_and_those_with_a_copy_are_named() {
        let at = |seconds| Some(prost_types::Timestamp { seconds, nanos: 0 });
        let status = pb::GetStatusResponse { now: at(10_000), ..pb::GetStatusResponse::default() };
        let full = pb::Worker { trouble: "no space".to_owned(), ..worker("a", "UP") };
        let gone = pb::Worker { trouble: "no space".to_owned(), ..worker("b", "LOST") };
        let copied = pb::Worker { contested_at: at(9_500), ..worker("c", "UP") };
        let past = pb::Worker { contested_at: at(9_000), ..worker("d", "UP") };
        let facts = Facts { status, workers: vec![full, gone, copied, past], ..Facts::default() };
        let (unfit, contested) = (super::unfit(&facts.workers).unwrap(), super::contested(&facts).unwrap());
        assert_eq!((unfit.outcome, unfit.finding.as_str()), (Outcome::Bad, "take nothing for now; a: no space"));
        assert!(
            contested.outcome == Outcome::Bad && contested.finding.contains("want to be worker c;"),
            "{contested:?}"
        );
    }

    #[test]
    fn a_worker_of_another_version_is_named() {
        let workers = vec![worker("a", "UP"), worker("b", "STOPPED")];
        let status = pb::GetStatusResponse { version: "2".to_owned(), ..pb::GetStatusResponse::default() };
        let checks = super::workers(&Facts { status, workers, ..Facts::default() });
        assert!(checks[1].finding.ends_with(": a (1)"), "{}", checks[1].finding);
    }
}
