//! Text with rules. Each type is parsed once, at the border; what holds a value of it needs no further check.
//!
//! Lengths are counted in characters, on both databases alike. What administrators type is refused when it is too long;
//! what robots send at the worst moment ([`Message`], [`LogMessage`]) is cut in the middle with a mark that says how
//! many characters are missing.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a text was refused. Names the field, the limit and the length, never the content.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// Nothing, or only blanks, where something is needed.
    #[error("{field} must not be empty")]
    Empty {
        /// The field as the contract names it.
        field: &'static str,
    },
    /// More characters than the contract allows.
    #[error("{field} is {length} characters long; the limit is {limit}")]
    TooLong {
        /// The field as the contract names it.
        field: &'static str,
        /// Characters allowed.
        limit: usize,
        /// Characters given.
        length: usize,
    },
    /// A character that cannot be stored or shown safely.
    #[error("{field} contains the control character U+{code:04X} at position {position}")]
    ControlCharacter {
        /// The field as the contract names it.
        field: &'static str,
        /// The character's code point.
        code: u32,
        /// Where it stands, in characters from 0.
        position: usize,
    },
}

impl TextError {
    /// The field that was refused.
    pub fn field(&self) -> &'static str {
        match self {
            Self::Empty { field } | Self::TooLong { field, .. } | Self::ControlCharacter { field, .. } => field,
        }
    }
}

fn check_length(field: &'static str, text: &str, limit: usize) -> Result<(), TextError> {
    // Bytes bound characters from above: the common case needs no count.
    if text.len() > limit {
        let length = text.chars().count();
        if length > limit {
            return Err(TextError::TooLong { field, limit, length });
        }
    }
    Ok(())
}

fn check_characters(field: &'static str, text: &str, refused: fn(char) -> bool) -> Result<(), TextError> {
    match text.chars().enumerate().find(|(_, c)| refused(*c)) {
        Some((position, c)) => Err(TextError::ControlCharacter { field, code: u32::from(c), position }),
        None => Ok(()),
    }
}

fn is_nul(c: char) -> bool {
    c == '\0'
}

macro_rules! text_base {
    ($name:ident) => {
        impl $name {
            /// Wraps a value that was checked when it was stored. Limits may have been lower then or higher now.
            pub fn from_stored(text: String) -> Self {
                Self(text)
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// The text, by value.
            pub fn into_string(self) -> String {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    };
}

/// A name: one line, not empty, without control characters, at most so many characters.
macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident, $field:literal, $limit:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// The most characters it may have.
            pub const LIMIT: usize = $limit;

            /// Checks the text: not empty, at most [`Self::LIMIT`] characters, no control characters.
            pub fn parse(text: &str) -> Result<Self, TextError> {
                Self::parse_as($field, text)
            }

            /// As [`Self::parse`], for a field with another name, such as `branch` of a trigger.
            pub fn parse_as(field: &'static str, text: &str) -> Result<Self, TextError> {
                if text.trim().is_empty() {
                    return Err(TextError::Empty { field });
                }
                check_length(field, text, $limit)?;
                check_characters(field, text, char::is_control)?;
                Ok(Self(text.to_owned()))
            }
        }

        text_base!($name);
    };
}

/// Free text that may be empty and have any lines; only NUL is refused.
macro_rules! body_type {
    ($(#[$doc:meta])* $name:ident, $field:literal, default $limit:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// The limit of the contract, in characters. A server may raise it, see [`Limits`].
            pub const DEFAULT_LIMIT: usize = $limit;

            /// Checks the text against a limit in characters; NUL is refused.
            pub fn parse(text: &str, limit: usize) -> Result<Self, TextError> {
                check_length($field, text, limit)?;
                check_characters($field, text, is_nul)?;
                Ok(Self(text.to_owned()))
            }
        }

        text_base!($name);
    };
}

/// Text from robots that is never refused: cut in the middle, NUL replaced.
macro_rules! cut_type {
    ($(#[$doc:meta])* $name:ident, $limit:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// The most characters it may have.
            pub const LIMIT: usize = $limit;

            /// Takes any text: NUL becomes U+FFFD, and what is too long loses its middle.
            pub fn cut(text: &str) -> Self {
                if text.contains('\0') {
                    return Self(cut_middle(&text.replace('\0', "\u{fffd}"), $limit));
                }
                Self(cut_middle(text, $limit))
            }
        }

        text_base!($name);
    };
}

name_type!(
    /// The name of a trigger, unique among live ones.
    TriggerName, "trigger_name", 100
);
name_type!(
    /// The name of a process, which people read in logs and jobs.
    ProcessName, "process_name", 100
);
name_type!(
    /// A path on the worker, or a git URL.
    ProcessPath, "process_path", 250
);
name_type!(
    /// A branch or tag.
    GitBranch, "git_branch", 100
);
name_type!(
    /// The name of a queue. A queue exists while it has elements or settings.
    QueueName, "queue_name", 100
);
name_type!(
    /// The name of a worker; matched exactly against whitelists.
    WorkerName, "worker_name", 100
);
name_type!(
    /// The name of a constant.
    ConstantName, "name", 100
);
name_type!(
    /// The name of a credential.
    CredentialName, "name", 100
);
name_type!(
    /// Who holds a token, or who created an element.
    ActorName, "name", 100
);

name_type!(
    /// The name a person signs in with. Case does not tell two apart.
    UserName, "name", 100
);
name_type!(
    /// What a person is called.
    DisplayName, "display_name", 100
);

impl UserName {
    /// The name without its case, by which a user is found.
    pub fn key(&self) -> String {
        Self::key_of(&self.0)
    }

    /// The same of a name as someone typed it.
    pub fn key_of(text: &str) -> String {
        text.trim().to_lowercase()
    }
}

body_type!(
    /// What a queue element carries.
    ElementData, "data", default 2000
);
body_type!(
    /// Arguments of a process: one value, handed over untouched.
    ProcessArgs, "process_args", default 1000
);
body_type!(
    /// The value of a constant.
    ConstantValue, "value", default 1000
);
body_type!(
    /// A queue element's reference, which people search for.
    Reference, "reference", default 100
);
body_type!(
    /// A user name of a credential.
    Username, "username", default 250
);
body_type!(
    /// Who or what made a queue element.
    CreatedBy, "created_by", default 100
);

cut_type!(
    /// The message of a queue element's status.
    Message, 1000
);
cut_type!(
    /// A log line's text.
    LogMessage, 8000
);
cut_type!(
    /// Why a job ended or was handed back, as the worker tells it.
    Reason, 4000
);

/// Limits that a server may raise up to [`Limits::MOST`], in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// For [`ElementData`].
    pub data: usize,
    /// For [`ProcessArgs`].
    pub process_args: usize,
    /// For [`ConstantValue`].
    pub constant_value: usize,
}

impl Limits {
    /// The highest value any of the limits may have: 1 Mi characters.
    pub const MOST: usize = 1 << 20;
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            data: ElementData::DEFAULT_LIMIT,
            process_args: ProcessArgs::DEFAULT_LIMIT,
            constant_value: ConstantValue::DEFAULT_LIMIT,
        }
    }
}

/// Cuts the middle out of a text that has more than `limit` characters, leaving a mark that counts what is missing.
/// The result has at most `limit` characters.
pub fn cut_middle(text: &str, limit: usize) -> String {
    if text.len() <= limit {
        return text.to_owned();
    }
    let length = text.chars().count();
    if length <= limit {
        return text.to_owned();
    }
    // The mark's own length depends on the number in it, which has at most 20 digits.
    let mark_room = " [… 00000000000000000000 characters cut …] ".chars().count();
    if limit <= mark_room {
        return text.chars().take(limit).collect();
    }
    let kept = limit - mark_room;
    let (head, tail) = (kept.div_ceil(2), kept / 2);
    let start: String = text.chars().take(head).collect();
    let end: String = text.chars().skip(length - tail).collect();
    format!("{start} [… {} characters cut …] {end}", length - kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_too_long_names_field_limit_and_length() {
        let error = TriggerName::parse(&"x".repeat(101)).unwrap_err();
        assert_eq!(error.to_string(), "trigger_name is 101 characters long; the limit is 100");
    }

    #[test]
    fn length_is_counted_in_characters() {
        assert!(TriggerName::parse(&"æ".repeat(100)).is_ok());
        assert!(TriggerName::parse(&"æ".repeat(101)).is_err());
    }

    #[test]
    fn blanks_are_no_name() {
        assert_eq!(QueueName::parse("  ").unwrap_err(), TextError::Empty { field: "queue_name" });
    }

    #[test]
    fn a_name_has_one_line() {
        let error = QueueName::parse("a\nb").unwrap_err();
        assert_eq!(error.to_string(), "queue_name contains the control character U+000A at position 1");
    }

    #[test]
    fn data_may_have_lines_but_no_nul() {
        assert!(ElementData::parse("a\n\"b\"", 2000).is_ok());
        assert!(ElementData::parse("a\0b", 2000).is_err());
    }

    #[test]
    fn a_message_that_is_too_long_loses_its_middle_and_says_how_much() {
        let text = format!("{}{}", "a".repeat(6000), "z".repeat(6000));
        let cut = LogMessage::cut(&text);
        let length = cut.as_str().chars().count();
        assert!(length <= LogMessage::LIMIT, "{length}");
        assert!(cut.as_str().starts_with("aaa") && cut.as_str().ends_with("zzz"));
        let kept = cut.as_str().chars().filter(|c| *c == 'a' || *c == 'z').count() - 2 /* "characters" has two a */;
        assert!(cut.as_str().contains(&format!("[… {} characters cut …]", 12_000 - kept)), "{kept}");
    }

    #[test]
    fn a_message_keeps_what_fits_untouched_and_never_holds_nul() {
        assert_eq!(Message::cut("fine").as_str(), "fine");
        assert_eq!(Message::cut("a\0b").as_str(), "a\u{fffd}b");
    }
}
