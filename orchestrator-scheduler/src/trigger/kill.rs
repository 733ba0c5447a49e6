use std::collections::BTreeSet;

use orchestrator_core::actor::Actor;
use orchestrator_core::id::TriggerId;
use orchestrator_core::job::JobStatus;
use orchestrator_core::text::Reason;
use orchestrator_core::trigger::{Hold, Trigger, TriggerKind};
use orchestrator_db::{CancelBy, Hint};
use serde_json::json;

use super::TriggerError;
use super::edit::lock_live;
use crate::audit::of_trigger;
use crate::decide::progress_of;
use crate::end::drop_buffered;
use crate::rescue::{EndOfLost, end_lost};
use crate::scheduler::Scheduler;
use crate::transaction::in_transaction;

/// What killing a trigger did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Killed {
    /// The trigger as it is now.
    pub trigger: Trigger,
    /// Jobs whose kill was requested.
    pub killed: usize,
    /// Waiting jobs that were cancelled.
    pub cancelled: usize,
}

impl Scheduler {
    /// Requests the kill of a trigger's active jobs, cancels waiting ones, and holds it.
    pub async fn kill_trigger(&self, actor: &Actor, id: TriggerId) -> Result<Killed, TriggerError> {
        in_transaction!(self, |tx| {
            let now = self.now();
            let stored = lock_live(tx, id).await?;
            let reason = Reason::cut("its trigger was killed");
            let cancelled = tx.job_cancel_queued(&CancelBy::Trigger(id), &reason, now).await?;
            let mut progress = progress_of(&stored);
            progress.hold = Hold::Killed;
            drop_buffered(tx, &mut progress, now).await?;
            if !matches!(stored.trigger.kind, TriggerKind::Scheduled { .. }) {
                progress.due_at = None;
            }
            tx.trigger_save_progress(&[progress]).await?;
            let active = tx.job_started_of(id).await?;
            let jobs = tx.job_lock(&active).await?;
            let killed = tx.job_request_kill(&active).await?;
            let mut hints: BTreeSet<String> = BTreeSet::new();
            let mut more = vec![Hint::Triggers, Hint::Jobs];
            for job in &jobs {
                if job.job.state.status() == JobStatus::Lost {
                    let held = lock_live(tx, id).await?;
                    let reason = Reason::cut("killed while its worker was lost");
                    more.extend(end_lost(tx, &held, job, EndOfLost::killed(&reason), now).await?);
                }
                more.push(Hint::Job { id: job.job.id });
            }
            hints.extend(killed.iter().map(|(_, worker, _)| worker.as_str().to_owned()));
            tx.trigger_refresh_status(&[id]).await?;
            let before = json!({ "hold": stored.trigger.hold });
            let audit = of_trigger(
                actor,
                "trigger.kill",
                id,
                Some(before),
                Some(json!({ "hold": Hold::Killed, "jobs": active })),
            );
            tx.audit_insert(&[audit], now).await?;
            let trigger = tx.trigger_get(id).await?.trigger;
            more.extend(cancelled.iter().map(|id| Hint::Job { id: *id }));
            more.extend(hints.into_iter().map(|name| Hint::Worker { name }));
            Ok((Killed { trigger, killed: killed.len(), cancelled: cancelled.len() }, more))
        })
    }
}
