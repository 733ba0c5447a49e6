//! Why a robot could not be run on a desk.

use std::io;

use orchestrator_core::secret::RandomError;
use tonic::{Code, Status};

use crate::agent::{ConnectError, may_want_tls, way_to_server};
use crate::checkout::CheckoutError;
use crate::entry_point::EntryPointError;
use crate::interpreter::InterpreterError;
use crate::process::SpawnError;
use crate::python_package::PythonPackageError;
use crate::robot_api::UnusableDescriptors;
use crate::spool::SpoolError;

/// Why a robot could not be run on a desk.
#[derive(Debug, thiserror::Error)]
pub enum DeskError {
    /// The server's address or the token is none.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The server made no development job.
    #[error("{server} did not begin a development job: {message}")]
    Refused {
        /// The server.
        server: String,
        /// Its words.
        message: String,
    },
    /// An answer that cannot be read.
    #[error("the server's answer cannot be read: {what}")]
    Answer {
        /// What is wrong with it.
        what: &'static str,
    },
    /// The repository.
    #[error(transparent)]
    Checkout(#[from] CheckoutError),
    /// The file to run.
    #[error(transparent)]
    EntryPoint(#[from] EntryPointError),
    /// How to run it.
    #[error(transparent)]
    Interpreter(#[from] InterpreterError),
    /// The package for Python robots.
    #[error(transparent)]
    Python(#[from] PythonPackageError),
    /// The robot did not start.
    #[error(transparent)]
    Spawn(#[from] SpawnError),
    /// No random numbers for a token.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// No place for what is needed while the robot runs.
    #[error("no temporary folder can be made: {0}")]
    Folder(#[source] io::Error),
    /// The repository was to be checked out first. A mistake in this program.
    #[error("there is no checkout of the repository")]
    NoCheckout,
    /// No port for the robot's calls.
    #[error("the robot cannot be served at {address}: {source}; choose another robot_listen")]
    Endpoint {
        /// Where it was to listen.
        address: std::net::SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// What the robot writes cannot be kept.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// A mistake in this program.
    #[error(transparent)]
    Descriptors(#[from] UnusableDescriptors),
    /// Processes cannot be watched.
    #[error("the robot's process cannot be watched: {0}")]
    Launcher(#[source] io::Error),
    /// The robot's calls are not answered any more.
    #[error("the robot cannot be answered any more")]
    NotServed,
    /// A process that not even the system can end.
    #[error("the robot was killed and is still there")]
    Survives,
}

impl DeskError {
    pub(super) fn refused(server: &str, status: &Status) -> Self {
        let message = match status.code() {
            Code::Unavailable | Code::Unknown => {
                let said = crate::agent::said(status);
                let way = way_to_server(server, &said).map(|way| format!("; {way}")).unwrap_or_default();
                format!("it cannot be reached ({said}){way}")
            }
            // What a server that speaks TLS answers to what is none.
            Code::Internal if server.starts_with("http://") && may_want_tls(status.message()) => {
                "what answers there speaks no plain HTTP/2; if the server has a certificate, write https://".to_owned()
            }
            _ => status.message().to_owned(),
        };
        Self::Refused { server: server.to_owned(), message }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn http_in_place_of_https_is_told() {
        let status = Status::internal("h2 protocol error: http2 error");
        assert!(DeskError::refused("http://localhost:1", &status).to_string().contains("write https://"));
        assert!(!DeskError::refused("https://localhost:1", &status).to_string().contains("write https://"));
        let untrusted = Status::unavailable("invalid peer certificate: UnknownIssuer");
        assert!(DeskError::refused("https://localhost:1", &untrusted).to_string().contains("--ca FILE"));
    }
}
