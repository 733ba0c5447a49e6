use std::time::Duration;

use orchestrator_proto::v1::SetDrainRequest;
use tonic::{Code, Status};

use super::call::{Failure, failure, reason, said};
use super::options::{AgentOptions, ConnectError, client};

/// How long the server is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

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
}

/// Has the server give this worker nothing new, or jobs again. How many jobs it still has.
pub async fn set_drain(options: &AgentOptions, drain: bool) -> Result<u32, DrainError> {
    let mut client = client(options)?;
    let answer = tokio::time::timeout(PATIENCE, client.set_drain(SetDrainRequest { drain })).await;
    let answer = answer.unwrap_or_else(|_| Err(Status::new(Code::DeadlineExceeded, "no answer within 10 s")));
    let server = options.server.clone();
    match answer {
        Ok(answer) => Ok(answer.into_inner().active_jobs),
        Err(status) if failure(&status) == Failure::Away => Err(DrainError::Away { server, said: said(&status) }),
        Err(status) if reason(&status).as_deref() == Some("WORKER_NOT_FOUND") => Err(DrainError::Unknown),
        Err(status) => Err(DrainError::Refused { server, said: said(&status) }),
    }
}
