//! Columns and facts as text.

use comfy_table::{Attribute, Color, ContentArrangement, Table};

use super::column::{Cell, Column, Tone};
use super::look::Look;

/// A list with headings.
pub(crate) fn list<T>(look: &Look, columns: &[Column<T>], rows: &[T]) -> String {
    let columns: Vec<&Column<T>> = columns.iter().filter(|column| look.wide || !column.wide).collect();
    let mut table = empty(look);
    table.set_header(columns.iter().map(|column| heading(look, column.heading)));
    for row in rows {
        table.add_row(columns.iter().map(|column| paint(look, &(column.cell)(row, look))));
    }
    finish(table)
}

/// What is known about one thing, a fact a line; what is blank is left out.
pub(crate) fn facts<T>(look: &Look, facts: &[Column<T>], thing: &T) -> String {
    let mut table = empty(look);
    for fact in facts {
        let cell = (fact.cell)(thing, look);
        if !cell.text.is_empty() {
            table.add_row([heading(look, fact.heading), paint(look, &cell)]);
        }
    }
    finish(table)
}

fn empty(look: &Look) -> Table {
    let mut table = Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    match look.width {
        Some(width) => table.set_width(width).set_content_arrangement(ContentArrangement::Dynamic),
        None => table.set_content_arrangement(ContentArrangement::Disabled),
    };
    if look.color {
        table.enforce_styling()
    } else {
        table.force_no_tty()
    };
    table
}

fn heading(look: &Look, text: &str) -> comfy_table::Cell {
    let cell = comfy_table::Cell::new(text);
    if look.color { cell.add_attribute(Attribute::Bold) } else { cell }
}

fn paint(look: &Look, cell: &Cell) -> comfy_table::Cell {
    let painted = comfy_table::Cell::new(&cell.text);
    let color = match cell.tone {
        Tone::Good => Color::Green,
        Tone::Busy => Color::Blue,
        Tone::Held => Color::Yellow,
        Tone::Bad => Color::Red,
        Tone::Idle => Color::DarkGrey,
        Tone::Plain => return painted,
    };
    if look.color { painted.fg(color) } else { painted }
}

/// Columns stand two blanks apart, and no line ends in blanks.
fn finish(mut table: Table) -> String {
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.trim_fmt()
}
