//! Robots that run longer than their time-out and whose worker does not stop them.

use orchestrator_core::clock::Timestamp;
use orchestrator_core::id::JobId;
use orchestrator_core::job::JobState;
use orchestrator_db::{DbError, Hint, LockedJob};

use crate::finish::lock_with_trigger;
use crate::rescue::RescueSummary;
use crate::scheduler::Scheduler;
use crate::transaction::in_transaction;

/// How much longer than its time-out and grace a robot may run before the server asks for its kill: the worker does
/// that itself, unless it is broken.
const OVERTIME_MARGIN: std::time::Duration = std::time::Duration::from_secs(30);

impl Scheduler {
    pub(super) async fn stop_overtime(
        &self,
        job: JobId,
        now: Timestamp,
        summary: &mut RescueSummary,
    ) -> Result<(), DbError> {
        let asked: bool = in_transaction!(self, |tx| {
            let (trigger, job) = lock_with_trigger(tx, job).await?;
            if job.job.kill_requested || !is_overtime(&job, now) {
                return Ok((false, Vec::new()));
            }
            let killed = tx.job_request_kill(&[job.job.id]).await?;
            tx.trigger_refresh_status(&[trigger.trigger.id]).await?;
            let hints = killed.into_iter().map(|(_, worker, _)| Hint::Worker { name: worker.into_string() });
            Ok::<_, DbError>((true, hints.collect()))
        })?;
        summary.overtime += usize::from(asked);
        Ok(())
    }
}

fn is_overtime(job: &LockedJob, now: Timestamp) -> bool {
    matches!(job.job.state, JobState::Running { .. }) && is_past_backstop(job, now)
}

/// Whether the server had asked for the kill by `at`, because the robot ran too long.
pub(crate) fn was_overtime(job: &LockedJob, at: Timestamp) -> bool {
    job.job.kill_requested && is_past_backstop(job, at)
}

fn is_past_backstop(job: &LockedJob, at: Timestamp) -> bool {
    let policies = &job.job.snapshot.policies;
    let (Some(started_at), Some(timeout)) = (job.job.start_time, policies.timeout) else { return false };
    at >= started_at + timeout + policies.stop_grace + OVERTIME_MARGIN
}
