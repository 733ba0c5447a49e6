//! Answers and refusals as JSON.

use axum::response::{IntoResponse as _, Response};
use http::{HeaderValue, StatusCode, header};
use orchestrator_proto::refusal::Refusal;
use serde_json::Value;
use tonic::Status;

/// A status as JSON, with the HTTP status that fits.
pub(crate) fn refuse(status: &Status) -> Response {
    Refusal::from(status).response().map(Into::into)
}

/// The same with another HTTP status.
pub(crate) fn refuse_as(status: &Status, code: StatusCode) -> Response {
    Refusal::from(status).in_http(code).response().map(Into::into)
}

/// An answer's message, as JSON.
pub(super) fn answer(message: &Value) -> Response {
    let mut response = message.to_string().into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
