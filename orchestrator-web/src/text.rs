//! Texts of robots and people as they may be shown. Templates escape what HTML means something by; here it is what no eye
//! would see, or would see in the wrong place: control characters, and those that turn the direction of writing.

/// A text of one or more lines, with its line ends and tabs.
pub(crate) fn shown(text: &str) -> String {
    text.chars()
        .flat_map(|c| if matches!(c, '\n' | '\t') { [Some(c)].into_iter().flatten().collect() } else { visible(c) })
        .collect()
}

/// A text on one line.
pub(crate) fn shown_in_line(text: &str) -> String {
    text.chars().flat_map(visible).collect()
}

/// What the first characters are called. Few fonts have pictures of them.
const CONTROLS: [&str; 32] = [
    "NUL", "SOH", "STX", "ETX", "EOT", "ENQ", "ACK", "BEL", "BS", "TAB", "LF", "VT", "FF", "CR", "SO", "SI", "DLE",
    "DC1", "DC2", "DC3", "DC4", "NAK", "SYN", "ETB", "CAN", "EM", "SUB", "ESC", "FS", "GS", "RS", "US",
];

fn named(name: &str) -> Vec<char> {
    format!("\u{27e8}{name}\u{27e9}").chars().collect()
}

/// The character, or what stands for it.
fn visible(c: char) -> Vec<char> {
    match c {
        '\u{0}'..='\u{1f}' => named(CONTROLS.get(c as usize).copied().unwrap_or_default()),
        '\u{7f}' => named("DEL"),
        '\u{80}'..='\u{9f}'
        | '\u{61c}'
        | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}' => named(&format!("U+{:04X}", u32::from(c))),
        c => vec![c],
    }
}

/// The beginning of a text that is too long for a line of a table.
pub(crate) fn shortened(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return shown_in_line(text);
    }
    let mut short = shown_in_line(&text.chars().take(most.saturating_sub(1)).collect::<String>());
    short.push('\u{2026}');
    short
}

/// The same of a text of several lines, such as why a job failed: they stand one behind the other.
pub(crate) fn summed_up(text: &str, most: usize) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    shortened(&lines.join(" \u{b7} "), most)
}

/// The end of an id, as lists show it: its beginning hardly changes.
pub(crate) fn short_id(id: &str) -> String {
    id.get(id.len().saturating_sub(8)..).unwrap_or(id).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_stand_one_behind_the_other_and_stay_text() {
        assert_eq!(
            summed_up("exit code 1\n\n  no such file\u{1b}\n", 99),
            "exit code 1 \u{b7} no such file\u{27e8}ESC\u{27e9}"
        );
        assert_eq!(summed_up("a\nb", 3), "a \u{2026}");
    }

    #[test]
    fn control_characters_are_seen_and_do_nothing() {
        assert_eq!(shown("a\u{1b}[31mred\r\nb\tc\u{0}"), "a⟨ESC⟩[31mred⟨CR⟩\nb\tc⟨NUL⟩");
        assert_eq!(shown_in_line("a\nb"), "a⟨LF⟩b");
    }

    #[test]
    fn nothing_turns_the_direction_of_writing() {
        assert_eq!(shown("gpj.\u{202e}exe"), "gpj.⟨U+202E⟩exe");
        assert_eq!(shown("æøå 日本 🤖"), "æøå 日本 🤖");
    }

    #[test]
    fn long_texts_are_cut_by_characters() {
        assert_eq!(shortened("ææææ", 4), "ææææ");
        assert_eq!(shortened("æææææ", 4), "æææ…");
    }
}
