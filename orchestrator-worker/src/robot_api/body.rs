//! Reading what a robot sends: bounded in bytes and time.

use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, StatusCode, header};
use http_body_util::BodyExt as _;
use orchestrator_proto::refusal::Refusal;
use tonic::Code;

/// How long a body may take to arrive.
const PATIENCE: Duration = Duration::from_mins(1);

/// How much of a body that is too large is still read, so that its sender gets to read the refusal: most clients do not
/// look at an answer before they have sent everything.
const MOST_PASSED_OVER: usize = 256 << 20;

/// Takes only JSON.
pub(super) fn check_content_type(headers: &HeaderMap) -> Result<(), Refusal> {
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
    let message = "the body must be application/json in UTF-8: send the header 'Content-Type: application/json'";
    Err(Refusal::new(Code::InvalidArgument, "UNSUPPORTED_CONTENT_TYPE", message)
        .in_http(StatusCode::UNSUPPORTED_MEDIA_TYPE))
}

/// The whole body, if it has no more than `limit` bytes.
pub(super) async fn read(body: Body, limit: usize) -> Result<Bytes, Refusal> {
    tokio::time::timeout(PATIENCE, collect(body, limit)).await.unwrap_or_else(|_| Err(too_slow()))
}

fn too_slow() -> Refusal {
    let message = format!("the body did not arrive within {} s; send it at once", PATIENCE.as_secs());
    Refusal::new(Code::DeadlineExceeded, "REQUEST_TIMEOUT", message).in_http(StatusCode::REQUEST_TIMEOUT)
}

async fn collect(mut body: Body, limit: usize) -> Result<Bytes, Refusal> {
    let mut collected = BytesMut::new();
    let mut size = 0_usize;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| ended_early())?;
        let Ok(data) = frame.into_data() else { continue };
        size = size.saturating_add(data.len());
        if size <= limit {
            collected.extend_from_slice(&data);
        } else {
            collected = BytesMut::new();
        }
        if size > MOST_PASSED_OVER {
            break;
        }
    }
    if size <= limit { Ok(collected.freeze()) } else { Err(too_large(size, limit)) }
}

fn ended_early() -> Refusal {
    Refusal::new(Code::Cancelled, "INVALID_JSON", "the body ended early").in_http(StatusCode::BAD_REQUEST)
}

fn too_large(size: usize, limit: usize) -> Refusal {
    let message = format!(
        "the body has {size} bytes; the limit is {limit}. Send less in one call: many elements in several calls"
    );
    Refusal::new(Code::ResourceExhausted, "MESSAGE_TOO_LARGE", message)
        .with("size", &size)
        .with("limit", &limit)
        .in_http(StatusCode::PAYLOAD_TOO_LARGE)
}
