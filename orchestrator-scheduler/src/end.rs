//! What follows the end of a job, in the transaction that ends it: its elements, its next attempt, its trigger's count
//! of failures and hold, and the instant that waited for it.

use std::collections::BTreeSet;

use orchestrator_core::clock::Timestamp;
use orchestrator_core::id::{DecisionId, JobId, LogId};
use orchestrator_core::job::{JobOrigin, Outcome};
use orchestrator_core::log::{LogLevel, LogLine};
use orchestrator_core::policy::backoff_after;
use orchestrator_core::queue::{ElementStatus, QueueElement};
use orchestrator_core::text::LogMessage;
use orchestrator_core::trigger::{Hold, TriggerKind, TriggerType};
use orchestrator_db::{
    DbError, Decision, DecisionKind, Hint, LockedJob, NewJob, Released, StoredTrigger, TriggerProgress, Tx,
};

use crate::decide::progress_of;
use crate::evaluate::new_job;

/// A job whose row has just been ended, with its locked trigger.
#[derive(Debug)]
pub(crate) struct Ended<'a> {
    pub(crate) trigger: &'a StoredTrigger,
    pub(crate) job: &'a LockedJob,
    pub(crate) outcome: Outcome,
    pub(crate) reason: Option<&'a str>,
    pub(crate) now: Timestamp,
    /// Nobody knows whether its robot still runs: it is not started again beside it.
    pub(crate) robot_unknown: bool,
}

/// Whether the job may be started, or started again, in spite of what happened to its trigger meanwhile. What a person
/// asked for by hand runs on a held trigger, too.
pub(crate) fn may_run_again(trigger: &StoredTrigger, job: &LockedJob) -> bool {
    let wanted = trigger.trigger.hold == Hold::None || job.job.snapshot.origin == JobOrigin::Manual;
    wanted && !trigger.deleted && !job.job.kill_requested
}

impl Ended<'_> {
    /// Writes everything that follows. The caller has written the job's own row.
    pub(crate) async fn settle(self, tx: &mut Tx) -> Result<Vec<Hint>, DbError> {
        let id = self.job.job.id;
        let (released, mut hints) = released(tx, id, self.now).await?;
        let lines: Vec<LogLine> =
            [self.word_of_end(), self.word_of_elements(&released)].into_iter().flatten().collect();
        if !lines.is_empty() {
            tx.log_insert(&lines).await?;
            hints.push(Hint::Logs);
        }
        let retried = self.retry(tx).await?;
        let mut progress = progress_of(self.trigger);
        if !retried && self.job.job.snapshot.origin == JobOrigin::Trigger {
            self.count(tx, &mut progress).await?;
        }
        let buffered = if retried { false } else { self.go_on(tx, &mut progress).await? };
        tx.trigger_save_progress(std::slice::from_ref(&progress)).await?;
        hints.extend([Hint::Job { id }, Hint::Triggers]);
        if retried || buffered || self.job.job.worker_name.is_some() {
            // A slot is free, or a job is new.
            hints.push(Hint::Jobs);
        }
        if let TriggerKind::Queue { queue_name, .. } = &self.trigger.trigger.kind {
            hints.push(Hint::Queue { name: queue_name.as_str().to_owned() });
        }
        Ok(hints)
    }

    /// A line about an end that is no good one.
    fn word_of_end(&self) -> Option<LogLine> {
        let what = match self.outcome {
            Outcome::Done | Outcome::Cancelled => return None,
            Outcome::Failed => "failed",
            Outcome::Killed => "was killed",
            Outcome::TimedOut => "timed out",
        };
        let text = match self.reason {
            Some(reason) if !reason.is_empty() => format!("The job {what}: {reason}"),
            _ => format!("The job {what}."),
        };
        Some(self.line(LogLevel::Error, &text))
    }

    /// A line about the elements that the robot did not finish.
    fn word_of_elements(&self, released: &Released) -> Option<LogLine> {
        let of = |status| released.taken_back.iter().filter(|element| element.status == status).count();
        let parts: Vec<String> = [
            (of(ElementStatus::New), "NEW again"),
            (of(ElementStatus::Abandoned), "ABANDONED"),
            (released.parked, "IN_PROGRESS still, as the robot set them"),
        ]
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
        // Abandoned ones need somebody to look at them.
        let level = if of(ElementStatus::Abandoned) > 0 { LogLevel::Error } else { LogLevel::Info };
        let text = format!("Queue elements that the job had taken and not finished: {}.", parts.join(", "));
        (!parts.is_empty()).then(|| self.line(level, &text))
    }

    fn line(&self, level: LogLevel, text: &str) -> LogLine {
        let job = &self.job.job;
        LogLine {
            id: LogId::generate(),
            log_time: self.now,
            level,
            process_name: job.process_name.clone(),
            message: LogMessage::cut(text),
            job_id: Some(job.id),
        }
    }

    /// Inserts the next attempt, where the policy grants one.
    async fn retry(&self, tx: &mut Tx) -> Result<bool, DbError> {
        let job = &self.job.job;
        let policies = &job.snapshot.policies;
        let wanted = self.outcome.is_failure() && !self.robot_unknown && job.attempt < policies.max_attempts;
        if !wanted || !may_run_again(self.trigger, self.job) {
            return Ok(false);
        }
        let inserted = tx.job_insert(&[next_attempt(self.job, self.now)], self.now).await?;
        Ok(!inserted.is_empty())
    }

    /// Counts the instant's end against the trigger's failure policy.
    async fn count(&self, tx: &mut Tx, progress: &mut TriggerProgress) -> Result<(), DbError> {
        let trigger = &self.trigger.trigger;
        if self.outcome.is_failure() {
            progress.consecutive_failures += 1;
        } else if self.outcome == Outcome::Done {
            progress.consecutive_failures = 0;
        }
        if progress.hold == Hold::None {
            let is_failure = self.outcome.is_failure();
            match &trigger.kind {
                // One that was given another instant meanwhile has that still to come.
                TriggerKind::Single { next_run } if next_run.is_some() || progress.buffered_at.is_some() => {}
                TriggerKind::Single { .. } => progress.hold = if is_failure { Hold::Failed } else { Hold::Done },
                TriggerKind::Scheduled { .. } | TriggerKind::Queue { .. } => {
                    if is_failure && progress.consecutive_failures >= trigger.policies.max_consecutive_failures {
                        progress.hold = Hold::Failed;
                    }
                }
            }
        }
        let counts = is_counted(self.outcome);
        if counts && trigger.kind.trigger_type() == TriggerType::Queue && progress.hold == Hold::None {
            progress.due_at = self.back_off(tx, progress.consecutive_failures).await?;
        }
        Ok(())
    }

    /// Until when a queue trigger waits: after a failure, and after a run that took nothing from the queue.
    async fn back_off(&self, tx: &mut Tx, failures: u32) -> Result<Option<Timestamp>, DbError> {
        let fruitless = self.outcome == Outcome::Done && !tx.element_any_of_job(self.job.job.id).await?;
        if !self.outcome.is_failure() && !fruitless {
            return Ok(None);
        }
        Ok(Some(self.now + backoff_after(failures.max(1))))
    }

    /// Turns the remembered instant into a job, and lets a trigger that waited for the end look at its schedule again.
    async fn go_on(&self, tx: &mut Tx, progress: &mut TriggerProgress) -> Result<bool, DbError> {
        let trigger = &self.trigger.trigger;
        if self.trigger.deleted {
            progress.buffered_at = None;
            progress.due_at = None;
            return Ok(false);
        }
        if progress.hold != Hold::None {
            drop_buffered(tx, progress, self.now).await?;
        }
        if matches!(trigger.kind, TriggerKind::Scheduled { .. }) && progress.due_at.is_none() {
            progress.due_at = progress.next_run;
        }
        let Some(instant) = progress.buffered_at else { return Ok(false) };
        let active = tx.trigger_active_jobs(&[trigger.id]).await?;
        if active.get(&trigger.id).is_some_and(|active| active.total() > 0) {
            return Ok(false);
        }
        progress.buffered_at = None;
        progress.last_scheduled_at = progress.last_scheduled_at.max(Some(instant));
        let inserted: Vec<JobId> = tx.job_insert(&[new_job(trigger, instant)], self.now).await?;
        Ok(!inserted.is_empty())
    }
}

/// Kills and cancellations say nothing about the robot.
fn is_counted(outcome: Outcome) -> bool {
    match outcome {
        Outcome::Done | Outcome::Failed | Outcome::TimedOut => true,
        Outcome::Killed | Outcome::Cancelled => false,
    }
}

/// Takes back what a job holds; the queues that have something new again may have triggers, and pages show all of it.
pub(crate) async fn released(tx: &mut Tx, job: JobId, now: Timestamp) -> Result<(Released, Vec<Hint>), DbError> {
    let released = tx.element_release_of_job(&[job], now).await?;
    let mut hints = hints_of_new(&released.taken_back);
    if !released.taken_back.is_empty() {
        hints.push(Hint::Elements);
    }
    Ok((released, hints))
}

/// Word of queues that have something new.
pub(crate) fn hints_of_new(elements: &[QueueElement]) -> Vec<Hint> {
    let new = elements.iter().filter(|element| element.status == ElementStatus::New);
    let queues: BTreeSet<&str> = new.map(|element| element.queue_name.as_str()).collect();
    queues.into_iter().map(|name| Hint::Queue { name: name.to_owned() }).collect()
}

/// Forgets the instant that waits for the end of the active job, and says so: its trigger is on hold.
pub(crate) async fn drop_buffered(tx: &mut Tx, progress: &mut TriggerProgress, now: Timestamp) -> Result<(), DbError> {
    let Some(instant) = progress.buffered_at.take() else { return Ok(()) };
    let decision = Decision {
        id: DecisionId::generate(),
        trigger_id: progress.id,
        scheduled_at: instant,
        decided_at: now,
        decision: DecisionKind::OnHold,
        reason: format!("it waited for the end of the active job when the trigger was put on hold ({})", progress.hold),
    };
    tx.decision_insert(&[decision]).await
}

/// The attempt after a job, for the same instant.
pub(crate) fn next_attempt(job: &LockedJob, now: Timestamp) -> NewJob {
    let delay = job.job.snapshot.policies.retry_delay;
    NewJob {
        id: JobId::generate(),
        trigger_id: job.job.trigger_id,
        scheduled_at: job.job.scheduled_at,
        attempt: job.job.attempt + 1,
        not_before: (!delay.is_zero()).then(|| now + delay),
        origin_request: None,
        snapshot: job.job.snapshot.clone(),
    }
}
