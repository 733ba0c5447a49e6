//! How a job ended, as it is told to the server.

use std::time::Duration;

use orchestrator_core::clock::{Clock as _, SystemClock};
use orchestrator_core::lease::HEARTBEAT;
use orchestrator_proto::v1;

use super::call::{Failure, failure, pauses};
use super::job::Granted;
use super::run::Inner;

/// The longest one try to tell the end may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a worker says about the end of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Outcome {
    /// DONE, FAILED, KILLED, TIMED_OUT or NEVER_STARTED.
    pub(super) name: &'static str,
    pub(super) exit_code: Option<i32>,
    pub(super) reason: String,
}

impl Outcome {
    pub(super) fn done() -> Self {
        Self { name: "DONE", exit_code: Some(0), reason: String::new() }
    }

    pub(super) fn failed(exit_code: Option<i32>, reason: impl Into<String>) -> Self {
        Self { name: "FAILED", exit_code, reason: reason.into() }
    }

    pub(super) fn killed(exit_code: Option<i32>) -> Self {
        Self { name: "KILLED", exit_code, reason: "killed on request".to_owned() }
    }

    pub(super) fn timed_out(exit_code: Option<i32>, timeout: Duration) -> Self {
        let reason = format!("it ran longer than its time-out of {}", humantime::format_duration(timeout));
        Self { name: "TIMED_OUT", exit_code, reason }
    }

    pub(super) fn never_started(reason: impl Into<String>) -> Self {
        Self { name: "NEVER_STARTED", exit_code: None, reason: reason.into() }
    }
}

/// Tells the end of a job until the server has taken it or refuses it, however long it is away.
pub(super) async fn report(agent: &Inner, granted: &Granted, outcome: &Outcome) {
    let ended_at = SystemClock.now();
    let mut pauses = pauses();
    loop {
        let session = agent.sessions.current().await;
        let mut request = tonic::Request::new(v1::FinishJobRequest {
            session_id: session.id.to_string(),
            job_id: granted.job.to_string(),
            lease_token: granted.token.value(),
            outcome: outcome.name.to_owned(),
            exit_code: outcome.exit_code,
            reason: outcome.reason.clone(),
            ended_at: Some(prost_types::Timestamp {
                seconds: ended_at.timestamp(),
                nanos: i32::try_from(ended_at.timestamp_subsec_nanos()).unwrap_or(0),
            }),
        });
        request.set_timeout(PATIENCE);
        let Err(status) = agent.client.clone().finish_job(request).await else { return };
        match failure(&status) {
            Failure::Away => {}
            Failure::SessionOver => agent.sessions.renew(session.id, &agent.held).await,
            Failure::LeaseLost | Failure::Refused => {
                tracing::warn!(job.id = %granted.job, error = status.message(), "the server did not take the end of a job");
                return;
            }
        }
        tokio::time::sleep(pauses.next().unwrap_or(HEARTBEAT)).await;
    }
}
