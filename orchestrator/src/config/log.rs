//! `[log]`.

use orchestrator_worker::log_filter;
use serde::{Deserialize, Serialize};

use super::ConfigError;
use crate::telemetry::Format;

/// What the server tells about itself on standard error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogSection {
    /// off, error, warn, info, debug or trace, or a filter such as `info,orchestrator_db=debug`. `RUST_LOG` goes first.
    pub level: String,
    /// auto, text or json.
    pub format: Format,
}

impl Default for LogSection {
    fn default() -> Self {
        Self { level: "info".to_owned(), format: Format::Auto }
    }
}

impl LogSection {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        log_filter::parse(&self.level).map(drop).map_err(|error| ConfigError::value("log.level", error.to_string()))
    }
}
