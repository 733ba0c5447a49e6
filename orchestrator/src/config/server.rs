//! `[server]`.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::ConfigError;

/// Where the server listens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServerSection {
    /// Address and port for gRPC and JSON alike.
    pub listen: SocketAddr,
    /// Listen on other addresses than loopback without TLS.
    pub insecure: bool,
    /// Values of `Host` that are answered beside the listen address and loopback names.
    pub allowed_hosts: Vec<String>,
    /// The certificate chain, in PEM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_cert: Option<PathBuf>,
    /// The certificate's key, in PEM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_key: Option<PathBuf>,
    /// Let calls that arrive while a transaction is in flight share the next one.
    pub lanes: bool,
}

impl Default for ServerSection {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8420)),
            insecure: false,
            allowed_hosts: Vec::new(),
            tls_cert: None,
            tls_key: None,
            lanes: true,
        }
    }
}

impl ServerSection {
    /// Certificate and key, where TLS is used.
    pub fn tls(&self) -> Option<(&PathBuf, &PathBuf)> {
        self.tls_cert.as_ref().zip(self.tls_key.as_ref())
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        match (&self.tls_cert, &self.tls_key) {
            (Some(_), None) => return Err(ConfigError::value("server.tls_key", "is needed beside server.tls_cert")),
            (None, Some(_)) => return Err(ConfigError::value("server.tls_cert", "is needed beside server.tls_key")),
            _ => {}
        }
        if self.listen.ip().is_loopback() || self.tls().is_some() || self.insecure {
            return Ok(());
        }
        let problem = format!(
            "{} is not loopback, and tokens would travel unencrypted; set server.tls_cert and server.tls_key, or \
             server.insecure = true (--insecure)",
            self.listen
        );
        Err(ConfigError::value("server.listen", problem))
    }
}
