//! The global choices of form.

use clap::ValueEnum;

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Format {
    /// Columns for people.
    #[default]
    Table,
    /// More columns, and whole ids.
    Wide,
    /// The answer's message in the protobuf JSON mapping.
    Json,
    /// One JSON object a line: each item of a list.
    Jsonl,
    /// Only the names or ids.
    Name,
}

impl Format {
    /// Whether errors are printed as JSON too.
    pub(crate) fn is_json(self) -> bool {
        matches!(self, Self::Json | Self::Jsonl)
    }
}

/// How times are printed in tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum TimeStyle {
    /// How long ago, or until then.
    #[default]
    Relative,
    /// In this machine's zone, with its offset.
    Iso,
    /// In UTC.
    Utc,
}

/// When to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum ColorChoice {
    /// On a terminal.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}
