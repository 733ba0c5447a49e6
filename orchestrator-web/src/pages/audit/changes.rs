//! What differs between two documents, field by field.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::text::shown;

/// One field that came, went or changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) field: String,
    pub(crate) before: Option<String>,
    pub(crate) after: Option<String>,
}

/// The most fields of one entry: documents of robots may be anything.
const MOST_FIELDS: usize = 200;

/// What differs. Documents that are no objects are one field without a name; those of which one is missing are shown whole.
pub(crate) fn changes(before: &str, after: &str) -> Vec<Change> {
    let (before, after) = (read(before), read(after));
    let mut found = Vec::new();
    compare("", before.as_ref(), after.as_ref(), &mut found);
    found.truncate(MOST_FIELDS);
    found
}

fn read(text: &str) -> Option<Value> {
    if text.is_empty() {
        return None;
    }
    Some(serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned())))
}

fn compare(name: &str, before: Option<&Value>, after: Option<&Value>, found: &mut Vec<Change>) {
    if before == after || found.len() >= MOST_FIELDS {
        return;
    }
    let fields = |value: Option<&Value>| match value {
        Some(Value::Object(map)) => Some(map.clone()),
        None | Some(Value::Null) => Some(serde_json::Map::new()),
        Some(_) => None,
    };
    let is_object = |value: Option<&Value>| matches!(value, Some(Value::Object(_)));
    if let (Some(old), Some(new)) = (fields(before), fields(after))
        && (is_object(before) || is_object(after))
    {
        let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        for field in names {
            let path = if name.is_empty() { field.clone() } else { format!("{name}.{field}") };
            compare(&path, old.get(field), new.get(field), found);
        }
        return;
    }
    let (before, after) = (words(before), words(after));
    if before.is_some() || after.is_some() {
        found.push(Change { field: shown(name), before, after });
    }
}

/// A value as people read it; nothing for null.
fn words(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::Null => None,
        Value::String(text) => Some(shown(text)),
        Value::Bool(true) => Some("yes".to_owned()),
        Value::Bool(false) => Some("no".to_owned()),
        other => Some(shown(&other.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(field: &str, before: Option<&str>, after: Option<&str>) -> Change {
        Change { field: field.to_owned(), before: before.map(str::to_owned), after: after.map(str::to_owned) }
    }

    #[test]
    fn only_what_differs_is_told_field_by_field() {
        let before = r#"{"role":"VIEWER","name":"b","kind":{"cron":"0 6 * * *","zone":"UTC"},"gone":1}"#;
        let after = r#"{"role":"ADMIN","name":"b","kind":{"cron":"0 7 * * *","zone":"UTC"},"new":[1,"x"]}"#;
        assert_eq!(
            changes(before, after),
            [
                change("gone", Some("1"), None),
                change("kind.cron", Some("0 6 * * *"), Some("0 7 * * *")),
                change("new", None, Some(r#"[1,"x"]"#)),
                change("role", Some("VIEWER"), Some("ADMIN")),
            ]
        );
    }

    #[test]
    fn what_was_made_or_removed_is_told_whole_without_what_is_empty() {
        let made = changes("", r#"{"role":"ADMIN","called":null,"disabled":false}"#);
        assert_eq!(made, [change("disabled", None, Some("no")), change("role", None, Some("ADMIN"))]);
        assert_eq!(changes(r#"{"a":{"b":true}}"#, ""), [change("a.b", Some("yes"), None)]);
        assert!(changes("", "").is_empty());
    }

    #[test]
    fn anything_that_is_stored_can_be_shown() {
        assert_eq!(changes("no json \u{1b}", "7"), [change("", Some("no json ⟨ESC⟩"), Some("7"))]);
        assert_eq!(changes("[1]", r#"{"a":1}"#), [change("", Some("[1]"), Some(r#"{"a":1}"#))]);
    }
}
