//! What the program tells about itself: lines on standard error, for people on a terminal and as JSON otherwise.

use std::io::IsTerminal as _;

use orchestrator_worker::log_filter;
use serde::{Deserialize, Serialize};

/// The form of the lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Text on a terminal, JSON otherwise.
    #[default]
    Auto,
    /// For people.
    Text,
    /// One object a line.
    Json,
}

impl Format {
    fn is_json(self) -> bool {
        match self {
            Self::Auto => !std::io::stderr().is_terminal(),
            Self::Text => false,
            Self::Json => true,
        }
    }
}

/// Begins to write lines. `RUST_LOG` goes before `filter`, where it can be used; else that is the first line. Called again it does
/// nothing: the first call counts.
pub fn init(format: Format, filter: &str) {
    let given = std::env::var_os(log_filter::VARIABLE);
    let (filter, unusable) = log_filter::or_default(given.as_deref(), filter);
    // A line that nobody reads any more is not worth a panic.
    let builder =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).log_internal_errors(false);
    let done = if format.is_json() {
        builder.json().flatten_event(true).try_init()
    } else {
        builder.with_ansi(std::io::stderr().is_terminal()).try_init()
    };
    // An error means that it is done already.
    if let (Ok(()), Some(why)) = (done, unusable) {
        tracing::error!("{} is passed over: {why}", log_filter::VARIABLE);
    }
}
