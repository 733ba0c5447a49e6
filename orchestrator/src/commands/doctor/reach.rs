//! From here to the server: address, encryption, token, clock, version.

use chrono::TimeDelta;
use orchestrator_core::clock::{Clock as _, SystemClock, Timestamp};
use orchestrator_proto::v1 as pb;

use super::certificate;
use super::check::Check;
use crate::app::App;
use crate::connection::{Client, leaves_machine};
use crate::error::CliError;
use crate::output::instant;

/// Beyond this a clock is worth a look.
const ODD: TimeDelta = TimeDelta::seconds(1);
/// Beyond this a server takes no scheduling duty, and times that people type mean something else than they think.
const WRONG: TimeDelta = TimeDelta::seconds(30);

pub(super) async fn checks(app: &App) -> (Vec<Check>, Option<Client>) {
    let (url, token, ca_cert) = match app.connection().destination() {
        Ok(destination) => destination,
        Err(error) => return (vec![Check::of_error("server", &error)], None),
    };
    let mut checks = Vec::new();
    match Client::reach(&url, ca_cert.as_deref()).await {
        Ok(()) => checks.push(Check::good("server", format!("{url} answers"))),
        Err(error) => {
            checks.push(Check::of_error("server", &error));
            return (checks, None);
        }
    }
    checks.push(transport(&url));
    // What is trusted beside the system's authorities: when it ends, so does every connection.
    checks.extend(ca_cert.as_deref().map(|file| certificate::of_file("trusted authority", file, app.now)));
    if token.is_none() {
        checks.push(Check::of_error("token", &CliError::NoToken { url }));
        return (checks, None);
    }
    let client = match app.connect().await {
        Ok(client) => client,
        Err(error) => {
            checks.push(Check::of_error("token", &error));
            return (checks, None);
        }
    };
    match client.admin().who_am_i(pb::WhoAmIRequest {}).await {
        Ok(reply) => checks.push(identity(&reply.into_inner())),
        Err(status) => {
            checks.push(Check::of_error("token", &status.into()));
            return (checks, None);
        }
    }
    let asked = SystemClock.now();
    match client.admin().get_status(pb::GetStatusRequest {}).await {
        Ok(reply) => {
            let status = reply.into_inner();
            checks.extend(clocks(&status, asked, SystemClock.now()));
            checks.extend(certificate::of_server(&status, app.now));
            checks.push(version(&status.version));
            checks.push(database(&status));
        }
        Err(status) => checks.push(Check::of_error("status", &status.into())),
    }
    (checks, Some(client))
}

fn transport(url: &str) -> Check {
    const NAME: &str = "transport";
    if url.starts_with("https://") {
        return Check::good(NAME, "TLS, and the certificate is trusted");
    }
    match leaves_machine(url) {
        None => Check::good(NAME, "not encrypted, and does not leave this machine"),
        Some(host) => {
            let fix =
                "give the server a certificate (server.tls_cert, server.tls_key), then: orchestrator login https://…";
            Check::odd(NAME, format!("your token travels to {host} unencrypted"), fix)
        }
    }
}

fn identity(who: &pb::WhoAmIResponse) -> Check {
    const NAME: &str = "token";
    match (who.kind.as_str(), who.role.as_str()) {
        ("USER", "ADMIN") => Check::good(NAME, format!("{} (admin)", who.name)),
        ("USER", role) => {
            Check::good(NAME, format!("{} ({}): some commands are refused", who.name, role.to_lowercase()))
        }
        (kind, _) => {
            let finding = format!("\"{}\" is the token of a {}, not of a person", who.name, kind.to_lowercase());
            Check::bad(NAME, finding, "an administrator makes one: orchestrator token create user NAME")
        }
    }
}

fn clocks(status: &pb::GetStatusResponse, asked: Timestamp, answered: Timestamp) -> Vec<Check> {
    let mut checks = Vec::new();
    if let Some(server) = instant(status.now.as_ref()) {
        // Somewhere between question and answer.
        let off = if server < asked { asked - server } else { (server - answered).max(TimeDelta::zero()) };
        checks.push(clock(
            "clock here",
            off,
            "this machine's clock and the server's",
            "set this machine's clock (NTP)",
        ));
    }
    if let Some(offset) =
        status.clock_offset.and_then(|offset| TimeDelta::new(offset.seconds, u32::try_from(offset.nanos).unwrap_or(0)))
    {
        let fix = "set the clock of the server's machine (NTP); beyond 30 s it schedules nothing";
        checks.push(clock("clock of the server", offset.abs(), "the server's clock and the database's", fix));
    }
    checks
}

fn clock(name: &'static str, off: TimeDelta, whose: &str, fix: &str) -> Check {
    let seconds = off.as_seconds_f32();
    match off {
        off if off > WRONG => Check::bad(name, format!("{whose} are {seconds:.0} s apart"), fix),
        off if off > ODD => Check::odd(name, format!("{whose} are {seconds:.1} s apart"), fix),
        _ => Check::good(name, format!("{whose} agree")),
    }
}

fn version(server: &str) -> Check {
    let here = env!("CARGO_PKG_VERSION");
    if server == here {
        Check::good("version", format!("{here}, as the server"))
    } else {
        let finding = format!("this program is {here}, the server {server}");
        Check::odd("version", finding, "use the program of the server's version; see: orchestrator upgrade")
    }
}

/// One that answers may be of no use all the same: lists look well, and nothing starts.
fn database(status: &pb::GetStatusResponse) -> Check {
    const NAME: &str = "database";
    const NOTHING: &str = "nothing starts, and nothing is kept";
    match status.database_outage.as_str() {
        "" => {}
        "NO_WRITES" => return Check::bad(NAME, format!("takes no writes: {NOTHING}"), no_writes(&status.database)),
        "DISK_FULL" => {
            return Check::bad(
                NAME,
                format!("its disk is full: {NOTHING}"),
                "make room there; the server then goes on by itself",
            );
        }
        _ => return Check::bad(NAME, "did not answer when the server had something to decide", "see the server's log"),
    }
    let finding = match status.database.as_str() {
        "SQLITE" => "SQLite: one server, its file is the whole state".to_owned(),
        "POSTGRESQL" => "PostgreSQL, with fsync and synchronous_commit as the server demands".to_owned(),
        other => other.to_owned(),
    };
    Check::good(NAME, finding)
}

/// What to do about a database that only reads.
pub(super) fn no_writes(database: &str) -> &'static str {
    if database == "SQLITE" {
        "the server's user must be able to write the file and its folder, on a disk that is not mounted read-only"
    } else {
        "a standby: connect the server to the primary, or promote it; else someone set default_transaction_read_only: ALTER DATABASE \
         (or ROLE) … RESET default_transaction_read_only, then restart the server"
    }
}

#[cfg(test)]
mod tests {
    use super::super::check::Outcome;
    use super::*;

    #[test]
    fn a_token_that_leaves_the_machine_unencrypted_is_worth_a_look() {
        for (url, outcome) in [
            ("http://127.0.0.1:8420", Outcome::Good),
            ("http://localhost:8420/", Outcome::Good),
            ("http://[::1]:8420", Outcome::Good),
            ("http://robots.example.org:8420", Outcome::Odd),
            ("https://robots.example.org:8420", Outcome::Good),
        ] {
            assert_eq!(transport(url).outcome, outcome, "{url}");
        }
    }

    #[test]
    fn clocks_may_differ_by_the_time_the_answer_took() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let (asked, answered) = (at("2026-11-22T12:00:00Z"), at("2026-11-22T12:00:04Z"));
        for (server, outcome) in [
            ("2026-11-22T12:00:02Z", Outcome::Good),
            ("2026-11-22T11:59:57Z", Outcome::Odd),
            ("2026-11-22T12:00:09Z", Outcome::Odd),
            ("2026-11-22T12:01:00Z", Outcome::Bad),
        ] {
            let status = pb::GetStatusResponse {
                now: Some(crate::arguments::time_to_wire(at(server))),
                ..pb::GetStatusResponse::default()
            };
            assert_eq!(clocks(&status, asked, answered)[0].outcome, outcome, "{server}");
        }
    }

    #[test]
    fn a_database_that_takes_no_writes_is_wrong_and_says_what_to_do() {
        let of = |database: &str, outage: &str| {
            let (database, database_outage) = (database.to_owned(), outage.to_owned());
            super::database(&pb::GetStatusResponse { database, database_outage, ..pb::GetStatusResponse::default() })
        };
        assert_eq!(of("POSTGRESQL", "").outcome, Outcome::Good);
        let (standby, file) = (of("POSTGRESQL", "NO_WRITES"), of("SQLITE", "NO_WRITES"));
        assert!(standby.outcome == Outcome::Bad && standby.finding.starts_with("takes no writes"), "{standby:?}");
        assert!(standby.fix.contains("primary") && file.fix.contains("write the file"), "{standby:?} {file:?}");
        assert_eq!(of("SQLITE", "DISK_FULL").outcome, Outcome::Bad);
    }

    #[test]
    fn a_workers_token_is_no_persons() {
        let who = |kind: &str, role: &str| pb::WhoAmIResponse {
            kind: kind.to_owned(),
            role: role.to_owned(),
            ..Default::default()
        };
        assert_eq!(identity(&who("WORKER", "")).outcome, Outcome::Bad);
        assert_eq!(identity(&who("USER", "VIEWER")).outcome, Outcome::Good);
    }
}
