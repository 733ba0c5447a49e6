use std::collections::HashMap;
use std::time::Duration;

use orchestrator_proto::refusal::DOMAIN;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

/// A status in the making.
#[derive(Debug)]
pub struct Refusal {
    code: Code,
    reason: String,
    message: String,
    metadata: HashMap<String, String>,
    field: Option<&'static str>,
    retry_after: Option<Duration>,
}

impl Refusal {
    /// A refusal with its stable code (see [`reason`](super::reason)) and what people read.
    pub fn new(code: Code, reason: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            code,
            reason: reason.into(),
            message: message.into(),
            metadata: HashMap::new(),
            field: None,
            retry_after: None,
        }
    }

    /// Adds a value that programs may use.
    #[must_use]
    pub fn with(mut self, key: &str, value: &(impl ToString + ?Sized)) -> Self {
        self.metadata.insert(key.to_owned(), value.to_string());
        self
    }

    /// Names the field that was refused.
    #[must_use]
    pub fn in_field(mut self, field: &'static str) -> Self {
        self.field = Some(field);
        self.with("field", field)
    }

    /// Says when the same call may succeed.
    #[must_use]
    pub fn retry_after(mut self, delay: Duration) -> Self {
        self.retry_after = Some(delay);
        self
    }

    /// The status.
    pub fn status(self) -> Status {
        let mut details = ErrorDetails::with_error_info(self.reason, DOMAIN, self.metadata);
        if let Some(field) = self.field {
            details.add_bad_request_violation(field, self.message.as_str());
        }
        if let Some(delay) = self.retry_after {
            details.set_retry_info(Some(delay));
        }
        Status::with_error_details(self.code, self.message, details)
    }
}
