//! API tokens: `orc_<kind>_<32 random bytes in base 62>_<check digits>`.
//!
//! A token is opaque: it says what kind of caller it is for and nothing else. The fixed beginning and the check digits let
//! scanners of repositories and logs find one, and let a mistyped one be told from a revoked one without the database.
//! The database holds only the [`TokenHash`].

use std::fmt;
use std::hash::{Hash, Hasher};

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::random::{self, RandomError};
use crate::id::TokenId;

const BEGINNING: &str = "orc_";
const RANDOM_BYTES: usize = 32;
/// 62⁴³ is just above 2²⁵⁶.
const RANDOM_DIGITS: usize = 43;
/// 62⁶ is above 2³².
const CHECK_DIGITS: usize = 6;
/// How much of the random part is shown in lists: enough to tell one's tokens apart, far too little to help guessing.
const SHOWN_DIGITS: usize = 4;

/// Whose calls a token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TokenKind {
    /// A person, or a program that acts like one.
    User,
    /// A worker agent.
    Worker,
    /// One running job.
    Job,
}

impl TokenKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::User, Self::Worker, Self::Job];

    /// The word in the token.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Worker => "worker",
            Self::Job => "job",
        }
    }
}

impl fmt::Display for TokenKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A token as its owner holds it: secret, zeroised when dropped.
#[derive(Clone)]
pub struct ApiToken {
    kind: TokenKind,
    text: SecretString,
}

/// A text is no token. Nothing of the text is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ParseTokenError {
    /// Does not begin with `orc_`.
    #[error("not a token: it must begin with `{BEGINNING}`")]
    Beginning,
    /// The word after it is none of the kinds.
    #[error("not a token: after `{BEGINNING}` must come `user_`, `worker_` or `job_`")]
    Kind,
    /// Too short, too long, or a character that no token has.
    #[error("not a whole token: it was cut off or something was added")]
    Form,
    /// The check digits do not fit the rest.
    #[error("the token is mistyped: its check digits do not fit")]
    Checksum,
}

impl ApiToken {
    /// A new random token.
    pub fn generate(kind: TokenKind) -> Result<Self, RandomError> {
        let mut random = Zeroizing::new([0_u8; RANDOM_BYTES]);
        random::fill(random.as_mut_slice())?;

        // Large enough from the start: a text that grows leaves copies of itself behind.
        let mut text = Zeroizing::new(String::with_capacity(80));
        for part in [BEGINNING, kind.as_str(), "_"] {
            text.push_str(part);
        }
        random::push_base62(&mut text, random.as_mut_slice(), RANDOM_DIGITS);
        let check = check_digits(&text);
        text.push('_');
        text.push_str(&check);
        Ok(Self::copy_of(kind, &text))
    }

    /// Checks beginning, kind, length, characters and check digits. White space around the token is ignored, because
    /// a token that comes from a file ends with a line feed.
    pub fn parse(text: &str) -> Result<Self, ParseTokenError> {
        let text = text.trim();
        let rest = text.strip_prefix(BEGINNING).ok_or(ParseTokenError::Beginning)?;
        let (kind, rest) = TokenKind::ALL
            .into_iter()
            .find_map(|kind| Some((kind, rest.strip_prefix(kind.as_str())?.strip_prefix('_')?)))
            .ok_or(ParseTokenError::Kind)?;
        let (random, check) = rest.split_once('_').ok_or(ParseTokenError::Form)?;
        let of_form = |part: &str, length| part.len() == length && random::is_base62(part);
        if !of_form(random, RANDOM_DIGITS) || !of_form(check, CHECK_DIGITS) {
            return Err(ParseTokenError::Form);
        }
        let checked = &text[..text.len() - CHECK_DIGITS - 1];
        if check_digits(checked) != check {
            return Err(ParseTokenError::Checksum);
        }
        Ok(Self::copy_of(kind, text))
    }

    /// Whose calls it is for.
    pub fn kind(&self) -> TokenKind {
        self.kind
    }

    /// What the database holds in place of the token.
    pub fn hash(&self) -> TokenHash {
        TokenHash(Sha256::digest(self.expose().as_bytes()).into())
    }

    /// What lists show in place of the token: its kind and its first four random digits, as in `orc_user_AbCd…`.
    pub fn prefix(&self) -> String {
        let shown = BEGINNING.len() + self.kind.as_str().len() + 1 + SHOWN_DIGITS;
        format!("{}…", &self.expose()[..shown])
    }

    /// The token. Show it once to its owner; do not log it.
    pub fn expose(&self) -> &str {
        self.text.expose_secret()
    }

    fn copy_of(kind: TokenKind, text: &str) -> Self {
        Self { kind, text: SecretString::from(Box::<str>::from(text)) }
    }
}

impl fmt::Debug for ApiToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ApiToken({BEGINNING}{}_***)", self.kind)
    }
}

/// SHA-256 of a token. Compared in constant time.
///
/// A plain hash is enough: nobody can try out 2²⁵⁶ tokens, so there is nothing for a slow hash to slow down.
#[derive(Clone, Copy, Eq)]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    /// A hash as it was stored.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// What finds the development job of a user's token: no token has it as its hash.
    pub fn of_development(token: TokenId) -> Self {
        let digest = Sha256::new_with_prefix(b"development job of ").chain_update(token.as_uuid().as_bytes());
        Self(digest.finalize().into())
    }

    /// The bytes to store.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl PartialEq for TokenHash {
    fn eq(&self, other: &Self) -> bool {
        let difference =
            self.0.iter().zip(&other.0).fold(0_u8, |difference, (ours, theirs)| difference | (ours ^ theirs));
        // Hidden from the optimiser, so that it cannot stop at the first byte that differs.
        std::hint::black_box(difference) == 0
    }
}

impl Hash for TokenHash {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash(***)")
    }
}

fn check_digits(text: &str) -> String {
    let mut digits = String::with_capacity(CHECK_DIGITS);
    random::push_base62(&mut digits, &mut crc32(text.as_bytes()).to_be_bytes(), CHECK_DIGITS);
    digits
}

/// CRC-32 as in ISO-HDLC, which zip and Ethernet use. It finds mistakes, not forgeries: the database finds those.
fn crc32(bytes: &[u8]) -> u32 {
    const POLYNOMIAL: u32 = 0xEDB8_8320;
    let mut crc = u32::MAX;
    for &byte in bytes {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ POLYNOMIAL } else { crc >> 1 };
        }
    }
    !crc
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::{ApiToken, ParseTokenError, TokenHash, TokenKind, check_digits, crc32};

    fn token() -> ApiToken {
        ApiToken::generate(TokenKind::User).unwrap()
    }

    #[test]
    fn a_generated_token_is_read_again_with_the_same_hash() {
        for kind in TokenKind::ALL {
            let token = ApiToken::generate(kind).unwrap();
            let again = ApiToken::parse(&format!(" {}\r\n", token.expose())).unwrap();
            assert_eq!(again.kind(), kind);
            assert_eq!(again.expose(), token.expose());
            assert_eq!(again.hash(), token.hash());
        }
    }

    #[test]
    fn a_token_has_the_documented_form() {
        let token = token();
        let parts: Vec<&str> = token.expose().split('_').collect();
        assert_eq!((parts[0], parts[1], parts[2].len(), parts[3].len(), parts.len()), ("orc", "user", 43, 6, 4));
        assert_eq!(token.prefix(), format!("orc_user_{}…", &parts[2][..4]));
    }

    #[test]
    fn no_two_tokens_are_the_same() {
        assert_ne!(token().hash(), token().hash());
        assert_ne!(token().expose(), token().expose());
    }

    #[rstest]
    #[case::a_password("hunter2", ParseTokenError::Beginning)]
    #[case::nothing("", ParseTokenError::Beginning)]
    #[case::another_kind("orc_admin_x_y", ParseTokenError::Kind)]
    #[case::kind_only("orc_user", ParseTokenError::Kind)]
    #[case::cut_off("orc_user_hunter2", ParseTokenError::Form)]
    fn what_is_no_token_is_refused_and_not_shown(#[case] text: &str, #[case] expected: ParseTokenError) {
        let error = ApiToken::parse(text).unwrap_err();
        assert_eq!(error, expected);
        assert!(!format!("{error} {error:?}").contains("hunter2"));
    }

    #[test]
    fn every_mistyped_character_and_every_cut_is_noticed() {
        let token = token();
        let text = token.expose();
        for index in 0..text.len() {
            ApiToken::parse(&text[..index]).unwrap_err();
            let other = if text.as_bytes()[index] == b'x' { "y" } else { "x" };
            let mut mistyped = text.to_owned();
            mistyped.replace_range(index..=index, other);
            ApiToken::parse(&mistyped).unwrap_err();
        }
    }

    #[test]
    fn a_token_of_one_kind_is_no_token_of_another() {
        let renamed = token().expose().replacen("orc_user_", "orc_job_", 1);
        assert_eq!(ApiToken::parse(&renamed).unwrap_err(), ParseTokenError::Checksum);
    }

    #[test]
    fn characters_of_several_bytes_are_refused() {
        let text = format!("orc_user_{}_000000", "é".repeat(43));
        assert_eq!(ApiToken::parse(&text).unwrap_err(), ParseTokenError::Form);
    }

    #[test]
    fn debug_shows_nothing_of_the_secret() {
        let token = token();
        assert_eq!(format!("{token:?} {:?}", token.hash()), "ApiToken(orc_user_***) TokenHash(***)");
    }

    #[test]
    fn hashes_are_equal_only_in_every_bit() {
        let hash = token().hash();
        assert_eq!(hash, TokenHash::from_bytes(*hash.as_bytes()));
        for bit in 0..256 {
            let mut bytes = *hash.as_bytes();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_ne!(hash, TokenHash::from_bytes(bytes));
        }
    }

    #[test]
    fn the_check_is_the_well_known_one() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
        assert_eq!(check_digits("123456789"), "3jZRME");
    }
}
