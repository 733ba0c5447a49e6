//! The credentials that a git URL may carry.

use crate::secret::Plaintext;

use super::{GitScheme, GitUrl};

/// A user, and mostly a password, that stand in an `https://` URL; percent forms are decoded. Access tokens are given as
/// either of the two, so both are secrets.
#[derive(Debug)]
pub struct GitCredentials {
    /// The user.
    pub username: Plaintext,
    /// The password; absent where the URL has only a user.
    pub password: Option<Plaintext>,
}

impl GitUrl {
    /// The URL without secrets, as it may stand on a command line or in a file. The user of an ssh URL says which account
    /// is meant and stays; a password there is of no use to ssh and goes.
    pub fn without_credentials(&self) -> String {
        let Some((scheme, user_part, rest)) = self.parts() else { return self.expose().to_owned() };
        match self.scheme() {
            GitScheme::Ssh => {
                let user = user_part.split_once(':').map_or(user_part, |(user, _)| user);
                format!("{scheme}://{user}@{rest}")
            }
            GitScheme::Https | GitScheme::File => format!("{scheme}://{rest}"),
        }
    }

    /// The credentials in an `https://` URL.
    pub fn credentials(&self) -> Option<GitCredentials> {
        let (_, user_part, _) = self.parts()?;
        if self.scheme() != GitScheme::Https || user_part.is_empty() {
            return None;
        }
        let (username, password) = match user_part.split_once(':') {
            Some((username, password)) => (username, Some(password)),
            None => (user_part, None),
        };
        Some(GitCredentials { username: decode(username), password: password.map(decode) })
    }

    /// The beginning of the URL up to its path: what credentials are valid for.
    pub fn authority(&self) -> String {
        let plain = self.without_credentials();
        let path = plain.find("://").and_then(|at| plain[at + 3..].find('/').map(|end| at + 3 + end));
        plain[..path.unwrap_or(plain.len())].to_owned()
    }

    /// Scheme, user part, and what follows the `@`, where there is one before the path.
    fn parts(&self) -> Option<(&str, &str, &str)> {
        let (scheme, rest) = self.expose().split_once("://")?;
        let authority = rest.split('/').next().unwrap_or(rest);
        let user_end = authority.rfind('@')?;
        (self.scheme() != GitScheme::File).then(|| (scheme, &rest[..user_end], &rest[user_end + 1..]))
    }
}

/// Decodes percent forms; what is none, or is no UTF-8 afterwards, stays as it is.
fn decode(text: &str) -> Plaintext {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let form =
            if *first == b'%' { tail.get(..2).and_then(|digits| std::str::from_utf8(digits).ok()) } else { None };
        if let Some(byte) = form.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            bytes.push(byte);
            rest = &tail[2..];
        } else {
            bytes.push(*first);
            rest = tail;
        }
    }
    Plaintext::new(String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned()))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("https://robot:s3cret@host:8443/a.git", "https://host:8443/a.git", "https://host:8443")]
    #[case("https://tok3n@host/a", "https://host/a", "https://host")]
    #[case("https://@host/a", "https://host/a", "https://host")]
    #[case("https://u:p@ss@host/a@b", "https://host/a@b", "https://host")]
    #[case("https://host/a@b", "https://host/a@b", "https://host")]
    #[case("ssh://git:s3cret@host:22/a", "ssh://git@host:22/a", "ssh://git@host:22")]
    #[case("ssh://git@host/a", "ssh://git@host/a", "ssh://git@host")]
    #[case("git@host:a/b.git", "git@host:a/b.git", "git@host:a/b.git")]
    #[case("file:///srv/a@b/c", "file:///srv/a@b/c", "file://")]
    fn secrets_are_taken_out_of_a_url(#[case] text: &str, #[case] plain: &str, #[case] authority: &str) {
        let url = GitUrl::parse(text).unwrap();
        assert_eq!((url.without_credentials().as_str(), url.authority().as_str()), (plain, authority));
    }

    #[rstest]
    #[case("https://robot:s3cret@host/a", "robot", Some("s3cret"))]
    #[case("https://u:p%40ss%2Fw%C3%B8rd@host/a", "u", Some("p@ss/wørd"))]
    #[case("https://tok3n@host/a", "tok3n", None)]
    #[case("https://tok3n:@host/a", "tok3n", Some(""))]
    #[case("https://u:50%@host/a", "u", Some("50%"))]
    #[case("https://u:a:b%ff@host/a", "u", Some("a:b%ff"))]
    fn credentials_are_read_from_a_url(#[case] text: &str, #[case] username: &str, #[case] password: Option<&str>) {
        let found = GitUrl::parse(text).unwrap().credentials().unwrap();
        assert_eq!(found.username.expose(), username);
        assert_eq!(found.password.as_ref().map(Plaintext::expose), password);
        assert!(format!("{found:?}").starts_with("GitCredentials { username: Plaintext(***), password: "));
    }

    #[rstest]
    #[case("https://host/a")]
    #[case("https://@host/a")]
    #[case("ssh://git:s3cret@host/a")]
    #[case("git@host:a")]
    #[case("file:///srv/u:p@x")]
    fn only_https_urls_carry_credentials(#[case] text: &str) {
        assert!(GitUrl::parse(text).unwrap().credentials().is_none());
    }
}
