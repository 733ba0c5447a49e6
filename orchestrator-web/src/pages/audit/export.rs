//! The trail as a file: all that fits the filters, page after page, as the browser takes it.

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use chrono::SecondsFormat;
use futures_util::stream;
use http::{HeaderValue, header};
use orchestrator_proto::rows::Sheet;
use orchestrator_proto::v1;
use serde_json::json;

use super::Filter;
use crate::error::PageError;
use crate::form::Query;
use crate::times::instant;
use crate::viewer::Viewer;

const PAGE: u32 = 1000;
const COLUMNS: [&str; 9] = ["id", "at", "actor_kind", "actor", "action", "subject_kind", "subject", "before", "after"];

/// How the file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Csv,
    Jsonl,
}

/// What is still to be written.
struct Rest {
    viewer: Viewer,
    filter: Filter,
    form: Form,
    /// Where to go on; nothing at the end.
    cursor: Option<String>,
}

/// `GET /audit/export`
pub(crate) async fn show(viewer: Viewer, Query(query): Query) -> Result<Response, PageError> {
    let form = if query.text("format") == "csv" { Form::Csv } else { Form::Jsonl };
    let mut rest = Rest { viewer, filter: Filter::read(&query), form, cursor: Some(String::new()) };
    // The first page is read before anything is sent, so that a refusal is a page and no broken file.
    let mut first = Vec::new();
    if form == Form::Csv {
        first.extend_from_slice(Sheet::COMMAS.header(COLUMNS).as_bytes());
    }
    first.extend(rest.next().await?);
    let pages = stream::try_unfold(rest, async |mut rest| {
        if rest.cursor.is_none() {
            return Ok(None);
        }
        let page = rest.next().await.map_err(std::io::Error::other)?;
        Ok::<_, std::io::Error>(Some((Bytes::from(page), rest)))
    });
    let all = futures_util::StreamExt::chain(stream::once(async { Ok(Bytes::from(first)) }), pages);
    let (kind, name) = match form {
        Form::Csv => ("text/csv; charset=utf-8", "attachment; filename=\"audit.csv\""),
        Form::Jsonl => ("application/x-ndjson", "attachment; filename=\"audit.jsonl\""),
    };
    let mut response = Response::new(Body::from_stream(all));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response.headers_mut().insert(header::CONTENT_DISPOSITION, HeaderValue::from_static(name));
    Ok(response)
}

impl Rest {
    /// The next page, written.
    async fn next(&mut self) -> Result<Vec<u8>, PageError> {
        let cursor = self.cursor.take().unwrap_or_default();
        let request = self.filter.request(self.viewer.zone, PAGE, cursor);
        let answer = self.viewer.admin()?.list_audit(request).await?.into_inner();
        self.cursor = Some(answer.next_cursor).filter(|cursor| !cursor.is_empty());
        let mut text = String::new();
        for entry in &answer.entries {
            text.push_str(&match self.form {
                Form::Csv => csv(entry),
                Form::Jsonl => jsonl(entry),
            });
        }
        Ok(text.into_bytes())
    }
}

fn time(entry: &v1::AuditEntry) -> String {
    instant(entry.at).map(|at| at.to_rfc3339_opts(SecondsFormat::AutoSi, true)).unwrap_or_default()
}

fn csv(entry: &v1::AuditEntry) -> String {
    Sheet::COMMAS.line([
        entry.id.as_str(),
        &time(entry),
        &entry.actor_kind,
        &entry.actor,
        &entry.action,
        &entry.subject_kind,
        &entry.subject,
        &entry.before,
        &entry.after,
    ])
}

fn jsonl(entry: &v1::AuditEntry) -> String {
    let document = |text: &str| serde_json::from_str::<serde_json::Value>(text).ok();
    let line = json!({
        "id": entry.id,
        "at": time(entry),
        "actorKind": entry.actor_kind,
        "actor": entry.actor,
        "action": entry.action,
        "subjectKind": entry.subject_kind,
        "subject": entry.subject,
        "before": document(&entry.before),
        "after": document(&entry.after),
    });
    format!("{line}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_one_line_and_no_name_becomes_a_formula() {
        let entry = v1::AuditEntry {
            id: "1".to_owned(),
            at: Some(prost_types::Timestamp { seconds: 1_800_000_000, nanos: 0 }),
            actor_kind: "USER".to_owned(),
            actor: "=cmd()".to_owned(),
            action: "user.update".to_owned(),
            subject_kind: "user".to_owned(),
            subject: "a,b\n".to_owned(),
            before: String::new(),
            after: r#"{"role":"ADMIN"}"#.to_owned(),
        };
        assert_eq!(
            csv(&entry),
            "1,2027-01-15T08:00:00Z,USER,'=cmd(),user.update,user,\"a,b\n\",,\"{\"\"role\"\":\"\"ADMIN\"\"}\",yes\r\n"
        );
        let line: serde_json::Value = serde_json::from_str(&jsonl(&entry)).unwrap();
        assert_eq!((&line["after"]["role"], &line["before"]), (&json!("ADMIN"), &json!(null)));
    }
}
