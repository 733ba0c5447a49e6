//! Robots that run longer than their time-out and whose worker does not stop them.

//!
//! The server is a backstop only. The limit has to be past by the clock and by what this server has watched itself: a clock
//! that was set an hour forward makes a job of five seconds look an hour old.

use std::time::Duration;

use humantime::format_duration;
use orchestrator_core::clock::Timestamp;
use orchestrator_core::id::{JobId, LogId};
use orchestrator_core::job::{Job, JobState};
use orchestrator_core::log::{LogLevel, LogLine};
use orchestrator_core::text::{LogMessage, Reason};
use orchestrator_db::{DbError, Hint, LockedJob};

use crate::finish::lock_with_trigger;
use crate::rescue::RescueSummary;
use crate::scheduler::Scheduler;
use crate::transaction::in_transaction;

/// How much longer than its time-out and grace a robot may run before the server asks for its kill: the worker does
/// that itself, unless it is broken.
const OVERTIME_MARGIN: Duration = Duration::from_secs(30);

/// How the reason of a kill begins that the server asked for. Kept with the job, it tells such a kill from a person's.
const OVERTIME: &str = "it ran longer than its time-out of ";

impl Scheduler {
    pub(super) async fn stop_overtime(
        &self,
        job: JobId,
        now: Timestamp,
        summary: &mut RescueSummary,
    ) -> Result<(), DbError> {
        let asked: bool = in_transaction!(self, |tx| {
            let (trigger, job) = lock_with_trigger(tx, job).await?;
            let Some(timeout) = self.exceeded(&job.job, now) else { return Ok((false, Vec::new())) };
            let Some(worker) = tx.job_stop_overtime(job.job.id, &reason(timeout)).await? else {
                return Ok((false, Vec::new()));
            };
            tx.trigger_refresh_status(&[trigger.trigger.id]).await?;
            tx.log_insert(&[word_of_stop(&job.job, timeout, now)]).await?;
            let id = job.job.id;
            tracing::warn!(job.id = %id, worker.name = %worker, "asked for a kill: {OVERTIME}{} and its worker did not end it", format_duration(timeout));
            Ok::<_, DbError>((true, vec![Hint::Worker { name: worker.into_string() }, Hint::Job { id }, Hint::Logs]))
        })?;
        summary.overtime += usize::from(asked);
        Ok(())
    }

    /// The time-out of a running job that is past it, its grace and the margin.
    fn exceeded(&self, job: &Job, now: Timestamp) -> Option<Duration> {
        let started_at = job.start_time.filter(|_| matches!(job.state, JobState::Running { .. }))?;
        let limit = limit(job)?;
        (now - started_at >= limit && self.has_watched(job, now)).then_some(job.snapshot.policies.timeout?)
    }

    /// Whether this server has been there, and the clock has not stepped, for as long as the job may run.
    pub(super) fn has_watched(&self, job: &Job, now: Timestamp) -> bool {
        limit(job).is_some_and(|limit| now - self.duty().watching_since() >= limit)
    }
}

/// Whether the server had asked for the kill, because the robot ran too long.
pub(crate) fn was_overtime(job: &LockedJob) -> bool {
    let asked_by_server = job.job.reason.as_ref().is_some_and(|reason| reason.as_str().starts_with(OVERTIME));
    job.job.kill_requested && asked_by_server
}

/// How long a job may be seen to run, if it has a time-out.
fn limit(job: &Job) -> Option<chrono::Duration> {
    let policies = &job.snapshot.policies;
    let most = policies.timeout?.checked_add(policies.stop_grace)?.checked_add(OVERTIME_MARGIN)?;
    chrono::Duration::from_std(most).ok()
}

fn reason(timeout: Duration) -> Reason {
    Reason::cut(&format!("{OVERTIME}{} and its worker did not end it", format_duration(timeout)))
}

fn word_of_stop(job: &Job, timeout: Duration, now: Timestamp) -> LogLine {
    let worker = job.worker_name.as_ref().map_or("its worker", |name| name.as_str());
    let timeout = format_duration(timeout);
    let text = format!(
        "The job ran longer than its time-out of {timeout} and worker {worker} did not end it. The server asked the worker to kill it."
    );
    LogLine {
        id: LogId::generate(),
        log_time: now,
        level: LogLevel::Error,
        process_name: job.process_name.clone(),
        message: LogMessage::cut(&text),
        job_id: Some(job.id),
    }
}
