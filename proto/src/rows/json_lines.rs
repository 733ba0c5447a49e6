//! One JSON object a line.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::field::{FIELDS, Field, UNKNOWN};
use super::{Cell, Ids, Row, RowError, Rows};

/// One JSON object a line; blank lines are skipped.
pub fn of_json_lines(text: &str, ids: Ids) -> Rows {
    let mut rows = Rows::new(ids);
    for (line, content) in (1..).zip(text.lines()) {
        if !content.trim().is_empty() {
            match of_object(line, content) {
                Ok(row) => rows.push(line, row),
                Err(error) => rows.errors.push(error),
            }
        }
    }
    rows
}

fn of_object(line: u64, content: &str) -> Result<Row, RowError> {
    let pairs: Pairs<'_> = serde_json::from_str(content).map_err(|error| syntax(line, content, &error))?;
    let mut row = Row::default();
    for (name, value) in pairs.0 {
        let column = column_of(content, value.get());
        let fault = |problem: String| RowError::new(line, problem).at(column).in_field(name.clone());
        let unknown = || fault(format!("{UNKNOWN}; known: {FIELDS}, and the fields of an export"));
        let field = Field::named(&name).filter(|field| *field != Field::Guarded).ok_or_else(unknown)?;
        if row.cells.iter().any(|cell| cell.field == field) {
            return Err(fault("is there twice".to_owned()));
        }
        if let Some(value) = text_of(field, value.get()).map_err(fault)? {
            row.cells.push(Cell { field, column, value });
        }
    }
    Ok(row)
}

/// A value as text: numbers and data of any form keep every digit and blank that they have in the file.
fn text_of(field: Field, raw: &str) -> Result<Option<String>, String> {
    match raw.bytes().next() {
        Some(b'n') => Ok(None),
        Some(b'"') => serde_json::from_str(raw).map(Some).map_err(|error| error.to_string()),
        Some(b'-' | b'0'..=b'9') => Ok(Some(raw.to_owned())),
        // Data is often JSON itself.
        _ if !matches!(field, Field::Reference | Field::CreatedBy) => Ok(Some(raw.to_owned())),
        _ => Err("must be a text".to_owned()),
    }
}

/// The reader's words, without the place: it counts lines within the line.
fn syntax(line: u64, content: &str, error: &serde_json::Error) -> RowError {
    let words = error.to_string();
    let words = words.split(" at line ").next().unwrap_or_default();
    // Its columns are bytes.
    let before = content.as_bytes().get(..error.column().saturating_sub(1)).unwrap_or(content.as_bytes());
    let column = String::from_utf8_lossy(before).chars().count() + 1;
    RowError::new(line, format!("is no JSON object: {words}")).at(column)
}

/// Where a part of the line begins, in characters from 1.
fn column_of(content: &str, part: &str) -> usize {
    let offset = part.as_ptr().addr().saturating_sub(content.as_ptr().addr());
    content.get(..offset).map_or(0, |before| before.chars().count()) + 1
}

/// The members of an object in the order of the file: a name may be there twice.
struct Pairs<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Pairs<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Members)
    }
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Pairs<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut pairs = Vec::new();
        while let Some(pair) = map.next_entry()? {
            pairs.push(pair);
        }
        Ok(Pairs(pairs))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{problems, shown};
    use super::*;

    fn read(text: &str) -> Rows {
        of_json_lines(text, Ids::New)
    }

    #[test]
    fn json_lines_may_carry_data_of_any_form() {
        let rows =
            read("{\"reference\": 42, \"data\": {\"b\": [1, 2]}}\n\n{\"data\": \"x\", \"createdBy\": \"me\"}\r\n");
        assert_eq!(problems(&rows), [""; 0]);
        assert_eq!(shown(&rows), [("42", "{\"b\": [1, 2]}", ""), ("", "x", "me")]);
    }

    #[test]
    fn numbers_keep_every_digit() {
        let rows = read("{\"reference\": 570123456789012345678901, \"data\": {\"z\": 12.50, \"a\": 1}}\n");
        assert_eq!(shown(&rows), [("570123456789012345678901", "{\"z\": 12.50, \"a\": 1}", "")]);
    }

    #[test]
    fn a_bad_json_line_is_named_with_its_column() {
        let rows = read(
            "{\"reference\": \"1\"}\nnonsense\n{\"reference\": [1]}\n{\"colour\": \"red\"}\n[1]\n{\"data\": \"a\\u0000b\"}\n{\"data\": \"ø\" 1}\n{\"data\": 1, \"Data\": 2}",
        );
        assert_eq!(rows.elements.len(), 1);
        assert_eq!(
            problems(&rows),
            [
                "line 2, column 2: is no JSON object: expected ident",
                "line 3, column 15 (reference): must be a text",
                "line 4, column 12 (colour): is no field of an element; known: reference, data, created_by, and the fields of an export",
                "line 5, column 1: is no JSON object: invalid type: sequence, expected an object",
                "line 6, column 10 (data): data contains the control character U+0000 at position 1",
                "line 7, column 14: is no JSON object: expected `,` or `}`",
                "line 8, column 21 (Data): is there twice",
            ]
        );
    }

    #[test]
    fn an_exported_object_is_an_element_again() {
        let rows = read(
            "{\"id\":\"0199c1de-7a10-7000-8000-0000000000aa\",\"queueName\":\"q\",\"status\":\"FAILED\",\"data\":\"d\",\"createdDate\":null,\"leaseToken\":\"2\",\"attempt\":1}\n",
        );
        assert_eq!(problems(&rows), [""; 0]);
        assert_eq!(shown(&rows), [("", "d", "")]);
        assert!(rows.left_out.contains("lease_token") && rows.repeated().is_empty());
    }
}
