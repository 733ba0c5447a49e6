//! Passwords of people: the rules for new ones, and what is stored in place of them.
//!
//! Unlike tokens, passwords can be guessed, so what is stored is slow to compute and needs much memory: Argon2id with a
//! random salt, in the PHC text form, which names its own parameters.

use std::fmt;
use std::sync::LazyLock;

use argon2::{Algorithm, Argon2, Params, PasswordHasher as _, PasswordVerifier as _, Version};
use zeroize::Zeroizing;

use super::plaintext::Plaintext;
use super::random::{self, RandomError};

/// The fewest characters of a person's password.
pub const LEAST_PASSWORD_CHARACTERS: usize = 12;
/// The most characters of a person's password.
pub const MOST_PASSWORD_CHARACTERS: usize = 128;

/// 19 MiB, two passes, one lane: what OWASP asks for at the least.
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// Why a password is not taken. Nothing of the password is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordRefused {
    /// Too short or too long.
    #[error(
        "a password has {LEAST_PASSWORD_CHARACTERS} to {MOST_PASSWORD_CHARACTERS} characters; this one has {length}"
    )]
    Length {
        /// Its length in characters.
        length: usize,
    },
    /// It is the name of its user, or only repeats it.
    #[error("a password must not be the user's own name")]
    IsName,
    /// One character over and over.
    #[error("a password must not be one character repeated")]
    OneCharacter,
}

/// A password could not be hashed.
#[derive(Debug, thiserror::Error)]
pub enum HashPasswordError {
    /// No random salt.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// The hash function refused its parameters.
    #[error("the password cannot be hashed: {0}")]
    Hash(argon2::password_hash::Error),
}

/// A password that keeps to the rules.
#[derive(Debug, Clone)]
pub struct NewPassword(Plaintext);

impl NewPassword {
    /// Checks a password for the user `name`.
    pub fn parse(name: &str, text: impl Into<Zeroizing<String>>) -> Result<Self, PasswordRefused> {
        let text = text.into();
        let length = text.chars().count();
        if !(LEAST_PASSWORD_CHARACTERS..=MOST_PASSWORD_CHARACTERS).contains(&length) {
            return Err(PasswordRefused::Length { length });
        }
        let name = Zeroizing::new(name.trim().to_lowercase());
        let plain = Zeroizing::new(text.trim().to_lowercase());
        if !name.is_empty() && plain.replace(name.as_str(), "").is_empty() {
            return Err(PasswordRefused::IsName);
        }
        let mut characters = text.chars();
        let first = characters.next();
        if characters.all(|c| Some(c) == first) {
            return Err(PasswordRefused::OneCharacter);
        }
        Ok(Self(Plaintext::copy_of(&text)))
    }

    /// What is stored in place of the password. Takes tens of milliseconds and 19 MiB: not for an async thread.
    pub fn hash(&self) -> Result<PasswordHash, HashPasswordError> {
        let mut salt = [0_u8; 16];
        random::fill(&mut salt)?;
        let hash = hasher()?.hash_password_with_salt(self.0.expose().as_bytes(), &salt);
        Ok(PasswordHash(hash.map_err(HashPasswordError::Hash)?.to_string()))
    }
}

/// What is stored in place of a person's password.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// A hash as it was stored.
    pub fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// The text to store.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The hash of nothing that anyone knows, to be compared with where there is no user, so that the answer takes as long.
    pub fn of_nobody() -> Self {
        static NOBODY: LazyLock<PasswordHash> = LazyLock::new(|| {
            let mut secret = [0_u8; 32];
            // Even a salt of zeroes keeps the comparison as slow and its outcome a refusal.
            let _ = random::fill(&mut secret);
            let hash = hasher().and_then(|hasher| {
                hasher.hash_password_with_salt(&secret, &secret[..16]).map_err(HashPasswordError::Hash)
            });
            PasswordHash(hash.map(|hash| hash.to_string()).unwrap_or_default())
        });
        NOBODY.clone()
    }

    /// Whether this is the hash of that password. Slow, as [`NewPassword::hash`]; compared in constant time.
    pub fn is_of(&self, password: &Plaintext) -> bool {
        // The parameters are those of the stored text, so that old hashes are understood when ours have been raised.
        Argon2::default().verify_password(password.expose().as_bytes(), self.0.as_str()).is_ok()
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(***)")
    }
}

fn hasher() -> Result<Argon2<'static>, HashPasswordError> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(|error| HashPasswordError::Hash(error.into()))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn plain(text: &str) -> Plaintext {
        Plaintext::new(text.to_owned())
    }

    #[test]
    fn a_password_is_known_again_by_its_hash_and_no_other_is() {
        let hash = NewPassword::parse("anna", "correct horse".to_owned()).unwrap().hash().unwrap();
        let stored = PasswordHash::from_stored(hash.as_str().to_owned());
        assert!(stored.is_of(&plain("correct horse")));
        for other in ["correct horsE", "correct hors", "correct horse ", ""] {
            assert!(!stored.is_of(&plain(other)), "{other}");
        }
        assert!(hash.as_str().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", hash.as_str());
    }

    #[test]
    fn the_same_password_has_another_hash_each_time() {
        let password = NewPassword::parse("anna", "correct horse".to_owned()).unwrap();
        assert_ne!(password.hash().unwrap(), password.hash().unwrap());
    }

    #[rstest]
    #[case::short("elevenchars", PasswordRefused::Length { length: 11 })]
    #[case::long(&"x1".repeat(65), PasswordRefused::Length { length: 130 })]
    #[case::bytes_are_not_characters("æøåæøåæøåæø", PasswordRefused::Length { length: 11 })]
    #[case::the_name("Anna.Hansen.DK", PasswordRefused::IsName)]
    #[case::the_name_twice("anna.hansen.dkanna.hansen.dk", PasswordRefused::IsName)]
    #[case::one_character("aaaaaaaaaaaa", PasswordRefused::OneCharacter)]
    fn what_is_too_easy_is_refused_and_not_shown(#[case] text: &str, #[case] expected: PasswordRefused) {
        let error = NewPassword::parse("anna.hansen.dk", text.to_owned()).unwrap_err();
        assert_eq!(error, expected);
        assert!(!format!("{error} {error:?}").contains(text));
    }

    #[test]
    fn a_password_of_twelve_and_one_of_128_characters_are_taken() {
        for length in [12, 128] {
            let text: String = "abcdæ-".chars().cycle().take(length).collect();
            NewPassword::parse("anna", text).unwrap();
        }
    }

    #[test]
    fn nobody_has_no_password_and_a_hash_of_the_same_cost() {
        let nobody = PasswordHash::of_nobody();
        assert!(!nobody.is_of(&plain("")) && !nobody.is_of(&plain("correct horse")));
        assert!(nobody.as_str().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert_eq!(nobody, PasswordHash::of_nobody());
    }

    #[test]
    fn what_is_no_hash_is_of_no_password() {
        for text in ["", "correct horse", "$argon2id$", "$1$abc$def"] {
            assert!(!PasswordHash::from_stored(text.to_owned()).is_of(&plain("correct horse")), "{text}");
        }
    }

    #[test]
    fn debug_shows_neither_password_nor_hash() {
        let password = NewPassword::parse("anna", "correct horse".to_owned()).unwrap();
        let text = format!("{password:?} {:?}", PasswordHash::from_stored("correct horse".to_owned()));
        assert!(!text.contains("horse"), "{text}");
    }
}
