//! Rows of a file that become queue elements: CSV with a header, or a JSON object a line, with the fields `reference`,
//! `data` and `created_by`. Every row is checked before anything is sent, so that a file with a fault adds nothing.

use std::fmt;
use std::io::Read;

use orchestrator_core::id::ElementId;
use orchestrator_core::text::{CreatedBy, ElementData, Limits, Reference, TextError};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::v1 as pb;

const FIELDS: &str = "reference, data, created_by";

/// A row that cannot become an element.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RowError {
    /// The line in the file, from 1.
    pub line: u64,
    /// The field, where the fault is in one.
    pub field: Option<String>,
    /// What is wrong.
    pub problem: String,
}

impl fmt::Display for RowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.field {
            Some(field) => write!(f, "line {}, {field}: {}", self.line, self.problem),
            None => write!(f, "line {}: {}", self.line, self.problem),
        }
    }
}

/// What a file holds.
#[derive(Debug, Default)]
pub struct Rows {
    /// The rows that can become elements, each with an id of its own.
    pub elements: Vec<pb::NewElement>,
    /// The rows that cannot, in the order of the file.
    pub errors: Vec<RowError>,
}

impl Rows {
    /// All rows, good and bad.
    pub fn count(&self) -> usize {
        self.elements.len() + self.errors.len()
    }

    fn push(&mut self, line: u64, row: Result<pb::NewElement, RowError>) {
        match row.and_then(|element| checked(line, element)) {
            Ok(element) => self.elements.push(element),
            Err(error) => self.errors.push(error),
        }
    }
}

/// Comma-separated values with a header line that names the fields.
pub fn of_csv(source: impl Read) -> Rows {
    let mut rows = Rows::default();
    let mut reader = csv::ReaderBuilder::new().flexible(false).from_reader(source);
    let columns = match reader.byte_headers().map_err(|error| csv_error(&error)).and_then(columns) {
        Ok(columns) => columns,
        Err(error) => {
            rows.errors.push(error);
            return rows;
        }
    };
    for record in reader.into_byte_records() {
        match record {
            Ok(record) => {
                let line = record.position().map_or(0, csv::Position::line);
                rows.push(line, of_record(line, &columns, &record));
            }
            Err(error) => rows.errors.push(csv_error(&error)),
        }
    }
    rows
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Reference,
    Data,
    CreatedBy,
}

impl Field {
    fn named(name: &str) -> Option<Self> {
        match name.trim().trim_start_matches('\u{feff}').to_lowercase().as_str() {
            "reference" => Some(Self::Reference),
            "data" => Some(Self::Data),
            "created_by" | "createdby" => Some(Self::CreatedBy),
            _ => None,
        }
    }

    fn set(self, element: &mut pb::NewElement, value: String) {
        match self {
            Self::Reference => element.reference = Some(value),
            Self::Data => element.data = Some(value),
            Self::CreatedBy => element.created_by = Some(value),
        }
    }
}

fn columns(header: &csv::ByteRecord) -> Result<Vec<Field>, RowError> {
    let mut columns = Vec::new();
    for name in header {
        let name = String::from_utf8_lossy(name);
        let field = Field::named(&name).ok_or_else(|| unknown(1, &name))?;
        if columns.contains(&field) {
            return Err(RowError { line: 1, field: Some(name.into_owned()), problem: "is there twice".to_owned() });
        }
        columns.push(field);
    }
    if columns.is_empty() {
        return Err(RowError { line: 1, field: None, problem: format!("expected a header with some of: {FIELDS}") });
    }
    Ok(columns)
}

/// An empty cell means that the element has no such value.
fn of_record(line: u64, columns: &[Field], record: &csv::ByteRecord) -> Result<pb::NewElement, RowError> {
    let mut element = new_element();
    for (field, cell) in columns.iter().zip(record) {
        let text = std::str::from_utf8(cell).map_err(|_| RowError {
            line,
            field: Some(format!("{field:?}").to_lowercase()),
            problem: "is not UTF-8".to_owned(),
        })?;
        if !text.is_empty() {
            field.set(&mut element, text.to_owned());
        }
    }
    Ok(element)
}

fn csv_error(error: &csv::Error) -> RowError {
    let line = error.position().map_or(1, csv::Position::line);
    let problem = match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("has {len} fields where the header has {expected_len}")
        }
        _ => error.to_string(),
    };
    RowError { line, field: None, problem }
}

/// One JSON object a line; blank lines are skipped.
pub fn of_json_lines(text: &str) -> Rows {
    let mut rows = Rows::default();
    for (line, content) in (1..).zip(text.trim_start_matches('\u{feff}').lines()) {
        if !content.trim().is_empty() {
            rows.push(line, of_object(line, content));
        }
    }
    rows
}

fn of_object(line: u64, content: &str) -> Result<pb::NewElement, RowError> {
    let object: Map<String, Value> = serde_json::from_str(content).map_err(|error| RowError {
        line,
        field: None,
        problem: format!("is no JSON object: {error}"),
    })?;
    let mut element = new_element();
    for (name, value) in object {
        let field = Field::named(&name).ok_or_else(|| unknown(line, &name))?;
        match value {
            Value::Null => {}
            Value::String(text) => field.set(&mut element, text),
            // Data is often JSON itself.
            value if field == Field::Data => field.set(&mut element, value.to_string()),
            Value::Number(number) => field.set(&mut element, number.to_string()),
            _ => return Err(RowError { line, field: Some(name), problem: "must be a text".to_owned() }),
        }
    }
    Ok(element)
}

fn unknown(line: u64, name: &str) -> RowError {
    RowError { line, field: Some(name.to_owned()), problem: format!("is no field of an element; known: {FIELDS}") }
}

/// Ids are made here, so that a repeated upload is no second one.
fn new_element() -> pb::NewElement {
    pb::NewElement { id: ElementId::generate().to_string(), ..pb::NewElement::default() }
}

/// The limits that no server exceeds; a server with lower ones says so itself.
fn checked(line: u64, element: pb::NewElement) -> Result<pb::NewElement, RowError> {
    let failed =
        |error: TextError| RowError { line, field: Some(error.field().to_owned()), problem: error.to_string() };
    let check = || -> Result<(), TextError> {
        Reference::parse(element.reference(), Reference::DEFAULT_LIMIT)?;
        ElementData::parse(element.data(), Limits::MOST)?;
        CreatedBy::parse(element.created_by(), CreatedBy::DEFAULT_LIMIT)?;
        Ok(())
    };
    check().map_err(failed)?;
    Ok(element)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(rows: &Rows) -> Vec<(&str, &str, &str)> {
        rows.elements.iter().map(|e| (e.reference(), e.data(), e.created_by())).collect()
    }

    fn problems(rows: &Rows) -> Vec<String> {
        rows.errors.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn csv_fields_are_found_by_their_header_and_may_have_lines() {
        let rows = of_csv("data,Reference\n\"{\"\"a\"\": 1}\nx\",42\n,43\n".as_bytes());
        assert_eq!(problems(&rows), [""; 0]);
        assert_eq!(shown(&rows), [("42", "{\"a\": 1}\nx", ""), ("43", "", "")]);
        assert_eq!(rows.elements[1].data, None);
    }

    #[test]
    fn a_bad_csv_row_is_named_by_its_line() {
        let text = format!("reference,data\n1,a\n2\n{},b\n\"x\ny\",c,d\n", "x".repeat(101));
        let rows = of_csv(text.as_bytes());
        assert_eq!(rows.count(), 4);
        assert_eq!(
            problems(&rows),
            [
                "line 3: has 1 fields where the header has 2",
                "line 4, reference: reference is 101 characters long; the limit is 100",
                "line 5: has 3 fields where the header has 2",
            ]
        );
    }

    #[test]
    fn an_unknown_column_is_refused_with_the_known_ones() {
        let rows = of_csv("reference,colour\n1,red\n".as_bytes());
        assert_eq!(problems(&rows), ["line 1, colour: is no field of an element; known: reference, data, created_by"]);
        assert!(!of_csv("reference,reference\n".as_bytes()).errors.is_empty());
    }

    #[test]
    fn json_lines_may_carry_data_of_any_form() {
        let rows = of_json_lines(
            "{\"reference\": 42, \"data\": {\"b\": [1, 2]}}\n\n{\"data\": \"x\", \"createdBy\": \"me\"}\n",
        );
        assert_eq!(problems(&rows), [""; 0]);
        assert_eq!(shown(&rows), [("42", "{\"b\":[1,2]}", ""), ("", "x", "me")]);
    }

    #[test]
    fn a_bad_json_line_is_named() {
        let rows = of_json_lines(
            "{\"reference\": \"1\"}\nnonsense\n{\"reference\": [1]}\n{\"status\": \"NEW\"}\n[1]\n{\"data\": \"a\\u0000b\"}",
        );
        let lines: Vec<u64> = rows.errors.iter().map(|error| error.line).collect();
        assert_eq!((rows.elements.len(), lines), (1, vec![2, 3, 4, 5, 6]));
        assert!(problems(&rows)[2].contains("known: reference, data, created_by"));
        assert!(problems(&rows)[4].contains("data: data contains the control character U+0000"));
    }
}
