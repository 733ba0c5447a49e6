use orchestrator_proto::v1::SetDrainRequest;

use super::call::{Failure, failure, once, reason, said};
use super::options::{AgentOptions, ConnectError, client};

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
    let server = options.server.clone();
    match once(client.set_drain(SetDrainRequest { drain })).await {
        Ok(answer) => Ok(answer.active_jobs),
        Err(status) if failure(&status) == Failure::Away => Err(DrainError::Away { server, said: said(&status) }),
        Err(status) if reason(&status).as_deref() == Some("WORKER_NOT_FOUND") => Err(DrainError::Unknown),
        Err(status) => Err(DrainError::Refused { server, said: said(&status) }),
    }
}
