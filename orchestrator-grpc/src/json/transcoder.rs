use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use prost_reflect::{DescriptorPool, DeserializeOptions, DynamicMessage, MethodDescriptor, SerializeOptions};
use serde_json::Value;
use tonic::{Code, Status};
use tower::ServiceExt as _;

use super::error::{answer, refuse, refuse_as};
use super::frame::{framed, unframed};
use crate::auth::{Admitted, Identity, unknown_method};
use crate::status::{self, Refusal, reason};

/// How long a body may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_mins(1);

/// Methods that carry many things at once.
const BULK: &[&str] = &["BulkCreateQueueElements", "BulkCreate", "Import"];

/// The most bytes of a body.
#[derive(Debug, Clone, Copy)]
pub(crate) struct JsonLimits {
    pub(crate) usual: usize,
    pub(crate) bulk: usize,
}

/// Turns JSON calls into gRPC calls within the process.
#[derive(Debug)]
pub(crate) struct Transcoder {
    pool: DescriptorPool,
    services: axum::Router,
    limits: JsonLimits,
}

impl Transcoder {
    /// A transcoder in front of these services.
    pub(crate) fn new(services: axum::Router, limits: JsonLimits) -> Result<Self, prost_reflect::DescriptorError> {
        Ok(Self { pool: DescriptorPool::decode(orchestrator_proto::DESCRIPTORS)?, services, limits })
    }

    fn method(&self, path: &str) -> Option<MethodDescriptor> {
        let (service, method) = path.strip_prefix('/')?.split_once('/')?;
        self.pool.get_service_by_name(service)?.methods().find(|candidate| candidate.name() == method)
    }

    async fn call(&self, request: Request) -> Result<Response, Refused> {
        let Some(Admitted(path)) = request.extensions().get::<Admitted>().cloned() else {
            return Err(unknown_method(request.uri().path()).into());
        };
        let method = self.method(&path).ok_or_else(|| unknown_method(&path))?;
        // What is streamed to the server is one message here: there is no room for more in one body.
        if method.is_server_streaming() {
            return Err(streams(&path).into());
        }
        check_content_type(request.headers())?;

        let (head, body) = request.into_parts();
        let limit = if BULK.contains(&method.name()) { self.limits.bulk } else { self.limits.usual };
        let body = read(body, limit).await?;
        let message = parse(&method, &body)?;
        let reply = self.forward(&path, &head.extensions, &message).await?;
        Ok(answer(&print(&method, reply)?))
    }

    /// The same call as gRPC. Identity, admission and where the caller is travel in the extensions; no header of the caller does.
    async fn forward(
        &self,
        path: &str,
        extensions: &http::Extensions,
        message: &DynamicMessage,
    ) -> Result<Bytes, Status> {
        let body = framed(message).ok_or_else(|| status::internal(&Unreadable))?;
        let mut request = Request::new(Body::from(body));
        *request.method_mut() = Method::POST;
        *request.version_mut() = http::Version::HTTP_2;
        *request.uri_mut() = path.parse().map_err(|error: http::uri::InvalidUri| status::internal(&error))?;
        request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        request.headers_mut().insert(header::TE, HeaderValue::from_static("trailers"));
        request.extensions_mut().insert(Admitted(path.to_owned()));
        if let Some(identity) = extensions.get::<Identity>() {
            request.extensions_mut().insert(identity.clone());
        }
        if let Some(peer) = extensions.get::<ConnectInfo<SocketAddr>>() {
            request.extensions_mut().insert(*peer);
        }
        let response = match self.services.clone().oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        };
        unary(response).await
    }
}

/// A refusal, where HTTP has a better word for it than the status' own.
struct Refused {
    status: Status,
    as_http: Option<StatusCode>,
}

impl From<Status> for Refused {
    fn from(status: Status) -> Self {
        Self { status, as_http: None }
    }
}

impl Refused {
    fn response(&self) -> Response {
        match self.as_http {
            Some(code) => refuse_as(&self.status, code),
            None => refuse(&self.status),
        }
    }
}

/// The message of a unary answer, or its status.
async fn unary(response: Response) -> Result<Bytes, Status> {
    let (head, body) = response.into_parts();
    ended_well(&head.headers)?;
    let collected = body.collect().await.map_err(|error| status::internal(&error))?;
    if let Some(trailers) = collected.trailers() {
        ended_well(trailers)?;
    }
    unframed(collected.to_bytes()).ok_or_else(|| status::internal(&Unreadable))
}

/// A mistake of ours: a message that cannot be framed, or an answer that is not one message.
#[derive(Debug, thiserror::Error)]
#[error("a message of a service does not fit its method")]
struct Unreadable;

fn ended_well(headers: &HeaderMap) -> Result<(), Status> {
    match Status::from_header_map(headers) {
        Some(status) if status.code() != Code::Ok => Err(status),
        _ => Ok(()),
    }
}

fn check_content_type(headers: &HeaderMap) -> Result<(), Refused> {
    let given = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut parts = given.split(';').map(str::trim);
    let is_json = parts.next().is_some_and(|kind| kind.eq_ignore_ascii_case("application/json"));
    let is_utf8 = parts.all(|parameter| {
        let parameter = parameter.to_ascii_lowercase();
        parameter.is_empty() || matches!(parameter.as_str(), "charset=utf-8" | "charset=\"utf-8\"")
    });
    if is_json && is_utf8 {
        return Ok(());
    }
    let status = Refusal::new(
        Code::InvalidArgument,
        reason::UNSUPPORTED_CONTENT_TYPE,
        "the body must be application/json in UTF-8: send the header 'content-type: application/json'",
    )
    .status();
    Err(Refused { status, as_http: Some(StatusCode::UNSUPPORTED_MEDIA_TYPE) })
}

async fn read(body: Body, limit: usize) -> Result<Bytes, Refused> {
    match tokio::time::timeout(BODY_TIMEOUT, Limited::new(body, limit).collect()).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large(limit)),
        // The caller is gone; nobody reads this.
        Ok(Err(_)) => Err(Status::cancelled("the body ended early").into()),
        Err(_) => Err(too_slow()),
    }
}

fn parse(method: &MethodDescriptor, body: &[u8]) -> Result<DynamicMessage, Status> {
    // No body at all is a request without fields, so that `curl -X POST` needs no `-d '{}'`.
    let body = if body.trim_ascii().is_empty() { b"{}" } else { body };
    let mut json = serde_json::Deserializer::from_slice(body);
    let options = DeserializeOptions::new().deny_unknown_fields(true);
    DynamicMessage::deserialize_with_options(method.input(), &mut json, &options)
        .and_then(|message| json.end().map(|()| message))
        .map_err(|error| {
            let message = format!("the body is no {}: {error}", method.input().name());
            Refusal::new(Code::InvalidArgument, reason::INVALID_JSON, message)
                .with("line", &error.line())
                .with("column", &error.column())
                .status()
        })
}

fn print(method: &MethodDescriptor, reply: Bytes) -> Result<Value, Status> {
    let message = DynamicMessage::decode(method.output(), reply).map_err(|error| status::internal(&error))?;
    let options = SerializeOptions::new().skip_default_fields(false);
    message.serialize_with_options(serde_json::value::Serializer, &options).map_err(|error| status::internal(&error))
}

fn streams(path: &str) -> Status {
    let message = format!("{path} streams its answer; it is offered as gRPC only");
    Refusal::new(Code::Unimplemented, reason::METHOD_STREAMS, message).status()
}

fn too_large(limit: usize) -> Refused {
    let message = format!("the body is larger than {limit} bytes");
    let refusal = Refusal::new(Code::ResourceExhausted, reason::MESSAGE_TOO_LARGE, message).with("limit", &limit);
    Refused { status: refusal.status(), as_http: Some(StatusCode::PAYLOAD_TOO_LARGE) }
}

fn too_slow() -> Refused {
    let message = format!("the body did not arrive within {} s", BODY_TIMEOUT.as_secs());
    let refusal = Refusal::new(Code::DeadlineExceeded, reason::REQUEST_TIMEOUT, message);
    Refused { status: refusal.status(), as_http: Some(StatusCode::REQUEST_TIMEOUT) }
}

/// The handler of `POST /rpc/{service}/{method}`.
pub(crate) async fn call(State(transcoder): State<Arc<Transcoder>>, request: Request) -> Response {
    transcoder.call(request).await.unwrap_or_else(|refused| refused.response())
}
