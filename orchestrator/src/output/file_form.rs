//! Files of rows: as a spreadsheet reads them, or as programs do.

use chrono::SecondsFormat;
use clap::ValueEnum;

use super::json::{Reply, to_line};
use super::times::instant;
use crate::error::{CliError, Result};

/// The form of a file of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FileForm {
    /// Comma-separated values with a header.
    Csv,
    /// The same as Excel opens it by a double click: semicolons, and a mark that says UTF-8.
    Excel,
    /// One JSON object a line.
    Jsonl,
}

impl FileForm {
    /// What the file begins with.
    pub(crate) fn header(self, columns: &[&str]) -> Result<Vec<u8>> {
        match self {
            Self::Csv => csv_bytes(csv::Writer::from_writer, |writer| writer.write_record(columns)),
            Self::Excel => {
                let header = csv_bytes(excel_writer, |writer| writer.write_record(columns))?;
                Ok([UTF8_MARK.as_bytes(), &header].concat())
            }
            Self::Jsonl => Ok(Vec::new()),
        }
    }

    /// Some rows of it.
    pub(crate) fn rows<M: Reply, const N: usize>(
        self,
        rows: &[M],
        record: impl Fn(&M) -> [String; N],
    ) -> Result<Vec<u8>> {
        let write =
            |writer: &mut csv::Writer<Vec<u8>>| rows.iter().try_for_each(|row| writer.write_record(record(row)));
        match self {
            Self::Csv => csv_bytes(csv::Writer::from_writer, write),
            Self::Excel => csv_bytes(excel_writer, write),
            Self::Jsonl => {
                let mut text = String::new();
                for row in rows {
                    text.push_str(&to_line(row)?);
                    text.push('\n');
                }
                Ok(text.into_bytes())
            }
        }
    }
}

/// By which Excel knows that a file is UTF-8.
const UTF8_MARK: &str = "\u{feff}";

fn excel_writer(to: Vec<u8>) -> csv::Writer<Vec<u8>> {
    csv::WriterBuilder::new().delimiter(b';').terminator(csv::Terminator::CRLF).from_writer(to)
}

fn csv_bytes(
    writer: impl FnOnce(Vec<u8>) -> csv::Writer<Vec<u8>>,
    write: impl FnOnce(&mut csv::Writer<Vec<u8>>) -> csv::Result<()>,
) -> Result<Vec<u8>> {
    let mut writer = writer(Vec::new());
    write(&mut writer).map_err(|error| CliError::Terminal(std::io::Error::other(error)))?;
    writer.into_inner().map_err(|error| CliError::Terminal(error.into_error()))
}

/// An instant in such a file; nothing for none.
pub(crate) fn file_time(wire: Option<&prost_types::Timestamp>) -> String {
    instant(wire).map(|at| at.to_rfc3339_opts(SecondsFormat::AutoSi, true)).unwrap_or_default()
}
