//! The one error type of the command line.

use std::io;
use std::path::PathBuf;

use orchestrator_core::secret::{ParseTokenError, PasswordTooLong, RandomError};

use super::refusal::Refusal;
use crate::commands::queue::RowError;
use crate::config::ConfigError;
use crate::context::ContextError;
use crate::lifecycle::Ended;
use crate::serving::ServingError;

/// The result of a command.
pub(crate) type Result<T = (), E = CliError> = std::result::Result<T, E>;

/// Why a command did not do what it was asked to.
#[derive(Debug)]
pub(crate) enum CliError {
    /// The arguments do not fit together.
    Usage { message: String, next: Option<String> },
    /// No token was given and no context has one for this server.
    NoToken { url: String },
    /// A context of that name is there and was not to be replaced.
    ContextExists { name: String },
    /// What was given as a token is none.
    BadToken(ParseTokenError),
    /// The context file cannot be used.
    Context(ContextError),
    /// The server's configuration cannot be used.
    Config(ConfigError),
    /// Nothing answers at the address, or what answers is no server of ours.
    Unreachable { url: String, why: String },
    /// The server refused the call, or could not do it.
    Refused(Box<Refusal>),
    /// The server's answer lacks something that it must have.
    Incomplete { what: &'static str },
    /// Someone asked to wait for a job, and the job failed.
    JobFailed { job: String, status: String, reason: String },
    /// A worker still had jobs after the time for which somebody was to wait.
    StillBusy { worker: String, jobs: u32 },
    /// A worker that was waited for was let take jobs again.
    Resumed { worker: String },
    /// A dry run found something to do.
    WouldChange { what: String },
    /// A database was not copied or put back.
    Backup(orchestrator_db::BackupError),
    /// A database was not copied into another.
    Copy(orchestrator_db::CopyError),
    /// The doctor found something that does not work.
    Unhealthy { bad: usize, checks: usize },
    /// A file cannot be read or written.
    File { action: &'static str, path: PathBuf, source: io::Error },
    /// A file that must not be overwritten is there.
    FileExists { path: PathBuf },
    /// A certificate could not be made or read.
    Certificate { action: &'static str, why: String },
    /// Rows of a file that cannot become elements.
    Rows {
        path: PathBuf,
        errors: Vec<RowError>,
        row_count: usize,
        /// Some for references that look like numbers which a spreadsheet has shortened.
        is_shortened: bool,
    },
    /// A password that cannot be stored.
    Password(PasswordTooLong),
    /// The question was answered with no.
    Declined,
    /// There is nobody to ask.
    NobodyToAsk { question: String },
    /// The operating system gave no random bytes.
    Random(RandomError),
    /// Standard input or output failed.
    Terminal(io::Error),
    /// Nobody reads our output any more.
    OutputClosed,
    /// A message could not be printed as JSON.
    Json(crate::output::JsonError),
    /// The program could not start its threads.
    Runtime(io::Error),
    /// The server could not be started.
    Serving(Box<ServingError>),
    /// The sandbox's worker could not be started.
    Worker(String),
    /// The sandbox's samples could not be made or run.
    Sample(String),
    /// A long-running program did not end as it should.
    Ended(Ended),
    /// Ctrl-C.
    Interrupted { note: Option<String> },
}

impl CliError {
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::Usage { message: message.into(), next: None }
    }

    /// A file could not be dealt with. `action` completes "could not …".
    pub(crate) fn file(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { action, path, source }
    }
}

impl From<tonic::Status> for CliError {
    fn from(status: tonic::Status) -> Self {
        Self::Refused(Box::new(Refusal::from(&status)))
    }
}

impl From<io::Error> for CliError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::OutputClosed,
            io::ErrorKind::Interrupted => Self::Interrupted { note: None },
            _ => Self::Terminal(error),
        }
    }
}

impl From<dialoguer::Error> for CliError {
    fn from(dialoguer::Error::IO(error): dialoguer::Error) -> Self {
        error.into()
    }
}

impl From<crate::output::JsonError> for CliError {
    fn from(error: crate::output::JsonError) -> Self {
        Self::Json(error)
    }
}

impl From<ServingError> for CliError {
    fn from(error: ServingError) -> Self {
        Self::Serving(Box::new(error))
    }
}

impl From<ConfigError> for CliError {
    fn from(error: ConfigError) -> Self {
        Self::Config(error)
    }
}

impl From<ContextError> for CliError {
    fn from(error: ContextError) -> Self {
        Self::Context(error)
    }
}
