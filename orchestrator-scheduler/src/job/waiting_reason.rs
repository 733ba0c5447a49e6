use std::collections::HashMap;

use orchestrator_core::clock::Timestamp;
use orchestrator_core::id::JobId;
use orchestrator_core::job::{Job, JobState};
use orchestrator_core::text::WorkerName;
use orchestrator_core::worker::WorkerState;
use orchestrator_db::{DbError, Tx, WorkerLoad};

use crate::scheduler::Scheduler;

impl Scheduler {
    /// Why a waiting job waits, in words; `None` for a job that does not wait.
    pub async fn waiting_reason(&self, tx: &mut Tx, job: &Job) -> Result<Option<String>, DbError> {
        let JobState::Queued { not_before } = job.state else { return Ok(None) };
        let now = self.now();
        if let Some(not_before) = not_before.filter(|not_before| *not_before > now) {
            return Ok(Some(next_attempt(not_before)));
        }
        let fleet = tx.worker_loads().await?;
        Ok(Some(explain(job, &fleet)))
    }

    /// Why those of these jobs wait that do. The workers are looked at once for all of them.
    pub async fn waiting_reasons(&self, tx: &mut Tx, jobs: &[Job]) -> Result<HashMap<JobId, String>, DbError> {
        let mut reasons = HashMap::new();
        let mut fleet = None;
        for job in jobs {
            let JobState::Queued { not_before } = job.state else { continue };
            let reason = if let Some(not_before) = not_before.filter(|not_before| *not_before > self.now()) {
                next_attempt(not_before)
            } else {
                let fleet = match &fleet {
                    Some(fleet) => fleet,
                    None => fleet.insert(tx.worker_loads().await?),
                };
                explain(job, fleet)
            };
            reasons.insert(job.id, reason);
        }
        Ok(reasons)
    }
}

fn next_attempt(not_before: Timestamp) -> String {
    format!("the next attempt waits until {}", not_before.to_rfc3339())
}

fn explain(job: &Job, fleet: &[WorkerLoad]) -> String {
    let is_live = |load: &&WorkerLoad| matches!(load.state, WorkerState::Up | WorkerState::Draining);
    let live: Vec<&WorkerLoad> = fleet.iter().filter(is_live).collect();
    if live.is_empty() {
        return "no worker is connected".to_owned();
    }
    let mut matching: Vec<&&WorkerLoad> =
        live.iter().filter(|load| job.snapshot.may_run_on(&load.name, load.exclusive)).collect();
    if matching.is_empty() {
        return if job.snapshot.worker_whitelist.is_empty() {
            "every connected worker takes only jobs that name it (exclusive)".to_owned()
        } else {
            let names: Vec<&str> = job.snapshot.worker_whitelist.iter().map(WorkerName::as_str).collect();
            format!("none of its workers is connected: {}", names.join(", "))
        };
    }
    matching.retain(|load| !load.drain_requested && load.state == WorkerState::Up);
    if matching.is_empty() {
        return "its workers are draining".to_owned();
    }
    let troubled = matching.iter().find_map(|load| Some((&load.name, load.trouble.as_ref()?)));
    if let Some((name, trouble)) = troubled.filter(|_| matching.iter().all(|load| load.trouble.is_some())) {
        let others =
            if matching.len() > 1 { format!(" ({} more are in trouble)", matching.len() - 1) } else { String::new() };
        return format!("worker {name} takes nothing for now{others}: {trouble}");
    }
    matching.retain(|load| load.trouble.is_none());
    if let Some(blocked) = matching.iter().find(|load| load.active_blocking > 0) {
        return format!("a blocking job runs on worker {}", blocked.name);
    }
    if job.snapshot.is_blocking && matching.iter().all(|load| load.active > 0) {
        return "it runs alone on its worker, and each of its workers has jobs; one is reserved for it".to_owned();
    }
    if matching.iter().all(|load| load.active >= load.slots) {
        return "all slots of its workers are taken".to_owned();
    }
    if matching.iter().all(|load| load.reserved_for.is_some()) {
        return "its workers are reserved for a blocking job that ranks higher".to_owned();
    }
    "it is next in line".to_owned()
}
