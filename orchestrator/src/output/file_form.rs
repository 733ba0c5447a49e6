//! Files of rows: as a spreadsheet reads them, or as programs do.

use chrono::SecondsFormat;
use clap::ValueEnum;
use orchestrator_proto::rows::Sheet;

use super::json::{Reply, to_line};
use super::times::instant;
use crate::error::{CliError, Result};

/// The form of a file of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FileForm {
    /// Comma-separated values with a header.
    Csv,
    /// The same as Excel opens it by a double click: semicolons, and a mark that says UTF-8. A cell that would be a formula
    /// begins with an apostrophe, which the import takes off again.
    Excel,
    /// One JSON object a line.
    Jsonl,
}

impl FileForm {
    /// What the file begins with.
    pub(crate) fn header(self, columns: &[&str]) -> Result<Vec<u8>> {
        match self {
            Self::Csv => csv_bytes(|writer| writer.write_record(columns)),
            Self::Excel => Ok(Sheet::EXCEL.header(columns.iter().copied()).into_bytes()),
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
            Self::Csv => csv_bytes(write),
            Self::Excel => {
                let lines = rows.iter().map(|row| Sheet::EXCEL.line(record(row).iter().map(String::as_str)));
                Ok(lines.collect::<String>().into_bytes())
            }
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

fn csv_bytes(write: impl FnOnce(&mut csv::Writer<Vec<u8>>) -> csv::Result<()>) -> Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    write(&mut writer).map_err(|error| CliError::Terminal(std::io::Error::other(error)))?;
    writer.into_inner().map_err(|error| CliError::Terminal(error.into_error()))
}

/// An instant in such a file; nothing for none.
pub(crate) fn file_time(wire: Option<&prost_types::Timestamp>) -> String {
    instant(wire).map(|at| at.to_rfc3339_opts(SecondsFormat::AutoSi, true)).unwrap_or_default()
}
