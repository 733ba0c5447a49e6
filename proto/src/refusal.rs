//! Refusals as JSON, in the form of the Connect protocol's unary calls: what servers and workers answer over HTTP.

use http::{HeaderValue, Response, StatusCode, header};
use serde_json::{Map, Value, json};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

/// The `domain` of every detail.
pub const DOMAIN: &str = "orchestrator";

/// `{"code": "not_found", "message": "…", "details": [{"reason": "…", "metadata": {…}}]}` in the making.
#[derive(Debug, Clone)]
pub struct Refusal {
    code: Code,
    reason: String,
    message: String,
    metadata: Map<String, Value>,
    retry_after_s: Option<u64>,
    http: Option<StatusCode>,
}

impl Refusal {
    /// A refusal with its stable code and what people read.
    pub fn new(code: Code, reason: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            code,
            reason: reason.into(),
            message: message.into(),
            metadata: Map::new(),
            retry_after_s: None,
            http: None,
        }
    }

    /// Adds a value that programs may use.
    #[must_use]
    pub fn with(mut self, name: &str, value: &impl ToString) -> Self {
        self.metadata.insert(name.to_owned(), Value::String(value.to_string()));
        self
    }

    /// Where HTTP has a better word for it than the code's own.
    #[must_use]
    pub fn in_http(mut self, status: StatusCode) -> Self {
        self.http = Some(status);
        self
    }

    /// Says when to try again.
    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after_s = Some(seconds);
        self
    }

    /// The stable code.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// What people read.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// As an answer.
    #[must_use]
    pub fn response(&self) -> Response<String> {
        let details = if self.reason.is_empty() {
            json!([])
        } else {
            json!([{ "reason": self.reason, "domain": DOMAIN, "metadata": self.metadata }])
        };
        let body = json!({ "code": name(self.code), "message": self.message, "details": details });
        let status = self.http.unwrap_or_else(|| http_status(self.code));
        let mut response = Response::new(body.to_string());
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if status == StatusCode::METHOD_NOT_ALLOWED {
            headers.insert(header::ALLOW, HeaderValue::from_static("POST"));
        }
        if let Some(seconds) = self.retry_after_s {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

impl From<&Status> for Refusal {
    fn from(status: &Status) -> Self {
        let given = status.get_error_details();
        let mut refusal = Self::new(status.code(), "", status.message());
        if let Some(info) = given.error_info() {
            refusal.reason.clone_from(&info.reason);
            refusal.metadata = info.metadata.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
        }
        refusal.retry_after_s =
            given.retry_info().and_then(|info| info.retry_delay).map(|delay| delay.as_secs().max(1));
        if refusal.reason == "MESSAGE_TOO_LARGE" {
            refusal.http = Some(StatusCode::PAYLOAD_TOO_LARGE);
        }
        refusal
    }
}

fn name(code: Code) -> &'static str {
    match code {
        Code::Ok => "ok",
        Code::Cancelled => "canceled",
        Code::Unknown => "unknown",
        Code::InvalidArgument => "invalid_argument",
        Code::DeadlineExceeded => "deadline_exceeded",
        Code::NotFound => "not_found",
        Code::AlreadyExists => "already_exists",
        Code::PermissionDenied => "permission_denied",
        Code::ResourceExhausted => "resource_exhausted",
        Code::FailedPrecondition => "failed_precondition",
        Code::Aborted => "aborted",
        Code::OutOfRange => "out_of_range",
        Code::Unimplemented => "unimplemented",
        Code::Internal => "internal",
        Code::Unavailable => "unavailable",
        Code::DataLoss => "data_loss",
        Code::Unauthenticated => "unauthenticated",
    }
}

fn http_status(code: Code) -> StatusCode {
    match code {
        Code::Ok => StatusCode::OK,
        Code::InvalidArgument | Code::FailedPrecondition | Code::OutOfRange => StatusCode::BAD_REQUEST,
        // What nginx made usual for a caller that is gone; there is no name for it.
        Code::Cancelled => StatusCode::from_u16(499).unwrap_or(StatusCode::BAD_REQUEST),
        Code::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
        Code::NotFound => StatusCode::NOT_FOUND,
        Code::AlreadyExists | Code::Aborted => StatusCode::CONFLICT,
        Code::PermissionDenied => StatusCode::FORBIDDEN,
        Code::ResourceExhausted => StatusCode::TOO_MANY_REQUESTS,
        Code::Unimplemented => StatusCode::NOT_IMPLEMENTED,
        Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Code::Unauthenticated => StatusCode::UNAUTHORIZED,
        Code::Unknown | Code::Internal | Code::DataLoss => StatusCode::INTERNAL_SERVER_ERROR,
    }
}
