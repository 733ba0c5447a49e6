//! Files of rows for spreadsheets. [`of_csv`](super::of_csv) reads them as they were before.

use std::borrow::Cow;

use super::guard::{GUARDED, IS_GUARDED, guarded};

/// By which Excel knows that a file is UTF-8.
const UTF8_MARK: &str = "\u{feff}";

/// How a file for spreadsheets is written. A cell that would be a formula begins with an apostrophe, and a last column,
/// `guarded`, says in which rows one does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sheet {
    separator: char,
    mark: &'static str,
}

impl Sheet {
    /// As Excel opens it by a double click where commas are decimal: semicolons, and a mark that says UTF-8.
    pub const EXCEL: Self = Self { separator: ';', mark: UTF8_MARK };
    /// Separated by commas.
    pub const COMMAS: Self = Self { separator: ',', mark: "" };

    /// What the file begins with.
    pub fn header<'a>(self, columns: impl IntoIterator<Item = &'a str>) -> String {
        format!("{}{}", self.mark, self.joined(columns.into_iter().chain([GUARDED]).map(Cow::Borrowed)))
    }

    /// A row.
    pub fn line<'a>(self, cells: impl IntoIterator<Item = &'a str>) -> String {
        let mut is_guarded = false;
        let mut cells: Vec<Cow<'a, str>> = cells
            .into_iter()
            .map(|cell| {
                let cell = guarded(cell);
                is_guarded |= matches!(cell, Cow::Owned(_));
                cell
            })
            .collect();
        cells.push(Cow::Borrowed(if is_guarded { IS_GUARDED } else { "" }));
        self.joined(cells)
    }

    fn joined<'a>(self, cells: impl IntoIterator<Item = Cow<'a, str>>) -> String {
        let cells: Vec<Cow<'a, str>> = cells.into_iter().map(quoted).collect();
        format!("{}\r\n", cells.join(&self.separator.to_string()))
    }
}

/// In quotation marks where it must be, whatever separates the cells.
fn quoted(cell: Cow<'_, str>) -> Cow<'_, str> {
    if cell.contains([',', ';', '\t', '"', '\n', '\r']) {
        return Cow::Owned(format!("\"{}\"", cell.replace('"', "\"\"")));
    }
    cell
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::{problems, shown};
    use super::super::{Reading, of_csv};
    use super::*;

    const COLUMNS: [&str; 4] = ["id", "reference", "data", "created_by"];

    fn read_again(sheet: Sheet, cells: [&str; 3]) -> Vec<(String, String, String)> {
        let [reference, data, created_by] = cells;
        let file = format!("{}{}", sheet.header(COLUMNS), sheet.line(["1", reference, data, created_by]));
        let rows = of_csv(file.strip_prefix(UTF8_MARK).unwrap_or(&file), Reading::default());
        assert_eq!(problems(&rows), [""; 0], "{file:?}");
        shown(&rows).iter().map(|(a, b, c)| ((*a).to_owned(), (*b).to_owned(), (*c).to_owned())).collect()
    }

    #[test]
    fn no_text_becomes_a_formula_or_another_cell() {
        assert_eq!(Sheet::COMMAS.header(["a", "b"]), "a,b,guarded\r\n");
        assert_eq!(Sheet::COMMAS.line(["plain", "a,b", "say \"x\"\n"]), "plain,\"a,b\",\"say \"\"x\"\"\n\",\r\n");
        assert_eq!(Sheet::EXCEL.line(["=HYPERLINK(1)", "-5"]), "'=HYPERLINK(1);-5;yes\r\n");
    }

    #[test]
    fn an_apostrophe_that_was_there_before_stays() {
        for text in ["'=1", "''=1", "'", "'a", "=1", "'-5"] {
            assert_eq!(read_again(Sheet::EXCEL, [text, "x", ""]), [(text.to_owned(), "x".to_owned(), String::new())]);
        }
        let plain = of_csv("reference,data\n'=1,=2\n", Reading::default());
        assert_eq!(shown(&plain), [("'=1", "=2", "")], "a program's file has no guards");
    }

    proptest! {
        #[test]
        fn every_text_comes_back(
            reference in "['=+\\-@\t\r\n 0-9,;.\"a＝]{0,6}[^\0]{0,4}",
            data in "['=+\\-@\t\r\n ,;\"x]{0,8}",
            created_by in "[^\0]{0,20}",
            commas: bool,
        ) {
            let sheet = if commas { Sheet::COMMAS } else { Sheet::EXCEL };
            let read = read_again(sheet, [&reference, &data, &created_by]);
            prop_assert_eq!(read, [(reference, data, created_by)]);
        }
    }
}
