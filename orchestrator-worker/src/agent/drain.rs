use std::time::Duration;

use orchestrator_proto::v1::{GetDrainRequest, SetDrainRequest};
use tokio::time::{Instant, sleep};
use tonic::Status;

use super::call::{Failure, failure, once, reason, said};
use super::options::{AgentOptions, ConnectError, client};

/// Between two looks at what a worker still has.
const LOOK: Duration = Duration::from_secs(1);
/// How many looks in a row may fail: a server may be restarted meanwhile.
const PATIENCE: u32 = 60;

/// Why the worker goes on as it did.
#[derive(Debug, thiserror::Error)]
pub enum DrainError {
    /// The address, the certificates or the token cannot be used.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// Nobody answers.
    #[error("{server} does not answer: {said}")]
    Away {
        /// The address.
        server: String,
        /// What the system said.
        said: String,
    },
    /// No agent with this token has ever registered.
    #[error("the server knows no worker of this token: its agent has never been started")]
    Unknown,
    /// The server does not do it.
    #[error("{server} refuses: {said}")]
    Refused {
        /// The address.
        server: String,
        /// What it said.
        said: String,
    },
    /// It still has jobs after the time that was given.
    #[error("{} after the time that was given; the worker takes nothing new", still(*jobs))]
    StillBusy {
        /// How many.
        jobs: u32,
    },
    /// Somebody let it take jobs again.
    #[error("the worker was let take jobs again meanwhile")]
    Undone,
}

/// How many jobs there still are.
pub fn still(jobs: u32) -> String {
    if jobs == 1 { "1 job still runs".to_owned() } else { format!("{jobs} jobs still run") }
}

/// Has the server give this worker nothing new, or jobs again. How many jobs it still has.
pub async fn set_drain(options: &AgentOptions, drain: bool) -> Result<u32, DrainError> {
    let mut client = client(options)?;
    let server = options.server.clone();
    let answer = once(client.set_drain(SetDrainRequest { drain })).await;
    answer.map(|answer| answer.active_jobs).map_err(|status| drain_error(server, &status))
}

fn drain_error(server: String, status: &Status) -> DrainError {
    match failure(status) {
        Failure::Away => DrainError::Away { server, said: said(status) },
        _ if reason(status).as_deref() == Some("WORKER_NOT_FOUND") => DrainError::Unknown,
        _ => DrainError::Refused { server, said: said(status) },
    }
}

/// Waits until this worker, which takes nothing new and has so many jobs, has none left. `tell` hears of each count.
pub async fn wait_until_drained(
    options: &AgentOptions,
    mut jobs: u32,
    timeout: Option<Duration>,
    mut tell: impl FnMut(u32),
) -> Result<(), DrainError> {
    let mut client = client(options)?;
    let began = Instant::now();
    let mut failures = 0;
    loop {
        match once(client.get_drain(GetDrainRequest {})).await {
            Ok(answer) if !answer.drain => return Err(DrainError::Undone),
            Ok(answer) if answer.active_jobs == 0 => return Ok(()),
            Ok(answer) => {
                (failures, jobs) = (0, answer.active_jobs);
                tell(jobs);
            }
            Err(status) if failure(&status) == Failure::Away && failures < PATIENCE => failures += 1,
            Err(status) => return Err(drain_error(options.server.clone(), &status)),
        }
        let left = timeout.map(|timeout| timeout.saturating_sub(began.elapsed()));
        if left.is_some_and(|left| left.is_zero()) {
            return Err(DrainError::StillBusy { jobs });
        }
        sleep(left.map_or(LOOK, |left| left.min(LOOK))).await;
    }
}
