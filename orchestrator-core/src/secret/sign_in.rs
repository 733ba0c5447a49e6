//! Secrets that a browser holds: of a session, or of a link that signs in once.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::random::{self, RandomError};
use super::token::TokenHash;

const RANDOM_BYTES: usize = 32;
/// 62⁴³ is just above 2²⁵⁶.
const DIGITS: usize = 43;

/// 256 random bits in base 62. Only its [`TokenHash`] is stored.
///
/// What it is good for is decided by the table that its hash is found in: a session's secret opens no link.
#[derive(Clone)]
pub struct SignInSecret(SecretString);

impl SignInSecret {
    /// A new random secret.
    pub fn generate() -> Result<Self, RandomError> {
        let mut random = Zeroizing::new([0_u8; RANDOM_BYTES]);
        random::fill(random.as_mut_slice())?;
        // Large enough from the start: a text that grows leaves copies of itself behind.
        let mut text = Zeroizing::new(String::with_capacity(DIGITS));
        random::push_base62(&mut text, random.as_mut_slice(), DIGITS);
        Ok(Self(SecretString::from(Box::<str>::from(text.as_str()))))
    }

    /// Reads what a browser sent. `None` when it cannot be one of ours.
    pub fn parse(text: &str) -> Option<Self> {
        let is_one = text.len() == DIGITS && random::is_base62(text);
        is_one.then(|| Self(SecretString::from(Box::<str>::from(text))))
    }

    /// What the database holds in place of it.
    pub fn hash(&self) -> TokenHash {
        TokenHash::from_bytes(Sha256::digest(self.expose().as_bytes()).into())
    }

    /// The secret. For the browser it belongs to; do not log it.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for SignInSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SignInSecret(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_read_again_with_the_same_hash_and_no_two_are_the_same() {
        let (one, other) = (SignInSecret::generate().unwrap(), SignInSecret::generate().unwrap());
        assert_eq!(SignInSecret::parse(one.expose()).unwrap().hash(), one.hash());
        assert_ne!(one.hash(), other.hash());
    }

    #[test]
    fn what_is_no_secret_is_not_taken_and_never_shown() {
        let secret = SignInSecret::generate().unwrap();
        let cut = &secret.expose()[1..];
        for text in ["", cut, &format!("{}x", secret.expose()), &format!("{cut}ø"), &format!("{cut};")] {
            assert!(SignInSecret::parse(text).is_none(), "{text}");
        }
        assert_eq!(format!("{secret:?}"), "SignInSecret(***)");
    }
}
