//! Log lines of robots and of the system itself.

use crate::clock::Timestamp;
use crate::id::{JobId, LogId};
use crate::states::named_states;
use crate::text::{LogMessage, ProcessName};

named_states!(
    /// How much a line matters.
    LogLevel, "log level" {
        /// For those who follow every step.
        Trace = "TRACE",
        /// For everyone.
        Info = "INFO",
        /// Something went wrong.
        Error = "ERROR",
    }
);

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// Its id, made by the caller, so that a repeat is no second line.
    pub id: LogId,
    /// When it was written.
    pub log_time: Timestamp,
    /// How much it matters.
    pub level: LogLevel,
    /// Whose line it is.
    pub process_name: ProcessName,
    /// The text.
    pub message: LogMessage,
    /// The job that wrote it.
    pub job_id: Option<JobId>,
}
