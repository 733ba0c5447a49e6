//! Names of branches and tags.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{REF_FIELD, SourceError, SourceProblem, refuse_empty_and_dash};

/// The name of a branch or tag, by the rules of `git check-ref-format`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct GitRef(String);

impl GitRef {
    /// Checks the name of a branch or tag.
    pub fn parse(text: &str) -> Result<Self, SourceError> {
        check(text).map(|()| Self(text.to_owned())).map_err(|problem| SourceError::new(REF_FIELD, text, problem))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for GitRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for GitRef {
    type Error = SourceError;

    fn try_from(text: String) -> Result<Self, SourceError> {
        Self::parse(&text)
    }
}

impl From<GitRef> for String {
    fn from(name: GitRef) -> Self {
        name.0
    }
}

fn check(text: &str) -> Result<(), SourceProblem> {
    refuse_empty_and_dash(text)?;
    if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(SourceProblem::ControlCharacter);
    }
    if text.contains("..") {
        return Err(SourceProblem::ParentFolder);
    }
    // A lock file of git; other spellings are allowed.
    let is_lock = |part: &str| part.strip_suffix(".lock").is_some();
    let bad_part = |part: &str| part.is_empty() || part.starts_with('.') || is_lock(part);
    let bad = text.contains(['~', '^', ':', '?', '*', '[', '\\'])
        || text.contains("@{")
        || text == "@"
        || text.ends_with('.')
        || text.split('/').any(bad_part);
    if bad { Err(SourceProblem::BadRef) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("main")]
    #[case("release/2026.1")]
    #[case("v1.0.0-rc.1")]
    #[case("fødselsdag")]
    #[case("a@b")]
    fn usual_names_are_taken(#[case] text: &str) {
        assert_eq!(GitRef::parse(text).unwrap().as_str(), text);
    }

    #[rstest]
    #[case("", SourceProblem::Empty)]
    #[case("--upload-pack=x", SourceProblem::LeadingDash)]
    #[case("-b", SourceProblem::LeadingDash)]
    #[case("a b", SourceProblem::ControlCharacter)]
    #[case("a\u{7f}", SourceProblem::ControlCharacter)]
    #[case("a..b", SourceProblem::ParentFolder)]
    #[case("a//b", SourceProblem::BadRef)]
    #[case("/a", SourceProblem::BadRef)]
    #[case("a/", SourceProblem::BadRef)]
    #[case("a/.b", SourceProblem::BadRef)]
    #[case("a.lock/b", SourceProblem::BadRef)]
    #[case("a.", SourceProblem::BadRef)]
    #[case("a~1", SourceProblem::BadRef)]
    #[case("+a:b", SourceProblem::BadRef)]
    #[case("a@{1}", SourceProblem::BadRef)]
    #[case("@", SourceProblem::BadRef)]
    fn names_that_git_refuses_are_refused(#[case] text: &str, #[case] problem: SourceProblem) {
        let error = GitRef::parse(text).unwrap_err();
        assert_eq!((error.field, error.problem), ("git_branch", problem));
    }

    #[test]
    fn the_error_names_field_and_value() {
        let error = GitRef::parse("a b").unwrap_err();
        assert_eq!(error.to_string(), "git_branch 'a b' must not contain blanks or control characters");
    }
}
