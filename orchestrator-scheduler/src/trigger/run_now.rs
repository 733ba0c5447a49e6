use orchestrator_core::actor::Actor;
use orchestrator_core::id::{JobId, RequestId, TriggerId};
use orchestrator_core::job::{Job, JobOrigin, JobSnapshot};
use orchestrator_core::text::ProcessArgs;
use orchestrator_db::{DbError, Hint, NewJob};
use serde_json::json;

use super::TriggerError;
use super::edit::lock_live;
use crate::audit::of_trigger;
use crate::decide::{manual_instant, progress_of};
use crate::scheduler::Scheduler;
use crate::transaction::in_transaction;

impl Scheduler {
    /// Makes a job now, also on a held trigger, and leaves hold and schedule alone. The same request again gives the
    /// same job.
    pub async fn run_now(
        &self,
        actor: &Actor,
        id: TriggerId,
        args: Option<ProcessArgs>,
        request: RequestId,
        repeat: bool,
    ) -> Result<Job, TriggerError> {
        in_transaction!(self, |tx| {
            if repeat && let Some(job) = tx.job_by_origin(request).await? {
                return Ok((job, Vec::new()));
            }
            let now = self.now();
            let stored = lock_live(tx, id).await?;
            // The same call may have been under way until now.
            if let Some(job) = tx.job_by_origin(request).await? {
                return Ok((job, Vec::new()));
            }
            let mut snapshot = JobSnapshot::of(&stored.trigger);
            snapshot.origin = JobOrigin::Manual;
            snapshot.own_args = args.is_some();
            if args.is_some() {
                snapshot.process.args.clone_from(&args);
            }
            let scheduled_at = manual_instant(now, &stored);
            let mut progress = progress_of(&stored);
            progress.last_scheduled_at = Some(scheduled_at);
            tx.trigger_save_progress(&[progress]).await?;
            let new = NewJob {
                id: JobId::generate(),
                trigger_id: id,
                scheduled_at,
                attempt: 1,
                not_before: None,
                origin_request: Some(request),
                snapshot,
            };
            let job = new.id;
            if tx.job_insert(&[new], now).await?.is_empty() {
                return Err(DbError::not_updated("trigger", id).into());
            }
            tx.trigger_refresh_status(&[id]).await?;
            let audit =
                of_trigger(actor, "trigger.run_now", id, None, Some(json!({ "job": job, "process_args": args })));
            tx.audit_insert(&[audit], now).await?;
            Ok((tx.job_get(job).await?, vec![Hint::Jobs, Hint::Triggers, Hint::Job { id: job }]))
        })
    }
}
