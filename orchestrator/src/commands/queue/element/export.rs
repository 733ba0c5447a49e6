//! `queue element export`: a queue's elements as CSV or JSON lines, page by page.

use clap::Args;
use orchestrator_core::queue::ElementStatus;
use orchestrator_proto::v1 as pb;

use super::super::known;
use crate::app::App;
use crate::arguments::element_status;
use crate::error::Result;
use crate::output::{FileForm, file_time, stdout_bytes};

const PAGE: u32 = 1000;
const COLUMNS: [&str; 12] = [
    "id",
    "queue_name",
    "status",
    "reference",
    "data",
    "message",
    "created_by",
    "created_date",
    "start_date",
    "end_date",
    "job_id",
    "attempt",
];

#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// The queue.
    queue: String,
    /// Only elements of this status. May be repeated.
    #[arg(long = "status", value_name = "STATUS", value_parser = element_status)]
    statuses: Vec<ElementStatus>,
    /// The form.
    #[arg(long, value_enum, value_name = "FORM", default_value = "jsonl")]
    format: FileForm,
}

pub(super) async fn export(app: &App, args: ExportArgs) -> Result {
    let client = app.connect().await?;
    let statuses: Vec<String> = args.statuses.iter().map(ToString::to_string).collect();
    let mut cursor = String::new();
    // Before the first byte: what is printed is a file.
    known::expect(&client, &args.queue).await?;
    stdout_bytes(&args.format.header(&COLUMNS)?)?;
    loop {
        let request = pb::ListElementsRequest {
            queue_name: args.queue.clone(),
            page: Some(pb::Page { limit: PAGE, cursor }),
            statuses: statuses.clone(),
            ..pb::ListElementsRequest::default()
        };
        let reply = client.queues().list(request).await?.into_inner();
        stdout_bytes(&args.format.rows(&reply.elements, record)?)?;
        if reply.next_cursor.is_empty() {
            return Ok(());
        }
        cursor = reply.next_cursor;
    }
}

fn record(element: &pb::QueueElement) -> [String; 12] {
    let time = |wire: &Option<prost_types::Timestamp>| file_time(wire.as_ref());
    [
        element.id.clone(),
        element.queue_name.clone(),
        element.status.clone(),
        element.reference().to_owned(),
        element.data().to_owned(),
        element.message().to_owned(),
        element.created_by().to_owned(),
        time(&element.created_date),
        time(&element.start_date),
        time(&element.end_date),
        element.job_id.clone(),
        element.attempt.to_string(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_element_survives_both_forms() {
        let element = pb::QueueElement {
            id: "1".to_owned(),
            status: "NEW".to_owned(),
            data: Some("a,\"b\"\nc".to_owned()),
            created_date: Some(crate::arguments::time_to_wire("2026-11-22T12:00:00Z".parse().unwrap())),
            ..pb::QueueElement::default()
        };
        let csv = String::from_utf8(FileForm::Csv.rows(std::slice::from_ref(&element), record).unwrap()).unwrap();
        assert_eq!(csv, "1,,NEW,,\"a,\"\"b\"\"\nc\",,,2026-11-22T12:00:00Z,,,,0\n");
        let json = String::from_utf8(FileForm::Jsonl.rows(&[element], record).unwrap()).unwrap();
        assert!(json.contains(r#""data":"a,\"b\"\nc""#) && json.ends_with("}\n"), "{json}");
    }
}
