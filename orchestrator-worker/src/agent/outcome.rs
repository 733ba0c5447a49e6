//! How a job ended, as it is told to the server.

use std::time::Duration;

use orchestrator_core::clock::{Clock as _, SystemClock};
use orchestrator_core::id::JobId;
use orchestrator_core::lease::{HEARTBEAT, LeaseToken};
use orchestrator_proto::v1;
use tokio::time::{Instant, timeout};

use super::call::{Failure, failure, pauses, said};
use super::run::Inner;
use super::ship::{Shipped, instant};

/// The longest one try to tell the end may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long the end of a job waits for its output to be sent before it is told.
const OUTPUT_FIRST: Duration = Duration::from_secs(2);

/// The longest pause while the worker is not allowed to call at all.
const NOT_ALLOWED: Duration = Duration::from_secs(30);

/// How long an end may be untold before the log says so: what heals by itself needs no word.
const UNTOLD_FOR: Duration = Duration::from_secs(5);

/// How often the log says so again.
const UNTOLD_AGAIN: Duration = Duration::from_mins(1);

/// What a worker says about the end of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Outcome {
    /// DONE, FAILED, KILLED, TIMED_OUT or NEVER_STARTED.
    pub(super) name: &'static str,
    pub(super) exit_code: Option<i32>,
    pub(super) reason: String,
    /// It could not be started for a reason of this machine: whatever is claimed next would not start either.
    pub(super) is_of_machine: bool,
}

impl Outcome {
    pub(super) fn done() -> Self {
        Self::new("DONE", Some(0), String::new())
    }

    pub(super) fn failed(exit_code: Option<i32>, reason: impl Into<String>) -> Self {
        Self::new("FAILED", exit_code, reason.into())
    }

    pub(super) fn killed(exit_code: Option<i32>) -> Self {
        Self::new("KILLED", exit_code, "killed on request".to_owned())
    }

    pub(super) fn timed_out(exit_code: Option<i32>, timeout: Duration) -> Self {
        let reason = format!("it ran longer than its time-out of {}", humantime::format_duration(timeout));
        Self::new("TIMED_OUT", exit_code, reason)
    }

    pub(super) fn never_started(reason: impl Into<String>) -> Self {
        Self::new("NEVER_STARTED", None, reason.into())
    }

    /// Not started, and nothing else would be on this machine.
    pub(super) fn unfit(reason: impl Into<String>) -> Self {
        Self { is_of_machine: true, ..Self::never_started(reason) }
    }

    fn new(name: &'static str, exit_code: Option<i32>, reason: String) -> Self {
        Self { name, exit_code, reason, is_of_machine: false }
    }

    /// A failure is explained by the end of the standard error.
    pub(super) fn explained_by(self, stderr: &str) -> Self {
        if self.name != "FAILED" || stderr.is_empty() {
            return self;
        }
        Self { reason: format!("{}\n{stderr}", self.reason), ..self }
    }
}

/// Tells the end of a job until the server has taken it or refuses it, however long it is away. What the robot wrote goes
/// first, if that takes no more than a moment: after an outage the server may take the output of ended jobs no more.
pub(super) async fn report(agent: &Inner, (job, token): (JobId, LeaseToken), outcome: &Outcome, shipped: &Shipped) {
    let ended_at = instant(SystemClock.now());
    let mut pauses = pauses();
    let mut untold = Untold::default();
    loop {
        output_first(agent, shipped).await;
        let session = agent.sessions.current().await;
        let mut request = tonic::Request::new(v1::FinishJobRequest {
            session_id: session.id.to_string(),
            job_id: job.to_string(),
            lease_token: token.value(),
            outcome: outcome.name.to_owned(),
            exit_code: outcome.exit_code,
            reason: outcome.reason.clone(),
            ended_at: Some(ended_at),
        });
        request.set_timeout(PATIENCE);
        let Err(status) = agent.client.clone().finish_job(request).await else { return };
        let mut pause = pauses.next().unwrap_or(HEARTBEAT);
        if let Some(since) = untold.is_worth_saying(Instant::now()) {
            let (for_s, error) = (since.as_secs(), said(&status));
            tracing::warn!(job.id = %job, outcome = outcome.name, for_s, error, "the end of a job cannot be told; it is tried again");
        }
        match failure(&status) {
            Failure::Away => {}
            Failure::SessionOver => agent.sessions.renew(session.id, &agent.held).await,
            Failure::NotAllowed if !agent.stopping.soft.is_cancelled() => pause = NOT_ALLOWED,
            Failure::NotAllowed | Failure::LeaseLost | Failure::Refused => {
                tracing::warn!(job.id = %job, error = said(&status), "the server did not take the end of a job");
                return;
            }
        }
        tokio::select! {
            () = agent.sessions.contact.pause(pause) => {}
            () = agent.stopping.soft.cancelled(), if pause == NOT_ALLOWED => {}
        }
    }
}

/// Since when an end cannot be told, and when that was said last.
#[derive(Debug, Default)]
struct Untold {
    since: Option<Instant>,
    said_at: Option<Instant>,
}

impl Untold {
    /// For how long it has been so, where that is to be said now.
    fn is_worth_saying(&mut self, now: Instant) -> Option<Duration> {
        let since = *self.since.get_or_insert(now);
        let is_new = self.said_at.is_none_or(|said_at| now - said_at >= UNTOLD_AGAIN);
        let is_worth_it = is_new && now - since >= UNTOLD_FOR;
        is_worth_it.then(|| {
            self.said_at = Some(now);
            now - since
        })
    }
}

/// Waits until the output is sent, a moment only while the server answers, and a little longer while it does not.
async fn output_first(agent: &Inner, shipped: &Shipped) {
    if timeout(OUTPUT_FIRST, shipped.done()).await.is_err() && agent.sessions.contact.is_lost() {
        agent.sessions.contact.pause(PATIENCE).await;
        let _ = timeout(OUTPUT_FIRST, shipped.done()).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_that_cannot_be_told_is_said_after_a_moment_and_then_once_a_minute() {
        let (start, mut untold) = (Instant::now(), Untold::default());
        let said: Vec<u64> =
            (0..=130).filter(|second| untold.is_worth_saying(start + Duration::from_secs(*second)).is_some()).collect();
        assert_eq!(said, [5, 65, 125]);
    }
}
