//! Which server a command talks to, as whom, and the connection itself.

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use orchestrator_core::secret::ApiToken;
use orchestrator_proto::v1::{
    SignInRequest, SignInResponse, admin_service_client::AdminServiceClient,
    constant_service_client::ConstantServiceClient, credential_service_client::CredentialServiceClient,
    job_service_client::JobServiceClient, log_service_client::LogServiceClient,
    queue_service_client::QueueServiceClient, trigger_service_client::TriggerServiceClient,
};
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::{Interceptor, interceptor::InterceptedService};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};
use tonic::{Request, Status};
use zeroize::Zeroizing;

use crate::context::{self, Contexts};
use crate::error::{CliError, Result};
use crate::output::secret;

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
    /// The context to use; see `orchestrator context list`. Else the current one.
    #[arg(long, global = true, env = "ORCHESTRATOR_CONTEXT", hide_env_values = true, value_name = "NAME")]
    context: Option<String>,
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
        let named = given(self.context.as_ref()).map(|name| contexts.named(&name)).transpose()?;
        let fallback = named.or_else(|| contexts.current());
        let current = fallback.map(|context| context.url.clone());
        let url = self.given_url().or(current).unwrap_or_else(|| DEFAULT_URL.to_owned());
        let context = named.filter(|named| named.is_for(&url)).or_else(|| contexts.for_url(&url));
        let token = given(self.token.as_ref()).or_else(|| context.map(|context| context.token.clone()));
        let Some(token) = token else { return Err(CliError::NoToken { url }) };
        let ca_cert = self.ca_cert().or_else(|| context.and_then(|context| context.ca_cert.clone()));
        Ok(Target { url, token: ApiToken::parse(&token).map_err(CliError::BadToken)?, ca_cert })
    }
}

/// Text that is more than blanks.
fn given(text: Option<&String>) -> Option<String> {
    text.filter(|text| !text.trim().is_empty()).cloned()
}

impl ConnectionFlags {
    /// The address of the flag or the environment.
    pub(crate) fn given_url(&self) -> Option<String> {
        given(self.url.as_ref())
    }

    /// The certificates of the flag or the environment.
    pub(crate) fn ca_cert(&self) -> Option<PathBuf> {
        self.ca_cert.clone()
    }

    /// The token of the flag or the environment; else it is asked for, or read from standard input.
    pub(crate) fn token_or_ask(&self, url: &str, from_stdin: bool) -> Result<ApiToken> {
        let text = match given(self.token.as_ref()).filter(|_| !from_stdin) {
            Some(token) => Zeroizing::new(token),
            None => secret(&format!("Token for {url}"), "token", from_stdin)?,
        };
        ApiToken::parse(text.trim()).map_err(CliError::BadToken)
    }

    /// Whether a token is given by the flag or the environment.
    pub(crate) fn has_token(&self) -> bool {
        given(self.token.as_ref()).is_some()
    }

    /// Where a command would go: the address, and whether a token is known for it.
    pub(crate) fn destination(&self) -> Result<(String, Option<ApiToken>, Option<PathBuf>)> {
        match self.target() {
            Ok(target) => Ok((target.url, Some(target.token), target.ca_cert)),
            Err(CliError::NoToken { url }) => Ok((url, None, self.ca_cert())),
            Err(error) => Err(error),
        }
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
    url: String,
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
    /// The server's address, as it was given.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Finds the server, connects and keeps the token for every call.
    pub(crate) async fn connect(flags: &ConnectionFlags) -> Result<Self> {
        Self::connect_with(flags, ANSWER_TIMEOUT).await
    }

    /// As [`Client::connect`], for calls whose answer comes only after a long upload.
    pub(crate) async fn connect_for_upload(flags: &ConnectionFlags) -> Result<Self> {
        Self::connect_with(flags, UPLOAD_TIMEOUT).await
    }

    /// Connects to a server that is named, with a token that is given.
    pub(crate) async fn connect_to(url: &str, token: &ApiToken, ca_cert: Option<PathBuf>) -> Result<Self> {
        Self::open(Target { url: url.to_owned(), token: token.clone(), ca_cert }, ANSWER_TIMEOUT).await
    }

    /// Whether something listens at the address, and the certificates are in order.
    pub(crate) async fn reach(url: &str, ca_cert: Option<&Path>) -> Result {
        let channel = endpoint(url, ca_cert)?.connect().await;
        channel.map(drop).map_err(|error| unreachable(url, &error))
    }

    /// Signs in with a password at a server that is named. Such a call carries no token.
    pub(crate) async fn sign_in(url: &str, ca_cert: Option<&Path>, request: SignInRequest) -> Result<SignInResponse> {
        let endpoint = endpoint(url, ca_cert)?.timeout(ANSWER_TIMEOUT);
        let channel = endpoint.connect().await.map_err(|error| unreachable(url, &error))?;
        Ok(AdminServiceClient::new(channel).sign_in(request).await?.into_inner())
    }

    async fn connect_with(flags: &ConnectionFlags, answer_timeout: Duration) -> Result<Self> {
        Self::open(flags.target()?, answer_timeout).await
    }

    async fn open(target: Target, answer_timeout: Duration) -> Result<Self> {
        let bearer = Bearer::new(&target.token)?;
        let endpoint = endpoint(&target.url, target.ca_cert.as_deref())?.timeout(answer_timeout);
        let channel = endpoint.connect().await.map_err(|error| unreachable(&target.url, &error))?;
        Ok(Self { service: InterceptedService::new(channel, bearer), url: target.url })
    }
}

/// Refuses what is no address of a server.
pub(crate) fn check_url(url: &str) -> Result {
    plain_endpoint(url).map(drop)
}

/// The host to which secrets travel unencrypted, where it is another machine.
pub(crate) fn leaves_machine(url: &str) -> Option<&str> {
    let authority = url.strip_prefix("http://")?.split('/').next().unwrap_or_default();
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host).trim_matches(['[', ']']);
    let is_local = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    (!is_local).then_some(host)
}

fn plain_endpoint(url: &str) -> Result<Endpoint> {
    let bad = || {
        CliError::usage(format!("'{url}' is no address of a server; expected http://HOST:PORT or https://HOST:PORT"))
    };
    if !url.starts_with("http://") && !url.starts_with("https://") {
        return Err(bad());
    }
    Endpoint::from_shared(url.to_owned()).map_err(|_| bad())
}

fn endpoint(url: &str, ca_cert: Option<&Path>) -> Result<Endpoint> {
    let endpoint = plain_endpoint(url)?
        .connect_timeout(CONNECT_TIMEOUT)
        .http2_keep_alive_interval(Duration::from_secs(20))
        .keep_alive_timeout(Duration::from_secs(10));
    if !url.starts_with("https://") {
        return Ok(endpoint);
    }
    endpoint.tls_config(trust(ca_cert)?).map_err(|error| unreachable(url, &error))
}

/// The system's certificates, and those of the file that is named.
fn trust(ca_cert: Option<&Path>) -> Result<ClientTlsConfig> {
    let system = ClientTlsConfig::new().with_enabled_roots();
    let Some(path) = ca_cert else { return Ok(system) };
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
        ConnectionFlags { url: url.map(str::to_owned), token: token.map(str::to_owned), ca_cert: None, context: None }
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
    fn a_context_that_is_named_wins_over_the_current_one() {
        let (ours, theirs) = (token(), token());
        let mut contexts = contexts("http://there:1", &theirs);
        contexts.make_current("work", Context { url: "http://here:1".to_owned(), token: ours, ca_cert: None });
        let named =
            |name: &str, url: Option<&str>| ConnectionFlags { context: Some(name.to_owned()), ..flags(url, None) };
        let target = named("dev", None).target_among(&contexts).unwrap();
        assert_eq!((target.url.as_str(), target.token.expose()), ("http://there:1", theirs.as_str()));
        // An address beside it is still only given its own token.
        assert!(named("dev", Some("http://elsewhere:1")).target_among(&contexts).is_err());
        let error = named("wrok", None).target_among(&contexts).unwrap_err();
        assert_eq!((error.exit_code(), error.code()), (3, "CONTEXT_NOT_FOUND"));
        assert!(error.next().unwrap().contains("did you mean \"work\""));
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
            let error = endpoint(url, None).unwrap_err();
            assert!(error.message().contains("http://HOST:PORT"), "{url}");
        }
    }

    #[test]
    fn a_file_of_certificates_that_is_not_there_is_named() {
        let error = endpoint("https://here:1", Some(Path::new("does/not/exist.pem"))).unwrap_err();
        assert!(error.message().contains("does/not/exist.pem"));
    }
}
