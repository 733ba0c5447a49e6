use orchestrator_core::actor::Actor;
use orchestrator_core::clock::Timestamp;
use orchestrator_core::id::{JobId, TriggerId};
use orchestrator_core::job::{JobOrigin, JobStatus};
use orchestrator_core::text::Reason;
use orchestrator_core::trigger::{Hold, Trigger, TriggerKind, TriggerType};
use orchestrator_db::{CancelBy, DbError, Hint, JobFilter, PageRequest, Tx};
use serde_json::json;

use super::TriggerError;
use super::edit::{hints_of, lock_live};
use crate::audit::of_trigger;
use crate::decide::{free_instant, progress_of};
use crate::end::drop_buffered;
use crate::scheduler::Scheduler;
use crate::transaction::in_transaction;

/// How many of a trigger's newest jobs are looked through for the latest one that nobody started by hand.
const LOOKED_THROUGH: u32 = 100;

/// What disabling a trigger did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disabled {
    /// The trigger as it is now.
    pub trigger: Trigger,
    /// Waiting jobs that were cancelled.
    pub cancelled: usize,
}

impl Scheduler {
    /// Ends a trigger's hold. Never starts a second copy of what runs. A single trigger that has fired gets a new
    /// instant: `next_run`, or now. Where it was paused, only `next_run` makes it fire again: without one it gets back the
    /// hold that its run left, since whoever releases what was paused does not mean what is over.
    pub async fn enable_trigger(
        &self,
        actor: &Actor,
        id: TriggerId,
        next_run: Option<Timestamp>,
    ) -> Result<Trigger, TriggerError> {
        in_transaction!(self, |tx| {
            let now = self.now();
            let stored = lock_live(tx, id).await?;
            let kind = stored.trigger.kind.trigger_type();
            if next_run.is_some() && kind != TriggerType::Single {
                return Err(TriggerError::NextRunOfOtherKind { name: stored.trigger.name.as_str().to_owned(), kind });
            }
            let before = stored.trigger.hold;
            let mut progress = progress_of(&stored);
            progress.hold = Hold::None;
            progress.consecutive_failures = 0;
            match &stored.trigger.kind {
                TriggerKind::Single { next_run: old } => {
                    // One that waits for its instant, or whose job still runs, is left alone.
                    let active = tx.trigger_active_jobs(&[id]).await?;
                    let busy = active.get(&id).is_some_and(|active| active.total() > 0);
                    // A time that came while it was on hold is now.
                    let old = old.map(|old| if before == Hold::None { old } else { old.max(now) });
                    let mut next = next_run.or(old);
                    if next.is_none() {
                        match before {
                            Hold::Paused => progress.hold = hold_after_run(tx, id).await?,
                            Hold::None | Hold::Failed | Hold::Killed | Hold::Done => next = (!busy).then_some(now),
                        }
                    }
                    progress.next_run = next.map(|next| free_instant(next, stored.last_scheduled_at));
                    progress.due_at = progress.next_run;
                }
                TriggerKind::Scheduled { cron, zone, .. } => {
                    // Instants while on hold were dropped.
                    if before != Hold::None {
                        progress.next_run = cron.next_after(now, *zone);
                        progress.due_at = progress.next_run;
                    }
                }
                TriggerKind::Queue { .. } => progress.due_at = None,
            }
            let after = json!({ "hold": progress.hold });
            tx.trigger_save_progress(&[progress]).await?;
            tx.job_forget_hold(id).await?;
            let audit = of_trigger(actor, "trigger.enable", id, Some(json!({ "hold": before })), Some(after));
            tx.audit_insert(&[audit], now).await?;
            let trigger = tx.trigger_get(id).await?.trigger;
            let hints = hints_of(&trigger.kind);
            Ok((trigger, hints))
        })
    }

    /// Holds a trigger and cancels its waiting jobs; what runs may see that it should finish early. A single trigger whose
    /// run is cancelled so has that still to come.
    pub async fn disable_trigger(&self, actor: &Actor, id: TriggerId) -> Result<Disabled, TriggerError> {
        in_transaction!(self, |tx| {
            let now = self.now();
            let stored = lock_live(tx, id).await?;
            let reason = Reason::cut("its trigger was paused");
            let cancelled = tx.job_cancel_queued(&CancelBy::Trigger(id), &reason, now).await?;
            let mut progress = progress_of(&stored);
            progress.hold = Hold::Paused;
            if matches!(stored.trigger.kind, TriggerKind::Single { next_run: None }) {
                progress.next_run = progress.buffered_at.take();
                if progress.next_run.is_none() && any_of_trigger(tx, &cancelled).await? {
                    progress.next_run = Some(free_instant(now, stored.last_scheduled_at));
                }
            }
            drop_buffered(tx, &mut progress, now).await?;
            if !matches!(stored.trigger.kind, TriggerKind::Scheduled { .. }) {
                progress.due_at = None;
            }
            tx.trigger_save_progress(&[progress]).await?;
            // What was started by hand on a held trigger is meant by a new hold, too.
            tx.job_forget_hold(id).await?;
            let before = json!({ "hold": stored.trigger.hold });
            let audit = of_trigger(actor, "trigger.disable", id, Some(before), Some(json!({ "hold": Hold::Paused })));
            tx.audit_insert(&[audit], now).await?;
            let trigger = tx.trigger_get(id).await?.trigger;
            let hints = cancelled.iter().map(|id| Hint::Job { id: *id }).chain([Hint::Triggers, Hint::Jobs]).collect();
            Ok((Disabled { trigger, cancelled: cancelled.len() }, hints))
        })
    }
}

/// The hold that a single trigger's run left it with, as far as its jobs tell; none while that run is under way.
async fn hold_after_run(tx: &mut Tx, id: TriggerId) -> Result<Hold, DbError> {
    let filter = JobFilter { trigger_id: Some(id), ..JobFilter::default() };
    let (jobs, _) = tx.job_list(&filter, &PageRequest::first(LOOKED_THROUGH)).await?;
    let run = jobs.rows.iter().find(|job| job.snapshot.origin == JobOrigin::Trigger);
    // Of what was pruned it is known only that it is over.
    Ok(run.map_or(Hold::Done, |job| match job.state.status() {
        JobStatus::Queued | JobStatus::Assigned | JobStatus::Running | JobStatus::Lost => Hold::None,
        JobStatus::Failed | JobStatus::TimedOut => Hold::Failed,
        JobStatus::Killed => Hold::Killed,
        JobStatus::Done | JobStatus::Cancelled => Hold::Done,
    }))
}

/// Whether one of these jobs was not started by hand.
async fn any_of_trigger(tx: &mut Tx, jobs: &[JobId]) -> Result<bool, DbError> {
    for id in jobs {
        if tx.job_get(*id).await?.snapshot.origin == JobOrigin::Trigger {
            return Ok(true);
        }
    }
    Ok(false)
}
