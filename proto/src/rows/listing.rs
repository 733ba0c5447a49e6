//! What lists print with `-o json`: one document, where a file of elements has one object a line.

use serde::Deserialize;
use serde::de::IgnoredAny;

#[derive(Deserialize)]
#[serde(untagged)]
#[expect(dead_code, reason = "only whether it can be read is asked")]
enum Listing {
    Page { elements: Vec<IgnoredAny> },
    Many(Vec<IgnoredAny>),
    One { element: IgnoredAny },
}

/// Whether a text is the answer of a command that lists or shows elements. Such a list may be one page of many, so it is no
/// export.
pub fn is_listing(text: &str) -> bool {
    serde_json::from_str::<Listing>(text).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_told_from_lines_of_elements() {
        for listing in
            ["{\n  \"elements\": [\n {\"reference\": \"1\"}],\n \"nextCursor\": \"\"\n}\n", "[{\"data\": 1}]", "[]"]
        {
            assert!(is_listing(listing), "{listing}");
        }
        for lines in
            ["", "{\"reference\": \"1\"}\n", "{\"data\": [1]}\n{\"data\": [2]}\n", "reference\n1\n", "[1]\n[2]\n"]
        {
            assert!(!is_listing(lines), "{lines}");
        }
    }
}
