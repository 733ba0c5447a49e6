//! What a clock has planned that was ahead. It decided about instants that had not come, and planned the next ones from there:
//! without a second look nothing of a trigger would run until then. An instant that has become a job stays one: it is not run
//! again when it comes.

use orchestrator_core::clock::Timestamp;
use orchestrator_core::id::TriggerId;
use orchestrator_core::job::JobState;
use orchestrator_core::policy::backoff_after;
use orchestrator_core::trigger::TriggerKind;
use orchestrator_db::{DbError, Hint, LockedJob, StoredTrigger, TriggerProgress};

use crate::decide::progress_of;
use crate::finish::HAND_BACK_PAUSE;
use crate::rescue::MOST_AHEAD;
use crate::scheduler::Scheduler;
use crate::transaction::in_transaction;

/// Triggers that one transaction plans anew.
const BATCH: usize = 500;

/// Jobs that wait for their time and are looked at, those that wait longest first.
const MOST_POSTPONED: u32 = 5_000;

/// What was planned anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReplanSummary {
    /// Triggers.
    pub triggers: usize,
    /// Queued jobs whose next attempt comes earlier.
    pub jobs: usize,
}

impl Scheduler {
    /// Looks for plans that a clock has made which was ahead of `now`, and makes them anew. Called at the start and after the
    /// clock went back.
    pub async fn replan(&self, now: Timestamp) -> Result<ReplanSummary, DbError> {
        let ids = self.db().begin_read().await?.trigger_ids_ahead(now + MOST_AHEAD).await?;
        let mut summary = ReplanSummary::default();
        for ids in ids.chunks(BATCH) {
            summary.triggers += self.replan_triggers(ids, now).await?;
        }
        summary.jobs = self.replan_jobs(now).await?;
        if summary != ReplanSummary::default() {
            tracing::warn!(?summary, "a clock was ahead when these were planned; they are planned anew");
        }
        Ok(summary)
    }

    async fn replan_triggers(&self, ids: &[TriggerId], now: Timestamp) -> Result<usize, DbError> {
        in_transaction!(self, |tx| {
            let stored = tx.trigger_lock(ids).await?;
            let planned: Vec<_> = stored.iter().filter_map(|stored| planned_anew(stored, now)).collect();
            tx.trigger_save_progress(&planned).await?;
            let hints = if planned.is_empty() { Vec::new() } else { vec![Hint::Triggers] };
            Ok::<_, DbError>((planned.len(), hints))
        })
    }

    async fn replan_jobs(&self, now: Timestamp) -> Result<usize, DbError> {
        in_transaction!(self, |tx| {
            let mut count = 0;
            for job in tx.job_lock_postponed(now + MOST_AHEAD, MOST_POSTPONED).await? {
                let latest = now + longest_wait(&job);
                let JobState::Queued { not_before: Some(not_before) } = job.job.state else { continue };
                if not_before > latest + MOST_AHEAD {
                    tx.job_set_not_before(job.job.id, latest).await?;
                    count += 1;
                }
            }
            let hints = if count == 0 { Vec::new() } else { vec![Hint::Jobs] };
            Ok::<_, DbError>((count, hints))
        })
    }
}

/// Where a trigger stands by a clock that shows `now`; nothing where it stands so already.
fn planned_anew(stored: &StoredTrigger, now: Timestamp) -> Option<TriggerProgress> {
    let mut progress = progress_of(stored);
    let ahead = now + MOST_AHEAD;
    if progress.last_scheduled_at.is_some_and(|last| last > ahead) {
        progress.last_scheduled_at = Some(now);
    }
    match &stored.trigger.kind {
        TriggerKind::Single { .. } => return None,
        TriggerKind::Scheduled { cron, zone, next_run } => {
            // What is prepared for an instant that comes at once is not done twice.
            let from = progress.last_scheduled_at.map_or(now, |last| last.max(now));
            let next = cron.next_after(from, *zone);
            if next_run.is_some() && next < *next_run && next.is_some() {
                progress.next_run = next;
                progress.due_at = progress.due_at.and(next);
            }
        }
        TriggerKind::Queue { .. } => {
            let latest = now + backoff_after(progress.consecutive_failures.max(1));
            if progress.due_at.is_some_and(|due| due > latest + MOST_AHEAD) {
                progress.due_at = Some(latest);
            }
        }
    }
    (progress != progress_of(stored)).then_some(progress)
}

/// The longest that a queued job waits before it may be claimed.
fn longest_wait(job: &LockedJob) -> chrono::Duration {
    let retry = chrono::Duration::from_std(job.job.snapshot.policies.retry_delay).unwrap_or(chrono::Duration::MAX);
    retry.max(HAND_BACK_PAUSE)
}
