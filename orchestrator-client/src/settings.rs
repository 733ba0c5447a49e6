//! How a client connects: address, token, certificates.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use orchestrator_core::secret::{ApiToken, Plaintext};
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};

use crate::{Client, Error, SetupError};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a call is tried again while the server is away.
const PATIENCE: Duration = Duration::from_mins(1);

/// Makes a [`Client`].
///
/// ```no_run
/// # async fn example() -> Result<(), orchestrator_client::Error> {
/// let client = orchestrator_client::Client::builder("https://orchestrator.example.org:8420")
///     .token_file("/etc/invoices/orchestrator.token")
///     .ca_file("/etc/ssl/our-own-ca.pem")
///     .connect()
///     .await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct ClientBuilder {
    url: String,
    token: Option<Plaintext>,
    token_file: Option<PathBuf>,
    ca_file: Option<PathBuf>,
    patience: Duration,
}

impl ClientBuilder {
    pub(crate) fn new(url: impl Into<String>) -> Self {
        Self { url: url.into(), token: None, token_file: None, ca_file: None, patience: PATIENCE }
    }

    /// From `ORCHESTRATOR_URL` (else `http://127.0.0.1:8420`), `ORCHESTRATOR_TOKEN` or `ORCHESTRATOR_TOKEN_FILE`, and
    /// `ORCHESTRATOR_CA_CERT`: the variables of the command line.
    pub(crate) fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Self {
        let given = |name: &str| variable(name).filter(|text| !text.trim().is_empty());
        let mut builder = Self::new(given("ORCHESTRATOR_URL").unwrap_or_else(|| "http://127.0.0.1:8420".to_owned()));
        builder.token = given("ORCHESTRATOR_TOKEN").map(Plaintext::new);
        builder.token_file = given("ORCHESTRATOR_TOKEN_FILE").map(PathBuf::from);
        builder.ca_file = given("ORCHESTRATOR_CA_CERT").map(PathBuf::from);
        builder
    }

    /// The token to sign in with.
    #[must_use]
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(Plaintext::new(token.into()));
        self
    }

    /// A file with the token, as `orchestrator token create --out` writes it.
    #[must_use]
    pub fn token_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.token_file = Some(path.into());
        self
    }

    /// A file of certificates (PEM) to trust beside the system's.
    #[must_use]
    pub fn ca_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.ca_file = Some(path.into());
        self
    }

    /// How long a call is tried again while nobody answers; 60 s unless set.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Connects. Fails at once when nobody listens at the address; later outages are waited for.
    pub async fn connect(self) -> Result<Client, Error> {
        let (url, patience) = (self.url.clone(), self.patience);
        let bearer = Bearer::new(&self.read_token()?)?;
        let channel = self.endpoint()?.connect().await.map_err(|error| Error::Away {
            url: url.clone(),
            patience_s: CONNECT_TIMEOUT.as_secs(),
            why: deepest_cause(&error),
        })?;
        Ok(Client::over(InterceptedService::new(channel, bearer), url, patience))
    }

    pub(crate) fn connect_lazy(self) -> Result<Client, Error> {
        let (url, patience) = (self.url.clone(), self.patience);
        let bearer = Bearer::new(&self.read_token()?)?;
        Ok(Client::over(InterceptedService::new(self.endpoint()?.connect_lazy(), bearer), url, patience))
    }

    fn read_token(&self) -> Result<ApiToken, SetupError> {
        let text = match (&self.token, &self.token_file) {
            (Some(token), _) => token.clone(),
            (None, Some(path)) => Plaintext::new(read(path)?),
            (None, None) => return Err(SetupError::NoToken),
        };
        ApiToken::parse(text.expose().trim()).map_err(|_| SetupError::BadToken)
    }

    fn endpoint(&self) -> Result<Endpoint, SetupError> {
        let bad = || SetupError::Address { url: self.url.clone() };
        if !self.url.starts_with("http://") && !self.url.starts_with("https://") {
            return Err(bad());
        }
        let endpoint = Endpoint::from_shared(self.url.clone())
            .map_err(|_| bad())?
            .connect_timeout(CONNECT_TIMEOUT)
            .tcp_nodelay(true)
            .http2_keep_alive_interval(Duration::from_secs(20))
            .keep_alive_timeout(Duration::from_secs(10));
        if !self.url.starts_with("https://") {
            return Ok(endpoint);
        }
        let mut tls = ClientTlsConfig::new().with_enabled_roots();
        if let Some(path) = &self.ca_file {
            tls = tls.ca_certificate(Certificate::from_pem(read(path)?));
        }
        endpoint.tls_config(tls).map_err(SetupError::Certificates)
    }
}

fn read(path: &Path) -> Result<String, SetupError> {
    std::fs::read_to_string(path).map_err(|source| SetupError::File { path: path.to_owned(), source })
}

/// "connection refused", not "transport error".
pub(crate) fn deepest_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

pub(crate) type Service = InterceptedService<Channel, Bearer>;

/// Puts the token into every call.
#[derive(Clone)]
pub(crate) struct Bearer(MetadataValue<Ascii>);

impl fmt::Debug for Bearer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bearer(***)")
    }
}

impl Bearer {
    fn new(token: &ApiToken) -> Result<Self, SetupError> {
        let mut value: MetadataValue<Ascii> =
            format!("Bearer {}", token.expose()).parse().map_err(|_| SetupError::BadToken)?;
        value.set_sensitive(true);
        Ok(Self(value))
    }
}

impl Interceptor for Bearer {
    fn call(&mut self, mut request: tonic::Request<()>) -> Result<tonic::Request<()>, tonic::Status> {
        request.metadata_mut().insert("authorization", self.0.clone());
        Ok(request)
    }
}

#[cfg(test)]
mod tests {
    use orchestrator_core::secret::TokenKind;

    use super::*;

    #[test]
    fn the_environment_says_as_much_as_for_the_command_line() {
        let builder = ClientBuilder::from_variables(|name| Some(format!("value of {name}")));
        assert_eq!(builder.url, "value of ORCHESTRATOR_URL");
        assert_eq!(builder.token.unwrap().expose(), "value of ORCHESTRATOR_TOKEN");
        assert_eq!(builder.ca_file.unwrap(), Path::new("value of ORCHESTRATOR_CA_CERT"));
        assert_eq!(ClientBuilder::from_variables(|_| None).url, "http://127.0.0.1:8420");
    }

    #[tokio::test]
    async fn what_is_wrong_with_the_setup_is_said_before_anything_is_called() {
        let token = ApiToken::generate(TokenKind::User).unwrap();
        let said = async |builder: ClientBuilder| builder.connect().await.unwrap_err().to_string();
        assert!(said(ClientBuilder::new("http://127.0.0.1:1")).await.contains("ORCHESTRATOR_TOKEN_FILE"));
        let hunter = said(ClientBuilder::new("http://127.0.0.1:1").token("hunter2")).await;
        assert!(hunter.contains("orc_user_") && !hunter.contains("hunter2"), "{hunter}");
        assert!(said(ClientBuilder::new("localhost:8420").token(token.expose())).await.contains("http://HOST:PORT"));
        assert!(said(ClientBuilder::new("http://127.0.0.1:1").token_file("no/such")).await.contains("'no/such'"));
        let builder = ClientBuilder::new("https://127.0.0.1:1").token(token.expose()).ca_file("no/such.pem");
        assert!(said(builder).await.contains("'no/such.pem'"));
        assert!(said(ClientBuilder::new("http://127.0.0.1:1").token(token.expose())).await.contains("refused"));
    }

    #[test]
    fn a_token_is_not_shown() {
        let token = ApiToken::generate(TokenKind::User).unwrap();
        let builder = ClientBuilder::new("http://127.0.0.1:1").token(token.expose());
        assert!(!format!("{builder:?}").contains(token.expose()));
    }
}
