//! Columns of lists and facts of single things, as data.

use super::look::Look;
use super::sentence::printable;

/// What a state means to someone who looks at it. The word is always there too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    Plain,
    Good,
    Busy,
    Held,
    Bad,
    Idle,
}

/// One value of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cell {
    pub(crate) text: String,
    pub(crate) tone: Tone,
}

/// The longest free text in a table; all of it is in `-o wide`.
const CLIP: usize = 60;

impl Cell {
    /// Text of any origin, on one line.
    pub(crate) fn text(text: impl AsRef<str>) -> Self {
        Self { text: printable(text.as_ref()), tone: Tone::Plain }
    }

    /// Text of any origin and length.
    pub(crate) fn clipped(look: &Look, text: &str) -> Self {
        let cell = Self::text(text);
        if look.wide || cell.text.chars().count() <= CLIP {
            return cell;
        }
        let mut clipped: String = cell.text.chars().take(CLIP - 1).collect();
        clipped.push('…');
        Self { text: clipped, ..cell }
    }

    /// A number.
    pub(crate) fn number(number: impl Into<i64>) -> Self {
        Self { text: number.into().to_string(), tone: Tone::Plain }
    }

    /// An id: its end, which differs most between ids of one time, unless there is room.
    pub(crate) fn id(look: &Look, id: &str) -> Self {
        let digits: Vec<char> = id.chars().filter(|c| *c != '-').collect();
        if look.wide || digits.len() <= 8 {
            return Self::text(id);
        }
        Self::text(digits[digits.len() - 8..].iter().collect::<String>())
    }

    /// A state by its stored name.
    pub(crate) fn state(name: &str) -> Self {
        let tone = match name {
            "DONE" | "UP" => Tone::Good,
            "RUNNING" | "ASSIGNED" | "IN_PROGRESS" => Tone::Busy,
            "PAUSED" | "PAUSING" | "LOST" | "DRAINING" => Tone::Held,
            "FAILED" | "KILLED" | "KILLING" | "TIMED_OUT" | "ABANDONED" | "ERROR" => Tone::Bad,
            "IDLE" | "NEW" | "QUEUED" | "CANCELLED" | "STOPPED" | "TRACE" => Tone::Idle,
            _ => Tone::Plain,
        };
        Self { tone, ..Self::text(name) }
    }

    /// The same, in the colour of failure.
    pub(crate) fn alarming(self) -> Self {
        Self { tone: Tone::Bad, ..self }
    }

    /// `yes`, or nothing.
    pub(crate) fn flag(flag: bool) -> Self {
        Self::text(if flag { "yes" } else { "" })
    }
}

/// A column of a list, or a fact of a single thing.
pub(crate) struct Column<T> {
    pub(crate) heading: &'static str,
    /// Only in `-o wide`.
    pub(crate) wide: bool,
    pub(crate) cell: fn(&T, &Look) -> Cell,
}

impl<T> Column<T> {
    pub(crate) const fn new(heading: &'static str, cell: fn(&T, &Look) -> Cell) -> Self {
        Self { heading, wide: false, cell }
    }

    pub(crate) const fn wide(heading: &'static str, cell: fn(&T, &Look) -> Cell) -> Self {
        Self { heading, wide: true, cell }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_shown_by_its_end() {
        let look = Look::of_tests();
        let id = "0199c1de-7a10-7000-8000-00001a2b3c4d";
        assert_eq!(Cell::id(&look, id).text, "1a2b3c4d");
        assert_eq!(Cell::id(&Look { wide: true, ..look }, id).text, id);
    }

    #[test]
    fn long_text_is_clipped_unless_there_is_room() {
        let look = Look::of_tests();
        let text = "æ".repeat(100);
        assert_eq!(Cell::clipped(&look, &text).text.chars().count(), 60);
        assert_eq!(Cell::clipped(&Look { wide: true, ..look }, &text).text, text);
    }
}
