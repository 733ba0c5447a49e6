use orchestrator_proto::v1::WhoAmIRequest;
use orchestrator_proto::v1::admin_service_client::AdminServiceClient;

use super::call::{Failure, failure, once, said, way_to_server};
use super::options::{AgentOptions, ConnectError, connection};

/// Why a token is nobody's.
#[derive(Debug, thiserror::Error)]
pub enum IdentifyError {
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
    /// The server does not take the token.
    #[error("{server} refuses the token: {said}")]
    Refused {
        /// The address.
        server: String,
        /// What it said.
        said: String,
    },
    /// It is the token of something else.
    #[error("this is the token of '{name}', which is no worker")]
    NoWorker {
        /// Whose it is.
        name: String,
    },
}

impl IdentifyError {
    /// What to do; empty where the error says so itself.
    pub fn fix(&self) -> &'static str {
        match self {
            Self::Connect(_) => "",
            Self::Away { server, said } => {
                way_to_server(server, said).unwrap_or("is it up, and does a firewall let this machine through to it?")
            }
            Self::Refused { .. } => {
                "make a new token (orchestrator worker enroll NAME), and: orchestrator-worker enroll"
            }
            Self::NoWorker { .. } => {
                "make one for a worker: orchestrator worker enroll NAME, and: orchestrator-worker enroll"
            }
        }
    }
}

/// The worker's name, as the server knows it by the token. Begins no session.
pub async fn identify(options: &AgentOptions) -> Result<String, IdentifyError> {
    let mut admin = AdminServiceClient::new(connection(options)?);
    let server = options.server.clone();
    let who = match once(admin.who_am_i(WhoAmIRequest {})).await {
        Ok(who) => who,
        Err(status) if failure(&status) == Failure::Away => {
            return Err(IdentifyError::Away { server, said: said(&status) });
        }
        Err(status) => return Err(IdentifyError::Refused { server, said: said(&status) }),
    };
    if who.kind == "WORKER" { Ok(who.name) } else { Err(IdentifyError::NoWorker { name: who.name }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn http_in_place_of_https_is_told() {
        let away = |server: &str| IdentifyError::Away {
            server: server.to_owned(),
            said: "h2 protocol error: http2 error: frame with invalid size".to_owned(),
        };
        assert!(away("http://here:1").fix().contains("its address begins with https://"));
        assert!(away("https://here:1").fix().contains("firewall"));
    }
}
