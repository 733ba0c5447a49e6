//! What rendering depends on beside the message.

use std::io::IsTerminal as _;

use chrono::{DateTime, FixedOffset, Local};
use orchestrator_core::clock::Timestamp;

use super::choice::{ColorChoice, Format, TimeStyle};

/// How things look. A value, so that what is printed can be tested.
#[derive(Debug, Clone)]
pub(crate) struct Look {
    pub(crate) now: Timestamp,
    pub(crate) time: TimeStyle,
    /// Reads an instant in this machine's zone.
    pub(crate) local: fn(Timestamp) -> DateTime<FixedOffset>,
    pub(crate) color: bool,
    /// Whole ids and more columns.
    pub(crate) wide: bool,
    /// Columns of the terminal; lines are not broken when there is none.
    pub(crate) width: Option<u16>,
}

impl Look {
    /// As the flags and the terminal have it.
    pub(crate) fn of_terminal(now: Timestamp, time: TimeStyle, color: ColorChoice, format: Format) -> Self {
        let terminal = std::io::stdout().is_terminal();
        let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let color = match color {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => terminal && !no_color,
        };
        let width = terminal.then(|| comfy_table::Table::new().width()).flatten();
        let local = |at: Timestamp| at.with_timezone(&Local).fixed_offset();
        Self { now, time, local, color, wide: format == Format::Wide, width }
    }

    /// A fixed one, for tests.
    #[cfg(test)]
    pub(crate) fn of_tests() -> Self {
        let now = "2026-11-22T12:00:00Z".parse().expect("a valid time");
        let local = |at: Timestamp| at.fixed_offset();
        Self { now, time: TimeStyle::Relative, local, color: false, wide: false, width: Some(120) }
    }
}
