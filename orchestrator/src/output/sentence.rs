//! Text of others on a terminal: nothing in it may steer the terminal or forge lines.

/// One line: control characters are shown, not obeyed.
pub(crate) fn printable(text: &str) -> String {
    if text.chars().any(is_unsafe) { text.chars().flat_map(escape).collect() } else { text.to_owned() }
}

/// As [`printable`], but line feeds and tabs stay.
pub(crate) fn printable_lines(text: &str) -> String {
    let keep = |c: char| c == '\n' || c == '\t';
    let show = |c: char| if keep(c) { vec![c] } else { escape(c) };
    text.chars().flat_map(show).collect()
}

/// Controls, and the marks that turn the direction of what follows.
fn is_unsafe(c: char) -> bool {
    c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn escape(c: char) -> Vec<char> {
    if is_unsafe(c) { c.escape_default().collect() } else { vec![c] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn controls_are_shown_instead_of_obeyed() {
        assert_eq!(printable("a\u{1b}[31m\nb\tc"), "a\\u{1b}[31m\\nb\\tc");
        assert_eq!(printable("Ærø ✓"), "Ærø ✓");
        assert_eq!(printable("a\u{202e}b"), "a\\u{202e}b");
    }

    #[test]
    fn lines_stay_lines_where_that_is_asked_for() {
        assert_eq!(printable_lines("a\n\tb\r\u{7}"), "a\n\tb\\r\\u{7}");
    }
}
