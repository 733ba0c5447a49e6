//! Telling apart what a failed call means.

use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBuilder};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

/// What a failed call means for the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The server is away or in trouble: the same call again, marked as a repeat, may succeed.
    Away,
    /// The session is over: register again.
    SessionOver,
    /// The lease is gone.
    LeaseLost,
    /// The server refuses, and will refuse again.
    Refused,
}

/// What the failure of a call means. A deadline of our own surfaces as `Cancelled`.
pub(crate) fn failure(status: &Status) -> Failure {
    match reason(status).as_deref() {
        Some("SESSION_OVER") => return Failure::SessionOver,
        Some("LEASE_LOST") => return Failure::LeaseLost,
        _ => {}
    }
    match status.code() {
        Code::Unavailable
        | Code::DeadlineExceeded
        | Code::Cancelled
        | Code::Unknown
        | Code::Internal
        | Code::Aborted
        | Code::ResourceExhausted => Failure::Away,
        _ => Failure::Refused,
    }
}

/// The stable machine code of a refusal.
pub(crate) fn reason(status: &Status) -> Option<String> {
    status.get_details_error_info().map(|info| info.reason)
}

/// Pauses between tries while the server is away: from 0.1 s to 5 s, with jitter.
pub(crate) fn pauses() -> impl Iterator<Item = Duration> + Send {
    ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(100))
        .with_max_delay(Duration::from_secs(5))
        .with_factor(1.6)
        .with_jitter()
        .without_max_times()
        .build()
}
