use orchestrator_core::actor::Actor;
use orchestrator_core::id::JobId;
use orchestrator_core::job::{Job, JobStatus};
use orchestrator_core::text::Reason;
use serde_json::json;

use super::JobError;
use crate::audit::of_job;
use crate::finish::lock_with_trigger;
use crate::rescue::{EndOfLost, end_lost, outcome_of_lost};
use crate::scheduler::Scheduler;
use crate::transaction::in_transaction;

impl Scheduler {
    /// Ends a lost job: an operator knows that its robot is gone.
    pub async fn dismiss_job(&self, actor: &Actor, id: JobId) -> Result<Job, JobError> {
        in_transaction!(self, |tx| {
            let now = self.now();
            let (trigger, job) = lock_with_trigger(tx, id).await?;
            let status = job.job.state.status();
            if status != JobStatus::Lost {
                return Err(JobError::NotLost { job: id, status });
            }
            let reason = Reason::cut(&format!("dismissed by {} while its worker was lost", actor.name));
            let end = EndOfLost { outcome: outcome_of_lost(&job), reason: &reason, robot_unknown: false };
            let hints = end_lost(tx, &trigger, &job, end, now).await?;
            let ended = tx.job_get(id).await?;
            let (before, after) = (json!({ "status": status }), json!({ "status": ended.state.status() }));
            tx.audit_insert(&[of_job(actor, "job.dismiss", id, Some(before), Some(after))], now).await?;
            Ok((ended, hints))
        })
    }
}
