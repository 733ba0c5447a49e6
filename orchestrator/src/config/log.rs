//! `[log]`.

use serde::{Deserialize, Serialize};
use tracing_subscriber::EnvFilter;

use super::ConfigError;
use crate::telemetry::Format;

/// What the server tells about itself on standard error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogSection {
    /// error, warn, info, debug or trace, or a filter such as `info,orchestrator_db=debug`. `RUST_LOG` goes first.
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
        match EnvFilter::builder().parse(&self.level) {
            Ok(_) => Ok(()),
            Err(error) => Err(ConfigError::value("log.level", format!("'{}' is no filter: {error}", self.level))),
        }
    }
}
