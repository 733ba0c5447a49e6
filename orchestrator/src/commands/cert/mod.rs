//! `cert`: a certificate authority of one's own, for a server and those who connect to it.

mod files;
mod init_ca;
mod issue;
mod show;

use std::path::PathBuf;

use chrono::TimeDelta;
use clap::{Args, Subcommand};
use orchestrator_core::clock::Timestamp;
use time::OffsetDateTime;

use crate::app::App;
use crate::error::{CliError, Result};

/// Clocks of other machines may be behind.
const BACKDATED: TimeDelta = TimeDelta::hours(1);

#[derive(Debug, Subcommand)]
pub(crate) enum CertCommand {
    /// Makes a certificate authority: ca.pem, which clients and workers trust, and ca.key, which signs. Never overwrites one.
    InitCa(InitCa),
    /// Makes a certificate and its key for a server, signed by the certificate authority.
    Issue(Issue),
    /// Prints what certificates say: names, validity, fingerprint. Warns of those that end soon.
    Show {
        /// A file with certificates (PEM).
        file: PathBuf,
    },
}

#[derive(Debug, Args)]
pub(crate) struct InitCa {
    /// The folder for both files; made for you alone where it is not there.
    #[arg(long, value_name = "FOLDER", default_value = "certificates")]
    out: PathBuf,
    /// What it is called in its certificate.
    #[arg(long, value_name = "TEXT", default_value = "Orchestrator CA")]
    name: String,
    /// How long it is good for.
    #[arg(long, value_name = "N", default_value_t = 3650, value_parser = clap::value_parser!(u16).range(1..=7300))]
    days: u16,
}

#[derive(Debug, Args)]
pub(crate) struct Issue {
    /// By what the server is reached: host names and addresses, such as robots.example.org 10.0.0.5. The first names the files.
    #[arg(value_name = "NAME", required = true)]
    names: Vec<String>,
    /// The folder with ca.pem and ca.key.
    #[arg(long, value_name = "FOLDER", default_value = "certificates")]
    ca: PathBuf,
    /// The folder for certificate and key; that of the authority unless given.
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// How long it is good for; never longer than the authority.
    #[arg(long, value_name = "N", default_value_t = 365, value_parser = clap::value_parser!(u16).range(1..=3650))]
    days: u16,
    /// Replace certificate and key where they are there already, as for a renewal.
    #[arg(long)]
    replace: bool,
}

pub(crate) fn run(command: CertCommand, app: &App) -> Result {
    match command {
        CertCommand::InitCa(args) => init_ca::run(&args, app),
        CertCommand::Issue(args) => issue::run(&args, app),
        CertCommand::Show { file } => show::run(&file, app),
    }
}

/// From a little before now to so many days after.
fn validity(now: Timestamp, days: u16) -> (Timestamp, Timestamp) {
    (now - BACKDATED, now + TimeDelta::days(days.into()))
}

fn in_certificate(at: Timestamp) -> Result<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp(at.timestamp()).map_err(|_| CliError::usage("no certificate lasts that long"))
}

/// A certificate could not be made. `action` completes "could not …".
fn failed(action: &'static str) -> impl FnOnce(rcgen::Error) -> CliError {
    move |source| CliError::Certificate { action, why: source.to_string() }
}
