//! The file of an import: its form, its text, and what of it can be used.

use std::io::Read as _;
use std::path::Path;

use orchestrator_proto::rows::{self, Encoding, NotText, Rows};
use orchestrator_proto::v1 as pb;
use prost::Message as _;

use super::ImportArgs;
use crate::error::{CliError, Result};
use crate::output::FileForm;

/// What the server takes at most; semantics.md 5.5.
const MOST_ELEMENTS: usize = 100_000;
const MOST_BYTES: usize = 256 << 20;

pub(super) fn form_of(args: &ImportArgs) -> Result<FileForm> {
    let by_name = || match args.file.extension()?.to_str()?.to_lowercase().as_str() {
        "csv" => Some(FileForm::Csv),
        "jsonl" | "ndjson" | "json" => Some(FileForm::Jsonl),
        _ => None,
    };
    args.format.or_else(by_name).ok_or_else(|| CliError::Usage {
        message: format!("the form of {} cannot be told by its name", args.file.display()),
        next: Some("name it with --format csv or --format jsonl".to_owned()),
    })
}

/// All rows, or the reasons why not.
pub(super) fn usable_rows(args: &ImportArgs) -> Result<Rows> {
    let form = form_of(args)?;
    let bytes = bytes_of(&args.file)?;
    let encoding = args.encoding.map(Encoding::from);
    let text = rows::text_of(&bytes, encoding).map_err(|error| not_text(&args.file, &error))?;
    if text.trim().is_empty() {
        return Err(CliError::usage(format!("{} is empty; nothing was sent", args.file.display())));
    }
    if rows::is_listing(&text) {
        return Err(is_listing(args));
    }
    let rows = match form {
        FileForm::Csv | FileForm::Excel => rows::of_csv(&text, args.reading()),
        FileForm::Jsonl => rows::of_json_lines(&text, args.reading().ids),
    };
    usable(&args.file, rows)
}

fn bytes_of(path: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if path == Path::new("-") {
        std::io::stdin().lock().read_to_end(&mut bytes)?;
    } else {
        bytes = std::fs::read(path).map_err(CliError::file("read", path))?;
    }
    Ok(bytes)
}

fn is_listing(args: &ImportArgs) -> CliError {
    CliError::Usage {
        message: format!(
            "{} is one JSON document, as lists print it with -o json; an import takes one object a line. Nothing was sent",
            args.file.display()
        ),
        next: Some(
            "write the file with: orchestrator queue element export QUEUE (all of its elements, not a page of them)"
                .to_owned(),
        ),
    }
}

fn not_text(path: &Path, error: &NotText) -> CliError {
    let next = match error {
        NotText::NotUtf8 { as_windows_1252: Some(_), .. } => {
            "if that is right, repeat the command with --encoding windows-1252; else save the file as \"CSV UTF-8\""
        }
        NotText::IsUtf8 { .. } => "leave --encoding out",
        NotText::NotUtf8 { .. } | NotText::NotWindows1252 { .. } | NotText::BadUtf16 => {
            "save the file as \"CSV UTF-8\", or convert it: iconv -f ENCODING -t UTF-8 OLD > NEW"
        }
    };
    CliError::Usage {
        message: format!("{} cannot be read as text; nothing was sent: {error}", path.display()),
        next: Some(next.to_owned()),
    }
}

fn usable(path: &Path, rows: Rows) -> Result<Rows> {
    if !rows.errors.is_empty() {
        let row_count = rows.count();
        let is_shortened = rows.shortened_count > 0;
        return Err(CliError::Rows { path: path.to_owned(), row_count, errors: rows.errors, is_shortened });
    }
    if rows.elements.is_empty() {
        return Err(CliError::usage(format!("there are no rows in {}", path.display())));
    }
    let bytes: usize = rows.elements.iter().map(pb::NewElement::encoded_len).sum();
    if rows.elements.len() > MOST_ELEMENTS || bytes > MOST_BYTES {
        let beyond = rows.lines.get(MOST_ELEMENTS).map(|line| format!("; line {line} is the first beyond them"));
        return Err(CliError::Usage {
            message: format!(
                "{} has {} rows and {bytes} bytes; at most {MOST_ELEMENTS} rows and {MOST_BYTES} bytes can be added at once{}",
                path.display(),
                rows.elements.len(),
                beyond.unwrap_or_default()
            ),
            next: Some("split the file; nothing was sent".to_owned()),
        });
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn the_form_is_told_by_the_name_or_asked_for() {
        let args = |file: &str| ImportArgs {
            queue: "q".to_owned(),
            file: PathBuf::from(file),
            format: None,
            encoding: None,
            keep_ids: false,
            allow_scientific: false,
        };
        assert_eq!(form_of(&args("a.CSV")).unwrap(), FileForm::Csv);
        assert_eq!(form_of(&args("a.jsonl")).unwrap(), FileForm::Jsonl);
        assert!(form_of(&args("-")).unwrap_err().next().unwrap().contains("--format"));
    }

    #[test]
    fn the_first_row_beyond_the_limit_is_named_and_nothing_else_is() {
        let rows =
            |count: usize| rows::of_csv(&format!("reference\n{}", "1\n".repeat(count)), rows::Reading::default());
        let path = Path::new("work.csv");
        assert_eq!(usable(path, rows(MOST_ELEMENTS)).unwrap().elements.len(), MOST_ELEMENTS);
        let refused = usable(path, rows(MOST_ELEMENTS + 1)).unwrap_err().message();
        assert!(refused.contains("has 100001 rows") && refused.contains("line 100002 is the first"), "{refused}");
    }
}
