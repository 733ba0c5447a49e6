//! Which server a command talks to, as whom, and the connection itself.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use orchestrator_core::secret::ApiToken;
use orchestrator_proto::v1::{
    admin_service_client::AdminServiceClient, constant_service_client::ConstantServiceClient,
    credential_service_client::CredentialServiceClient, job_service_client::JobServiceClient,
    log_service_client::LogServiceClient, queue_service_client::QueueServiceClient,
    trigger_service_client::TriggerServiceClient,
};
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::{Interceptor, interceptor::InterceptedService};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};
use tonic::{Request, Status};

use crate::context::{self, Contexts};
use crate::error::{CliError, Result};

/// Where a server is when nobody says otherwise.
const DEFAULT_URL: &str = "http://127.0.0.1:8420";
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// For the beginning of each answer; streams may go on for days.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// Everything is received, then written.
const UPLOAD_TIMEOUT: Duration = Duration::from_mins(10);
/// A page of 1,000 elements of 1 Mi characters each would still be refused; it is what a person can use.
const LARGEST_ANSWER: usize = 256 << 20;

/// Which server, and as whom.
#[derive(Clone, Default, Args)]
pub(crate) struct ConnectionFlags {
    /// The server's address. Else the current context's, else http://127.0.0.1:8420.
    #[arg(long, global = true, env = "ORCHESTRATOR_URL", hide_env_values = true, value_name = "URL")]
    url: Option<String>,
    /// The token to sign in with. Else the context's. Other users of this machine can see it here: prefer the variable.
    #[arg(long, global = true, env = "ORCHESTRATOR_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    token: Option<String>,
    /// Certificates to trust for https beside the system's, in PEM. Else the context's.
    #[arg(long, global = true, env = "ORCHESTRATOR_CA_CERT", hide_env_values = true, value_name = "FILE")]
    ca_cert: Option<PathBuf>,
}

impl fmt::Debug for ConnectionFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectionFlags").field("url", &self.url).finish_non_exhaustive()
    }
}

/// The server and the token, from wherever they came.
#[derive(Debug)]
struct Target {
    url: String,
    token: ApiToken,
    ca_cert: Option<PathBuf>,
}

impl ConnectionFlags {
    fn target(&self) -> Result<Target> {
        let contexts = Contexts::load(&context::path()?)?;
        self.target_among(&contexts)
    }

    fn target_among(&self, contexts: &Contexts) -> Result<Target> {
        let given = |text: &Option<String>| text.clone().filter(|text| !text.trim().is_empty());
        let current = contexts.current().map(|context| context.url.clone());
        let url = given(&self.url).or(current).unwrap_or_else(|| DEFAULT_URL.to_owned());
        let context = contexts.for_url(&url);
        let token = given(&self.token).or_else(|| context.map(|context| context.token.clone()));
        let Some(token) = token else { return Err(CliError::NoToken { url }) };
        let ca_cert = self.ca_cert.clone().or_else(|| context.and_then(|context| context.ca_cert.clone()));
        Ok(Target { url, token: ApiToken::parse(&token).map_err(CliError::BadToken)?, ca_cert })
    }
}

/// Puts the token into every call.
#[derive(Clone)]
pub(crate) struct Bearer(MetadataValue<Ascii>);

impl fmt::Debug for Bearer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bearer(***)")
    }
}

impl Bearer {
    fn new(token: &ApiToken) -> Result<Self> {
        let mut value: MetadataValue<Ascii> =
            format!("Bearer {}", token.expose()).parse().map_err(|_| CliError::usage("the token is no ASCII text"))?;
        value.set_sensitive(true);
        Ok(Self(value))
    }
}

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("authorization", self.0.clone());
        Ok(request)
    }
}

type Service = InterceptedService<Channel, Bearer>;

/// A connection with a token.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    service: Service,
}

macro_rules! services {
    ($($(#[$doc:meta])* $method:ident: $client:ident),+ $(,)?) => {
        impl Client {
            $($(#[$doc])*
            pub(crate) fn $method(&self) -> $client<Service> {
                $client::new(self.service.clone()).max_decoding_message_size(LARGEST_ANSWER)
            })+
        }
    };
}

services!(
    admin: AdminServiceClient,
    constants: ConstantServiceClient,
    credentials: CredentialServiceClient,
    jobs: JobServiceClient,
    logs: LogServiceClient,
    queues: QueueServiceClient,
    triggers: TriggerServiceClient,
);

impl Client {
    /// Finds the server, connects and keeps the token for every call.
    pub(crate) async fn connect(flags: &ConnectionFlags) -> Result<Self> {
        Self::connect_with(flags, ANSWER_TIMEOUT).await
    }

    /// As [`Client::connect`], for calls whose answer comes only after a long upload.
    pub(crate) async fn connect_for_upload(flags: &ConnectionFlags) -> Result<Self> {
        Self::connect_with(flags, UPLOAD_TIMEOUT).await
    }

    async fn connect_with(flags: &ConnectionFlags, answer_timeout: Duration) -> Result<Self> {
        let target = flags.target()?;
        let bearer = Bearer::new(&target.token)?;
        let endpoint = endpoint(&target)?.timeout(answer_timeout);
        let channel = endpoint.connect().await.map_err(|error| unreachable(&target.url, &error))?;
        Ok(Self { service: InterceptedService::new(channel, bearer) })
    }
}

fn endpoint(target: &Target) -> Result<Endpoint> {
    let url = &target.url;
    let bad = || {
        CliError::usage(format!("'{url}' is no address of a server; expected http://HOST:PORT or https://HOST:PORT"))
    };
    if !url.starts_with("http://") && !url.starts_with("https://") {
        return Err(bad());
    }
    let endpoint = Endpoint::from_shared(url.clone())
        .map_err(|_| bad())?
        .connect_timeout(CONNECT_TIMEOUT)
        .http2_keep_alive_interval(Duration::from_secs(20))
        .keep_alive_timeout(Duration::from_secs(10));
    if !url.starts_with("https://") {
        return Ok(endpoint);
    }
    endpoint.tls_config(trust(target)?).map_err(|error| unreachable(url, &error))
}

/// The system's certificates, and those of the file that is named.
fn trust(target: &Target) -> Result<ClientTlsConfig> {
    let system = ClientTlsConfig::new().with_enabled_roots();
    let Some(path) = &target.ca_cert else { return Ok(system) };
    let pem = std::fs::read(path).map_err(CliError::file("read the certificates in", path))?;
    Ok(system.ca_certificate(Certificate::from_pem(pem)))
}

/// The deepest cause tells what a person can act on: "connection refused", not "transport error".
fn unreachable(url: &str, error: &tonic::transport::Error) -> CliError {
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    CliError::Unreachable { url: url.to_owned(), why: cause.to_string() }
}

#[cfg(test)]
mod tests {
    use orchestrator_core::secret::TokenKind;

    use super::*;
    use crate::context::Context;

    fn token() -> String {
        ApiToken::generate(TokenKind::User).unwrap().expose().to_owned()
    }

    fn flags(url: Option<&str>, token: Option<&str>) -> ConnectionFlags {
        ConnectionFlags { url: url.map(str::to_owned), token: token.map(str::to_owned), ca_cert: None }
    }

    fn contexts(url: &str, token: &str) -> Contexts {
        let mut contexts = Contexts::default();
        contexts.make_current("dev", Context { url: url.to_owned(), token: token.to_owned(), ca_cert: None });
        contexts
    }

    #[test]
    fn the_context_is_used_when_nothing_else_is_given() {
        let token = token();
        let target = flags(None, None).target_among(&contexts("http://here:1", &token)).unwrap();
        assert_eq!((target.url.as_str(), target.token.expose()), ("http://here:1", token.as_str()));
    }

    #[test]
    fn flags_win_over_the_context() {
        let (ours, theirs) = (token(), token());
        let target =
            flags(Some("http://there:1"), Some(&ours)).target_among(&contexts("http://here:1", &theirs)).unwrap();
        assert_eq!((target.url.as_str(), target.token.expose()), ("http://there:1", ours.as_str()));
    }

    #[test]
    fn a_contexts_token_is_not_sent_to_another_server() {
        let error = flags(Some("http://there:1"), None).target_among(&contexts("http://here:1", &token())).unwrap_err();
        assert!(matches!(&error, CliError::NoToken { url } if url == "http://there:1"));
        assert_eq!(error.exit_code(), 4);
    }

    #[test]
    fn what_is_no_token_is_refused_and_not_shown() {
        let error = flags(None, Some("hunter2")).target_among(&Contexts::default()).unwrap_err();
        assert_eq!(error.exit_code(), 4);
        assert!(!format!("{} {:?}", error.to_text(), error).contains("hunter2"));
        assert!(!format!("{:?}", flags(None, Some("hunter2"))).contains("hunter2"));
    }

    #[test]
    fn an_address_without_a_scheme_is_refused_with_the_form() {
        for url in ["localhost:8420", "ftp://x", "http://", "//x"] {
            let target = flags(Some(url), Some(&token())).target_among(&Contexts::default()).unwrap();
            let error = endpoint(&target).unwrap_err();
            assert!(error.message().contains("http://HOST:PORT"), "{url}");
        }
    }

    #[test]
    fn a_file_of_certificates_that_is_not_there_is_named() {
        let mut flags = flags(Some("https://here:1"), Some(&token()));
        flags.ca_cert = Some(PathBuf::from("does/not/exist.pem"));
        let error = endpoint(&flags.target_among(&Contexts::default()).unwrap()).unwrap_err();
        assert!(error.message().contains("does/not/exist.pem"));
    }
}
