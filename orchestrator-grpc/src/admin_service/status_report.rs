//! The server's own state.

use orchestrator_core::worker::WorkerState;
use orchestrator_db::DbError;
use orchestrator_proto::convert::timestamp;
use orchestrator_proto::v1;
use orchestrator_scheduler::{Outage, Scheduler};

/// What the server is, and how its world is doing.
pub(super) async fn of(scheduler: &Scheduler) -> Result<v1::GetStatusResponse, DbError> {
    let now = scheduler.now();
    let outage = scheduler.database_outage().await;
    let mut tx = scheduler.db().begin_read().await?;
    let workers = tx.worker_list().await?;
    let jobs = tx.job_counts().await?;
    let triggers = tx.trigger_counts(now).await?;
    let up = workers.iter().filter(|(worker, _)| worker.state == WorkerState::Up);
    let count = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
    Ok(v1::GetStatusResponse {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        database: scheduler.db().dialect().as_str().to_owned(),
        now: Some(timestamp(now)),
        started_at: Some(timestamp(scheduler.started_at())),
        time_zone: scheduler.zone().name().to_owned(),
        workers_up: crate::page::count(up.count()),
        jobs_running: count(jobs.running),
        jobs_queued: count(jobs.queued),
        jobs_lost: count(jobs.lost),
        triggers_failed: count(triggers.failed),
        triggers_overdue: count(triggers.overdue),
        clock_offset: Some(signed(scheduler.clock_offset())),
        // Known to whoever serves.
        certificate_ends_at: None,
        disks: Vec::new(),
        database_outage: outage.map(Outage::as_str).unwrap_or_default().to_owned(),
    })
}

/// A duration that may be negative.
fn signed(duration: chrono::Duration) -> prost_types::Duration {
    prost_types::Duration { seconds: duration.num_seconds(), nanos: duration.subsec_nanos() }
}
