//! What administrators do with workers.

use orchestrator_core::actor::Actor;
use orchestrator_core::text::WorkerName;
use orchestrator_core::worker::{Worker, WorkerState};
use orchestrator_db::{DbError, Hint, Tx};
use orchestrator_proto::v1;
use orchestrator_scheduler::Scheduler;
use serde_json::json;
use tonic::{Code, Status};

use super::show;
use crate::status::{Refusal, reason};
use crate::transaction::{Failure, in_transaction};
use crate::{audit, status};

/// One worker.
pub(super) async fn get(scheduler: &Scheduler, name: &str) -> Result<v1::Worker, Status> {
    let name = parse(name)?;
    let mut tx = scheduler.db().begin_read().await.map_err(status::db)?;
    Ok(find(&mut tx, &name).await?)
}

/// Asks a worker to take nothing new, or to take jobs again.
pub(crate) async fn set_drain(
    scheduler: &Scheduler,
    actor: &Actor,
    name: &str,
    drain: bool,
) -> Result<v1::Worker, Status> {
    let name = parse(name)?;
    in_transaction!(scheduler, |tx| {
        if !tx.worker_set_drain(&name, drain).await? {
            return Err(unknown(&name).into());
        }
        let action = if drain { "worker.drain" } else { "worker.resume" };
        let row = audit::row(actor, action, "worker", &name, (None, Some(json!({ "drain": drain }))));
        tx.audit_insert(&[row], scheduler.now()).await?;
        let worker = find(tx, &name).await?;
        Ok((worker, vec![Hint::Worker { name: name.as_str().to_owned() }, Hint::Jobs]))
    })
}

/// Whether a worker was asked to take nothing new, and what it still has.
pub(crate) async fn drain_of(scheduler: &Scheduler, name: &WorkerName) -> Result<v1::GetDrainResponse, Status> {
    let mut tx = scheduler.db().begin_read().await.map_err(status::db)?;
    let standing = tx.worker_standing(name).await.map_err(status::db)?.ok_or_else(|| unknown(name))?;
    let active_jobs = find(&mut tx, name).await?.active_jobs;
    Ok(v1::GetDrainResponse { drain: standing.drain_requested, active_jobs })
}

/// Forgets a worker that is stopped or lost and holds no job.
pub(super) async fn remove(scheduler: &Scheduler, actor: &Actor, name: &str) -> Result<(), Status> {
    let name = parse(name)?;
    in_transaction!(scheduler, |tx| {
        let before = tx.worker_get(&name).await?.ok_or_else(|| unknown(&name))?;
        if !tx.worker_remove(&name).await? {
            return Err(not_removable(tx, &name).await?.into());
        }
        let document = json!({ "state": before.state, "slots": before.slots, "version": before.version });
        let row = audit::row(actor, "worker.remove", "worker", &name, (Some(document), None));
        tx.audit_insert(&[row], scheduler.now()).await?;
        Ok(((), vec![Hint::Worker { name: name.as_str().to_owned() }]))
    })
}

async fn find(tx: &mut Tx, name: &WorkerName) -> Result<v1::Worker, Failure> {
    let (worker, active) = tx.worker_and_active(name).await?.ok_or_else(|| unknown(name))?;
    Ok(show::worker(&worker, active))
}

/// Why a worker is not forgotten yet, and what has to happen before.
async fn not_removable(tx: &mut Tx, name: &WorkerName) -> Result<Status, Failure> {
    let (worker, active) = tx.worker_and_active(name).await?.ok_or_else(|| unknown(name))?;
    let refusal = Refusal::new(Code::FailedPrecondition, reason::ILLEGAL_TRANSITION, what_to_wait_for(&worker, active));
    Ok(refusal
        .with("what", "worker")
        .with("key", name)
        .with("state", &worker.state)
        .with("active_jobs", &active)
        .status())
}

fn what_to_wait_for(worker: &Worker, active: u32) -> String {
    let Worker { name, state, .. } = worker;
    let jobs = if active == 1 { "1 active job".to_owned() } else { format!("{active} active jobs") };
    match state {
        WorkerState::Up | WorkerState::Draining if active > 0 => format!(
            "worker '{name}' is {state} and has {jobs}: wait until they have ended (orchestrator worker drain {name} --wait), \
             then stop its agent and remove it"
        ),
        WorkerState::Up | WorkerState::Draining => {
            format!("worker '{name}' is {state}: stop its agent, which makes it STOPPED, then remove it")
        }
        WorkerState::Stopped | WorkerState::Lost => format!(
            "worker '{name}' is {state} and has {jobs}: they end when its agent starts again, or when each is dismissed \
             (orchestrator job list --worker {name}; orchestrator job dismiss JOB)"
        ),
    }
}

fn parse(name: &str) -> Result<WorkerName, Status> {
    WorkerName::parse_as("name", name).map_err(|error| status::decode(error.into()))
}

fn unknown(name: &WorkerName) -> Status {
    status::db(DbError::not_found("worker", name))
}
