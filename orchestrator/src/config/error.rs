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
    /// A file that is no TOML, or has an unknown key or a value of the wrong type.
    #[error("the configuration file {}{} cannot be used: {problem}", path.display(), line.map(|line| format!(", line {line},")).unwrap_or_default())]
    Place {
        /// The file.
        path: PathBuf,
        /// The line that is wrong, from 1 on.
        line: Option<usize>,
        /// What is wrong.
        problem: String,
    },
    /// An unknown key or a value of the wrong type, in the environment.
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

    /// Adds where the value is set.
    pub(super) fn set_in(mut self, origin: impl FnOnce(&str) -> Option<String>) -> Self {
        if let Self::Value { key, problem } = &mut self
            && let Some(origin) = origin(key)
        {
            *problem = format!("{problem} (set by {origin})");
        }
        self
    }
}
