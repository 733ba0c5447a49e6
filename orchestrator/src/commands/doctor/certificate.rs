//! Whether certificates are good for long enough.

use std::path::Path;

use orchestrator_core::clock::Timestamp;
use orchestrator_proto::v1 as pb;

use super::check::Check;
use crate::certificate::{Ending, RENEW, Remaining, end_in_words, remaining};
use crate::output::instant;

/// The certificate of a file that ends first.
pub(super) fn of_file(subject: &'static str, file: &Path, now: Timestamp) -> Check {
    match Ending::first_of(file) {
        Ok(ends) => judged(subject, ends.until, now, ends.in_words(now), ends.renewal()),
        Err(error) => Check::bad(subject, error.to_string(), "name a file that begins with BEGIN CERTIFICATE"),
    }
}

/// The one that the server shows; none without TLS.
pub(super) fn of_server(status: &pb::GetStatusResponse, now: Timestamp) -> Option<Check> {
    let until = instant(status.certificate_ends_at.as_ref())?;
    // The server's clock counts where it tells one.
    let now = instant(status.now.as_ref()).unwrap_or(now);
    let finding = format!("the server's certificate {}", end_in_words(until, now));
    Some(judged("certificate", until, now, finding, RENEW.to_owned()))
}

fn judged(subject: &'static str, until: Timestamp, now: Timestamp, finding: String, renewal: String) -> Check {
    match remaining(until, now) {
        Remaining::Long => Check::good(subject, finding),
        Remaining::Soon => Check::odd(subject, finding, renewal),
        Remaining::Over => Check::bad(subject, finding, renewal),
    }
}

#[cfg(test)]
mod tests {
    use super::super::check::Outcome;
    use super::*;

    #[test]
    fn a_servers_certificate_is_judged_by_the_servers_clock() {
        let at = |text: &str| Some(crate::arguments::time_to_wire(text.parse().unwrap()));
        let here = "2030-01-01T00:00:00Z".parse().unwrap();
        let told = |ends| {
            let status = pb::GetStatusResponse {
                now: at("2026-11-22T12:00:00Z"),
                certificate_ends_at: ends,
                ..pb::GetStatusResponse::default()
            };
            of_server(&status, here)
        };
        assert_eq!(told(None), None, "it has none");
        assert_eq!(told(at("2027-11-22T12:00:00Z")).unwrap().outcome, Outcome::Good);
        let soon = told(at("2026-12-01T13:00:00Z")).unwrap();
        assert_eq!(
            (soon.outcome, soon.finding.as_str()),
            (Outcome::Odd, "the server's certificate ends on 2026-12-01, in 9 days")
        );
        assert!(soon.fix.contains("cert issue NAME… --ca FOLDER --replace, with all its names"), "{}", soon.fix);
        assert_eq!(told(at("2026-11-22T11:00:00Z")).unwrap().outcome, Outcome::Bad);
    }

    #[test]
    fn a_file_that_cannot_be_read_is_wrong() {
        let check = of_file("trusted authority", Path::new("no-such.pem"), "2026-11-22T12:00:00Z".parse().unwrap());
        assert_eq!(check.outcome, Outcome::Bad);
        assert!(check.finding.contains("no-such.pem"), "{}", check.finding);
    }
}
