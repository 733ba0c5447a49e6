//! Telling apart what a failed call means.

use std::error::Error as _;
use std::fmt::Write as _;
use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBuilder};
use tonic::{Code, Response, Status};
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
    /// The worker's token is not accepted any more: every call will be refused until somebody acts.
    NotAllowed,
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
        Code::Unauthenticated | Code::PermissionDenied => Failure::NotAllowed,
        _ => Failure::Refused,
    }
}

/// The stable machine code of a refusal.
pub(crate) fn reason(status: &Status) -> Option<String> {
    status.get_details_error_info().map(|info| info.reason)
}

/// What the status says, down to the system's own words; what several layers say alike, once.
pub(crate) fn said(status: &Status) -> String {
    let mut text = status.message().to_owned();
    let mut source = status.source();
    while let Some(cause) = source {
        let words = cause.to_string();
        if !text.contains(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        source = cause.source();
    }
    if let Some(code) = reason(status) {
        let _ = write!(text, " [{code}]");
    }
    text
}

/// What helps when a server does not answer, by what was said.
pub(crate) fn way_to_server(server: &str, server_said: &str) -> Option<&'static str> {
    if server.starts_with("http://") && may_want_tls(server_said) {
        return Some(WRITE_HTTPS);
    }
    BY_TLS.iter().find(|(words, _)| server_said.contains(words)).map(|(_, next)| *next)
}

/// By what TLS says of the server's certificate.
const BY_TLS: &[(&str, &str)] = &[
    ("UnknownIssuer", TRUST),
    // Of another authority with the same name.
    ("BadSignature", TRUST),
    ("not valid for name", "connect by a name that the certificate has, or have it renewed with this one, too"),
    ("certificate expired", "have the server's certificate renewed; or is this machine's clock ahead?"),
    ("certificate not valid yet", "is this machine's clock behind?"),
    (
        "InvalidContentType",
        "what answers there speaks no TLS; if the server has no certificate, its address begins with http://",
    ),
];

const TRUST: &str = "this machine does not trust who signed the server's certificate: name the file of that authority (ca.pem) with --ca FILE or \
                     ca_file; if one is named, it is another authority's";

/// Whether the server may speak TLS to a caller that does not: it answers with an alert, and ends the connection.
pub(crate) fn may_want_tls(server_said: &str) -> bool {
    server_said.starts_with("h2 protocol error")
}

/// What to do then.
const WRITE_HTTPS: &str = "does the server have a certificate? Then its address begins with https://";

/// How long the server is waited for by a call that is made once, outside a session.
const PATIENCE: Duration = Duration::from_secs(10);

/// The answer of a call that is made once, outside a session, within ten seconds.
pub(super) async fn once<T>(call: impl Future<Output = Result<Response<T>, Status>>) -> Result<T, Status> {
    match tokio::time::timeout(PATIENCE, call).await {
        Ok(answer) => answer.map(Response::into_inner),
        Err(_) => Err(Status::new(Code::DeadlineExceeded, "no answer within 10 s")),
    }
}

/// Pauses between tries while the server is away: from 0.1 s to 5 s. The jitter at most doubles a pause.
pub(crate) fn pauses() -> impl Iterator<Item = Duration> + Send {
    ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(100))
        .with_max_delay(Duration::from_millis(2500))
        .with_factor(1.6)
        .with_jitter()
        .without_max_times()
        .build()
}

#[cfg(test)]
mod tests {
    use tonic_types::ErrorDetails;

    use super::*;

    fn with_reason(code: Code, reason: &str) -> Status {
        let details = ErrorDetails::with_error_info(reason, "orchestrator", []);
        Status::with_error_details(code, "no", details)
    }

    #[test]
    fn the_stable_code_decides_before_the_status_code() {
        let cases = [
            (with_reason(Code::FailedPrecondition, "SESSION_OVER"), Failure::SessionOver),
            (with_reason(Code::FailedPrecondition, "LEASE_LOST"), Failure::LeaseLost),
            (with_reason(Code::FailedPrecondition, "ILLEGAL_TRANSITION"), Failure::Refused),
            (with_reason(Code::Unauthenticated, "TOKEN_REVOKED"), Failure::NotAllowed),
            (Status::unavailable(""), Failure::Away),
            (Status::cancelled(""), Failure::Away),
            (Status::not_found(""), Failure::Refused),
        ];
        for (status, expected) in cases {
            assert_eq!(failure(&status), expected, "{status}");
        }
    }

    #[test]
    fn what_is_said_names_the_code() {
        assert_eq!(said(&with_reason(Code::Unauthenticated, "TOKEN_REVOKED")), "no [TOKEN_REVOKED]");
    }

    #[tokio::test]
    async fn what_cannot_be_reached_is_told_without_repetition() {
        let nowhere = tonic::transport::Endpoint::from_static("http://127.0.0.1:1").connect().await;
        let words = said(&Status::from_error(Box::new(nowhere.unwrap_err())));
        assert!(words.contains("refused"), "{words}");
        assert_eq!(words.matches("tcp connect error").count(), 1, "{words}");
    }

    #[test]
    fn a_certificate_that_is_not_trusted_is_no_server_that_is_away() {
        for (said, next) in [
            ("transport error: invalid peer certificate: UnknownIssuer", "--ca FILE or ca_file"),
            ("invalid peer certificate: BadSignature", "--ca FILE or ca_file"),
            ("invalid peer certificate: certificate not valid for name \"x\"", "by a name that the certificate has"),
            ("received corrupt message of type InvalidContentType", "begins with http://"),
        ] {
            let way = way_to_server("https://here:1", said).unwrap();
            assert!(way.contains(next), "{said}: {way}");
        }
        assert_eq!(way_to_server("https://here:1", "tcp connect error"), None);
        // To https, that is something else.
        assert_eq!(way_to_server("https://here:1", "h2 protocol error"), None);
        assert!(way_to_server("http://here:1", "h2 protocol error").is_some_and(|way| way.contains("https://")));
    }

    #[test]
    fn no_pause_is_longer_than_five_seconds() {
        assert!(pauses().take(100).all(|pause| pause <= Duration::from_secs(5)));
    }
}
