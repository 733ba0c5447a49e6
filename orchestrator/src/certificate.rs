//! What certificates say of themselves, and what is to be done before they end.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use chrono::{DateTime, TimeDelta, Utc};
use orchestrator_core::clock::Timestamp;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::pem::Pem;

/// From when on people are warned: who renews by hand needs some days.
const SOON: TimeDelta = TimeDelta::days(14);

/// When a certificate ends, seen from an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Remaining {
    /// Not soon.
    Long,
    /// Within two weeks.
    Soon,
    /// It has ended.
    Over,
}

/// How much is left of a certificate that ends at an instant.
pub(crate) fn remaining(until: Timestamp, now: Timestamp) -> Remaining {
    match until - now {
        left if left <= TimeDelta::zero() => Remaining::Over,
        left if left <= SOON => Remaining::Soon,
        _ => Remaining::Long,
    }
}

/// The day on which something ends that ends at an instant, and how far that is.
pub(crate) fn end_in_words(until: Timestamp, now: Timestamp) -> String {
    let day = until.format("%Y-%m-%d");
    match (remaining(until, now), (until - now).num_days()) {
        (Remaining::Over, _) => format!("ended on {day}"),
        (_, 0) => format!("ends on {day}, within a day"),
        (_, 1) => format!("ends on {day}, in 1 day"),
        (_, days) => format!("ends on {day}, in {days} days"),
    }
}

/// A certificate of a server, or of what signed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ending {
    pub(crate) subject: String,
    /// By what the server is reached; none of an authority.
    names: Vec<String>,
    is_authority: bool,
    pub(crate) until: Timestamp,
    /// Where it is.
    file: PathBuf,
}

impl Ending {
    /// The certificate of a file that ends first. What is no certificate is passed over.
    pub(crate) fn first_of(file: &Path) -> Result<Self, UnreadCertificate> {
        let unread = |why: String| UnreadCertificate { file: file.to_owned(), why };
        let content = std::fs::read(file).map_err(|error| unread(error.to_string()))?;
        let certificates = Self::all(&content, file).map_err(unread)?;
        let first = certificates.into_iter().min_by_key(|certificate| certificate.until);
        first.ok_or_else(|| unread("it has no certificate in it".to_owned()))
    }

    fn all(content: &[u8], file: &Path) -> Result<Vec<Self>, String> {
        let mut certificates = Vec::new();
        for pem in Pem::iter_from_buffer(content) {
            let pem = pem.map_err(|error| error.to_string())?;
            if pem.label == "CERTIFICATE" {
                certificates.push(Self::of(&pem.parse_x509().map_err(|error| error.to_string())?, file));
            }
        }
        Ok(certificates)
    }

    fn of(parsed: &X509Certificate<'_>, file: &Path) -> Self {
        Self {
            subject: parsed.subject().to_string(),
            names: names(parsed),
            is_authority: parsed.is_ca(),
            until: instant(parsed.validity().not_after.timestamp()),
            file: file.to_owned(),
        }
    }

    /// What is said of it: the certificate of whom ends when.
    pub(crate) fn in_words(&self, now: Timestamp) -> String {
        let kind = if self.is_authority { "certificate authority" } else { "certificate of" };
        format!("the {kind} {} {}", self.subject, end_in_words(self.until, now))
    }

    /// What makes another one.
    pub(crate) fn renewal(&self) -> String {
        renewal(&self.names, self.is_authority, &self.file)
    }
}

/// What renews a certificate of which only its end is known.
pub(crate) const RENEW: &str = "where its authority's ca.key lies: orchestrator cert issue NAME… --ca FOLDER --replace, with all its names; \
                                give the server both files, and restart it";

const HAND_OVER: &str = "give the server both files, and restart it";

/// What renews a certificate with these names in this file.
pub(crate) fn renewal(names: &[String], is_authority: bool, file: &Path) -> String {
    if is_authority {
        return "make another authority in a new folder: orchestrator cert init-ca --out FOLDER, then orchestrator cert issue NAME… \
                --ca FOLDER with all names of the server; give its ca.pem to those who connect, and restart the server"
            .to_owned();
    }
    let (place, folder) = match file.parent().filter(|folder| folder.join("ca.key").exists()) {
        Some(folder) => ("", folder),
        None => (" where its authority's ca.key lies", Path::new("FOLDER")),
    };
    format!("renew it{place}: {}; {HAND_OVER}", issue_command(names, folder))
}

/// The command that renews a certificate with these names, by the authority of a folder.
pub(crate) fn issue_command(names: &[String], ca: &Path) -> String {
    let quoted = |name: &String| if name.starts_with('*') { format!("'{name}'") } else { name.clone() };
    let names: Vec<String> = names.iter().map(quoted).collect();
    let names = if names.is_empty() { "NAME…".to_owned() } else { names.join(" ") };
    let ca = if ca.as_os_str().is_empty() { Path::new(".") } else { ca };
    format!("orchestrator cert issue {names} --ca {} --replace", ca.display())
}

/// The names of the certificate in a file; none where it cannot be read.
pub(crate) fn names_in(file: &Path) -> Vec<String> {
    let certificates = std::fs::read(file).ok().and_then(|content| Ending::all(&content, file).ok());
    certificates.and_then(|all| all.into_iter().next()).map(|first| first.names).unwrap_or_default()
}

/// A file of certificates that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{} cannot be read: {why}", file.display())]
pub(crate) struct UnreadCertificate {
    file: PathBuf,
    why: String,
}

/// The names and addresses that a certificate is for.
pub(crate) fn names(parsed: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(extension)) = parsed.subject_alternative_name() else { return Vec::new() };
    let name = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(name) => (*name).to_owned(),
        GeneralName::IPAddress(bytes) => address(bytes).map_or_else(|| name.to_string(), |ip| ip.to_string()),
        other => other.to_string(),
    };
    extension.value.general_names.iter().map(name).collect()
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from)).ok()
}

/// An instant of a certificate, in seconds since 1970.
pub(crate) fn instant(seconds: i64) -> Timestamp {
    DateTime::<Utc>::from_timestamp(seconds, 0).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, IsCa, KeyPair};
    use time::OffsetDateTime;

    use super::*;

    fn now() -> Timestamp {
        "2026-11-22T12:00:00Z".parse().unwrap()
    }

    /// A certificate that ends so many days from now.
    fn pem(names: &[&str], is_ca: IsCa, days: i64) -> String {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.is_ca = is_ca;
        params.not_before = OffsetDateTime::from_unix_timestamp((now() - TimeDelta::days(900)).timestamp()).unwrap();
        params.not_after = OffsetDateTime::from_unix_timestamp((now() + TimeDelta::days(days)).timestamp()).unwrap();
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().pem()
    }

    #[test]
    fn people_are_warned_two_weeks_before_it_ends_and_for_ever_after() {
        let second = TimeDelta::seconds(1);
        for (left, expected) in [
            (TimeDelta::days(14) + second, Remaining::Long),
            (TimeDelta::days(14), Remaining::Soon),
            (second, Remaining::Soon),
            (TimeDelta::zero(), Remaining::Over),
            (TimeDelta::days(-300), Remaining::Over),
        ] {
            assert_eq!(remaining(now() + left, now()), expected, "{left}");
        }
    }

    #[test]
    fn the_end_is_told_with_its_day() {
        for (hours, expected) in [
            (24 * 9 + 1, "ends on 2026-12-01, in 9 days"),
            (25, "ends on 2026-11-23, in 1 day"),
            (3, "ends on 2026-11-22, within a day"),
            (-24, "ended on 2026-11-21"),
        ] {
            assert_eq!(end_in_words(now() + TimeDelta::hours(hours), now()), expected);
        }
    }

    #[test]
    fn the_one_of_a_chain_that_ends_first_is_told_with_what_renews_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("chain.pem");
        let of_server = |days| pem(&["robots.example.org", "10.0.0.5"], IsCa::ExplicitNoCa, days);
        let of_authority = |days| pem(&[], IsCa::Ca(rcgen::BasicConstraints::Unconstrained), days);
        let first = |server, authority| {
            std::fs::write(&file, of_server(server) + &of_authority(authority)).unwrap();
            Ending::first_of(&file).unwrap()
        };
        let server = first(9, 400);
        let words = server.in_words(now());
        assert!(
            words.starts_with("the certificate of ") && words.ends_with("ends on 2026-12-01, in 9 days"),
            "{words}"
        );
        let command = |ca: &str| format!("orchestrator cert issue robots.example.org 10.0.0.5 --ca {ca} --replace");
        assert!(server.renewal().contains(&command("FOLDER")), "{}", server.renewal());
        std::fs::write(folder.path().join("ca.key"), "").unwrap();
        assert!(server.renewal().contains(&command(&folder.path().display().to_string())), "{}", server.renewal());
        let authority = first(300, -1);
        assert!(authority.in_words(now()).starts_with("the certificate authority "));
        assert!(authority.in_words(now()).ends_with("ended on 2026-11-21"));
        assert!(authority.renewal().contains("orchestrator cert init-ca"));
    }

    #[test]
    fn a_command_with_a_name_that_a_shell_would_expand_has_quotes() {
        let command = issue_command(&["*.example.org".to_owned(), "::1".to_owned()], Path::new(""));
        assert_eq!(command, "orchestrator cert issue '*.example.org' ::1 --ca . --replace");
    }

    #[test]
    fn a_file_without_certificates_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("server.key");
        std::fs::write(&file, KeyPair::generate().unwrap().serialize_pem()).unwrap();
        let error = Ending::first_of(&file).unwrap_err().to_string();
        assert!(error.contains("server.key") && error.contains("no certificate"), "{error}");
    }
}
