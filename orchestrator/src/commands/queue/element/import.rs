//! `queue element import`.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::Args;
use orchestrator_proto::rows::{self, Rows};
use orchestrator_proto::v1 as pb;
use prost::Message as _;

use crate::app::App;
use crate::call::repeatable;
use crate::error::{CliError, Result};
use crate::output::{FileForm, Progress};

/// What the server takes at most; semantics.md 5.5.
const MOST_ELEMENTS: usize = 100_000;
const MOST_BYTES: usize = 256 << 20;
/// One message of the upload: few enough bytes for every server's limit.
const MESSAGE_ELEMENTS: usize = 500;
const MESSAGE_BYTES: usize = 1 << 20;

#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// The queue.
    queue: String,
    /// The file, or - for standard input. Fields: reference, data, created_by.
    file: PathBuf,
    /// The file's form; by its name unless given.
    #[arg(long, value_enum, value_name = "FORM")]
    format: Option<FileForm>,
}

pub(super) async fn import(app: &App, args: ImportArgs) -> Result {
    let format = format_of(&args)?;
    let rows = read(&args.file, format)?;
    let elements = usable(&args.file, rows)?;
    let client = app.connect_for_upload().await?;
    let count = elements.len();
    let messages = messages(&args.queue, elements);
    let reply = repeatable(async |repeat| {
        let progress = Progress::new("Sending", count, app.printer.is_for_people());
        client.queues().bulk_create(tokio_stream::iter(upload(messages.clone(), repeat, progress))).await
    })
    .await?;
    let created = reply.created_count;
    app.printer.done(&reply, &created.to_string(), &format!("Elements added to queue \"{}\": {created}.", args.queue))
}

fn format_of(args: &ImportArgs) -> Result<FileForm> {
    let by_name = || match args.file.extension()?.to_str()?.to_lowercase().as_str() {
        "csv" => Some(FileForm::Csv),
        "jsonl" | "ndjson" => Some(FileForm::Jsonl),
        _ => None,
    };
    args.format.or_else(by_name).ok_or_else(|| CliError::Usage {
        message: format!("the form of {} cannot be told by its name", args.file.display()),
        next: Some("name it with --format csv or --format jsonl".to_owned()),
    })
}

fn read(path: &Path, format: FileForm) -> Result<Rows> {
    let mut bytes = Vec::new();
    if path == Path::new("-") {
        std::io::stdin().lock().read_to_end(&mut bytes)?;
    } else {
        bytes = std::fs::read(path).map_err(CliError::file("read", path))?;
    }
    match format {
        FileForm::Csv => Ok(rows::of_csv(bytes.as_slice())),
        FileForm::Jsonl => match std::str::from_utf8(&bytes) {
            Ok(text) => Ok(rows::of_json_lines(text)),
            Err(error) => Err(CliError::usage(format!("{} is not UTF-8: {error}", path.display()))),
        },
    }
}

/// All rows, or the reasons why not.
fn usable(path: &Path, rows: Rows) -> Result<Vec<pb::NewElement>> {
    if !rows.errors.is_empty() {
        return Err(CliError::Rows { path: path.to_owned(), row_count: rows.count(), errors: rows.errors });
    }
    if rows.elements.is_empty() {
        return Err(CliError::usage(format!("there are no rows in {}", path.display())));
    }
    let bytes: usize = rows.elements.iter().map(pb::NewElement::encoded_len).sum();
    if rows.elements.len() > MOST_ELEMENTS || bytes > MOST_BYTES {
        return Err(CliError::Usage {
            message: format!(
                "{} has {} rows and {bytes} bytes; at most {MOST_ELEMENTS} rows and {MOST_BYTES} bytes can be added at once",
                path.display(),
                rows.elements.len()
            ),
            next: Some("split the file".to_owned()),
        });
    }
    Ok(rows.elements)
}

/// Cuts the elements into messages of bounded size. The first one names the queue.
fn messages(queue: &str, elements: Vec<pb::NewElement>) -> Vec<pb::BulkCreateRequest> {
    let mut messages = vec![pb::BulkCreateRequest { queue_name: queue.to_owned(), ..Default::default() }];
    let mut bytes = 0;
    for element in elements {
        let length = element.encoded_len();
        let full = |message: &pb::BulkCreateRequest| {
            message.elements.len() >= MESSAGE_ELEMENTS
                || (bytes + length > MESSAGE_BYTES && !message.elements.is_empty())
        };
        if messages.last().is_none_or(full) {
            messages.push(pb::BulkCreateRequest::default());
            bytes = 0;
        }
        bytes += length;
        if let Some(message) = messages.last_mut() {
            message.elements.push(element);
        }
    }
    messages
}

fn upload(
    mut messages: Vec<pb::BulkCreateRequest>,
    repeat: bool,
    progress: Progress,
) -> impl Iterator<Item = pb::BulkCreateRequest> {
    if let Some(first) = messages.first_mut() {
        first.repeat = repeat;
    }
    messages.into_iter().inspect(move |message| progress.add(message.elements.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn element(data: usize) -> pb::NewElement {
        pb::NewElement { data: Some("x".repeat(data)), ..pb::NewElement::default() }
    }

    #[test]
    fn an_upload_is_cut_by_number_and_by_size_and_loses_nothing() {
        let many = messages("q", (0..1200).map(|_| element(10)).collect());
        assert_eq!(many.iter().map(|m| m.elements.len()).collect::<Vec<_>>(), [500, 500, 200]);
        assert_eq!((many[0].queue_name.as_str(), many[1].queue_name.as_str()), ("q", ""));
        let large = messages("q", (0..3).map(|_| element(600 << 10)).collect());
        assert_eq!(large.iter().map(|m| m.elements.len()).collect::<Vec<_>>(), [1, 1, 1]);
    }

    #[test]
    fn only_the_first_message_says_that_it_is_a_repetition() {
        let messages = messages("q", (0..600).map(|_| element(1)).collect());
        let sent: Vec<_> = upload(messages, true, Progress::new("Sending", 600, false)).collect();
        assert_eq!(sent.iter().map(|m| m.repeat).collect::<Vec<_>>(), [true, false]);
    }

    #[test]
    fn the_form_is_told_by_the_name_or_asked_for() {
        let args = |file: &str| ImportArgs { queue: "q".to_owned(), file: PathBuf::from(file), format: None };
        assert_eq!(format_of(&args("a.CSV")).unwrap(), FileForm::Csv);
        assert_eq!(format_of(&args("a.jsonl")).unwrap(), FileForm::Jsonl);
        assert!(format_of(&args("-")).unwrap_err().next().unwrap().contains("--format"));
    }
}
