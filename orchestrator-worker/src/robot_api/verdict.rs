//! What it means for a robot's call that forwarding it failed.

use tonic::{Code, Status};
use tonic_types::StatusExt as _;

/// What a failed call means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The server is away or cannot work: the same call, repeated, may succeed.
    Away,
    /// The server does not take this worker's token (any more). Somebody may put that right.
    WorkerNotAllowed,
    /// The job is not this worker's any more.
    JobGone,
    /// The server made a mistake with this call. It may make it again.
    Broken,
    /// The call is refused, however often it is made.
    Refused,
}

/// What a failed call means. All refusals of a server say why in a stable code; what has none comes from the way to it.
pub(crate) fn verdict(status: &Status) -> Verdict {
    let reason = status.get_details_error_info().map(|info| info.reason);
    match (status.code(), reason.as_deref()) {
        (_, Some("JOB_TOKEN_UNKNOWN" | "JOB_ENDED" | "NO_DEVELOPMENT_JOB")) => Verdict::JobGone,
        (Code::Unauthenticated, _) => Verdict::WorkerNotAllowed,
        (_, Some("INTERNAL")) => Verdict::Broken,
        (Code::Unavailable, _)
        | (_, Some("OVERLOADED" | "DATABASE_FULL"))
        | (Code::DeadlineExceeded | Code::Cancelled | Code::Unknown | Code::Internal | Code::ResourceExhausted, None) => {
            Verdict::Away
        }
        _ => Verdict::Refused,
    }
}

#[cfg(test)]
mod tests {
    use tonic_types::ErrorDetails;

    use super::*;

    #[test]
    fn only_what_may_pass_is_tried_again() {
        let of_server = |code, reason: &str| {
            Status::with_error_details(code, "no", ErrorDetails::with_error_info(reason, "orchestrator", []))
        };
        let cases = [
            (Status::unavailable("connection refused"), Verdict::Away),
            (Status::unknown("transport error"), Verdict::Away),
            (Status::cancelled("timeout expired"), Verdict::Away),
            (of_server(Code::Unavailable, "DATABASE_UNAVAILABLE"), Verdict::Away),
            (of_server(Code::ResourceExhausted, "OVERLOADED"), Verdict::Away),
            (of_server(Code::ResourceExhausted, "MESSAGE_TOO_LARGE"), Verdict::Refused),
            (of_server(Code::Internal, "INTERNAL"), Verdict::Broken),
            (of_server(Code::Unauthenticated, "JOB_TOKEN_UNKNOWN"), Verdict::JobGone),
            (of_server(Code::FailedPrecondition, "NO_DEVELOPMENT_JOB"), Verdict::JobGone),
            (of_server(Code::Unauthenticated, "TOKEN_REVOKED"), Verdict::WorkerNotAllowed),
            (of_server(Code::NotFound, "CONSTANT_NOT_FOUND"), Verdict::Refused),
            (of_server(Code::FailedPrecondition, "ELEMENT_HELD"), Verdict::Refused),
            (of_server(Code::Aborted, "CHANGED_MEANWHILE"), Verdict::Refused),
        ];
        for (status, expected) in cases {
            assert_eq!(verdict(&status), expected, "{status}");
        }
    }
}
