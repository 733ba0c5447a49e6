//! A secret text in memory.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

/// The longest password in bytes of UTF-8.
///
/// Encrypted, with the longest key id, it still fits in the 1000 characters that the contract gives the column.
pub const MAX_PASSWORD_BYTES: usize = 700;

/// A secret text: zeroised when dropped, shown by nothing but [`Plaintext::expose`].
#[derive(Clone)]
pub struct Plaintext(SecretString);

/// A password is longer than [`MAX_PASSWORD_BYTES`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("password: at most {limit} bytes of UTF-8, this one has {length}")]
pub struct PasswordTooLong {
    /// The limit, in bytes.
    pub limit: usize,
    /// The length of what was given, in bytes.
    pub length: usize,
}

impl Plaintext {
    /// Takes a text of any length as a secret. The text it is given is zeroised.
    pub fn new(text: impl Into<Zeroizing<String>>) -> Self {
        let text = text.into();
        // A copy of the exact size: to shrink a String to a Box may move it and leave the old bytes behind.
        Self::copy_of(&text)
    }

    /// Takes a password, which must not be longer than [`MAX_PASSWORD_BYTES`].
    pub fn password(text: impl Into<Zeroizing<String>>) -> Result<Self, PasswordTooLong> {
        let text = text.into();
        match text.len() {
            length if length > MAX_PASSWORD_BYTES => Err(PasswordTooLong { limit: MAX_PASSWORD_BYTES, length }),
            _ => Ok(Self::copy_of(&text)),
        }
    }

    /// Copies a secret that the caller keeps, and zeroises himself.
    pub(super) fn copy_of(text: &str) -> Self {
        Self(SecretString::from(Box::<str>::from(text)))
    }

    /// The secret. Do not log it, do not format it, do not keep it.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.expose().is_empty()
    }
}

impl From<SecretString> for Plaintext {
    fn from(text: SecretString) -> Self {
        Self(text)
    }
}

impl From<Plaintext> for SecretString {
    fn from(text: Plaintext) -> Self {
        text.0
    }
}

impl fmt::Debug for Plaintext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Plaintext(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::{MAX_PASSWORD_BYTES, PasswordTooLong, Plaintext};

    #[test]
    fn debug_shows_nothing_of_the_secret() {
        let secret = Plaintext::new("hunter2".to_owned());
        assert_eq!(format!("{secret:?} {secret:#?}"), "Plaintext(***) Plaintext(***)");
    }

    #[test]
    fn a_password_is_measured_in_bytes_and_refused_with_its_length() {
        let longest = "æ".repeat(MAX_PASSWORD_BYTES / 2);
        assert_eq!(Plaintext::password(longest.clone()).unwrap().expose(), longest);

        let refused = Plaintext::password(longest + "x").unwrap_err();
        assert_eq!(refused, PasswordTooLong { limit: 700, length: 701 });
        assert_eq!(refused.to_string(), "password: at most 700 bytes of UTF-8, this one has 701");
    }
}
