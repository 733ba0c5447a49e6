//! Robots written in Rust: what `OrchestratorConnection` is to robots written in Python.

mod calls;
mod elements;
mod json;
mod start;
mod transport;

pub use calls::{LogLevel, RobotCredential};

use transport::Transport;

/// The connection of a robot to its job.
///
/// A worker starts a robot with arguments and an environment that say all it needs:
///
/// ```no_run
/// # async fn example() -> Result<(), orchestrator_client::Error> {
/// let robot = orchestrator_client::RobotConnection::from_args()?;
/// robot.log_info(&format!("{} begins with '{}'", robot.process_name(), robot.process_arguments())).await?;
/// let limit = robot.get_constant("limit").await?;
/// # Ok(())
/// # }
/// ```
///
/// Calls go to the worker on the same machine; they need no address, no certificate and no password. While the worker or
/// the server is away they are tried again, and have one effect however often their answer got lost.
///
/// What a robot takes from a queue belongs to its job: when the job ends, elements that are still IN_PROGRESS become
/// ABANDONED, or NEW again while their queue allows another attempt.
#[derive(Debug)]
pub struct RobotConnection {
    transport: Transport,
    process_name: String,
    process_arguments: String,
    trigger_id: Option<String>,
    job_id: Option<String>,
}

impl RobotConnection {
    /// The name of the process, as its trigger says.
    pub fn process_name(&self) -> &str {
        &self.process_name
    }

    /// The arguments, as an administrator wrote them.
    pub fn process_arguments(&self) -> &str {
        &self.process_arguments
    }

    /// The trigger that started it.
    pub fn trigger_id(&self) -> Option<&str> {
        self.trigger_id.as_deref()
    }

    /// Its job.
    pub fn job_id(&self) -> Option<&str> {
        self.job_id.as_deref()
    }
}
