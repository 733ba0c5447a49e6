//! Commands that need no noun: `status` and `whoami`.

mod screen;

use chrono::TimeDelta;
use orchestrator_core::clock::Timestamp;
use orchestrator_proto::v1 as pb;

pub(super) use self::screen::Facts;
use self::screen::screen;
use crate::app::App;
use crate::arguments::{Paging, pages};
use crate::connection::Client;
use crate::error::Result;
use crate::output::{Reply, instant, to_value};

/// How many of each kind are named; the rest is counted.
const NAMED: u32 = 5;
/// The most triggers that are searched for those that are overdue.
const SEARCHED: u32 = 5000;

pub(crate) async fn status(app: &App) -> Result {
    let client = app.connect().await?;
    if !app.printer.is_for_people() {
        let facts = facts(app, &client).await?;
        return app.printer.own(&document(&facts)?, || facts.status.version.clone(), String::new);
    }
    let facts = facts(app, &client).await?;
    app.printer.reply(&facts.status, String::new, || screen(app.printer.look(), &facts))
}

/// The screen for programs: what the server says of itself, the workers, and the first of each kind of what is named there.
fn document(facts: &Facts) -> Result<serde_json::Value> {
    let jobs = |jobs: &[pb::Job]| {
        part(&pb::ListJobsResponse { jobs: jobs.to_vec(), ..pb::ListJobsResponse::default() }, "jobs")
    };
    let triggers = |triggers: &[pb::Trigger]| {
        let list = pb::ListTriggersResponse { triggers: triggers.to_vec(), ..pb::ListTriggersResponse::default() };
        part(&list, "triggers")
    };
    let mut document = to_value(&facts.status)?;
    document["url"] = facts.url.clone().into();
    document["workers"] = part(&pb::ListWorkersResponse { workers: facts.workers.clone() }, "workers")?;
    document["running"] = jobs(&facts.running)?;
    document["waiting"] = jobs(&facts.waiting)?;
    document["lost"] = jobs(&facts.lost)?;
    document["failing"] = triggers(&facts.failed)?;
    document["overdue"] = triggers(&facts.overdue)?;
    Ok(document)
}

fn part<M: Reply>(message: &M, key: &str) -> Result<serde_json::Value> {
    Ok(to_value(message)?[key].take())
}

/// All that the screen shows, and the checks look at.
pub(super) async fn facts(app: &App, client: &Client) -> Result<Facts> {
    let status = client.admin().get_status(pb::GetStatusRequest {}).await?.into_inner();
    Ok(Facts {
        url: app.connection().destination()?.0,
        workers: client.admin().list_workers(pb::ListWorkersRequest {}).await?.into_inner().workers,
        running: jobs(client, &["RUNNING", "ASSIGNED"]).await?,
        waiting: jobs(client, &["QUEUED"]).await?,
        lost: if status.jobs_lost > 0 { jobs(client, &["LOST"]).await? } else { Vec::new() },
        failed: if status.triggers_failed > 0 { failed(client).await? } else { Vec::new() },
        overdue: if status.triggers_overdue > 0 { overdue(client, &status, app.now).await? } else { Vec::new() },
        status,
    })
}

fn first(limit: u32) -> pb::Page {
    pb::Page { limit, cursor: String::new() }
}

async fn jobs(client: &Client, statuses: &[&str]) -> Result<Vec<pb::Job>> {
    let request = pb::ListJobsRequest {
        page: Some(first(NAMED)),
        statuses: statuses.iter().map(|&status| status.to_owned()).collect(),
        ..pb::ListJobsRequest::default()
    };
    Ok(client.jobs().list(request).await?.into_inner().jobs)
}

async fn failed(client: &Client) -> Result<Vec<pb::Trigger>> {
    let request = pb::ListTriggersRequest {
        page: Some(first(NAMED)),
        status: "FAILED".to_owned(),
        ..pb::ListTriggersRequest::default()
    };
    Ok(client.triggers().list(request).await?.into_inner().triggers)
}

/// Those that should have fired and wait. The server's clock counts.
async fn overdue(client: &Client, status: &pb::GetStatusResponse, here: Timestamp) -> Result<Vec<pb::Trigger>> {
    let limit = instant(status.now.as_ref()).unwrap_or(here) - TimeDelta::seconds(10);
    let paging = Paging::<SEARCHED> { limit: Some(SEARCHED), cursor: String::new() };
    let (all, _) = pages(&paging, async |page| {
        let request = pb::ListTriggersRequest { page: Some(page), ..pb::ListTriggersRequest::default() };
        let reply = client.triggers().list(request).await?.into_inner();
        Ok((reply.triggers, reply.next_cursor))
    })
    .await?;
    let is_late = |trigger: &pb::Trigger| {
        trigger.hold == "NONE" && instant(trigger.next_run.as_ref()).is_some_and(|next| next < limit)
    };
    Ok(all.into_iter().filter(is_late).take(NAMED as usize).collect())
}

pub(crate) async fn whoami(app: &App) -> Result {
    let reply = app.connect().await?.admin().who_am_i(pb::WhoAmIRequest {}).await?.into_inner();
    app.printer.single(&reply)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_told_what_the_screen_shows() {
        let worker = pb::Worker { name: "rpa-01".to_owned(), state: "UP".to_owned(), ..pb::Worker::default() };
        let waiting = pb::Job { waiting_reason: "no worker is connected".to_owned(), ..pb::Job::default() };
        let status =
            pb::GetStatusResponse { version: "1".to_owned(), workers_up: 1, ..pb::GetStatusResponse::default() };
        let facts = Facts { status, workers: vec![worker], waiting: vec![waiting], ..Facts::default() };
        let document = document(&facts).unwrap();
        assert_eq!((&document["version"], &document["workersUp"]), (&"1".into(), &1.into()));
        assert_eq!(document["workers"][0]["name"], "rpa-01");
        assert_eq!(document["waiting"][0]["waitingReason"], "no worker is connected");
        for none in ["running", "lost", "failing", "overdue"] {
            assert_eq!(document[none], serde_json::json!([]), "{none}");
        }
    }
}
