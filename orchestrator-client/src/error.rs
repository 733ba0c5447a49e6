//! What goes wrong with a call.

use std::collections::BTreeMap;
use std::path::PathBuf;

use tonic_types::StatusExt as _;

use crate::Code;

/// Why a call did not give what it was made for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The server said no, and why. The same call would be refused again.
    #[error("{0}")]
    Refused(Box<Refusal>),
    /// Nobody answered, or the server could not serve, for as long as the client is patient. Whether the call was carried
    /// out is not known: make it again, and say the same.
    #[error("{url} did not serve a call for {patience_s} s: {why}")]
    Away {
        /// Who was called.
        url: String,
        /// How long it was tried.
        patience_s: u64,
        /// What came of the last try.
        why: String,
    },
    /// What is needed for a connection is missing or wrong.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// An answer that cannot be read.
    #[error("{url} answered with something else than expected: {what}")]
    Answer {
        /// Who answered.
        url: String,
        /// What is wrong with it.
        what: String,
    },
}

impl Error {
    /// The stable code of a refusal.
    pub fn code(&self) -> Option<&Code> {
        match self {
            Self::Refused(refusal) => Some(&refusal.code),
            _ => None,
        }
    }

    /// Whether what was named is not there.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Refused(refusal) if refusal.is_not_found())
    }
}

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// The stable code.
    pub code: Code,
    /// What people read: what happened, why, and what to do.
    pub message: String,
    /// Values that programs may use, such as `field`, `limit` and `length`.
    pub metadata: BTreeMap<String, String>,
}

impl Refusal {
    pub(crate) fn is_not_found(&self) -> bool {
        matches!(self.code, Code::NotFound(_))
    }

    /// The field of the request that was refused.
    pub fn field(&self) -> Option<&str> {
        self.metadata.get("field").map(String::as_str)
    }

    pub(crate) fn from_status(status: &tonic::Status) -> Self {
        let details = status.get_error_details();
        let (code, metadata) = match details.error_info() {
            Some(info) => (Code::from_text(&info.reason), info.metadata.clone().into_iter().collect()),
            None => (Code::Other(String::new()), BTreeMap::new()),
        };
        let message = match status.message() {
            "" => format!("the server refused the call ({:?}) and did not say why", status.code()),
            message => message.to_owned(),
        };
        Self { code, message, metadata }
    }
}

/// What is missing or wrong before anything can be called.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SetupError {
    /// No address.
    #[error("'{url}' is no address of a server; expected http://HOST:PORT or https://HOST:PORT")]
    Address {
        /// As given.
        url: String,
    },
    /// No token.
    #[error(
        "no token: give one to the builder, or set ORCHESTRATOR_TOKEN or ORCHESTRATOR_TOKEN_FILE; make one with \
         `orchestrator token create user NAME --role ROLE --out FILE`"
    )]
    NoToken,
    /// What was given is no token. It is not shown.
    #[error("what was given is no token of an orchestrator; it begins with orc_user_ (for robots orc_job_)")]
    BadToken,
    /// A file that cannot be read.
    #[error("the file '{}' cannot be read: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Certificates that cannot be used.
    #[error("the certificates to trust cannot be used")]
    Certificates(#[source] tonic::transport::Error),
    /// A program that was not started as a robot.
    #[error(
        "{what}; a worker starts a robot with its arguments and environment, `orchestrator-worker run` does so on a desk"
    )]
    NotARobot {
        /// What is missing.
        what: String,
    },
    /// The descriptors of the messages, which are compiled in, are unusable.
    #[error("the compiled-in descriptions of the messages are unusable: {0}")]
    Descriptors(String),
}
