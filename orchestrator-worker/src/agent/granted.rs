//! A job that was granted to this worker.

use std::time::Duration;

use orchestrator_core::id::{IdError, InstanceId, JobId, TriggerId};
use orchestrator_core::lease::{LEASE, LeaseToken};
use orchestrator_core::policy::Policies;
use orchestrator_proto::v1;
use tokio::time::Instant;

use super::session::duration;
use crate::process::{Grant, JobCookie};

/// What is run, for whom, and under which grant.
#[derive(Debug, Clone)]
pub(super) struct Granted {
    pub(super) job: JobId,
    pub(super) token: LeaseToken,
    /// What its processes bear.
    pub(super) cookie: JobCookie,
    pub(super) trigger_id: TriggerId,
    pub(super) trigger_name: String,
    pub(super) trigger_type: String,
    pub(super) process_name: String,
    pub(super) process_path: String,
    pub(super) process_args: String,
    pub(super) is_git_repo: bool,
    pub(super) git_branch: Option<String>,
    pub(super) entry_point: Option<String>,
    pub(super) policies: Policies,
    /// When the job's instant comes: its robot is spawned no sooner.
    pub(super) instant: Instant,
}

impl Granted {
    /// Reads an assignment to the agent of this installation.
    pub(super) fn read(given: v1::Assignment, installation: InstanceId) -> Result<Self, IdError> {
        let (job, token) = (given.job_id.parse()?, LeaseToken::new(given.lease_token));
        Ok(Self {
            job,
            token,
            cookie: JobCookie::new(job, Grant { installation, lease_token: token }),
            trigger_id: given.trigger_id.parse()?,
            trigger_name: given.trigger_name,
            trigger_type: given.trigger_type,
            process_name: given.process_name,
            process_path: given.process_path,
            process_args: given.process_args,
            is_git_repo: given.is_git_repo,
            git_branch: given.git_branch,
            entry_point: given.entry_point,
            policies: policies(&given.policies.unwrap_or_default()),
            // No grant holds for longer.
            instant: Instant::now() + duration(given.start_after.as_ref(), Duration::ZERO).min(LEASE),
        })
    }
}

/// What a worker needs of the policies.
fn policies(given: &v1::Policies) -> Policies {
    let default = Policies::default();
    Policies {
        timeout: given.timeout.and_then(|given| Duration::try_from(given).ok()),
        stop_grace: duration(given.stop_grace.as_ref(), default.stop_grace),
        kill_grace: duration(given.kill_grace.as_ref(), default.kill_grace),
        keep_children: given.keep_children,
        stop_on_lost: given.stop_on_lost,
        ..default
    }
}
