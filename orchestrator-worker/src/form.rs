//! How results are printed.

use clap::ValueEnum;
use serde::Serialize;

use crate::say;

/// For whom.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// For people.
    #[default]
    Table,
    /// One JSON document.
    Json,
}

impl Output {
    /// Prints a document, or what people are to see of it.
    pub(crate) fn print(self, document: &impl Serialize, people: impl FnOnce() -> String) -> anyhow::Result<()> {
        match self {
            Self::Table => say(&people()),
            Self::Json => say(&serde_json::to_string_pretty(document)?),
        }
        Ok(())
    }
}
