//! `queue element export`: a queue's elements as CSV or JSON lines, page by page.

use chrono::SecondsFormat;
use clap::Args;
use orchestrator_core::queue::ElementStatus;
use orchestrator_proto::v1 as pb;

use super::import::FileFormat;
use crate::app::App;
use crate::arguments::element_status;
use crate::error::{CliError, Result};
use crate::output::{instant, stdout_bytes, to_line};

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
    format: FileFormat,
}

pub(super) async fn export(app: &App, args: ExportArgs) -> Result {
    let client = app.connect().await?;
    let statuses: Vec<String> = args.statuses.iter().map(ToString::to_string).collect();
    let mut cursor = String::new();
    if args.format == FileFormat::Csv {
        stdout_bytes(&csv_bytes(|writer| writer.write_record(COLUMNS))?)?;
    }
    loop {
        let request = pb::ListElementsRequest {
            queue_name: args.queue.clone(),
            page: Some(pb::Page { limit: PAGE, cursor }),
            statuses: statuses.clone(),
            ..pb::ListElementsRequest::default()
        };
        let reply = client.queues().list(request).await?.into_inner();
        stdout_bytes(&page(args.format, &reply.elements)?)?;
        if reply.next_cursor.is_empty() {
            return Ok(());
        }
        cursor = reply.next_cursor;
    }
}

fn page(format: FileFormat, elements: &[pb::QueueElement]) -> Result<Vec<u8>> {
    match format {
        FileFormat::Csv => {
            csv_bytes(|writer| elements.iter().try_for_each(|element| writer.write_record(record(element))))
        }
        FileFormat::Jsonl => {
            let mut text = String::new();
            for element in elements {
                text.push_str(&to_line(element)?);
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

fn record(element: &pb::QueueElement) -> [String; 12] {
    let time = |wire: &Option<prost_types::Timestamp>| {
        instant(wire.as_ref()).map(|at| at.to_rfc3339_opts(SecondsFormat::AutoSi, true)).unwrap_or_default()
    };
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
        let csv = String::from_utf8(page(FileFormat::Csv, std::slice::from_ref(&element)).unwrap()).unwrap();
        assert_eq!(csv, "1,,NEW,,\"a,\"\"b\"\"\nc\",,,2026-11-22T12:00:00Z,,,,0\n");
        let json = String::from_utf8(page(FileFormat::Jsonl, &[element]).unwrap()).unwrap();
        assert!(json.contains(r#""data":"a,\"b\"\nc""#) && json.ends_with("}\n"), "{json}");
    }
}
