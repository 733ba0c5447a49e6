//! Files that spreadsheets open. What is in them comes from robots and from anywhere.

/// A line of a file.
pub(crate) fn line<'a>(fields: impl IntoIterator<Item = &'a str>) -> String {
    let cells: Vec<String> = fields.into_iter().map(cell).collect();
    format!("{}\r\n", cells.join(","))
}

/// In quotes where it must be. What a spreadsheet would take for a formula begins with an apostrophe.
fn cell(text: &str) -> String {
    let guard = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { "'" } else { "" };
    if guard.is_empty() && !text.contains([',', '"', '\n', '\r']) {
        return text.to_owned();
    }
    format!("\"{guard}{}\"", text.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_becomes_a_formula_or_another_column() {
        assert_eq!(line(["plain", "a,b", "say \"x\"\n"]), "plain,\"a,b\",\"say \"\"x\"\"\n\"\r\n");
        for formula in ["=HYPERLINK(1)", "+1", "-1", "@SUM(1)", "\tx", "\rx"] {
            assert_eq!(cell(formula), format!("\"'{formula}\""));
        }
    }
}
