use orchestrator_core::job::{Job, JobState};

use super::value::timestamp;
use crate::v1;

/// A job as messages carry it. Why it waits is known to the scheduler only.
pub fn job(job: &Job, waiting_reason: Option<String>) -> v1::Job {
    let snapshot = &job.snapshot;
    let process = &snapshot.process;
    let not_before = match job.state {
        JobState::Queued { not_before } => not_before,
        JobState::Assigned { .. } | JobState::Running { .. } | JobState::Lost { .. } | JobState::Ended { .. } => None,
    };
    v1::Job {
        id: job.id.to_string(),
        trigger_id: job.trigger_id.to_string(),
        trigger_name: job.trigger_name.as_str().to_owned(),
        process_name: job.process_name.as_str().to_owned(),
        worker_name: job.worker_name.as_ref().map(|name| name.as_str().to_owned()).unwrap_or_default(),
        status: job.state.status().to_string(),
        scheduled_at: Some(timestamp(job.scheduled_at)),
        queued_at: Some(timestamp(job.queued_at)),
        not_before: not_before.map(timestamp),
        start_time: job.start_time.map(timestamp),
        end_time: job.end_time.map(timestamp),
        attempt: job.attempt,
        superseded_by: job.superseded_by.map(|id| id.to_string()).unwrap_or_default(),
        kill_requested: job.kill_requested,
        exit_code: job.exit_code,
        commit: job.commit.clone().unwrap_or_default(),
        reason: job.reason.as_ref().map(|reason| reason.as_str().to_owned()).unwrap_or_default(),
        process_path: process.path.as_str().to_owned(),
        process_args: process.args.as_ref().map(|args| args.as_str().to_owned()),
        is_git_repo: process.is_git_repo,
        git_branch: process.git_branch.as_ref().map(|branch| branch.as_str().to_owned()),
        is_blocking: snapshot.is_blocking,
        priority: snapshot.priority,
        worker_whitelist: snapshot.worker_whitelist.iter().map(|name| name.as_str().to_owned()).collect(),
        waiting_reason: waiting_reason.unwrap_or_default(),
        // Known to whoever has the trail.
        retried_as: String::new(),
    }
}
