//! The text of a key file.
//!
//! One key per line, its role before it; `#` begins a comment:
//!
//! ```text
//! # new values are encrypted with this one
//! write orch-key-1:Zk3vQ0aB:<base64 of 32 bytes>
//! read  orch-key-1:2025:<base64 of 32 bytes>
//! ```
//!
//! A key of the role `stage` is read with, too; nothing was written with it yet.

use std::collections::HashMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use zeroize::Zeroizing;

use super::key::{KEY_BYTES, Key, KeyId, KeyIdError, KeyRing};
use super::plaintext::Plaintext;

const PREFIX: &str = "orch-key-1:";
const HEADER: &str = "# Keys of the orchestrator. Without this file no stored credential can be read: keep a copy in a safe place,\n\
                      # apart from the copies of the database, and let nobody but the server read it.\n";
/// Role, spaces, prefix, id, colon, base64 and line feed, rounded up.
const LONGEST_LINE: usize = 96;

/// A text is no key file. Says where and why, and shows nothing of the line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyFileError {
    /// A line cannot be used.
    #[error("line {line}: {problem}")]
    Line {
        /// Counted from 1.
        line: usize,
        /// What is wrong with it.
        problem: KeyLineProblem,
    },
    /// No line has the role `write`.
    #[error("there is no writing key: one line must begin with `write`")]
    NoWritingKey,
}

/// What is wrong with a line of a key file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyLineProblem {
    /// Not `write`, `read` or `stage` and one word after it.
    #[error("expected `write`, `read` or `stage`, a space and a key")]
    Form,
    /// The key has not three parts, or the first is not `orch-key-1`.
    #[error("expected a key of the form `{PREFIX}<key id>:<base64>`")]
    KeyForm,
    /// The middle part of the key.
    #[error(transparent)]
    KeyId(#[from] KeyIdError),
    /// The last part of the key.
    #[error("the key is not valid base64")]
    Base64,
    /// The key is not 32 bytes.
    #[error("the key has {length} bytes, expected {KEY_BYTES}")]
    KeyLength {
        /// The length of what was given, decoded.
        length: usize,
    },
    /// There can be only one writing key.
    #[error("a second writing key, the first is in line {first_line}")]
    SecondWritingKey {
        /// Counted from 1.
        first_line: usize,
    },
    /// Ciphertexts name their key by its id, so ids are unique.
    #[error("the key id `{id}` is already used in line {first_line}")]
    DuplicateId {
        /// The id that is there twice.
        id: KeyId,
        /// Counted from 1.
        first_line: usize,
    },
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Write,
    Read,
    Stage,
}

impl KeyRing {
    /// Reads the text of a key file.
    pub fn parse(text: &str) -> Result<Self, KeyFileError> {
        let mut file = KeyFile::default();
        // Some Windows editors begin a file with a byte order mark.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        for (line, content) in (1..).zip(text.lines()) {
            file.read_line(line, content).map_err(|problem| KeyFileError::Line { line, problem })?;
        }
        let (_, writing) = file.writing.ok_or(KeyFileError::NoWritingKey)?;
        Ok(Self::from_unique(writing, file.staged, file.reading))
    }

    /// Writes the text of a key file, which [`KeyRing::parse`] reads. Comments of a file that was read are not kept.
    pub fn render(&self) -> Plaintext {
        // Large enough from the start: a text that grows leaves copies of itself behind.
        let capacity = HEADER.len() + LONGEST_LINE * (1 + self.reading().len());
        let mut text = Zeroizing::new(String::with_capacity(capacity));
        text.push_str(HEADER);
        render_line(&mut text, "write ", self.writing());
        let (staged, old) = self.reading().split_at(self.staged().len());
        for key in staged {
            render_line(&mut text, "stage ", key);
        }
        for key in old {
            render_line(&mut text, "read  ", key);
        }
        Plaintext::copy_of(&text)
    }
}

fn render_line(text: &mut String, role: &str, key: &Key) {
    for part in [role, PREFIX, key.id().as_str(), ":"] {
        text.push_str(part);
    }
    STANDARD.encode_string(key.expose(), text);
    text.push('\n');
}

#[derive(Default)]
struct KeyFile {
    writing: Option<(usize, Key)>,
    reading: Vec<Key>,
    staged: Vec<Key>,
    lines: HashMap<KeyId, usize>,
}

impl KeyFile {
    fn read_line(&mut self, line: usize, content: &str) -> Result<(), KeyLineProblem> {
        let Some((role, key)) = parse_line(content)? else { return Ok(()) };
        if let Some(first_line) = self.lines.insert(key.id().clone(), line) {
            return Err(KeyLineProblem::DuplicateId { id: key.id().clone(), first_line });
        }
        match (role, &self.writing) {
            (Role::Write, Some((first_line, _))) => {
                return Err(KeyLineProblem::SecondWritingKey { first_line: *first_line });
            }
            (Role::Write, None) => self.writing = Some((line, key)),
            (Role::Read, _) => self.reading.push(key),
            (Role::Stage, _) => self.staged.push(key),
        }
        Ok(())
    }
}

/// `None` for a line that is empty but for a comment.
fn parse_line(content: &str) -> Result<Option<(Role, Key)>, KeyLineProblem> {
    let content = content.split_once('#').map_or(content, |(before, _)| before);
    let mut words = content.split_whitespace();
    match (words.next(), words.next(), words.next()) {
        (None, ..) => Ok(None),
        (Some("write"), Some(key), None) => Ok(Some((Role::Write, parse_key(key)?))),
        (Some("read"), Some(key), None) => Ok(Some((Role::Read, parse_key(key)?))),
        (Some("stage"), Some(key), None) => Ok(Some((Role::Stage, parse_key(key)?))),
        _ => Err(KeyLineProblem::Form),
    }
}

fn parse_key(text: &str) -> Result<Key, KeyLineProblem> {
    let (id, encoded) =
        text.strip_prefix(PREFIX).and_then(|rest| rest.split_once(':')).ok_or(KeyLineProblem::KeyForm)?;
    let id = KeyId::parse(id)?;
    let bytes = Zeroizing::new(STANDARD.decode(encoded).map_err(|_| KeyLineProblem::Base64)?);
    Key::copy_of(id, &bytes).ok_or(KeyLineProblem::KeyLength { length: bytes.len() })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::{HEADER, Key, KeyFileError, KeyId, KeyRing, LONGEST_LINE};

    /// Base64 of 32 bytes 0x07.
    const SEVENS: &str = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";
    /// Base64 of 32 bytes 0x08.
    const EIGHTS: &str = "CAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAg=";

    #[test]
    fn roles_comments_and_blank_lines_are_read() {
        let text = format!(
            "\u{feff}# ours\r\n\r\n  read orch-key-1:2025:{EIGHTS}   # until March\r\nwrite\torch-key-1:k-2026:{SEVENS}\r\n"
        );
        let ring = KeyRing::parse(&text).unwrap();
        assert_eq!(ring.writing().id().as_str(), "k-2026");
        assert_eq!(ring.writing().expose(), &[7; 32]);
        assert_eq!(ring.reading().iter().map(|key| key.id().as_str()).collect::<Vec<_>>(), ["2025"]);
        assert_eq!(ring.reading()[0].expose(), &[8; 32]);
    }

    #[test]
    fn a_rendered_file_is_read_as_the_same_ring() {
        let mut ring = KeyRing::generate().unwrap();
        ring.rotate().unwrap();
        ring.rotate().unwrap();
        let text = ring.render();
        let again = KeyRing::parse(text.expose()).unwrap();
        assert_eq!(again.render().expose(), text.expose());
        assert_eq!(again.writing().expose(), ring.writing().expose());
        assert_eq!(format!("{again:?}"), format!("{ring:?}"));
    }

    #[test]
    fn the_longest_line_fits_the_room_made_for_it() {
        let id = KeyId::parse(&"x".repeat(super::super::MAX_KEY_ID_LENGTH)).unwrap();
        let ring = KeyRing::new(Key::generate(id).unwrap(), Vec::new()).unwrap();
        assert!(ring.render().expose().len() <= HEADER.len() + LONGEST_LINE);
    }

    #[rstest]
    #[case::no_key_at_all("# nothing\n", "there is no writing key: one line must begin with `write`")]
    #[case::only_reading("read orch-key-1:a:{K}", "there is no writing key: one line must begin with `write`")]
    #[case::no_role("\norch-key-1:a:{K}", "line 2: expected `write`, `read` or `stage`, a space and a key")]
    #[case::unknown_role("delete orch-key-1:a:{K}", "line 1: expected `write`, `read` or `stage`, a space and a key")]
    #[case::role_only("write", "line 1: expected `write`, `read` or `stage`, a space and a key")]
    #[case::words_after("write orch-key-1:a:{K} x", "line 1: expected `write`, `read` or `stage`, a space and a key")]
    #[case::other_version(
        "write orch-key-2:a:{K}",
        "line 1: expected a key of the form `orch-key-1:<key id>:<base64>`"
    )]
    #[case::no_id("write orch-key-1:{K}", "line 1: expected a key of the form `orch-key-1:<key id>:<base64>`")]
    #[case::key_for_id("write orch-key-1:{K}:a", "line 1: the key id has 44 characters, at most 24 are allowed")]
    #[case::empty_id("write orch-key-1::{K}", "line 1: the key id is empty")]
    #[case::no_base64("write orch-key-1:a:{K}!", "line 1: the key is not valid base64")]
    #[case::short("write orch-key-1:a:BwcH", "line 1: the key has 3 bytes, expected 32")]
    #[case::two_writing(
        "#\nwrite orch-key-1:a:{K}\nwrite orch-key-1:b:{K}",
        "line 3: a second writing key, the first is in line 2"
    )]
    #[case::same_id(
        "write orch-key-1:a:{K}\nread orch-key-1:a:{K}",
        "line 2: the key id `a` is already used in line 1"
    )]
    fn a_bad_file_is_refused_by_line_and_reason_without_the_key(#[case] template: &str, #[case] expected: &str) {
        let error: KeyFileError = KeyRing::parse(&template.replace("{K}", SEVENS)).unwrap_err();
        assert_eq!(error.to_string(), expected);
        assert!(!format!("{error} {error:?}").contains("BwcH"), "part of the key is shown");
    }
}
