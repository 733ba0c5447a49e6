//! Cells that a spreadsheet would take for formulas. What stands in elements comes from outside: a reference such as
//! `=HYPERLINK(…)` would be calculated on the machine of whoever opens the file.

use std::borrow::Cow;

/// The column of a spreadsheet's file that says in which rows a guard was put before cells.
pub(super) const GUARDED: &str = "guarded";
/// What it says there.
pub(super) const IS_GUARDED: &str = "yes";

/// Cells that begin with it are text.
const GUARD: char = '\'';
/// Beyond these digits a spreadsheet rounds.
const MOST_DIGITS: usize = 15;

/// The cell as a spreadsheet may have it.
pub(super) fn guarded(cell: &str) -> Cow<'_, str> {
    if needs_guard(cell) { Cow::Owned(format!("{GUARD}{cell}")) } else { Cow::Borrowed(cell) }
}

/// The cell as it was before. Whoever corrected it may have taken the guard off already.
pub(super) fn unguarded(cell: &str) -> &str {
    cell.strip_prefix(GUARD).filter(|_| needs_guard(cell)).unwrap_or(cell)
}

/// Whether a formula follows, behind however many guards: a text that has one itself gets another, so that exactly that one
/// can be taken off. A negative number is no formula and stays one.
fn needs_guard(cell: &str) -> bool {
    let text = cell.trim_start_matches(GUARD);
    if text.starts_with(['\t', '\r', '\n']) {
        return true;
    }
    // Spaces before a formula are passed over, and the wide signs of Japanese keyboards are the same as the narrow ones.
    let begins = text.trim_start().starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠']);
    begins && !is_negative_number(text)
}

/// `-5`, `-12,50`: as a spreadsheet keeps it, digit for digit.
fn is_negative_number(text: &str) -> bool {
    let Some(number) = text.strip_prefix('-') else { return false };
    let (whole, fraction) = number.split_once([',', '.']).unwrap_or((number, "0"));
    let are_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    are_digits(whole)
        && are_digits(fraction)
        && number.len() <= MOST_DIGITS
        && (whole == "0" || !whole.starts_with('0'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_no_formula_is_left_alone() {
        for plain in ["", "a", "5", "-5", "-12,50", "-0.5", "5-3", "a=b", "'", "''a", "'-5"] {
            assert_eq!(guarded(plain), plain);
        }
        for formula in [
            "=1",
            "+4512345678",
            "-",
            "-5+1",
            "-1e5",
            "-05",
            "-1234567890123456",
            "@SUM(1)",
            "\tx",
            "\rx",
            " =1",
            "＝1",
        ] {
            assert_eq!(guarded(formula), format!("'{formula}"));
        }
        assert_eq!(guarded("'=1"), "''=1");
    }

    #[test]
    fn a_guard_that_someone_took_off_is_not_missed() {
        assert_eq!(unguarded("=1"), "=1");
        assert_eq!(unguarded("'a"), "'a");
    }

    proptest! {
        #[test]
        fn every_text_comes_back(text in "['=+\\-@\t\r\n 0-9,.a＝]{0,6}.{0,4}") {
            let guarded = guarded(&text);
            prop_assert_eq!(unguarded(&guarded), &text);
        }
    }
}
