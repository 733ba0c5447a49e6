//! Whom a robot calls: its worker, as JSON over HTTP on the same machine; or, while it is developed, the server.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Uri, header};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use orchestrator_core::secret::Plaintext;
use prost::Message;

use super::json::{Messages, refusal};
use crate::repeat::{Failure, until_answered, until_removed};
use crate::{Client, Error, SetupError};

/// The worker itself waits a minute for its server before it gives up.
const ANSWER_TIMEOUT: Duration = Duration::from_mins(2);

pub(super) enum Transport {
    Worker(Box<Worker>),
    Server(Client),
}

pub(super) struct Worker {
    http: HttpClient<HttpConnector, Full<Bytes>>,
    endpoint: String,
    bearer: HeaderValue,
    patience: Duration,
    messages: Messages,
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Worker(worker) => f.debug_tuple("Worker").field(&worker.endpoint).finish(),
            Self::Server(client) => f.debug_tuple("Server").field(&client.url()).finish(),
        }
    }
}

impl Transport {
    pub(super) fn worker(endpoint: &str, token: &Plaintext, patience: Duration) -> Result<Self, SetupError> {
        let endpoint = endpoint.trim_end_matches('/');
        let is_address =
            endpoint.parse::<Uri>().is_ok_and(|uri| uri.host().is_some() && uri.scheme_str() == Some("http"));
        if !is_address {
            return Err(SetupError::Address { url: endpoint.to_owned() });
        }
        let bearer = HeaderValue::try_from(format!("Bearer {}", token.expose()));
        let mut bearer = bearer.map_err(|_| SetupError::BadToken)?;
        bearer.set_sensitive(true);
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(Duration::from_secs(5)));
        let http = HttpClient::builder(TokioExecutor::new()).build(connector);
        let messages = Messages::new().map_err(SetupError::Descriptors)?;
        let endpoint = endpoint.to_owned();
        Ok(Self::Worker(Box::new(Worker { http, endpoint, bearer, patience, messages })))
    }

    /// Makes a call; `mark` marks its repetition.
    pub(super) async fn call<Q, A>(&self, path: &'static str, mut request: Q, mark: impl Fn(&mut Q)) -> Result<A, Error>
    where
        Q: Message + Clone + 'static,
        A: Message + Default + 'static,
    {
        match self {
            Self::Server(client) => client.call_marked(path, request, mark).await,
            Self::Worker(worker) => {
                until_answered(&worker.endpoint, worker.patience, |is_repeat| {
                    if is_repeat {
                        mark(&mut request);
                    }
                    worker.try_once(path, request.encode_to_vec())
                })
                .await
            }
        }
    }
}

impl Transport {
    /// Makes a call that removes something.
    pub(super) async fn call_removing<Q, A>(&self, path: &'static str, request: Q) -> Result<A, Error>
    where
        Q: Message + Clone + 'static,
        A: Message + Default + 'static,
    {
        match self {
            Self::Server(client) => client.call_removing(path, request).await,
            Self::Worker(worker) => {
                until_removed(&worker.endpoint, worker.patience, || worker.try_once(path, request.encode_to_vec()))
                    .await
            }
        }
    }
}

impl Worker {
    async fn try_once<A: Message + Default>(&self, path: &'static str, request: Vec<u8>) -> Result<A, Failure> {
        let body = self.messages.write_json(path, &request).map_err(Failure::Answer)?;
        match tokio::time::timeout(ANSWER_TIMEOUT, self.exchange(path, body)).await {
            Ok(outcome) => {
                let (status, body) = outcome?;
                if !status.is_success() {
                    return Err(refusal(status, &body));
                }
                let bytes = self.messages.read_json(path, &body).map_err(Failure::Answer)?;
                A::decode(bytes.as_slice()).map_err(|error| Failure::Answer(error.to_string()))
            }
            Err(_) => Err(Failure::Away(format!("no answer within {} s", ANSWER_TIMEOUT.as_secs()))),
        }
    }

    async fn exchange(&self, path: &str, body: Vec<u8>) -> Result<(http::StatusCode, Bytes), Failure> {
        let request = Request::builder()
            .method(Method::POST)
            .uri(format!("{}/rpc{path}", self.endpoint))
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::AUTHORIZATION, self.bearer.clone())
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| Failure::Answer(error.to_string()))?;
        let away = |error: &dyn std::error::Error| Failure::Away(crate::settings::deepest_cause(error));
        let answer = self.http.request(request).await.map_err(|error| away(&error))?;
        let (head, body) = answer.into_parts();
        let body = body.collect().await.map_err(|error| away(&error))?;
        Ok((head.status, body.to_bytes()))
    }
}
