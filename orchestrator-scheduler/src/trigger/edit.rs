use orchestrator_core::actor::Actor;
use orchestrator_core::clock::Timestamp;
use orchestrator_core::id::TriggerId;
use orchestrator_core::job::JobSnapshot;
use orchestrator_core::text::Reason;
use orchestrator_core::trigger::{DraftError, Hold, Trigger, TriggerDraft, TriggerKind};
use orchestrator_db::{CancelBy, DbError, Hint, StoredTrigger, Tx};
use serde_json::json;

use super::TriggerError;
use crate::audit::{draft_document, of_trigger, trigger_document};
use crate::decide::free_instant;
use crate::scheduler::Scheduler;
use crate::transaction::in_transaction;

/// What deleting a trigger left behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deleted {
    /// Waiting jobs that were cancelled.
    pub cancelled: usize,
    /// Jobs that still run.
    pub running: u32,
}

/// When the evaluator is to look at a trigger of this kind and hold.
pub(super) fn due_at(kind: &TriggerKind, hold: Hold) -> Option<Timestamp> {
    match kind {
        TriggerKind::Scheduled { next_run, .. } => *next_run,
        TriggerKind::Single { next_run } if hold == Hold::None => *next_run,
        TriggerKind::Single { .. } | TriggerKind::Queue { .. } => None,
    }
}

/// A trigger's own hints: it may be due, and its queue may be full enough already.
pub(super) fn hints_of(kind: &TriggerKind) -> Vec<Hint> {
    let mut hints = vec![Hint::Triggers];
    if let TriggerKind::Queue { queue_name, .. } = kind {
        hints.push(Hint::Queue { name: queue_name.as_str().to_owned() });
    }
    hints
}

/// Locks a live trigger by its id.
pub(super) async fn lock_live(tx: &mut Tx, id: TriggerId) -> Result<StoredTrigger, TriggerError> {
    let stored = tx.trigger_lock(&[id]).await?.into_iter().next();
    let stored = stored.ok_or_else(|| DbError::not_found("trigger", id))?;
    if stored.deleted { Err(TriggerError::Deleted(stored.trigger.name.into_string())) } else { Ok(stored) }
}

impl Scheduler {
    /// Creates a trigger. With `repeat`, one that has this id already is returned as it is.
    pub async fn create_trigger(
        &self,
        actor: &Actor,
        id: TriggerId,
        draft: TriggerDraft,
        repeat: bool,
    ) -> Result<Trigger, TriggerError> {
        self.create_trigger_with(actor, id, draft, Hold::None, repeat).await
    }

    /// As [`Scheduler::create_trigger`], but on hold from the first: it never fires before it is enabled.
    pub async fn create_paused_trigger(
        &self,
        actor: &Actor,
        id: TriggerId,
        draft: TriggerDraft,
        repeat: bool,
    ) -> Result<Trigger, TriggerError> {
        self.create_trigger_with(actor, id, draft, Hold::Paused, repeat).await
    }

    async fn create_trigger_with(
        &self,
        actor: &Actor,
        id: TriggerId,
        draft: TriggerDraft,
        hold: Hold,
        repeat: bool,
    ) -> Result<Trigger, TriggerError> {
        let draft = draft.checked(self.now())?;
        in_transaction!(self, |tx| {
            if repeat && let Ok(stored) = tx.trigger_get(id).await {
                return Ok((stored.trigger, Vec::new()));
            }
            let now = self.now();
            let inserted = tx.trigger_insert(id, &draft, due_at(&draft.kind, hold), now).await;
            inserted.map_err(|error| name_conflict(error, &draft))?;
            if hold != Hold::None {
                tx.trigger_set_hold(id, hold).await?;
                tx.trigger_refresh_status(&[id]).await?;
            }
            let mut document = draft_document(&draft);
            if hold != Hold::None {
                document["hold"] = json!(hold);
            }
            let audit = of_trigger(actor, "trigger.create", id, None, Some(document));
            tx.audit_insert(&[audit], now).await?;
            let trigger = tx.trigger_get(id).await?.trigger;
            Ok((trigger, hints_of(&draft.kind)))
        })
    }

    /// Replaces what an administrator may set. Waiting jobs take the new values; assigned and running ones keep theirs.
    /// `read_at` is the `updated_at` that the caller saw, where it wants to be told of a change in between.
    pub async fn update_trigger(
        &self,
        actor: &Actor,
        id: TriggerId,
        draft: TriggerDraft,
        read_at: Option<Timestamp>,
    ) -> Result<Trigger, TriggerError> {
        in_transaction!(self, |tx| {
            let now = self.now();
            let stored = lock_live(tx, id).await?;
            refuse_stale(&stored.trigger, &draft, read_at)?;
            let draft = keep_schedule(draft.clone(), &stored, now)?;
            let due_at = match &draft.kind {
                TriggerKind::Queue { .. } => stored.due_at,
                kind => due_at(kind, stored.trigger.hold),
            };
            let updated = tx.trigger_update(id, &draft, due_at, now).await;
            updated.map_err(|error| name_conflict(error, &draft))?;
            let before = trigger_document(&stored.trigger);
            let trigger = tx.trigger_get(id).await?.trigger;
            tx.job_rewrite_snapshot(id, &JobSnapshot::of(&trigger)).await?;
            let audit = of_trigger(actor, "trigger.update", id, Some(before), Some(draft_document(&draft)));
            tx.audit_insert(&[audit], now).await?;
            tx.trigger_refresh_status(&[id]).await?;
            let mut hints = hints_of(&draft.kind);
            hints.push(Hint::Jobs);
            Ok((trigger, hints))
        })
    }

    /// Hides a trigger at once, cancels its waiting jobs and lets the rest end.
    pub async fn delete_trigger(&self, actor: &Actor, id: TriggerId) -> Result<Deleted, TriggerError> {
        in_transaction!(self, |tx| {
            let now = self.now();
            let stored = lock_live(tx, id).await?;
            let reason = Reason::cut("its trigger was deleted");
            let cancelled = tx.job_cancel_queued(&CancelBy::Trigger(id), &reason, now).await?;
            tx.trigger_mark_deleted(id, now).await?;
            tx.trigger_refresh_status(&[id]).await?;
            let audit = of_trigger(actor, "trigger.delete", id, Some(trigger_document(&stored.trigger)), None);
            tx.audit_insert(&[audit], now).await?;
            let active = tx.trigger_active_jobs(&[id]).await?;
            let running = active.get(&id).map_or(0, |active| active.started);
            let hints = cancelled.iter().map(|id| Hint::Job { id: *id }).chain([Hint::Triggers, Hint::Jobs]).collect();
            Ok((Deleted { cancelled: cancelled.len(), running }, hints))
        })
    }
}

fn name_conflict(error: DbError, draft: &TriggerDraft) -> TriggerError {
    match error {
        DbError::Conflict { .. } => TriggerError::NameExists(draft.name.as_str().to_owned()),
        error => TriggerError::Db(error),
    }
}

fn refuse_stale(stored: &Trigger, draft: &TriggerDraft, read_at: Option<Timestamp>) -> Result<(), TriggerError> {
    let (from, to) = (stored.kind.trigger_type(), draft.kind.trigger_type());
    if from != to {
        return Err(TriggerError::KindChanged { name: stored.name.as_str().to_owned(), from, to });
    }
    if read_at.is_some_and(|read_at| read_at != stored.updated_at) {
        return Err(TriggerError::ChangedMeanwhile {
            name: stored.name.as_str().to_owned(),
            updated_at: stored.updated_at,
        });
    }
    Ok(())
}

/// An edit that leaves the expression and zone alone leaves the next run alone, too. A single trigger that has fired
/// fires again only by being enabled, or at a time that is given.
fn keep_schedule(mut draft: TriggerDraft, stored: &StoredTrigger, now: Timestamp) -> Result<TriggerDraft, DraftError> {
    let mut has_fired = false;
    match (&mut draft.kind, &stored.trigger.kind) {
        (TriggerKind::Single { next_run }, TriggerKind::Single { next_run: old }) => match next_run {
            None => {
                *next_run = *old;
                has_fired = old.is_none();
            }
            // An instant that was a job already would be none again.
            Some(given) => *given = free_instant(*given, stored.last_scheduled_at),
        },
        (
            TriggerKind::Scheduled { cron, zone, next_run },
            TriggerKind::Scheduled { cron: old_cron, zone: old_zone, next_run: old },
        ) if next_run.is_none() && cron == old_cron && zone == old_zone => *next_run = *old,
        _ => {}
    }
    let mut draft = draft.checked_edit(&stored.trigger.process, now)?;
    if has_fired && let TriggerKind::Single { next_run } = &mut draft.kind {
        *next_run = None;
    }
    Ok(draft)
}
