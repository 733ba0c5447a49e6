use orchestrator_core::actor::Actor;
use orchestrator_core::id::JobId;
use orchestrator_core::job::{Job, JobStatus, Outcome};
use orchestrator_core::text::Reason;
use orchestrator_db::{CancelBy, Hint};
use serde_json::json;

use super::JobError;
use crate::audit::of_job;
use crate::development::{end_development, is_development};
use crate::end::Ended;
use crate::finish::lock_with_trigger;
use crate::rescue::{EndOfLost, end_lost};
use crate::scheduler::Scheduler;
use crate::transaction::in_transaction;

impl Scheduler {
    /// Requests the kill of a job: a waiting one is cancelled at once, a lost one ends KILLED.
    pub async fn kill_job(&self, actor: &Actor, id: JobId) -> Result<Job, JobError> {
        in_transaction!(self, |tx| {
            let now = self.now();
            let (trigger, job) = lock_with_trigger(tx, id).await?;
            let status = job.job.state.status();
            let mut hints = vec![Hint::Job { id }, Hint::Triggers, Hint::Jobs];
            match status {
                JobStatus::Queued => {
                    let reason = Reason::cut("killed before it was claimed");
                    tx.job_cancel_queued(&CancelBy::Jobs(vec![id]), &reason, now).await?;
                    let outcome = Outcome::Cancelled;
                    let ended =
                        Ended { trigger: &trigger, job: &job, outcome, reason: None, now, robot_unknown: false };
                    hints.extend(ended.settle(tx).await?);
                }
                JobStatus::Lost => {
                    let reason = Reason::cut("killed while its worker was lost");
                    hints.extend(end_lost(tx, &trigger, &job, EndOfLost::killed(&reason), now).await?);
                }
                JobStatus::Running if is_development(&trigger) => {
                    let reason = Reason::cut("killed on request");
                    hints.extend(end_development(tx, &trigger, &job, Outcome::Killed, &reason, now).await?);
                }
                JobStatus::Assigned | JobStatus::Running => {
                    let told = tx.job_request_kill(&[id]).await?;
                    hints.extend(told.into_iter().map(|(_, worker, _)| Hint::Worker { name: worker.into_string() }));
                }
                JobStatus::Done
                | JobStatus::Failed
                | JobStatus::Killed
                | JobStatus::TimedOut
                | JobStatus::Cancelled => {
                    return Err(JobError::AlreadyEnded { job: id, status });
                }
            }
            tx.trigger_refresh_status(&[trigger.trigger.id]).await?;
            let killed = tx.job_get(id).await?;
            let after = json!({ "status": killed.state.status(), "kill_requested": killed.kill_requested });
            let audit = of_job(actor, "job.kill", id, Some(json!({ "status": status })), Some(after));
            tx.audit_insert(&[audit], now).await?;
            Ok((killed, hints))
        })
    }
}
