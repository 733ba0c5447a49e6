//! One call of a robot, from its request to its answer.

use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use tokio::time::Instant;
use tonic::Code;

use super::forward::Forward;
use super::jobs::{OpenJob, OpenJobs};
use super::message::{Messages, UnusableDescriptors};
use super::method::{Method, SERVICE};
use super::options::RobotApiOptions;
use super::refusal::Refusal;
use super::repeat::Repeatable;
use super::verdict::{Verdict, verdict};
use super::{body, host};
use crate::agent::{Connection, pauses, said};

/// Answers robots.
#[derive(Debug)]
pub(crate) struct RobotApi {
    jobs: OpenJobs,
    messages: Messages,
    forward: Forward,
    options: RobotApiOptions,
}

impl RobotApi {
    pub(crate) fn new(
        jobs: OpenJobs,
        connection: Connection,
        options: RobotApiOptions,
    ) -> Result<Self, UnusableDescriptors> {
        Ok(Self { jobs, messages: Messages::new()?, forward: Forward::new(connection), options })
    }

    /// Answers one request.
    pub(super) async fn answer(&self, request: Request) -> Response {
        match self.call(request).await {
            Ok(text) => json(text),
            Err(refusal) => {
                tracing::debug!(code = refusal.reason(), "refused a robot's call: {}", refusal.message());
                refusal.response()
            }
        }
    }

    async fn call(&self, request: Request) -> Result<Vec<u8>, Refusal> {
        host::check(request.uri(), request.headers())?;
        let job = self.jobs.of(request.headers())?;
        let method = method(&request)?;
        body::check_content_type(request.headers())?;
        let body = body::read(request.into_body(), method.most_bytes()).await?;
        let message = Repeatable::read(method, self.messages.read(method, &body)?)?;
        tracing::trace!(job.id = %job.job, rpc.method = method.name(), "a robot calls");
        let answer = self.forward(&job, message).await?;
        self.messages.print(method, answer)
    }

    /// Forwards a call, and repeats it while the server is away, for as long as robots are asked to be patient.
    async fn forward(&self, job: &OpenJob, mut message: Repeatable) -> Result<Bytes, Refusal> {
        let until = Instant::now() + self.options.patience;
        let mut pauses = pauses();
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let status = match self.forward.call(&job.token, message.method(), message.bytes(), left).await {
                Ok(answer) => return Ok(answer),
                Err(status) => status,
            };
            if message.is_done_by_an_earlier_try(&status) {
                return Ok(Bytes::new());
            }
            if verdict(&status) != Verdict::Away {
                return Err(Refusal::from(&status));
            }
            let pause = pauses.next().unwrap_or_default();
            if Instant::now() + pause >= until {
                return Err(self.away(&said(&status)));
            }
            message.mark_as_repeat();
            tokio::time::sleep(pause).await;
        }
    }

    fn away(&self, words: &str) -> Refusal {
        let seconds = self.options.patience.as_secs();
        let message = format!(
            "the orchestrator server has not answered for {seconds} s ({words}); it is not known whether the call was carried \
             out. Try again later, or let the job fail"
        );
        Refusal::new(Code::Unavailable, "SERVER_AWAY", message).with("patience_seconds", &seconds).retry_after(5)
    }
}

/// The method that a request calls.
fn method(request: &Request) -> Result<Method, Refusal> {
    let path = request.uri().path();
    let name =
        path.strip_prefix("/rpc/").and_then(|rest| rest.strip_prefix(SERVICE)).and_then(|rest| rest.strip_prefix('/'));
    let Some(method) = name.and_then(Method::named) else {
        let methods: Vec<&str> = Method::ALL.iter().map(|method| method.name()).collect();
        let message = format!(
            "there is no method {path}; this is a worker's endpoint for its robots, which offers POST /rpc/{SERVICE}/<method> \
             with the methods {}",
            methods.join(", ")
        );
        return Err(Refusal::new(Code::Unimplemented, "METHOD_UNKNOWN", message));
    };
    if request.method() != http::Method::POST {
        let message = format!("{path} is called with POST, not {}", request.method());
        let refusal = Refusal::new(Code::Unimplemented, "METHOD_UNKNOWN", message);
        return Err(refusal.in_http(StatusCode::METHOD_NOT_ALLOWED));
    }
    Ok(method)
}

fn json(text: Vec<u8>) -> Response {
    let mut response = text.into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
