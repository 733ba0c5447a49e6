//! Fields of a form as they are drawn: what was typed, what to type, and what was wrong with it.

use std::collections::BTreeMap;

use crate::error::{PageError, sentence};
use crate::form::Fields;

/// What is wrong with a form: by field, and what belongs to none.
#[derive(Debug, Clone, Default)]
pub(crate) struct Faults {
    fields: BTreeMap<String, String>,
    /// Said at the top.
    pub(crate) general: Vec<String>,
}

impl Faults {
    /// A fault of one field; the first one stays.
    pub(crate) fn add(&mut self, field: &str, message: impl Into<String>) {
        self.fields.entry(field.to_owned()).or_insert_with(|| sentence(&message.into()));
    }

    /// What a service refused. `known` are the names of the form's fields; what is about another one is said at the top.
    pub(crate) fn refuse(&mut self, error: &PageError, known: &[&str]) {
        let field = error.field().unwrap_or_default();
        let field = field.rsplit('.').next().unwrap_or_default();
        if known.contains(&field) {
            // The field has a label for people beside it.
            let message = error.to_string();
            let message = message.strip_prefix(field).map_or_else(|| message.clone(), |rest| format!("it{rest}"));
            self.add(field, message);
        } else {
            self.general.push(sentence(&error.to_string()));
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.fields.is_empty() && self.general.is_empty()
    }

    pub(crate) fn of(&self, field: &str) -> Option<String> {
        self.fields.get(field).cloned()
    }
}

/// One field.
#[derive(Debug, Clone)]
pub(crate) struct Input {
    pub(crate) name: &'static str,
    pub(crate) label: &'static str,
    /// The type of an `input`.
    pub(crate) kind: &'static str,
    pub(crate) hint: String,
    pub(crate) value: String,
    pub(crate) error: Option<String>,
}

impl Input {
    pub(crate) fn new(name: &'static str, label: &'static str, fields: &Fields, faults: &Faults) -> Self {
        let value = fields.text(name).to_owned();
        Self { name, label, kind: "text", hint: String::new(), value, error: faults.of(name) }
    }

    #[must_use]
    pub(crate) fn kind(self, kind: &'static str) -> Self {
        Self { kind, ..self }
    }

    #[must_use]
    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: hint.into(), ..self }
    }
}

/// A box to tick.
#[derive(Debug, Clone)]
pub(crate) struct Tick {
    pub(crate) name: &'static str,
    pub(crate) label: &'static str,
    pub(crate) hint: &'static str,
    pub(crate) is_ticked: bool,
    pub(crate) error: Option<String>,
}

impl Tick {
    pub(crate) fn new(
        name: &'static str,
        label: &'static str,
        hint: &'static str,
        fields: &Fields,
        faults: &Faults,
    ) -> Self {
        Self { name, label, hint, is_ticked: fields.is_ticked(name), error: faults.of(name) }
    }
}

/// One of several.
#[derive(Debug, Clone)]
pub(crate) struct Select {
    pub(crate) name: &'static str,
    pub(crate) label: &'static str,
    pub(crate) hint: &'static str,
    pub(crate) choices: Vec<(String, String, bool)>,
    pub(crate) error: Option<String>,
}

impl Select {
    /// `choices` are values with their words.
    pub(crate) fn new(
        name: &'static str,
        label: &'static str,
        choices: &[(&str, &str)],
        fields: &Fields,
        faults: &Faults,
    ) -> Self {
        let chosen = fields.text(name);
        let choices = choices.iter().map(|(value, word)| ((*value).to_owned(), (*word).to_owned(), *value == chosen));
        Self { name, label, hint: "", choices: choices.collect(), error: faults.of(name) }
    }

    #[must_use]
    pub(crate) fn hint(self, hint: &'static str) -> Self {
        Self { hint, ..self }
    }
}

#[cfg(test)]
mod tests {
    use tonic::{Code, Status};

    use super::*;

    #[test]
    fn what_no_field_has_is_said_at_the_top() {
        let mut faults = Faults::default();
        faults.refuse(&PageError::Refused(Status::new(Code::InvalidArgument, "no")), &["name"]);
        faults.add("name", "too long");
        faults.add("name", "and empty");
        let details = tonic_types::ErrorDetails::with_error_info(
            "INVALID_FIELD",
            "x",
            [("field".to_owned(), "trigger_name".to_owned())],
        );
        let message = "trigger_name is 101 characters long; the limit is 100";
        let status = <Status as tonic_types::StatusExt>::with_error_details(Code::InvalidArgument, message, details);
        faults.refuse(&PageError::Refused(status), &["trigger_name"]);
        assert_eq!(faults.of("trigger_name").as_deref(), Some("It is 101 characters long; the limit is 100."));
        assert_eq!(faults.general, ["No."]);
        assert_eq!(faults.of("name").as_deref(), Some("Too long."));
    }
}
