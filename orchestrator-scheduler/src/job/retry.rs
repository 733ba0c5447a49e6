use orchestrator_core::actor::Actor;
use orchestrator_core::id::{JobId, RequestId};
use orchestrator_core::job::{Job, JobOrigin};
use orchestrator_db::{DbError, Hint, NewJob};
use serde_json::json;

use super::JobError;
use crate::audit::of_job;
use crate::decide::{manual_instant, progress_of};
use crate::finish::lock_with_trigger;
use crate::scheduler::Scheduler;
use crate::transaction::in_transaction;

impl Scheduler {
    /// Makes a new job of an ended one, with the same snapshot. The same request again gives the same job.
    pub async fn retry_job(&self, actor: &Actor, id: JobId, request: RequestId, repeat: bool) -> Result<Job, JobError> {
        in_transaction!(self, |tx| {
            if repeat && let Some(job) = tx.job_by_origin(request).await? {
                return Ok((job, Vec::new()));
            }
            let now = self.now();
            let (trigger, job) = lock_with_trigger(tx, id).await?;
            // The same call may have been under way until now.
            if let Some(job) = tx.job_by_origin(request).await? {
                return Ok((job, Vec::new()));
            }
            let status = job.job.state.status();
            if status.is_active() {
                return Err(JobError::StillActive { job: id, status });
            }
            if trigger.deleted {
                return Err(JobError::TriggerDeleted(id));
            }
            let scheduled_at = manual_instant(now, &trigger);
            let mut progress = progress_of(&trigger);
            progress.last_scheduled_at = Some(scheduled_at);
            tx.trigger_save_progress(&[progress]).await?;
            let mut snapshot = job.job.snapshot.clone();
            snapshot.origin = JobOrigin::Manual;
            snapshot.own_args = true;
            snapshot.hold = trigger.trigger.hold;
            let new = NewJob {
                id: JobId::generate(),
                trigger_id: trigger.trigger.id,
                scheduled_at,
                attempt: 1,
                not_before: None,
                origin_request: Some(request),
                snapshot,
            };
            let made = new.id;
            if tx.job_insert(&[new], now).await?.is_empty() {
                return Err(DbError::not_updated("trigger", trigger.trigger.id).into());
            }
            tx.trigger_refresh_status(&[trigger.trigger.id]).await?;
            tx.audit_insert(&[of_job(actor, "job.retry", id, None, Some(json!({ "job": made })))], now).await?;
            Ok((tx.job_get(made).await?, vec![Hint::Jobs, Hint::Triggers, Hint::Job { id: made }]))
        })
    }
}
