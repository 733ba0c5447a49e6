//! What to type next after a refusal.

use tonic::Code;

use super::refusal::{MEANT, Refusal};

/// What was not found, by the beginning of the server's code, and the command that lists it.
const LISTS: &[(&str, &str)] = &[
    ("TRIGGER", "orchestrator trigger list"),
    ("JOB", "orchestrator job list"),
    ("QUEUE_ELEMENT", "orchestrator queue element list QUEUE"),
    ("QUEUE", "orchestrator queue list"),
    ("CONSTANT", "orchestrator constant list"),
    ("CREDENTIAL", "orchestrator credential list"),
    ("WORKER", "orchestrator worker list"),
    ("TOKEN", "orchestrator token list"),
];

/// After refusals that say more by their code than by their kind.
const BY_REASON: &[(&str, &str)] = &[
    (
        "DATABASE_FULL",
        "make room on the database's disk, or give it a larger one, and repeat; what is too old goes by: orchestrator db prune",
    ),
    (
        "DATABASE_UNAVAILABLE",
        "the server is there and its database is not: bring that back, and the server goes on by itself; the server's log tells more",
    ),
    ("SIGN_IN_REFUSED", "try again, or have an administrator set the password: orchestrator user passwd NAME"),
    (
        "SIGN_IN_TOO_OFTEN",
        "wait that long, and then try once; an administrator may make a link: orchestrator user link NAME",
    ),
];

/// How the transport begins when it meets something else than HTTP/2.
const NO_HTTP2: &str = "h2 protocol error";

/// What is said when the other side ends the connection without an answer.
const BROKEN_OFF: [&str; 2] = ["operation was canceled", "the server went away"];

pub(super) fn next(refusal: &Refusal) -> Option<String> {
    if let Some((_, next)) = BY_REASON.iter().find(|(reason, _)| *reason == refusal.reason) {
        return Some((*next).to_owned());
    }
    let text = match refusal.kind {
        Code::Unauthenticated => {
            "sign in with a valid token: orchestrator login, or give it by --token or ORCHESTRATOR_TOKEN"
        }
        Code::PermissionDenied => "see who you are: orchestrator whoami",
        // What a server that speaks TLS does to what is none, where it is faster than the call.
        Code::Unavailable if BROKEN_OFF.contains(&refusal.message.as_str()) => {
            "is the server still there? orchestrator status; if it has a certificate, its address begins with https://"
        }
        Code::Unavailable | Code::DeadlineExceeded => "is the server still there? orchestrator status",
        Code::ResourceExhausted => "the server is busy: try again in a moment",
        Code::Aborted => "someone else changed it meanwhile: look at it again and repeat",
        Code::Unimplemented => "the server may be older than this program: compare with orchestrator status",
        // What a server that speaks TLS answers to what is none.
        Code::Internal if refusal.message.starts_with(NO_HTTP2) => {
            "does the server have a certificate? Then its address begins with https://"
        }
        Code::Internal | Code::Unknown | Code::DataLoss => "the server's log tells more",
        Code::NotFound => return not_found(refusal),
        _ => return None,
    };
    Some(text.to_owned())
}

/// After a server that was not reached, by what TLS says of it.
const BY_TLS: &[(&str, &str)] = &[
    (
        "CaUsedAsEndEntity",
        "the server shows an authority's own certificate; make one for the server: orchestrator cert issue --help",
    ),
    (
        "InvalidContentType",
        "what answers there speaks no TLS; if the server has no certificate, its address begins with http://",
    ),
    (
        "certificate",
        "name the file of the authority with --ca-cert or ORCHESTRATOR_CA_CERT; see what it says: orchestrator cert show FILE",
    ),
];

pub(super) fn unreachable(why: &str) -> &'static str {
    let by_tls = BY_TLS.iter().find(|(words, _)| why.contains(words));
    by_tls
        .map_or("name the server with --url or ORCHESTRATOR_URL, or start a sandbox: orchestrator dev", |(_, next)| {
            next
        })
}

fn not_found(refusal: &Refusal) -> Option<String> {
    let list = list_of(&refusal.reason);
    match (refusal.metadata.get(MEANT), list) {
        (Some(name), Some(list)) => Some(format!("did you mean \"{name}\"? Else {list}")),
        (_, list) => list,
    }
}

fn list_of(reason: &str) -> Option<String> {
    let (_, list) = LISTS.iter().find(|(start, _)| reason.starts_with(start))?;
    Some(format!("see what there is: {list}"))
}

#[cfg(test)]
mod tests {
    use tonic::Status;

    use super::*;

    #[test]
    fn what_was_not_found_can_be_listed() {
        assert_eq!(list_of("QUEUE_NOT_FOUND").as_deref(), Some("see what there is: orchestrator queue list"));
        let elements = Some("see what there is: orchestrator queue element list QUEUE");
        assert_eq!(list_of("QUEUE_ELEMENT_NOT_FOUND").as_deref(), elements);
        assert_eq!(list_of("NOT_FOUND"), None);
    }

    #[test]
    fn a_server_that_may_want_tls_is_no_server_that_is_away() {
        let broken_off = [Status::unavailable("operation was canceled"), Status::unknown("transport error")];
        for status in broken_off.into_iter().chain([Status::internal("h2 protocol error: http2 error")]) {
            let next = next(&Refusal::from(&status)).unwrap();
            assert!(next.contains("its address begins with https://"), "{next}");
        }
        assert!(!next(&Refusal::from(&Status::unavailable("starting"))).unwrap().contains("https://"));
    }

    #[test]
    fn a_full_disk_is_not_a_busy_server() {
        let full = Refusal { reason: "DATABASE_FULL".to_owned(), ..Refusal::from(&Status::resource_exhausted("full")) };
        assert!(next(&full).unwrap().contains("make room on the database's disk"));
    }

    #[test]
    fn a_server_without_its_database_is_there() {
        let status = Status::unavailable("the database is not available");
        let away = Refusal { reason: "DATABASE_UNAVAILABLE".to_owned(), ..Refusal::from(&status) };
        let next = next(&away).unwrap();
        assert!(next.starts_with("the server is there") && !next.contains("orchestrator status"), "{next}");
    }

    #[test]
    fn a_certificate_that_is_not_trusted_is_no_server_that_is_away() {
        for (why, next) in [
            ("invalid peer certificate: UnknownIssuer", "--ca-cert"),
            ("invalid peer certificate: Other(OtherError(CaUsedAsEndEntity))", "orchestrator cert issue"),
            ("received corrupt message of type InvalidContentType", "http://"),
            ("Connection refused (os error 111)", "orchestrator dev"),
        ] {
            assert!(unreachable(why).contains(next), "{why}");
        }
    }

    #[test]
    fn http_in_place_of_https_is_told() {
        let hint = next(&Refusal::from(&Status::internal("h2 protocol error: http2 error"))).unwrap();
        assert!(hint.contains("https://"), "{hint}");
        assert_eq!(next(&Refusal::from(&Status::internal("x"))).as_deref(), Some("the server's log tells more"));
    }

    #[test]
    fn a_missing_token_is_told_where_to_put_one() {
        let hint = next(&Refusal::from(&Status::unauthenticated("no token"))).unwrap();
        assert!(hint.contains("ORCHESTRATOR_TOKEN"));
    }
}
