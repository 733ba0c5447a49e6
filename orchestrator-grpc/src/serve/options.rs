use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::disk::Machine;

/// How to listen, and how much to take.
#[derive(Debug, Clone)]
pub struct ServeOptions {
    /// Address and port; port 0 takes any that is free.
    pub listen: SocketAddr,
    /// Certificate and key. Without them connections are plain.
    pub tls: Option<TlsFiles>,
    /// For those who ask how the server is.
    pub machine: Machine,
    /// Listen without TLS where others than this machine can reach the port.
    pub insecure: bool,
    /// Names under which the server may be asked, besides loopback names and the address it listens on.
    pub allowed_hosts: Vec<String>,
    /// Connections at once; more wait in the system's queue.
    pub max_connections: usize,
    /// Calls at once on one HTTP/2 connection; more wait at the caller.
    pub max_concurrent_streams: u32,
    /// The largest request message, in bytes.
    pub max_message_bytes: usize,
    /// The largest request message of calls that carry many things at once, in bytes.
    pub max_bulk_message_bytes: usize,
    /// How long the TLS handshake, and then the first bytes of a connection, may take.
    pub handshake_timeout: Duration,
    /// How long the head of an HTTP/1 request may take to arrive, and a connection stay idle between two requests.
    pub header_timeout: Duration,
    /// How long calls may go on after the server was asked to stop.
    pub drain: Duration,
}

impl ServeOptions {
    /// The defaults, for an address.
    pub fn new(listen: SocketAddr) -> Self {
        Self {
            listen,
            tls: None,
            machine: Machine::default(),
            insecure: false,
            allowed_hosts: Vec::new(),
            max_connections: 20_000,
            max_concurrent_streams: 1024,
            max_message_bytes: 4 << 20,
            max_bulk_message_bytes: 64 << 20,
            handshake_timeout: Duration::from_secs(10),
            header_timeout: Duration::from_secs(30),
            drain: Duration::from_secs(10),
        }
    }

    /// Refuses to send tokens over a network in the clear unless that was asked for.
    pub(super) fn check(&self) -> Result<(), ServeError> {
        if self.tls.is_none() && !self.insecure && !self.listen.ip().to_canonical().is_loopback() {
            return Err(ServeError::NotEncrypted { address: self.listen });
        }
        Ok(())
    }
}

/// PEM files of a certificate chain and its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate, followed by those between it and an authority.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

impl TlsFiles {
    /// Reads both, and tells whether a server can show them.
    pub fn check(&self) -> Result<(), TlsError> {
        super::tls::acceptor(self).map(drop)
    }
}

/// Why the server could not be started.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Tokens would cross a network in the clear.
    #[error(
        "{address} can be reached from other machines, and without TLS tokens and passwords would cross the network in the \
         clear; set server.tls_cert and server.tls_key, or start with --insecure, or listen on 127.0.0.1"
    )]
    NotEncrypted {
        /// The address.
        address: SocketAddr,
    },
    /// The port cannot be had.
    #[error("cannot listen on {address}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The certificate files do not work.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The messages that this program was built with cannot be read.
    #[error("the compiled descriptors cannot be read")]
    Descriptors(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Why the certificate files do not work.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read, or holds something else.
    #[error("{path} is no PEM file with {expected}")]
    File {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        expected: &'static str,
        /// What the reader said.
        #[source]
        source: rustls::pki_types::pem::Error,
    },
    /// Certificate and key do not fit, or are of a kind that is not supported.
    #[error("the certificate and key cannot be used together")]
    Unusable(#[source] rustls::Error),
}

/// The two stages of stopping.
#[derive(Debug, Clone)]
pub struct Shutdown {
    /// Take nothing new, end streams, finish what was begun.
    pub soft: CancellationToken,
    /// Cut everything. Implies `soft`.
    pub hard: CancellationToken,
}

impl Shutdown {
    /// Tokens of a server that is to run.
    pub fn new() -> Self {
        let hard = CancellationToken::new();
        Self { soft: hard.child_token(), hard }
    }
}

impl Default for Shutdown {
    fn default() -> Self {
        Self::new()
    }
}
