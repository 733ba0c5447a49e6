//! `audit`: who did what.

use chrono::SecondsFormat;
use clap::{Args, Subcommand, ValueEnum};
use orchestrator_proto::v1 as pb;

use crate::app::App;
use crate::arguments::{Moment, Paging, pages};
use crate::error::{CliError, Result};
use crate::output::{instant, stdout_bytes, to_line};

/// The most entries the server gives at once.
const PAGE: u32 = 1000;
const COLUMNS: [&str; 9] = ["id", "at", "actor_kind", "actor", "action", "subject_kind", "subject", "before", "after"];

#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// Lists entries, newest first.
    List {
        #[command(flatten)]
        filter: Filter,
        #[command(flatten)]
        paging: Paging,
    },
    /// Prints entries as CSV or JSON lines, newest first, all of them.
    Export {
        #[command(flatten)]
        filter: Filter,
        /// The form.
        #[arg(long, value_enum, value_name = "FORM", default_value = "jsonl")]
        format: ExportFormat,
    },
}

/// The form of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExportFormat {
    /// Comma-separated values, with a header.
    Csv,
    /// One JSON object a line.
    Jsonl,
}

#[derive(Debug, Args)]
pub(crate) struct Filter {
    /// Only what this user, worker or robot did.
    #[arg(long, value_name = "NAME", default_value_t, hide_default_value = true)]
    actor: String,
    /// Only this, such as trigger.create; a part up to a dot fits all of it: trigger, credential, user.
    #[arg(long, value_name = "ACTION", default_value_t, hide_default_value = true)]
    action: String,
    /// Only what was done to the thing with this name or id.
    #[arg(long, value_name = "NAME", default_value_t, hide_default_value = true)]
    subject: String,
    /// Not before this time (RFC 3339, or `now`).
    #[arg(long, value_name = "TIME")]
    since: Option<Moment>,
    /// Before this time.
    #[arg(long, value_name = "TIME")]
    until: Option<Moment>,
    /// Only entries with this text in a name or in what changed.
    #[arg(long, value_name = "TEXT", default_value_t, hide_default_value = true)]
    search: String,
}

impl Filter {
    fn request(self, app: &App) -> pb::ListAuditRequest {
        pb::ListAuditRequest {
            page: None,
            actor: self.actor,
            action: self.action,
            subject: self.subject,
            since: self.since.map(|at| at.resolve(app.now)),
            until: self.until.map(|at| at.resolve(app.now)),
            search: self.search,
        }
    }
}

pub(crate) async fn run(command: AuditCommand, app: &App) -> Result {
    match command {
        AuditCommand::List { filter, paging } => list(app, &filter.request(app), &paging).await,
        AuditCommand::Export { filter, format } => export(app, &filter.request(app), format).await,
    }
}

async fn list(app: &App, request: &pb::ListAuditRequest, paging: &Paging) -> Result {
    let client = app.connect().await?;
    let (entries, next_cursor) = pages(paging, async |page| {
        let reply = client.admin().list_audit(pb::ListAuditRequest { page: Some(page), ..request.clone() }).await?;
        let reply = reply.into_inner();
        Ok((reply.entries, reply.next_cursor))
    })
    .await?;
    app.printer.list(&pb::ListAuditResponse { entries, next_cursor })
}

async fn export(app: &App, request: &pb::ListAuditRequest, format: ExportFormat) -> Result {
    let client = app.connect().await?;
    let mut cursor = String::new();
    if format == ExportFormat::Csv {
        stdout_bytes(&csv_bytes(|writer| writer.write_record(COLUMNS))?)?;
    }
    loop {
        let page = Some(pb::Page { limit: PAGE, cursor });
        let reply = client.admin().list_audit(pb::ListAuditRequest { page, ..request.clone() }).await?.into_inner();
        stdout_bytes(&written(format, &reply.entries)?)?;
        if reply.next_cursor.is_empty() {
            return Ok(());
        }
        cursor = reply.next_cursor;
    }
}

fn written(format: ExportFormat, entries: &[pb::AuditEntry]) -> Result<Vec<u8>> {
    match format {
        ExportFormat::Csv => {
            csv_bytes(|writer| entries.iter().try_for_each(|entry| writer.write_record(record(entry))))
        }
        ExportFormat::Jsonl => {
            let mut text = String::new();
            for entry in entries {
                text.push_str(&to_line(entry)?);
                text.push('\n');
            }
            Ok(text.into_bytes())
        }
    }
}

fn csv_bytes(write: impl FnOnce(&mut csv::Writer<Vec<u8>>) -> csv::Result<()>) -> Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    write(&mut writer).map_err(|error| CliError::Terminal(std::io::Error::other(error)))?;
    writer.into_inner().map_err(|error| CliError::Terminal(error.into_error()))
}

fn record(entry: &pb::AuditEntry) -> [String; 9] {
    let at = instant(entry.at.as_ref()).map(|at| at.to_rfc3339_opts(SecondsFormat::AutoSi, true)).unwrap_or_default();
    [
        entry.id.clone(),
        at,
        entry.actor_kind.clone(),
        safe(&entry.actor),
        entry.action.clone(),
        entry.subject_kind.clone(),
        safe(&entry.subject),
        entry.before.clone(),
        entry.after.clone(),
    ]
}

/// A name that a spreadsheet would take for a formula begins with an apostrophe.
fn safe(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_survives_both_forms_and_no_name_becomes_a_formula() {
        let entry = pb::AuditEntry {
            id: "1".to_owned(),
            at: Some(crate::arguments::time_to_wire("2026-11-22T12:00:00Z".parse().unwrap())),
            actor_kind: "USER".to_owned(),
            actor: "=HYPERLINK(\"x\")".to_owned(),
            action: "user.update".to_owned(),
            subject_kind: "user".to_owned(),
            subject: "a,b".to_owned(),
            before: String::new(),
            after: "{\"role\":\"ADMIN\"}".to_owned(),
        };
        let csv = String::from_utf8(written(ExportFormat::Csv, std::slice::from_ref(&entry)).unwrap()).unwrap();
        assert_eq!(
            csv,
            "1,2026-11-22T12:00:00Z,USER,\"'=HYPERLINK(\"\"x\"\")\",user.update,user,\"a,b\",,\"{\"\"role\"\":\"\"ADMIN\"\"}\"\n"
        );
        let json = String::from_utf8(written(ExportFormat::Jsonl, &[entry]).unwrap()).unwrap();
        assert!(json.contains(r#""actor":"=HYPERLINK(\"x\")""#) && json.ends_with("}\n"), "{json}");
    }
}
