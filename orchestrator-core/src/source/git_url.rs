//! URLs of git repositories.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{SourceError, SourceProblem, URL_FIELD, refuse_empty_and_dash};

/// How a repository is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GitScheme {
    /// `https://host/path`.
    Https,
    /// `ssh://host/path` or `user@host:path`.
    Ssh,
    /// `file:///path`; a worker allows it only under its allowed paths.
    File,
}

impl GitScheme {
    /// The name git uses for it, as in `GIT_ALLOW_PROTOCOL`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Https => "https",
            Self::Ssh => "ssh",
            Self::File => "file",
        }
    }
}

/// The URL of a git repository that can mean nothing else. May carry credentials: `Display` and `Debug` mask them.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct GitUrl(String);

impl GitUrl {
    /// Checks a URL.
    pub fn parse(text: &str) -> Result<Self, SourceError> {
        check(text).map(|()| Self(text.to_owned())).map_err(|problem| SourceError::new(URL_FIELD, text, problem))
    }

    /// The URL with its credentials, for the command line of git only.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// How the repository is reached.
    pub fn scheme(&self) -> GitScheme {
        match self.0.split_once("://") {
            Some((scheme, _)) if scheme.eq_ignore_ascii_case("https") => GitScheme::Https,
            Some((scheme, _)) if scheme.eq_ignore_ascii_case("file") => GitScheme::File,
            _ => GitScheme::Ssh,
        }
    }

    /// The path of a `file://` URL on this machine, as written.
    pub fn file_path(&self) -> Option<&str> {
        let (_, rest) = self.0.split_once("://")?;
        match self.scheme() {
            // `file:///C:/x` names `C:/x`, `file:///srv/x` names `/srv/x`.
            GitScheme::File if has_drive(rest.strip_prefix('/').unwrap_or_default()) => rest.strip_prefix('/'),
            GitScheme::File => Some(rest),
            GitScheme::Https | GitScheme::Ssh => None,
        }
    }
}

impl fmt::Display for GitUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&mask_credentials(&self.0))
    }
}

impl fmt::Debug for GitUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GitUrl({self})")
    }
}

impl TryFrom<String> for GitUrl {
    type Error = SourceError;

    fn try_from(text: String) -> Result<Self, SourceError> {
        Self::parse(&text)
    }
}

impl From<GitUrl> for String {
    fn from(url: GitUrl) -> Self {
        url.0
    }
}

/// Replaces what stands between `://` and `@` in every URL of a text, so that it can be shown.
///
/// The whole user part goes: access tokens are often given as the user. A user name without password before an ssh host
/// is no secret and stays.
pub fn mask_credentials(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (head, tail) = rest.split_at(at + 3);
        masked.push_str(head);
        let end = tail.find(|c: char| c == '/' || c == '\'' || c == '"' || c.is_whitespace()).unwrap_or(tail.len());
        rest = match tail[..end].rfind('@') {
            Some(user_end) if head.ends_with("ssh://") && !tail[..user_end].contains(':') => tail,
            Some(user_end) => {
                masked.push_str("***");
                &tail[user_end..]
            }
            None => tail,
        };
    }
    masked.push_str(rest);
    masked
}

fn check(text: &str) -> Result<(), SourceProblem> {
    refuse_empty_and_dash(text)?;
    if text.chars().any(|c| c.is_control() || c.is_whitespace()) || has_encoded_control(text) {
        return Err(SourceProblem::ControlCharacter);
    }
    if names_transport_helper(text) {
        return Err(SourceProblem::TransportHelper);
    }
    match text.split_once("://") {
        Some((scheme, rest)) => check_scheme(&scheme.to_ascii_lowercase(), rest),
        None => check_scp_form(text),
    }
}

/// `name::address`, where git would look for a program `git-remote-name`.
fn names_transport_helper(text: &str) -> bool {
    text.split_once("::")
        .is_some_and(|(name, _)| name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.' | '_')))
}

/// Percent forms of control characters end decoded in the protocol of credential helpers.
fn has_encoded_control(text: &str) -> bool {
    text.as_bytes().windows(3).any(|form| {
        form[0] == b'%'
            && std::str::from_utf8(&form[1..])
                .ok()
                .and_then(|digits| u8::from_str_radix(digits, 16).ok())
                .is_some_and(|byte| byte.is_ascii_control())
    })
}

fn check_scheme(scheme: &str, rest: &str) -> Result<(), SourceProblem> {
    match scheme {
        "https" | "ssh" => {
            let (authority, path) = rest.split_once('/').ok_or(SourceProblem::NoPath)?;
            check_authority(authority)?;
            check_path(path)
        }
        // `file://host/share` is another machine; only paths of this one are meant.
        "file" => {
            let path = rest.strip_prefix('/').ok_or(SourceProblem::BadHost)?;
            if path.split(['/', '\\']).any(|part| part == "..") {
                return Err(SourceProblem::ParentFolder);
            }
            if path.contains('%') {
                return Err(SourceProblem::EncodedPath);
            }
            check_path(path)
        }
        _ => Err(SourceProblem::UnknownScheme),
    }
}

fn check_scp_form(text: &str) -> Result<(), SourceProblem> {
    let (authority, path) = text.split_once(':').ok_or(SourceProblem::UnknownScheme)?;
    if has_drive(text) {
        return Err(SourceProblem::WindowsPath);
    }
    if authority.contains(['/', '\\']) {
        return Err(SourceProblem::UnknownScheme);
    }
    check_authority(authority)?;
    check_path(path)
}

/// User and host; `ssh` must take neither for an option.
fn check_authority(authority: &str) -> Result<(), SourceProblem> {
    let (user, host) = authority.rsplit_once('@').unwrap_or(("", authority));
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '[' | ']');
    if host.is_empty() || host.starts_with(['-', '.', ':']) || !host.chars().all(allowed) || user.starts_with('-') {
        return Err(SourceProblem::BadHost);
    }
    Ok(())
}

fn check_path(path: &str) -> Result<(), SourceProblem> {
    if path.trim_matches('/').is_empty() {
        return Err(SourceProblem::NoPath);
    }
    if path.starts_with('-') { Err(SourceProblem::LeadingDash) } else { Ok(()) }
}

fn has_drive(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(|c| c.is_ascii_alphabetic()) && chars.next() == Some(':')
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("https://git.example.org/robots.git", GitScheme::Https)]
    #[case("HTTPS://git.example.org/robots.git", GitScheme::Https)]
    #[case("https://robot:secret@git.example.org:8443/a/b", GitScheme::Https)]
    #[case("https://[::1]:8443/a", GitScheme::Https)]
    #[case("ssh://git@git.example.org:22/a/b.git", GitScheme::Ssh)]
    #[case("git@git.example.org:a/b.git", GitScheme::Ssh)]
    #[case("git.example.org:a/b.git", GitScheme::Ssh)]
    #[case("file:///srv/git/robots.git", GitScheme::File)]
    fn usual_urls_are_taken(#[case] text: &str, #[case] scheme: GitScheme) {
        assert_eq!(GitUrl::parse(text).unwrap().scheme(), scheme);
    }

    #[rstest]
    #[case("", SourceProblem::Empty)]
    #[case("--upload-pack=touch pwned", SourceProblem::LeadingDash)]
    #[case("-u./x", SourceProblem::LeadingDash)]
    #[case("ext::sh -c touch% pwned", SourceProblem::ControlCharacter)]
    #[case("ext::sh", SourceProblem::TransportHelper)]
    #[case("fd::17", SourceProblem::TransportHelper)]
    #[case("my-helper::https://x/y", SourceProblem::TransportHelper)]
    #[case("https://host/a\nb", SourceProblem::ControlCharacter)]
    #[case("https://host%0a/a", SourceProblem::ControlCharacter)]
    #[case("https://host/a b", SourceProblem::ControlCharacter)]
    #[case("http://host/a", SourceProblem::UnknownScheme)]
    #[case("git://host/a", SourceProblem::UnknownScheme)]
    #[case("/srv/robots", SourceProblem::UnknownScheme)]
    #[case("./a:b", SourceProblem::UnknownScheme)]
    #[case("C:/robots", SourceProblem::WindowsPath)]
    #[case("C:\\robots", SourceProblem::WindowsPath)]
    #[case("https:///a", SourceProblem::BadHost)]
    #[case("https://host", SourceProblem::NoPath)]
    #[case("https://host/", SourceProblem::NoPath)]
    #[case("ssh://-oProxyCommand=x/a", SourceProblem::BadHost)]
    #[case("ssh://git@-oProxyCommand/a", SourceProblem::BadHost)]
    #[case("ssh://-l@host/a", SourceProblem::BadHost)]
    #[case("git@host:-x", SourceProblem::LeadingDash)]
    #[case("file://host/share", SourceProblem::BadHost)]
    #[case("file:///srv/git/../../etc", SourceProblem::ParentFolder)]
    #[case("file:///srv/git/%2e%2e/x", SourceProblem::EncodedPath)]
    fn urls_that_could_mean_something_else_are_refused(#[case] text: &str, #[case] problem: SourceProblem) {
        let error = GitUrl::parse(text).unwrap_err();
        assert_eq!((error.field, error.problem), ("process_path", problem));
    }

    #[test]
    fn credentials_are_never_shown() {
        let url = GitUrl::parse("https://robot:s3cret@host/a").unwrap();
        assert!(!format!("{url} {url:?}").contains("s3cret"));
        assert_eq!(url.expose(), "https://robot:s3cret@host/a");
        assert!(!GitUrl::parse("http://robot:s3cret@host/a").unwrap_err().to_string().contains("s3cret"));
        let line = "fatal: unable to access 'https://tok3n@host/a/': no; 'https://u:p@ss@h/b'";
        assert_eq!(mask_credentials(line), "fatal: unable to access 'https://***@host/a/': no; 'https://***@h/b'");
        assert_eq!(mask_credentials("ssh://git@host/a"), "ssh://git@host/a");
    }

    #[rstest]
    #[case("file:///srv/git", Some("/srv/git"))]
    #[case("file:///C:/git", Some("C:/git"))]
    #[case("https://host/a", None)]
    fn a_file_url_names_a_path(#[case] text: &str, #[case] path: Option<&str>) {
        assert_eq!(GitUrl::parse(text).unwrap().file_path(), path);
    }
}
