//! CSV, as programs write it and as spreadsheets do: separated by commas, semicolons or tabs, with either end of line.

use csv::{ReaderBuilder, StringRecord};

use super::field::{FIELDS, Field, UNKNOWN};
use super::guard::unguarded;
use super::{Cell, Reading, Row, RowError, Rows, quotes};

const SEPARATORS: [char; 3] = [',', ';', '\t'];

/// Separated values with a header line that names the fields. The separator is told by the header, or by a line `sep=;`
/// before it.
pub fn of_csv(text: &str, reading: Reading) -> Rows {
    let mut rows = Rows::new(reading.ids);
    let (said, text) = separator_line(text);
    let first_line = if said.is_some() { 2 } else { 1 };
    let separator = said.unwrap_or_else(|| separator_of(text));
    if let Some(fault) = quotes::fault(text, separator, first_line) {
        rows.errors.push(fault);
        return rows;
    }
    let mut lines = Lines { text, line: first_line, byte: 0 };
    let mut records = reader(text, separator).into_records();
    let header = records.next().and_then(Result::ok).unwrap_or_default();
    let columns = match columns(lines.of(&header), &header) {
        Ok(columns) => columns,
        Err(errors) => {
            rows.errors = errors;
            return rows;
        }
    };
    for record in records {
        match record {
            Ok(record) => add(&mut rows, lines.of(&record), &columns, &record, reading),
            // The text is text, and rows may have any length: nothing is left that it could refuse.
            Err(error) => rows.errors.push(RowError::new(lines.line, error.to_string())),
        }
    }
    rows
}

fn reader(text: &str, separator: char) -> csv::Reader<&[u8]> {
    let separator = u8::try_from(separator).unwrap_or(b',');
    ReaderBuilder::new().has_headers(false).flexible(true).delimiter(separator).from_reader(text.as_bytes())
}

/// A first line by which some spreadsheets are told the separator, and what follows it.
fn separator_line(text: &str) -> (Option<char>, &str) {
    let Some((first, rest)) = text.split_once('\n') else { return (None, text) };
    let said = first.trim_end_matches('\r').strip_prefix("sep=").and_then(|said| {
        let mut characters = said.chars();
        characters.next().filter(|one| SEPARATORS.contains(one) && characters.next().is_none())
    });
    (said, if said.is_some() { rest } else { text })
}

/// The separator by which most names of the header are known; the comma, where that is the same for all.
fn separator_of(text: &str) -> char {
    let known = |separator: char| {
        let header = reader(text, separator).into_records().next().and_then(Result::ok).unwrap_or_default();
        (header.iter().filter(|name| Field::named(name).is_some()).count(), header.len())
    };
    let mut best = (',', known(','));
    for separator in SEPARATORS {
        let this = known(separator);
        if this > best.1 {
            best = (separator, this);
        }
    }
    best.0
}

/// What each column is about. One without a name has no values: spreadsheets leave such columns behind.
fn columns(line: u64, header: &StringRecord) -> Result<Vec<Option<Field>>, Vec<RowError>> {
    let (mut columns, mut errors) = (Vec::new(), Vec::new());
    for (number, name) in (1..).zip(header) {
        let fault = |problem: String| RowError::new(line, problem).at(number).in_field(name.trim());
        let field = Field::named(name);
        if field.is_none() && !name.trim().is_empty() {
            errors.push(fault(format!("{UNKNOWN}; known: {FIELDS}, and the columns of an export")));
        }
        if field.is_some() && columns.contains(&field) {
            errors.push(fault("is there twice".to_owned()));
        }
        columns.push(field);
    }
    if columns.iter().all(Option::is_none) && errors.is_empty() {
        errors.push(RowError::new(line, format!("expected a header with some of: {FIELDS}")));
    }
    if errors.is_empty() { Ok(columns) } else { Err(errors) }
}

/// An empty cell means that the element has no such value.
fn add(rows: &mut Rows, line: u64, columns: &[Option<Field>], record: &StringRecord, reading: Reading) {
    if record.iter().all(|cell| cell.trim().is_empty()) {
        rows.blank_count += 1;
        return;
    }
    if record.len() != columns.len() {
        let cells = if record.len() == 1 { "cell" } else { "cells" };
        let problem = format!("has {} {cells} where the header has {}", record.len(), columns.len());
        rows.errors.push(RowError::new(line, problem));
        return;
    }
    let mut row = Row::default();
    let is_guarded = columns.iter().zip(record).any(|(field, cell)| *field == Some(Field::Guarded) && !cell.is_empty());
    for ((column, field), cell) in (1..).zip(columns).zip(record) {
        let value = if is_guarded { unguarded(cell) } else { cell };
        match field {
            _ if value.is_empty() => {}
            Some(Field::Reference) if !reading.takes_shortened && is_shortened(value) => {
                rows.shortened_count += 1;
                let problem = format!("\"{value}\" is a long number as a spreadsheet shortens it; its digits are lost");
                rows.errors.push(RowError::new(line, problem).at(column).in_field(Field::Reference.name()));
                return;
            }
            Some(field) => row.cells.push(Cell { field: *field, column, value: value.to_owned() }),
            None => {
                rows.errors.push(RowError::new(line, "has a value, and the header has no name for it").at(column));
                return;
            }
        }
    }
    rows.push(line, row);
}

/// Whether it is a number as Excel shows it, and stores it in CSV, when it has more digits than the cell is wide: `5,7E+11`.
fn is_shortened(text: &str) -> bool {
    let text = text.trim();
    let Some((number, exponent)) = text.strip_prefix('-').unwrap_or(text).split_once("E+") else { return false };
    let (whole, fraction) = number.split_once([',', '.']).unwrap_or((number, "0"));
    let are_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    whole.len() == 1 && [whole, fraction, exponent].into_iter().all(are_digits)
}

/// Counts the lines up to a record. The reader's own count is late where lines end with CR LF.
struct Lines<'a> {
    text: &'a str,
    line: u64,
    byte: usize,
}

impl Lines<'_> {
    fn of(&mut self, record: &StringRecord) -> u64 {
        let start = record.position().and_then(|position| usize::try_from(position.byte()).ok()).unwrap_or(self.byte);
        let bytes = self.text.as_bytes();
        // A record's position may be before the line ends that follow the one before it.
        let skipped = bytes[start..].iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        let until = start + skipped;
        for at in self.byte..until {
            let lone_return = bytes[at] == b'\r' && bytes.get(at + 1) != Some(&b'\n');
            self.line += u64::from(bytes[at] == b'\n' || lone_return);
        }
        self.byte = until;
        self.line
    }
}

#[cfg(test)]
mod tests {
    use super::super::Ids;
    use super::super::testing::{problems, shown};
    use super::*;

    fn read(text: &str) -> Rows {
        of_csv(text, Reading::default())
    }

    #[test]
    fn csv_fields_are_found_by_their_header_and_may_have_lines() {
        let rows = read("data,Reference\n\"{\"\"a\"\": 1}\nx\",42\n,43\n");
        assert_eq!(problems(&rows), [""; 0]);
        assert_eq!(shown(&rows), [("42", "{\"a\": 1}\nx", ""), ("43", "", "")]);
        assert_eq!(rows.elements[1].data, None);
    }

    #[test]
    fn a_bad_row_is_named_by_line_and_column_whatever_ends_its_lines() {
        for end in ["\n", "\r\n", "\r"] {
            let text = format!("reference,data\n1,a\n2\n{},b\n\n\"x\ny\",c,d\n3,\0\n", "x".repeat(101));
            let rows = read(&text.replace('\n', end));
            assert_eq!(rows.count(), 5);
            assert_eq!(
                problems(&rows),
                [
                    "line 3: has 1 cell where the header has 2",
                    "line 4, column 1 (reference): reference is 101 characters long; the limit is 100",
                    "line 6: has 3 cells where the header has 2",
                    "line 8, column 2 (data): data contains the control character U+0000 at position 0",
                ],
                "{end:?}"
            );
        }
    }

    #[test]
    fn an_unknown_column_is_refused_with_the_known_ones() {
        assert_eq!(
            problems(&read("reference,colour\n1,red\n")),
            [
                "line 1, column 2 (colour): is no field of an element; known: reference, data, created_by, and the columns of an export"
            ]
        );
        assert_eq!(problems(&read("data,Data\n")), ["line 1, column 2 (Data): is there twice"]);
        assert_eq!(problems(&read("")), ["line 1: expected a header with some of: reference, data, created_by"]);
        assert_eq!(read("reference;data\r\n").count(), 0);
    }

    #[test]
    fn the_separator_is_told_by_the_header() {
        for text in [
            "reference;data\r\n1;12,50\r\n2;\"a;b\r\nc\"\r\n",
            "sep=;\r\nreference;data\r\n1;12,50\r\n2;\"a;b\r\nc\"\r\n",
            "reference\tdata\r\n1\t12,50\r\n2\t\"a;b\r\nc\"\r\n",
            "reference,data\r\n1,\"12,50\"\r\n2,\"a;b\r\nc\"\r\n",
        ] {
            let rows = read(text);
            assert_eq!(problems(&rows), [""; 0], "{text}");
            assert_eq!(shown(&rows), [("1", "12,50", ""), ("2", "a;b\r\nc", "")], "{text}");
        }
        assert_eq!(shown(&read("reference\n1;2\n")), [("1;2", "", "")]);
        assert_eq!(problems(&read("sep=;\nreference;data\n1\n")), ["line 3: has 1 cell where the header has 2"]);
    }

    #[test]
    fn a_quotation_mark_that_would_swallow_rows_is_refused() {
        let rows = read("reference;data\n1;\"a\n2;b\n3;c\n");
        assert_eq!((rows.elements.len(), problems(&rows).len()), (0, 1));
    }

    #[test]
    fn what_a_spreadsheet_leaves_behind_is_no_element() {
        let rows = read("reference;data;;\r\n1;a;;\r\n;;;\r\n ;;;\r\n");
        assert_eq!(problems(&rows), [""; 0]);
        assert_eq!((shown(&rows), rows.blank_count), (vec![("1", "a", "")], 2));
        assert_eq!(
            problems(&read("reference;\r\n1;x\r\n")),
            ["line 2, column 2: has a value, and the header has no name for it"]
        );
    }

    #[test]
    fn the_columns_of_an_export_are_left_out_and_told() {
        let text = "id,status,reference,job_id,attempt\n0199c1de-7a10-7000-8000-0000000000aa,FAILED,1,,3\n,done,2,,1\n";
        let rows = read(text);
        assert_eq!(problems(&rows), [""; 0]);
        assert_eq!(rows.left_out.iter().copied().collect::<Vec<_>>(), ["attempt", "id", "status"]);
        assert_ne!(rows.elements[0].id, "0199c1de-7a10-7000-8000-0000000000aa");
        assert_eq!(rows.repeated().into_iter().collect::<Vec<_>>(), [("DONE", 1)]);
    }

    #[test]
    fn numbers_that_a_spreadsheet_has_shortened_are_no_references_unless_asked_for() {
        let text =
            "reference;data\n5,7E+11;a\n5.7E+11;b\n1E+5;c\n-2,5E+20;d\n5,7e11;1E+5\nA1E+5;\n12E+5;\nE+5;\n1E+;\n";
        let rows = read(text);
        assert_eq!((rows.elements.len(), rows.shortened_count), (5, 4));
        assert_eq!(
            problems(&rows)[0],
            "line 2, column 1 (reference): \"5,7E+11\" is a long number as a spreadsheet shortens it; its digits are lost"
        );
        let taken = of_csv(text, Reading { takes_shortened: true, ..Reading::default() });
        assert_eq!((taken.elements.len(), taken.elements[0].reference()), (9, "5,7E+11"));
    }

    #[test]
    fn ids_are_kept_when_asked_and_never_given_twice() {
        let id = "0199c1de-7a10-7000-8000-0000000000aa";
        let rows = of_csv(
            &format!("id,reference\n{id},1\n,2\n{id},3\nx,4\n"),
            Reading { ids: Ids::Kept, ..Reading::default() },
        );
        assert_eq!(rows.elements[0].id, id);
        assert!(!rows.elements[1].id.is_empty() && rows.elements[1].id != id);
        assert_eq!(
            problems(&rows),
            ["line 4, column 1 (id): is the id of line 2 already", "line 5, column 1 (id): is no id"]
        );
    }
}
