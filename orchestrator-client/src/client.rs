//! The connection to a server.

use std::fmt;
use std::time::Duration;

use http::uri::PathAndQuery;
use orchestrator_core::id::RequestId;
use orchestrator_proto::v1 as pb;
use prost::Message;
use tonic_prost::ProstCodec;

use crate::repeat::{Failure, until_answered, until_removed};
use crate::services::{Constants, Credentials, Jobs, Logs, Queues, Triggers};
use crate::settings::Service;
use crate::{ClientBuilder, Error};

/// The longest wait for the beginning of one answer.
const ANSWER_TIMEOUT: Duration = Duration::from_mins(2);
/// A page of 1,000 elements of 1 Mi characters each would still be refused; it is what a program can use.
const LARGEST_ANSWER: usize = 256 << 20;

/// A connection to a server, as one user. Cheap to clone; clones share the connection.
///
/// While the server is away, every call is tried again for the client's patience. A call that changes something carries
/// an id by which the server recognises its repetition, so that it has one effect however often its answer got lost.
///
/// ```no_run
/// use orchestrator_client::{Client, trigger};
///
/// # async fn example() -> Result<(), orchestrator_client::Error> {
/// let client = Client::from_env().await?;
/// client.triggers().create(trigger::scheduled("nightly", "Nightly", "/srv/robots/nightly.py", "0 2 * * *")).await?;
/// let job = client.triggers().run_now("nightly").await?;
/// let ended = client.jobs().wait(&job.id).await?;
/// assert_eq!(ended.status, "DONE");
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Client {
    service: Service,
    url: String,
    patience: Duration,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("url", &self.url).finish_non_exhaustive()
    }
}

impl Client {
    /// A client for the server at this address.
    pub fn builder(url: impl Into<String>) -> ClientBuilder {
        ClientBuilder::new(url)
    }

    /// Connects as the environment says: `ORCHESTRATOR_URL` (else `http://127.0.0.1:8420`), `ORCHESTRATOR_TOKEN` or
    /// `ORCHESTRATOR_TOKEN_FILE`, `ORCHESTRATOR_CA_CERT`.
    pub async fn from_env() -> Result<Self, Error> {
        ClientBuilder::from_variables(|name| std::env::var(name).ok()).connect().await
    }

    pub(crate) fn over(service: Service, url: String, patience: Duration) -> Self {
        Self { service, url, patience }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Triggers: what runs, and when.
    pub fn triggers(&self) -> Triggers<'_> {
        Triggers::new(self)
    }

    /// Jobs: what was run.
    pub fn jobs(&self) -> Jobs<'_> {
        Jobs::new(self)
    }

    /// Queues and their elements.
    pub fn queues(&self) -> Queues<'_> {
        Queues::new(self)
    }

    /// What robots and the system wrote down.
    pub fn logs(&self) -> Logs<'_> {
        Logs::new(self)
    }

    /// Named values.
    pub fn constants(&self) -> Constants<'_> {
        Constants::new(self)
    }

    /// User names and passwords.
    pub fn credentials(&self) -> Credentials<'_> {
        Credentials::new(self)
    }

    fn grpc(&self) -> tonic::client::Grpc<Service> {
        tonic::client::Grpc::new(self.service.clone()).max_decoding_message_size(LARGEST_ANSWER)
    }

    /// One try of a call.
    pub(crate) async fn try_once<Q, A>(&self, path: &'static str, request: Q) -> Result<A, Failure>
    where
        Q: Message + 'static,
        A: Message + Default + 'static,
    {
        let mut grpc = self.grpc();
        grpc.ready().await.map_err(|error| Failure::Away(crate::settings::deepest_cause(&error)))?;
        let codec = ProstCodec::<Q, A>::default();
        let call = grpc.unary(tonic::Request::new(request), PathAndQuery::from_static(path), codec);
        match tokio::time::timeout(ANSWER_TIMEOUT, call).await {
            Ok(answer) => Ok(answer?.into_inner()),
            Err(_) => Err(Failure::Away(format!("no answer within {} s", ANSWER_TIMEOUT.as_secs()))),
        }
    }

    /// A call that may be made again as it is.
    pub(crate) async fn call<Q, A>(&self, path: &'static str, request: Q) -> Result<A, Error>
    where
        Q: Message + Clone + 'static,
        A: Message + Default + 'static,
    {
        self.call_marked(path, request, |_| ()).await
    }

    /// A call whose repetition is marked as one.
    pub(crate) async fn call_marked<Q, A>(
        &self,
        path: &'static str,
        mut request: Q,
        mark: impl Fn(&mut Q),
    ) -> Result<A, Error>
    where
        Q: Message + Clone + 'static,
        A: Message + Default + 'static,
    {
        until_answered(&self.url, self.patience, |is_repeat| {
            if is_repeat {
                mark(&mut request);
            }
            self.try_once(path, request.clone())
        })
        .await
    }

    /// A call that removes something.
    pub(crate) async fn call_removing<Q, A>(&self, path: &'static str, request: Q) -> Result<A, Error>
    where
        Q: Message + Clone + 'static,
        A: Message + Default + 'static,
    {
        until_removed(&self.url, self.patience, || self.try_once(path, request.clone())).await
    }

    /// A call that is answered by a stream.
    pub(crate) async fn open_stream<Q, A>(&self, path: &'static str, request: Q) -> Result<tonic::Streaming<A>, Failure>
    where
        Q: Message + 'static,
        A: Message + Default + 'static,
    {
        let mut grpc = self.grpc();
        grpc.ready().await.map_err(|error| Failure::Away(crate::settings::deepest_cause(&error)))?;
        let codec = ProstCodec::<Q, A>::default();
        Ok(grpc
            .server_streaming(tonic::Request::new(request), PathAndQuery::from_static(path), codec)
            .await?
            .into_inner())
    }

    pub(crate) fn patience(&self) -> Duration {
        self.patience
    }
}

/// A new id for a call that changes something.
pub(crate) fn new_call() -> pb::Call {
    pb::Call { request_id: RequestId::generate().to_string(), repeat: false }
}

/// Marks a call as a repetition.
pub(crate) fn mark(call: &mut Option<pb::Call>) {
    if let Some(call) = call {
        call.repeat = true;
    }
}

/// What a message must have and an answer lacks.
pub(crate) fn present<T>(url: &str, what: &str, value: Option<T>) -> Result<T, Error> {
    value.ok_or_else(|| Error::Answer { url: url.to_owned(), what: format!("{what} is missing") })
}
