//! `cert show`.

use std::fmt::Write as _;
use std::path::Path;

use chrono::TimeDelta;
use orchestrator_core::clock::Timestamp;
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use x509_parser::certificate::X509Certificate;
use x509_parser::pem::Pem;

use crate::app::App;
use crate::certificate::{instant, names, renewal};
use crate::error::{CliError, Result};
use crate::output::{Cell, Column, Row};

/// Who renews by hand needs some days.
const SOON: TimeDelta = TimeDelta::days(30);

/// What one certificate says.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Certificate {
    subject: String,
    issuer: String,
    is_authority: bool,
    names: Vec<String>,
    from: Timestamp,
    until: Timestamp,
    sha256: String,
    /// GOOD, SOON (ends within 30 days), OVER, or EARLY (not good yet).
    state: &'static str,
}

impl Row for Certificate {
    const COLUMNS: &'static [Column<Self>] = &[
        Column::new("Subject", |c, _| Cell::text(&c.subject)),
        Column::new("Issuer", |c, _| Cell::text(&c.issuer)),
        Column::new("Authority", |c, _| Cell::flag(c.is_authority)),
        Column::new("Names", |c, _| Cell::text(c.names.join(", "))),
        Column::new("From", |c, _| Cell::text(shown(c.from))),
        Column::new("Until", |c, _| {
            let cell = Cell::text(shown(c.until));
            if c.state == "GOOD" { cell } else { cell.alarming() }
        }),
        Column::new("State", |c, _| {
            let cell = Cell::text(c.state);
            if c.state == "GOOD" { cell } else { cell.alarming() }
        }),
        Column::new("SHA-256", |c, _| Cell::text(&c.sha256)),
    ];

    fn handle(&self) -> &str {
        &self.sha256
    }
}

fn shown(at: Timestamp) -> String {
    at.format("%Y-%m-%d %H:%M UTC").to_string()
}

pub(super) fn run(file: &Path, app: &App) -> Result {
    let content = std::fs::read(file).map_err(CliError::file("read", file))?;
    let certificates = read(&content, app.now).map_err(|why| CliError::Certificate { action: "read the file", why })?;
    if certificates.is_empty() {
        return Err(CliError::Usage {
            message: format!("{} has no certificate in it (PEM)", file.display()),
            next: Some("give the file that begins with BEGIN CERTIFICATE".to_owned()),
        });
    }
    for certificate in &certificates {
        if let Some(warning) = warning(certificate, file, app.now) {
            app.printer.note(&warning);
        }
    }
    if app.printer.is_for_people() {
        let pages: Vec<String> = certificates.iter().map(|certificate| app.printer.facts(certificate)).collect();
        return crate::output::stdout_line(&pages.join("\n\n"));
    }
    app.printer.own_list("certificates", &certificates, "")
}

/// The certificates among what is in the file; keys and the like are passed over, and never shown.
fn read(content: &[u8], now: Timestamp) -> Result<Vec<Certificate>, String> {
    let mut certificates = Vec::new();
    for pem in Pem::iter_from_buffer(content) {
        let pem = pem.map_err(|error| error.to_string())?;
        if pem.label == "CERTIFICATE" {
            let parsed = pem.parse_x509().map_err(|error| error.to_string())?;
            certificates.push(Certificate::of(&parsed, &pem.contents, now));
        }
    }
    Ok(certificates)
}

impl Certificate {
    fn of(parsed: &X509Certificate<'_>, der: &[u8], now: Timestamp) -> Self {
        let validity = parsed.validity();
        let (from, until) = (instant(validity.not_before.timestamp()), instant(validity.not_after.timestamp()));
        Self {
            subject: parsed.subject().to_string(),
            issuer: parsed.issuer().to_string(),
            is_authority: parsed.is_ca(),
            names: names(parsed),
            from,
            until,
            sha256: fingerprint(der),
            state: match () {
                () if until <= now => "OVER",
                () if now < from => "EARLY",
                () if until - now <= SOON => "SOON",
                () => "GOOD",
            },
        }
    }
}

/// As other tools print it.
fn fingerprint(der: &[u8]) -> String {
    let mut text = String::new();
    for byte in Sha256::digest(der) {
        let colon = if text.is_empty() { "" } else { ":" };
        // Writing to a text does not fail.
        let _ = write!(text, "{colon}{byte:02X}");
    }
    text
}

fn warning(certificate: &Certificate, file: &Path, now: Timestamp) -> Option<String> {
    let subject = &certificate.subject;
    let renew = renewal(&certificate.names, certificate.is_authority, file);
    match certificate.state {
        "OVER" => Some(format!("warning: the certificate of {subject} is over; {renew}")),
        "SOON" => {
            let days = (certificate.until - now).num_days();
            Some(format!("warning: the certificate of {subject} ends in {days} days; {renew}"))
        }
        "EARLY" => Some(format!("warning: the certificate of {subject} is not good yet; is the clock right?")),
        _ => None,
    }
}
