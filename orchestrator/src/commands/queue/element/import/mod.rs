//! `queue element import`.

mod file;
mod upload;

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use orchestrator_proto::rows::{Encoding, Ids, Reading, Rows};

use self::upload::{messages, upload};
use super::super::known;
use crate::app::App;
use crate::call::repeatable;
use crate::error::{CliError, Result};
use crate::output::{FileForm, Progress};

#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// The queue.
    queue: String,
    /// The file, or - for standard input. Fields: reference, data, created_by. What an export has beside them is left out, and
    /// told. Cells of CSV are separated as its header is: by commas, semicolons or tabs.
    file: PathBuf,
    /// The file's form; by its name unless given.
    #[arg(long, value_enum, value_name = "FORM")]
    format: Option<FileForm>,
    /// How the file's letters are encoded; UTF-8 unless given or marked in the file. Excel's "CSV" is windows-1252.
    #[arg(long, value_enum, value_name = "ENCODING")]
    encoding: Option<TextEncoding>,
    /// Give the elements the ids of the file, as when they move to another server; refused where one is there already.
    #[arg(long)]
    keep_ids: bool,
    /// Take references of CSV that look like numbers which a spreadsheet has shortened (5,7E+11) as they are.
    #[arg(long)]
    allow_scientific: bool,
}

impl ImportArgs {
    fn reading(&self) -> Reading {
        let ids = if self.keep_ids { Ids::Kept } else { Ids::New };
        Reading { ids, takes_shortened: self.allow_scientific }
    }
}

/// What the bytes of a file mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum TextEncoding {
    /// What nearly everything writes.
    #[value(name = "utf-8", alias = "utf8")]
    Utf8,
    /// What Excel writes as "CSV" in Western Europe.
    #[value(name = "windows-1252", alias = "latin1", alias = "iso-8859-1")]
    Windows1252,
}

impl From<TextEncoding> for Encoding {
    fn from(encoding: TextEncoding) -> Self {
        match encoding {
            TextEncoding::Utf8 => Self::Utf8,
            TextEncoding::Windows1252 => Self::Windows1252,
        }
    }
}

pub(super) async fn import(app: &App, args: ImportArgs) -> Result {
    let rows = file::usable_rows(&args)?;
    tell_what_is_left_out(app, &args, &rows);
    confirm_repeated(app, &args, &rows)?;
    let Rows { elements, lines, .. } = rows;
    let client = app.connect_for_upload().await?;
    let new = known::is_new(&client, &args.queue).await?;
    let count = elements.len();
    let messages = messages(&args.queue, elements);
    let send = async |repeat| {
        let progress = Progress::new("Sending", count, app.printer.is_for_people());
        client.queues().bulk_create(tokio_stream::iter(upload(messages.clone(), repeat, progress))).await
    };
    // Ids of the file may have been there before: a second try could not tell them from those that the first one added.
    let reply = if args.keep_ids {
        send(false).await.map(tonic::Response::into_inner).map_err(CliError::from)
    } else {
        repeatable(send).await
    };
    let reply = reply.map_err(|error| in_line(error, args.keep_ids, &lines))?;
    if let Some(new) = new {
        new.tell(app);
    }
    let created = reply.created_count;
    app.printer.done(&reply, &created.to_string(), &format!("Elements added to queue \"{}\": {created}.", args.queue))
}

fn tell_what_is_left_out(app: &App, args: &ImportArgs, rows: &Rows) {
    if !rows.left_out.is_empty() {
        let names = rows.left_out.iter().copied().collect::<Vec<_>>().join(", ");
        let ids = if args.keep_ids { "" } else { ", with an id of its own" };
        app.printer.note(&format!("Left out: {names}. Each row becomes a new element{ids}."));
    }
    if rows.blank_count > 0 {
        app.printer.note(&format!("Rows without any value are no elements: {} left out.", rows.blank_count));
    }
}

/// What an export says is done, under way or still to come would be worked on twice.
fn confirm_repeated(app: &App, args: &ImportArgs, rows: &Rows) -> Result {
    let Some(repeated) = rows.repeated_in_words() else { return Ok(()) };
    app.confirm(&format!(
        "{} says that elements are neither failed nor abandoned ({}): add each of them to queue \"{}\" once more?",
        args.file.display(),
        repeated,
        args.queue
    ))
}

/// A refusal that is about one of the elements, with the line that it stands in.
fn in_line(error: CliError, keeps_ids: bool, lines: &[u64]) -> CliError {
    let CliError::Refused(mut refusal) = error else { return error };
    if keeps_ids && refusal.kind == tonic::Code::AlreadyExists {
        "an element with one of the file's ids is there already; nothing was added. Without --keep-ids each row becomes a new one"
            .clone_into(&mut refusal.message);
    }
    let index = refusal.metadata.get("index").and_then(|index| index.parse::<usize>().ok());
    if let Some(line) = index.and_then(|index| lines.get(index)) {
        refusal.message = format!("line {line}: {}; nothing was added", refusal.message);
        refusal.metadata.insert("line".to_owned(), line.to_string());
    }
    CliError::Refused(refusal)
}
