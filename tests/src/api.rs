//! The server's services, as one identity sees them.

use std::time::Duration;

use orchestrator_core::clock::Timestamp;
use orchestrator_proto::v1 as pb;
use pb::{
    admin_service_client::AdminServiceClient, constant_service_client::ConstantServiceClient,
    credential_service_client::CredentialServiceClient, job_service_client::JobServiceClient,
    log_service_client::LogServiceClient, queue_service_client::QueueServiceClient,
    trigger_service_client::TriggerServiceClient, worker_service_client::WorkerServiceClient,
};
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::{Interceptor, interceptor::InterceptedService};
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};
use tonic_types::StatusExt as _;

const LARGEST_ANSWER: usize = 256 << 20;

/// Puts a token into every call.
#[derive(Debug, Clone)]
pub struct Bearer(MetadataValue<Ascii>);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("authorization", self.0.clone());
        Ok(request)
    }
}

/// A connection with a token.
pub(crate) type Service = InterceptedService<Channel, Bearer>;

/// Puts the token of a job beside that of its worker.
#[derive(Debug, Clone)]
pub struct RobotTokens(MetadataValue<Ascii>);

impl Interceptor for RobotTokens {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("x-orchestrator-job-token", self.0.clone());
        Ok(request)
    }
}

/// Typed clients with one token. Connects when it is first used, and again after the server was away.
#[derive(Debug, Clone)]
pub struct Api {
    service: Service,
}

impl Api {
    /// As the holder of `token`.
    ///
    /// # Panics
    ///
    /// When `url` or `token` cannot be put into a call.
    pub fn new(url: &str, token: &str) -> Self {
        let endpoint =
            Endpoint::from_shared(url.to_owned()).expect("an address").connect_timeout(Duration::from_secs(5));
        let bearer = format!("Bearer {token}").parse().expect("a token in ASCII");
        Self { service: InterceptedService::new(endpoint.connect_lazy(), Bearer(bearer)) }
    }
}

impl Api {
    /// The same, for the robot of a job.
    pub(crate) fn for_robot(&self, token: &str) -> InterceptedService<Service, RobotTokens> {
        InterceptedService::new(self.service.clone(), RobotTokens(token.parse().expect("a token in ASCII")))
    }
}

macro_rules! services {
    ($($(#[$doc:meta])* $method:ident: $client:ident),+ $(,)?) => {
        impl Api {
            $($(#[$doc])*
            pub fn $method(&self) -> $client<Service> {
                $client::new(self.service.clone()).max_decoding_message_size(LARGEST_ANSWER)
            })+
        }
    };
}

services!(
    /// Tokens, workers, audit.
    admin: AdminServiceClient,
    /// Constants.
    constants: ConstantServiceClient,
    /// Credentials.
    credentials: CredentialServiceClient,
    /// Jobs.
    jobs: JobServiceClient,
    /// Log lines.
    logs: LogServiceClient,
    /// Queues.
    queues: QueueServiceClient,
    /// Triggers.
    triggers: TriggerServiceClient,
    /// What workers say.
    worker: WorkerServiceClient,
);

/// The stable code in a refusal's details.
pub fn refusal(status: &Status) -> String {
    status.get_details_error_info().map(|info| info.reason).unwrap_or_default()
}

/// An instant of the wire.
///
/// # Panics
///
/// When the field is absent or out of range.
pub fn instant(field: Option<prost_types::Timestamp>) -> Timestamp {
    let field = field.expect("the answer has the time");
    Timestamp::from_timestamp(field.seconds, u32::try_from(field.nanos).unwrap_or(0)).expect("a time that exists")
}

/// An instant on the wire.
pub fn to_wire(at: Timestamp) -> prost_types::Timestamp {
    let nanos = i32::try_from(at.timestamp_subsec_nanos()).unwrap_or_default();
    prost_types::Timestamp { seconds: at.timestamp(), nanos }
}

/// A duration on the wire.
pub(crate) fn duration(of: Duration) -> prost_types::Duration {
    let seconds = i64::try_from(of.as_secs()).unwrap_or(i64::MAX);
    prost_types::Duration { seconds, nanos: i32::try_from(of.subsec_nanos()).unwrap_or_default() }
}
