//! Why a configuration cannot be used.

use std::path::PathBuf;

/// A configuration that cannot be used. Names the key; never shows a value that may hold a password.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("the configuration file {} cannot be read: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// An unknown key, a value of the wrong type, or a file that is no TOML.
    #[error("the configuration cannot be used: {0}")]
    Form(#[from] config::ConfigError),
    /// A value that is out of its range or does not fit the others.
    #[error("{key}: {problem}")]
    Value {
        /// Such as `limits.data`.
        key: &'static str,
        /// What is wrong.
        problem: String,
    },
}

impl ConfigError {
    pub(super) fn value(key: &'static str, problem: impl Into<String>) -> Self {
        Self::Value { key, problem: problem.into() }
    }
}
