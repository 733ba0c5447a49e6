//! Rows of a file that become queue elements: CSV with a header, or a JSON object a line, with the fields `reference`,
//! `data` and `created_by`. Every row is checked before anything is sent, so that a file with a fault adds nothing.
//!
//! What an export of elements has beyond these fields is known: it is counted and left out, so that an exported file can be
//! corrected and put in again.

mod field;
mod guard;
mod json_lines;
mod listing;
mod quotes;
mod separated;
mod sheet;
mod text;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

use orchestrator_core::id::ElementId;
use orchestrator_core::text::{CreatedBy, ElementData, Limits, Reference, TextError};
use serde::Serialize;

use self::field::Field;
use crate::v1 as pb;

pub use self::json_lines::of_json_lines;
pub use self::listing::is_listing;
pub use self::separated::of_csv;
pub use self::sheet::Sheet;
pub use self::text::{Encoding, NotText, text_of};

/// Statuses of elements whose work was given up: to add them again repeats nothing that is done or will be.
const GIVEN_UP: [&str; 2] = ["FAILED", "ABANDONED"];

/// A row that cannot become an element.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RowError {
    /// The line in the file, from 1; where a row has several, its first.
    pub line: u64,
    /// Where in it, from 1: the number of the cell in CSV, of the character in JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<usize>,
    /// The field, where the fault is in one.
    pub field: Option<String>,
    /// What is wrong.
    pub problem: String,
}

impl RowError {
    fn new(line: u64, problem: impl Into<String>) -> Self {
        Self { line, column: None, field: None, problem: problem.into() }
    }

    fn at(self, column: usize) -> Self {
        Self { column: Some(column), ..self }
    }

    fn in_field(self, field: impl Into<String>) -> Self {
        Self { field: Some(field.into()), ..self }
    }
}

impl fmt::Display for RowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}", self.line)?;
        if let Some(column) = self.column {
            write!(f, ", column {column}")?;
        }
        match &self.field {
            Some(field) => write!(f, " ({field}): {}", self.problem),
            None => write!(f, ": {}", self.problem),
        }
    }
}

/// Which ids the elements get.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Ids {
    /// New ones: a row of an export becomes another element beside the one that it was.
    #[default]
    New,
    /// Those of the file, where it has some.
    Kept,
}

/// How a file is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reading {
    /// Which ids the elements get.
    pub ids: Ids,
    /// References of a spreadsheet's file that look like numbers it has shortened, such as `5,7E+11`, are taken as they are.
    pub takes_shortened: bool,
}

/// What a file holds.
#[derive(Debug, Default)]
pub struct Rows {
    /// The rows that can become elements, each with an id of its own.
    pub elements: Vec<pb::NewElement>,
    /// The line of each of them.
    pub lines: Vec<u64>,
    /// The rows that cannot, in the order of the file.
    pub errors: Vec<RowError>,
    /// Rows in which every cell is empty, as spreadsheets leave them behind. They are no elements.
    pub blank_count: usize,
    /// What an export says and a new element cannot have, by the names of the export's columns.
    pub left_out: BTreeSet<&'static str>,
    /// How many rows were refused for a reference that looks like a number that a spreadsheet has shortened.
    pub shortened_count: usize,
    /// How many rows say that they had which status.
    pub statuses: BTreeMap<String, usize>,
    ids: Ids,
    ids_seen: HashMap<String, u64>,
}

impl Rows {
    fn new(ids: Ids) -> Self {
        Self { ids, ..Self::default() }
    }

    /// All rows, good and bad.
    pub fn count(&self) -> usize {
        self.elements.len() + self.errors.len()
    }

    /// How many rows were elements that are neither failed nor abandoned, by their status: work that is done, under way or
    /// still to come, and would be there twice.
    pub fn repeated(&self) -> BTreeMap<&str, usize> {
        let still = self.statuses.iter().filter(|(status, _)| !GIVEN_UP.contains(&status.as_str()));
        still.map(|(status, count)| (status.as_str(), *count)).collect()
    }

    /// As [`Self::repeated`], for people, such as `3 DONE, 1 NEW`; nothing where there are none. A file that is no export may
    /// have anything in that column: only the first few words are shown.
    pub fn repeated_in_words(&self) -> Option<String> {
        const MOST: usize = 5;
        let repeated = self.repeated();
        let mut words: Vec<String> =
            repeated.iter().take(MOST).map(|(status, count)| format!("{count} {status}")).collect();
        if repeated.len() > MOST {
            words.push(format!("and {} other words", repeated.len() - MOST));
        }
        (!words.is_empty()).then(|| words.join(", "))
    }

    fn push(&mut self, line: u64, row: Row) {
        match self.element(line, row) {
            Ok(element) => {
                self.elements.push(element);
                self.lines.push(line);
            }
            Err(error) => self.errors.push(error),
        }
    }

    fn element(&mut self, line: u64, row: Row) -> Result<pb::NewElement, RowError> {
        let Row { cells } = row;
        let mut element = pb::NewElement::default();
        for Cell { field, column, value } in cells {
            let fault = |problem: String| RowError::new(line, problem).at(column).in_field(field.name());
            match field {
                Field::Reference => {
                    Reference::parse(&value, Reference::DEFAULT_LIMIT).map_err(told(fault))?;
                    element.reference = Some(value);
                }
                Field::Data => {
                    // The limit that no server exceeds; one with a lower limit says so itself.
                    ElementData::parse(&value, Limits::MOST).map_err(told(fault))?;
                    element.data = Some(value);
                }
                Field::CreatedBy => {
                    CreatedBy::parse(&value, CreatedBy::DEFAULT_LIMIT).map_err(told(fault))?;
                    element.created_by = Some(value);
                }
                Field::Id if self.ids == Ids::Kept => {
                    let id = value.trim().parse::<ElementId>().map_err(|_| fault("is no id".to_owned()))?.to_string();
                    if let Some(first) = self.ids_seen.insert(id.clone(), line) {
                        return Err(fault(format!("is the id of line {first} already")));
                    }
                    element.id = id;
                }
                Field::Status => {
                    self.left_out.insert(field.name());
                    *self.statuses.entry(value.trim().to_uppercase()).or_default() += 1;
                }
                Field::Guarded => {}
                Field::Id | Field::Told(_) => {
                    self.left_out.insert(field.name());
                }
            }
        }
        if element.id.is_empty() {
            // Made here, so that a repeated upload is no second one.
            element.id = ElementId::generate().to_string();
        }
        Ok(element)
    }
}

/// A limit that a text exceeds, told as a fault of its cell.
fn told(fault: impl Fn(String) -> RowError) -> impl FnOnce(TextError) -> RowError {
    move |error| fault(error.to_string())
}

/// The cells of a row that have a value.
#[derive(Debug, Default)]
struct Row {
    cells: Vec<Cell>,
}

#[derive(Debug)]
struct Cell {
    field: Field,
    column: usize,
    value: String,
}

#[cfg(test)]
mod testing {
    use super::Rows;

    pub(super) fn shown(rows: &Rows) -> Vec<(&str, &str, &str)> {
        rows.elements.iter().map(|e| (e.reference(), e.data(), e.created_by())).collect()
    }

    pub(super) fn problems(rows: &Rows) -> Vec<String> {
        rows.errors.iter().map(ToString::to_string).collect()
    }
}
