use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};

use crate::interpreter::Interpreters;
use crate::output::OutputLimit;
use crate::robot_api::RobotApiOptions;

/// What an agent needs to know.
#[derive(Debug, Clone)]
pub struct AgentOptions {
    /// The server's address, `http://…` or `https://…`.
    pub server: String,
    /// The worker token; the worker's name is bound to it.
    pub token: SecretString,
    /// A certificate authority to trust beside the system's, as PEM.
    pub ca: Option<Vec<u8>>,
    /// The folder with the agent's own state; one agent at a time.
    pub data: PathBuf,
    /// Jobs it runs at once.
    pub slots: u32,
    /// Takes only jobs that name it.
    pub exclusive: bool,
    /// Where scripts and `file://` repositories may lie. When empty: scripts anywhere, such repositories nowhere.
    pub allowed_paths: Vec<PathBuf>,
    /// Whether `file://` repositories may lie anywhere, too, when `allowed_paths` is empty: for sandboxes.
    pub open_file_urls: bool,
    /// The git program.
    pub git: PathBuf,
    /// How much disk the mirrors of repositories may use, in bytes; 0: there are none.
    pub mirrors_max_bytes: u64,
    /// How long the mirror of a repository is kept without being used.
    pub mirrors_max_age: Duration,
    /// How long a checkout may take.
    pub checkout_limit: Duration,
    /// How scripts are run.
    pub interpreters: Interpreters,
    /// The same for processes that need others, by the name of the process.
    pub process_interpreters: BTreeMap<String, Interpreters>,
    /// How much of a job's output is kept.
    pub output: OutputLimit,
    /// How robots are served.
    pub robot_api: RobotApiOptions,
    /// What is started as the agent's watchdog, see [`own_watchdog`](super::own_watchdog). Without one, robots of an agent that is
    /// killed run on until the next agent of the folder starts.
    pub watchdog: Option<PathBuf>,
    /// How long nothing is claimed after a job could not be started for a reason of this machine; doubled each time in a row.
    pub unfit_pause: Duration,
}

impl AgentOptions {
    /// The usual first pause of a machine that could start nothing.
    pub const UNFIT_PAUSE: Duration = Duration::from_secs(10);

    /// How scripts of this process are run.
    pub(crate) fn interpreters_of(&self, process_name: &str) -> &Interpreters {
        self.process_interpreters.get(process_name).unwrap_or(&self.interpreters)
    }
}

/// Why the server's address cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// No URL.
    #[error("'{server}' is no address of a server; expected http://HOST:PORT or https://HOST:PORT")]
    Address {
        /// As given.
        server: String,
    },
    /// The certificate authority cannot be used.
    #[error("the certificate authority cannot be used")]
    Tls(#[source] tonic::transport::Error),
    /// A token with characters that no header can carry.
    #[error("the token contains characters that no token has")]
    Token,
}

/// Adds the worker's token to every call.
#[derive(Clone)]
pub(crate) struct Bearer(MetadataValue<Ascii>);

impl std::fmt::Debug for Bearer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Bearer(***)")
    }
}

impl Interceptor for Bearer {
    fn call(&mut self, mut request: tonic::Request<()>) -> Result<tonic::Request<()>, tonic::Status> {
        request.metadata_mut().insert("authorization", self.0.clone());
        Ok(request)
    }
}

/// A way to the server, with the worker's token on every call.
pub(crate) type Connection = InterceptedService<Channel, Bearer>;

/// The calls of a worker.
pub(crate) type Client = orchestrator_proto::v1::worker_service_client::WorkerServiceClient<Connection>;

/// The largest answer that is read: many slots, each with a job whose arguments are as long as a server can allow.
const ANSWER_BYTES: usize = 64 * 1024 * 1024;

/// Makes a client over a connection of its own.
pub(crate) fn client(options: &AgentOptions) -> Result<Client, ConnectError> {
    Ok(Client::new(connection(options)?).max_decoding_message_size(ANSWER_BYTES))
}

/// A URL without a scheme is read as one, and then nobody ever answers there.
fn endpoint(server: &str) -> Result<Endpoint, ConnectError> {
    let has_scheme = server.starts_with("http://") || server.starts_with("https://");
    let endpoint = has_scheme.then(|| Endpoint::from_shared(server.to_owned()).ok()).flatten();
    endpoint.ok_or_else(|| ConnectError::Address { server: server.to_owned() })
}

/// A connection that is made when it is first used, and again whenever it has to.
pub(crate) fn connection(options: &AgentOptions) -> Result<Connection, ConnectError> {
    let mut endpoint = endpoint(&options.server)?
        .connect_timeout(Duration::from_secs(5))
        .tcp_nodelay(true)
        .http2_keep_alive_interval(Duration::from_secs(20))
        .keep_alive_timeout(Duration::from_secs(10))
        .keep_alive_while_idle(true);
    if options.server.starts_with("https:") {
        let mut tls = ClientTlsConfig::new().with_enabled_roots();
        if let Some(ca) = &options.ca {
            tls = tls.ca_certificate(Certificate::from_pem(ca));
        }
        endpoint = endpoint.tls_config(tls).map_err(ConnectError::Tls)?;
    }
    let bearer = format!("Bearer {}", options.token.expose_secret());
    let mut bearer: MetadataValue<Ascii> = bearer.parse().map_err(|_| ConnectError::Token)?;
    bearer.set_sensitive(true);
    Ok(InterceptedService::new(endpoint.connect_lazy(), Bearer(bearer)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_without_a_scheme_is_refused_with_the_form() {
        for server in ["127.0.0.1:9501", "robots.example.org:8420", "ftp://x", "http://", ""] {
            let error = endpoint(server).map(drop).unwrap_err().to_string();
            assert!(error.contains(&format!("'{server}'")) && error.contains("http://HOST:PORT"), "{error}");
        }
        for server in ["http://127.0.0.1:9501", "https://[::1]:8420", "https://robots.example.org"] {
            assert!(endpoint(server).is_ok(), "{server}");
        }
    }
}
