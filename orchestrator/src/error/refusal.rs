//! What the server says when it does not do as it is told.

use std::collections::BTreeMap;

use tonic::{Code, Status};
use tonic_types::StatusExt as _;

/// A call that was refused or failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// The kind, which decides the exit code.
    pub(crate) kind: Code,
    /// The server's stable code, or the kind's name.
    pub(crate) reason: String,
    /// In words.
    pub(crate) message: String,
    /// Such as the field, its limit and its length.
    pub(crate) metadata: BTreeMap<String, String>,
}

/// Where a refusal's metadata has the name that may have been meant.
pub(crate) const MEANT: &str = "did_you_mean";

/// Too many failed sign-ins.
const SIGN_IN_TOO_OFTEN: &str = "SIGN_IN_TOO_OFTEN";

/// How the transport words its own time-out.
const TIMED_OUT: &str = "Timeout expired";

/// The exit code of each kind of refusal; ux.md section 3.
const EXIT_CODES: &[(Code, u8, &str)] = &[
    (Code::Cancelled, 6, "CANCELLED"),
    (Code::Unknown, 1, "UNKNOWN"),
    (Code::InvalidArgument, 2, "INVALID_ARGUMENT"),
    (Code::DeadlineExceeded, 6, "DEADLINE_EXCEEDED"),
    (Code::NotFound, 3, "NOT_FOUND"),
    (Code::AlreadyExists, 5, "ALREADY_EXISTS"),
    (Code::PermissionDenied, 4, "PERMISSION_DENIED"),
    (Code::ResourceExhausted, 1, "RESOURCE_EXHAUSTED"),
    (Code::FailedPrecondition, 5, "FAILED_PRECONDITION"),
    (Code::Aborted, 5, "ABORTED"),
    (Code::OutOfRange, 2, "OUT_OF_RANGE"),
    (Code::Unimplemented, 1, "UNIMPLEMENTED"),
    (Code::Internal, 1, "INTERNAL"),
    (Code::Unavailable, 6, "UNAVAILABLE"),
    (Code::DataLoss, 1, "DATA_LOSS"),
    (Code::Unauthenticated, 4, "UNAUTHENTICATED"),
];

impl From<&Status> for Refusal {
    fn from(status: &Status) -> Self {
        let kind = kind_of(status);
        let info = status.get_details_error_info();
        let name = row(kind).2;
        let (reason, metadata) = match info {
            Some(info) if !info.reason.is_empty() => (info.reason, BTreeMap::from_iter(info.metadata)),
            _ => (name.to_owned(), BTreeMap::new()),
        };
        let message = match status.message() {
            // What the transport says of itself helps nobody.
            "" | "transport error" | TIMED_OUT => words(kind),
            message => message,
        };
        let message = message.to_owned();
        Self { kind, reason, message, metadata }
    }
}

impl Refusal {
    /// Whether the same call would be refused again, and others need not be.
    pub(crate) fn is_about_the_request(&self) -> bool {
        use Code::{AlreadyExists, FailedPrecondition, InvalidArgument, NotFound, OutOfRange};
        matches!(self.kind, AlreadyExists | FailedPrecondition | InvalidArgument | NotFound | OutOfRange)
    }

    pub(crate) fn exit_code(&self) -> u8 {
        // Nobody is signed in: that it is for a while only is in the message.
        if self.reason == SIGN_IN_TOO_OFTEN { 4 } else { row(self.kind).1 }
    }
}

/// The kind of a status. The transport reports its own time-out as a cancellation, and a broken connection as unknown.
fn kind_of(status: &Status) -> Code {
    match status.code() {
        Code::Cancelled if status.message() == TIMED_OUT => Code::DeadlineExceeded,
        // The connection ended before the call was sent.
        Code::Cancelled if std::error::Error::source(status).is_some() => Code::Unavailable,
        Code::Unknown if status.message() == "transport error" => Code::Unavailable,
        code => code,
    }
}

/// Whether the call may have been carried out although its answer did not arrive.
pub(crate) fn answer_was_lost(status: &Status) -> bool {
    matches!(kind_of(status), Code::Unavailable | Code::DeadlineExceeded)
}

fn row(kind: Code) -> &'static (Code, u8, &'static str) {
    EXIT_CODES.iter().find(|(code, _, _)| *code == kind).unwrap_or(&EXIT_CODES[1])
}

fn words(kind: Code) -> &'static str {
    match kind {
        Code::Unavailable => "the server went away",
        Code::DeadlineExceeded => "the server did not answer in time",
        _ => "the server gave no reason",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use tonic_types::ErrorDetails;

    use super::*;

    #[test]
    fn every_kind_of_status_has_its_exit_code() {
        let documented = [
            (Code::Cancelled, 6),
            (Code::Unknown, 1),
            (Code::InvalidArgument, 2),
            (Code::DeadlineExceeded, 6),
            (Code::NotFound, 3),
            (Code::AlreadyExists, 5),
            (Code::PermissionDenied, 4),
            (Code::ResourceExhausted, 1),
            (Code::FailedPrecondition, 5),
            (Code::Aborted, 5),
            (Code::OutOfRange, 2),
            (Code::Unimplemented, 1),
            (Code::Internal, 1),
            (Code::Unavailable, 6),
            (Code::DataLoss, 1),
            (Code::Unauthenticated, 4),
        ];
        for (code, exit) in documented {
            assert_eq!(Refusal::from(&Status::new(code, "x")).exit_code(), exit, "{code:?}");
            assert_eq!(row(code).0, code, "no row for {code:?}");
        }
    }

    #[test]
    fn the_servers_own_code_and_field_are_kept() {
        let metadata = HashMap::from([("field".to_owned(), "trigger_name".to_owned())]);
        let details = ErrorDetails::with_error_info("TOO_LONG", "orchestrator", metadata);
        let status = Status::with_error_details(Code::InvalidArgument, "trigger_name is 101 characters long", details);
        let refusal = Refusal::from(&status);
        assert_eq!((refusal.reason.as_str(), refusal.exit_code()), ("TOO_LONG", 2));
        assert_eq!(refusal.metadata["field"], "trigger_name");
    }

    #[test]
    fn without_a_code_the_kinds_name_stands_in() {
        assert_eq!(Refusal::from(&Status::not_found("no trigger 'x'")).reason, "NOT_FOUND");
    }

    #[test]
    fn the_transports_time_out_is_a_time_out() {
        let refusal = Refusal::from(&Status::cancelled("Timeout expired"));
        assert_eq!((refusal.kind, refusal.exit_code()), (Code::DeadlineExceeded, 6));
        assert_eq!(refusal.message, "the server did not answer in time");
        assert_eq!(Refusal::from(&Status::unknown("transport error")).message, "the server went away");
    }

    #[test]
    fn only_a_missing_answer_is_worth_repeating_the_call() {
        assert!(answer_was_lost(&Status::unavailable("")));
        assert!(answer_was_lost(&Status::cancelled("Timeout expired")));
        assert!(answer_was_lost(&Status::unknown("transport error")));
        let mut unsent = Status::cancelled("operation was canceled");
        unsent.set_source(std::sync::Arc::new(std::io::Error::other("connection closed")));
        assert!(answer_was_lost(&unsent));
        assert!(!answer_was_lost(&Status::cancelled("by the server")));
        assert!(!answer_was_lost(&Status::already_exists("")));
        assert!(!answer_was_lost(&Status::internal("")));
    }
}
