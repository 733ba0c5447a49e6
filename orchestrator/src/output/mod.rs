//! What is printed: results to standard output, everything else to standard error.

mod choice;
mod column;
mod file_form;
mod json;
mod look;
mod print;
mod progress;
mod prompt;
mod sentence;
mod table;
mod times;
mod views;

pub(crate) use choice::{ColorChoice, Format, TimeStyle};
pub(crate) use column::{Cell, Column, Tone};
pub(crate) use file_form::{FileForm, file_time};
pub(crate) use json::{JsonError, Reply, to_line, to_value};
pub(crate) use look::Look;
pub(crate) use print::{Listing, Printer, Row, Single, stderr_bytes, stderr_line, stdout_bytes, stdout_line};
pub(crate) use progress::Progress;
pub(crate) use prompt::{can_ask, confirm, expect_somebody, line, old_and_new_password, password, secret};
pub(crate) use sentence::{printable, printable_lines};
pub(crate) use table::{facts as facts_table, list as rows_table};
pub(crate) use times::{duration, elapsed, instant, time};
pub(crate) use views::held_because;
