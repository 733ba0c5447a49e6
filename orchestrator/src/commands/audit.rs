//! `audit`: who did what.

use clap::{Args, Subcommand};
use orchestrator_proto::v1 as pb;

use crate::app::App;
use crate::arguments::{Bound, Paging, pages};
use crate::error::Result;
use crate::output::{FileForm, file_time, stdout_bytes};

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
        format: FileForm,
    },
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
    /// Not before this time, as 8h (so long ago), '2026-11-22 12:00' or 2026-11-22T11:00:00Z.
    #[arg(long, value_name = "TIME")]
    since: Option<Bound>,
    /// Before this time.
    #[arg(long, value_name = "TIME")]
    until: Option<Bound>,
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

async fn export(app: &App, request: &pb::ListAuditRequest, format: FileForm) -> Result {
    let client = app.connect().await?;
    let mut cursor = String::new();
    stdout_bytes(&format.header(&COLUMNS)?)?;
    loop {
        let page = Some(pb::Page { limit: PAGE, cursor });
        let reply = client.admin().list_audit(pb::ListAuditRequest { page, ..request.clone() }).await?.into_inner();
        stdout_bytes(&format.rows(&reply.entries, record)?)?;
        if reply.next_cursor.is_empty() {
            return Ok(());
        }
        cursor = reply.next_cursor;
    }
}

fn record(entry: &pb::AuditEntry) -> [String; 9] {
    [
        entry.id.clone(),
        file_time(entry.at.as_ref()),
        entry.actor_kind.clone(),
        entry.actor.clone(),
        entry.action.clone(),
        entry.subject_kind.clone(),
        entry.subject.clone(),
        entry.before.clone(),
        entry.after.clone(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_survives_all_forms_and_no_name_becomes_a_formula_in_a_spreadsheet() {
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
        let csv = String::from_utf8(FileForm::Csv.rows(std::slice::from_ref(&entry), record).unwrap()).unwrap();
        assert_eq!(
            csv,
            "1,2026-11-22T12:00:00Z,USER,\"=HYPERLINK(\"\"x\"\")\",user.update,user,\"a,b\",,\"{\"\"role\"\":\"\"ADMIN\"\"}\"\n"
        );
        let excel = String::from_utf8(FileForm::Excel.rows(std::slice::from_ref(&entry), record).unwrap()).unwrap();
        assert!(excel.contains(";\"'=HYPERLINK(\"\"x\"\")\";") && excel.ends_with(";yes\r\n"), "{excel}");
        let json = String::from_utf8(FileForm::Jsonl.rows(&[entry], record).unwrap()).unwrap();
        assert!(json.contains(r#""actor":"=HYPERLINK(\"x\")""#) && json.ends_with("}\n"), "{json}");
    }
}
