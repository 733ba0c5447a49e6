//! The one place that writes to standard output and standard error.

use std::io::Write as _;

use super::choice::Format;
use super::column::Column;
use super::json::{self, Reply};
use super::look::Look;
use super::{sentence, table};
use crate::error::{CliError, Result};

/// Something that is shown as a row of a list and as a page of facts.
pub(crate) trait Row: Sized + 'static {
    /// The columns of a list.
    const COLUMNS: &'static [Column<Self>];
    /// What a page about one of them says; the columns unless there is more to say.
    const FACTS: &'static [Column<Self>] = Self::COLUMNS;

    /// What commands call it by: the name, or the id where there is none.
    fn handle(&self) -> &str;
}

/// An answer that is a list.
pub(crate) trait Listing: Reply {
    type Row: Row;

    /// How to fill it.
    const EMPTY: &'static str;

    fn rows(&self) -> &[Self::Row];

    /// Where the rest of the list begins.
    fn next_cursor(&self) -> Option<&str> {
        None
    }
}

/// An answer about one thing.
pub(crate) trait Single: Reply {
    type Row: Row;

    /// What it is, for when it is missing.
    const WHAT: &'static str;

    fn row(&self) -> Option<&Self::Row>;

    /// The thing; a server that leaves it out is a server with a fault.
    fn get(&self) -> Result<&Self::Row> {
        self.row().ok_or(CliError::Incomplete { what: Self::WHAT })
    }
}

/// Prints answers in the form that was asked for.
#[derive(Debug)]
pub(crate) struct Printer {
    format: Format,
    look: Look,
}

impl Printer {
    pub(crate) fn new(format: Format, look: Look) -> Self {
        Self { format, look }
    }

    pub(crate) fn look(&self) -> &Look {
        &self.look
    }

    pub(crate) fn format(&self) -> Format {
        self.format
    }

    /// Whether a person reads the result.
    pub(crate) fn is_for_people(&self) -> bool {
        matches!(self.format, Format::Table | Format::Wide)
    }

    /// A list, or how to fill it.
    pub(crate) fn list<M: Listing>(&self, reply: &M) -> Result {
        match self.list_text(reply)? {
            text if text.is_empty() => self.note(M::EMPTY),
            text => stdout_line(&text)?,
        }
        if let Some(cursor) = reply.next_cursor() {
            self.note(&format!("There is more: raise --limit, or go on with --cursor {cursor}"));
        }
        Ok(())
    }

    fn list_text<M: Listing>(&self, reply: &M) -> Result<String> {
        Ok(match self.format {
            Format::Json => json::to_pretty(reply)?,
            Format::Jsonl => json::to_item_lines(reply)?.join("\n"),
            Format::Name => {
                reply.rows().iter().map(|row| sentence::printable(row.handle())).collect::<Vec<_>>().join("\n")
            }
            Format::Table | Format::Wide if reply.rows().is_empty() => String::new(),
            Format::Table | Format::Wide => table::list(&self.look, M::Row::COLUMNS, reply.rows()),
        })
    }

    /// More rows of a list that grows: without headings, and one object a line for programs.
    pub(crate) fn append<M: Listing>(&self, reply: &M) -> Result {
        let lines = match self.format {
            Format::Json | Format::Jsonl => json::to_item_lines(reply)?,
            Format::Name => reply.rows().iter().map(|row| sentence::printable(row.handle())).collect(),
            Format::Table | Format::Wide => reply.rows().iter().map(|row| self.plain_row(row)).collect(),
        };
        lines.iter().try_for_each(|line| stdout_line(line))
    }

    fn plain_row<R: Row>(&self, row: &R) -> String {
        let shown = R::COLUMNS.iter().filter(|column| self.look.wide || !column.wide);
        shown.map(|column| (column.cell)(row, &self.look).text).collect::<Vec<_>>().join("  ")
    }

    /// All about one thing.
    pub(crate) fn single<M: Single>(&self, reply: &M) -> Result {
        let row = reply.get()?;
        self.reply(reply, || row.handle().to_owned(), || self.facts(row))
    }

    /// All about one thing, for people.
    pub(crate) fn facts<R: Row>(&self, row: &R) -> String {
        table::facts(&self.look, R::FACTS, row)
    }

    /// A list for people.
    pub(crate) fn rows<R: Row>(&self, rows: &[R]) -> String {
        table::list(&self.look, R::COLUMNS, rows)
    }

    /// The answer to a change: `name` of what was changed, and a sentence that says what is now true.
    pub(crate) fn done<M: Reply>(&self, reply: &M, name: &str, sentence: &str) -> Result {
        self.reply(reply, || name.to_owned(), || sentence::printable(sentence))
    }

    /// An answer for programs, or what people are to see of it.
    pub(crate) fn reply<M: Reply>(
        &self,
        reply: &M,
        name: impl FnOnce() -> String,
        people: impl FnOnce() -> String,
    ) -> Result {
        stdout_line(&match self.format {
            Format::Json => json::to_pretty(reply)?,
            Format::Jsonl => json::to_line(reply)?,
            Format::Name => sentence::printable(&name()),
            Format::Table | Format::Wide => people(),
        })
    }

    /// What this program knows by itself: a document for programs, or what people are to see of it.
    pub(crate) fn own(
        &self,
        document: &serde_json::Value,
        name: impl FnOnce() -> String,
        people: impl FnOnce() -> String,
    ) -> Result {
        stdout_line(&match self.format {
            Format::Json => format!("{document:#}"),
            Format::Jsonl => document.to_string(),
            Format::Name => sentence::printable_lines(&name()),
            Format::Table | Format::Wide => people(),
        })
    }

    /// A list that this program knows by itself; `key` is the list's name in the document.
    pub(crate) fn own_list<R: Row + serde::Serialize>(&self, key: &str, rows: &[R], empty: &str) -> Result {
        let lines = || rows.iter().map(|row| serde_json::json!(row).to_string()).collect::<Vec<_>>().join("\n");
        let text = match self.format {
            Format::Json => format!("{:#}", serde_json::json!({ key: rows })),
            Format::Jsonl => lines(),
            Format::Name => rows.iter().map(|row| sentence::printable(row.handle())).collect::<Vec<_>>().join("\n"),
            Format::Table | Format::Wide if rows.is_empty() => String::new(),
            Format::Table | Format::Wide => self.rows(rows),
        };
        if text.is_empty() {
            self.note(empty);
            return Ok(());
        }
        stdout_line(&text)
    }

    /// A remark for people beside the result. Programs are not told.
    pub(crate) fn note(&self, text: &str) {
        if !self.format.is_json() {
            stderr_line(&sentence::printable_lines(text));
        }
    }
}

/// Text for people, and for programs that read text.
pub(crate) fn stdout_line(text: &str) -> Result {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.write_all(b"\n")?;
    Ok(out.flush()?)
}

/// Bytes as they are.
pub(crate) fn stdout_bytes(bytes: &[u8]) -> Result {
    let mut out = std::io::stdout().lock();
    out.write_all(bytes)?;
    Ok(out.flush()?)
}

/// A line beside the result. When standard error is closed, nobody is left to be told.
pub(crate) fn stderr_line(text: &str) {
    stderr_bytes(format!("{text}\n").as_bytes());
}

/// Bytes beside the result.
pub(crate) fn stderr_bytes(bytes: &[u8]) {
    let mut out = std::io::stderr().lock();
    drop(out.write_all(bytes));
    drop(out.flush());
}
