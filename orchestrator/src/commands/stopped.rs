use tonic::Status;

use crate::error::CliError;

/// Why following a stream ended early.
pub(crate) enum Stopped {
    /// The stream broke; the server may come back.
    Stream(Status),
    /// Something on this side.
    Here(CliError),
}

impl From<Status> for Stopped {
    fn from(status: Status) -> Self {
        Self::Stream(status)
    }
}

impl From<CliError> for Stopped {
    fn from(error: CliError) -> Self {
        Self::Here(error)
    }
}
