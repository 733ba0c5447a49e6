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

/// The character, or what stands for it.
fn visible(c: char) -> Vec<char> {
    match c {
        '\u{0}'..='\u{1f}' => char::from_u32(0x2400 + u32::from(c)).into_iter().collect(),
        '\u{7f}' => vec!['\u{2421}'],
        '\u{80}'..='\u{9f}'
        | '\u{61c}'
        | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}' => format!("\u{27e8}U+{:04X}\u{27e9}", u32::from(c)).chars().collect(),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_seen_and_do_nothing() {
        assert_eq!(shown("a\u{1b}[31mred\r\nb\tc\u{0}"), "a\u{241b}[31mred\u{240d}\nb\tc\u{2400}");
        assert_eq!(shown_in_line("a\nb"), "a\u{240a}b");
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
