use orchestrator_core::cron::{CronError, UnknownZone};
use orchestrator_core::policy::PolicyError;
use orchestrator_core::source::SourceError;
use orchestrator_core::states::UnknownName;
use orchestrator_core::text::TextError;
use orchestrator_core::trigger::DraftError;

/// Why a message was refused. Names the field as the `.proto` file does.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum DecodeError {
    /// A field that is needed is absent.
    #[error("{field} is missing")]
    Missing {
        /// The field.
        field: &'static str,
    },
    /// A text that is no UUID.
    #[error("{field} '{value}' is not a UUID")]
    Id {
        /// The field.
        field: &'static str,
        /// As given.
        value: String,
    },
    /// A name that is none of a closed set.
    #[error("{field}: {source}")]
    Name {
        /// The field.
        field: &'static str,
        /// What was given and what would do.
        #[source]
        source: UnknownName,
    },
    /// A number out of its range.
    #[error("{field} is {value}; it must be from {least} to {most}")]
    OutOfRange {
        /// The field.
        field: &'static str,
        /// As given.
        value: i128,
        /// The smallest allowed.
        least: i128,
        /// The largest allowed.
        most: i128,
    },
    /// An instant or a duration that does not exist.
    #[error("{field} is no valid {what}")]
    Time {
        /// The field.
        field: &'static str,
        /// `instant` or `duration`.
        what: &'static str,
    },
    /// Bytes or text of another form than needed.
    #[error("{field} must be {expected}")]
    Form {
        /// The field.
        field: &'static str,
        /// What would do.
        expected: &'static str,
    },
    /// Two fields of which only one may be given.
    #[error("{field} and {other} cannot be given together")]
    Both {
        /// The one field.
        field: &'static str,
        /// The other one.
        other: &'static str,
    },
    /// One of many things in a list.
    #[error("{list}[{index}]: {source}")]
    Item {
        /// The list.
        list: &'static str,
        /// Its place in the list, from 0.
        index: usize,
        /// What is wrong with it.
        #[source]
        source: Box<DecodeError>,
    },
    /// Empty, too long, or with a character that cannot be stored.
    #[error(transparent)]
    Text(#[from] TextError),
    /// A policy out of its range.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// A git URL, branch or entry point that is not safe.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// A trigger that contradicts itself.
    #[error(transparent)]
    Draft(#[from] DraftError),
    /// A cron expression that cannot be read, or never fires.
    #[error("cron_expr: {0}")]
    Cron(#[from] CronError),
    /// A zone that does not exist.
    #[error("time_zone: {0}")]
    Zone(#[from] UnknownZone),
}

impl DecodeError {
    /// The same, of one of many things in a list.
    #[must_use]
    pub fn in_item(self, list: &'static str, index: usize) -> Self {
        Self::Item { list, index, source: Box::new(self) }
    }

    /// The field that was refused.
    pub fn field(&self) -> &'static str {
        match self {
            Self::Missing { field }
            | Self::Id { field, .. }
            | Self::Name { field, .. }
            | Self::OutOfRange { field, .. }
            | Self::Time { field, .. }
            | Self::Form { field, .. }
            | Self::Both { field, .. } => field,
            Self::Item { source, .. } => source.field(),
            Self::Text(error) => error.field(),
            Self::Policy(error) => error.field(),
            Self::Source(error) => error.field(),
            Self::Draft(error) => error.field(),
            Self::Cron(_) => "cron_expr",
            Self::Zone(_) => "time_zone",
        }
    }
}
