//! Quotation marks that do not fit together. A reader of CSV takes what follows one that is never closed, or closed too
//! early, into one cell: whole rows would be lost without a word.

use super::RowError;

/// The first fault of the marks in `text`, whose first line is number `line`.
pub(super) fn fault(text: &str, separator: char, mut line: u64) -> Option<RowError> {
    let mut place = Place::Start;
    let mut cell = 1;
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let ends_line = character == '\n' || (character == '\r' && characters.peek() != Some(&'\n'));
        place = match (place, character) {
            (Place::Quoted { .. }, '"') => match characters.peek() {
                Some('"') => {
                    characters.next();
                    place
                }
                None | Some('\r' | '\n') => Place::Bare,
                Some(next) if *next == separator => Place::Bare,
                Some(_) => {
                    let problem = "has a quotation mark inside a quoted cell that is not doubled (write \"\")";
                    return Some(RowError::new(line, problem).at(cell));
                }
            },
            (Place::Quoted { .. }, _) => place,
            (Place::Start, '"') => Place::Quoted { line, cell },
            (_, '\n' | '\r') => {
                cell = 1;
                Place::Start
            }
            (_, other) if other == separator => {
                cell += 1;
                Place::Start
            }
            _ => Place::Bare,
        };
        line += u64::from(ends_line);
    }
    match place {
        Place::Quoted { line, cell } => {
            Some(RowError::new(line, "opens a quotation mark that is never closed").at(cell))
        }
        Place::Start | Place::Bare => None,
    }
}

/// Where in a cell a reader is.
#[derive(Debug, Clone, Copy)]
enum Place {
    Start,
    Bare,
    /// In a cell that opened a mark there.
    Quoted {
        line: u64,
        cell: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Option<String> {
        fault(text, ';', 1).map(|error| error.to_string())
    }

    #[test]
    fn marks_that_fit_together_are_no_fault() {
        for text in ["a;b\n\"x\";\"y\"\r\n", "\"a\"\"b\";\"c\nd\"", "5\" pipe;x\n", "", "\"\";\"\"\n"] {
            assert_eq!(found(text), None, "{text}");
        }
    }

    #[test]
    fn a_mark_that_swallows_rows_is_named_where_it_opens() {
        assert_eq!(
            found("a;b\r\n1;2\r\n3;\"four\r\n5;6\r\n").as_deref(),
            Some("line 3, column 2: opens a quotation mark that is never closed")
        );
        let inside = found("a;b\n1;\"x\n2;\"y\"\n").unwrap();
        assert!(inside.starts_with("line 3, column 2: has a quotation mark inside a quoted cell"), "{inside}");
    }
}
