//! A part of an id, as people type it.

use uuid::Uuid;

/// Fewer characters would fit too much.
const FEWEST: usize = 4;

/// The beginning or the end of an id: at least four hexadecimal digits, hyphens and case ignored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct IdPart(String);

impl IdPart {
    /// `None` when the text cannot be one.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let digits: String = text.chars().filter(|c| *c != '-').map(|c| c.to_ascii_lowercase()).collect();
        let fits = (FEWEST..=32).contains(&digits.len()) && digits.chars().all(|c| c.is_ascii_hexdigit());
        fits.then_some(Self(digits))
    }

    /// The least and the greatest id that begin so.
    pub(crate) fn range(&self) -> (Uuid, Uuid) {
        let filled = |digit: char| {
            let text: String = self.0.chars().chain(std::iter::repeat(digit)).take(32).collect();
            Uuid::try_parse(&text).unwrap_or_default()
        };
        (filled('0'), filled('f'))
    }

    /// The last four digits, which an index holds.
    pub(crate) fn end(&self) -> &str {
        &self.0[self.0.len() - FEWEST..]
    }

    /// A `LIKE` pattern of ids that end so.
    pub(crate) fn end_pattern(&self) -> String {
        format!("%{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_four_hexadecimal_digits_at_least() {
        for text in ["", "abc", "invoice", "æææææ"] {
            assert_eq!(IdPart::parse(text), None, "{text}");
        }
        let part = IdPart::parse("AB-cd").unwrap();
        assert_eq!((part.end(), part.end_pattern().as_str()), ("abcd", "%abcd"));
    }

    #[test]
    fn the_range_holds_every_id_that_begins_so() {
        let (least, most) = IdPart::parse("0192-abcd").unwrap().range();
        assert_eq!(least.to_string(), "0192abcd-0000-0000-0000-000000000000");
        assert_eq!(most.to_string(), "0192abcd-ffff-ffff-ffff-ffffffffffff");
    }
}
