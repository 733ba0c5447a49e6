//! The file of a checkout that is run.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{ENTRY_FIELD, SourceError, SourceProblem};

/// A relative path with `/` between folders that names the same file on every system and never leaves its folder.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EntryPoint(String);

impl EntryPoint {
    /// Checks the path of an entry point.
    pub fn parse(text: &str) -> Result<Self, SourceError> {
        check(text).map(|()| Self(text.to_owned())).map_err(|problem| SourceError::new(ENTRY_FIELD, text, problem))
    }

    /// The path.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The folders and the file, in order; never empty, never `.` or `..`.
    pub fn parts(&self) -> impl Iterator<Item = &str> {
        self.0.split('/')
    }
}

impl fmt::Display for EntryPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for EntryPoint {
    type Error = SourceError;

    fn try_from(text: String) -> Result<Self, SourceError> {
        Self::parse(&text)
    }
}

impl From<EntryPoint> for String {
    fn from(path: EntryPoint) -> Self {
        path.0
    }
}

fn check(text: &str) -> Result<(), SourceProblem> {
    if text.trim().is_empty() {
        return Err(SourceProblem::Empty);
    }
    if text.chars().any(char::is_control) {
        return Err(SourceProblem::ControlCharacter);
    }
    if text.starts_with('/') || text.as_bytes().get(1) == Some(&b':') {
        return Err(SourceProblem::Absolute);
    }
    if text.contains('\\') {
        return Err(SourceProblem::Backslash);
    }
    text.split('/').try_for_each(check_part)
}

fn check_part(part: &str) -> Result<(), SourceProblem> {
    match part {
        ".." => Err(SourceProblem::ParentFolder),
        part if part.eq_ignore_ascii_case(".git") => Err(SourceProblem::GitFolder),
        // Windows drops trailing dots and blanks, and takes what follows ':' for a stream.
        part if part.is_empty() || part.ends_with(['.', ' ']) || part.contains(':') => Err(SourceProblem::BadPart),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("main.py")]
    #[case("robots/invoice run/main.py")]
    #[case(".hidden/løn.py")]
    #[case("-x.py")]
    fn usual_paths_are_taken(#[case] text: &str) {
        assert_eq!(EntryPoint::parse(text).unwrap().as_str(), text);
    }

    #[rstest]
    #[case("", SourceProblem::Empty)]
    #[case("/etc/passwd", SourceProblem::Absolute)]
    #[case("C:/main.py", SourceProblem::Absolute)]
    #[case("C:main.py", SourceProblem::Absolute)]
    #[case("../main.py", SourceProblem::ParentFolder)]
    #[case("a/../../main.py", SourceProblem::ParentFolder)]
    #[case("..\\main.py", SourceProblem::Backslash)]
    #[case("\\\\server\\share\\main.py", SourceProblem::Backslash)]
    #[case("a//main.py", SourceProblem::BadPart)]
    #[case("./main.py", SourceProblem::BadPart)]
    #[case("a/.. /main.py", SourceProblem::BadPart)]
    #[case("main.py::$DATA", SourceProblem::BadPart)]
    #[case(".git/hooks/x.py", SourceProblem::GitFolder)]
    #[case("a/.GIT/x.py", SourceProblem::GitFolder)]
    #[case("a\0.py", SourceProblem::ControlCharacter)]
    fn paths_that_could_leave_the_folder_are_refused(#[case] text: &str, #[case] problem: SourceProblem) {
        let error = EntryPoint::parse(text).unwrap_err();
        assert_eq!((error.field, error.problem), ("entry_point", problem));
    }
}
