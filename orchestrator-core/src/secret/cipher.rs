//! Encryption of one value of one row.
//!
//! The text form is `v1:<key id>:<base64 of nonce ‖ ciphertext ‖ tag>`. Version, table, row, column and key id are associated
//! data, each with its length before it, so that no two locations give the same bytes.

use std::fmt;

use aes_gcm::{AeadInOut, Aes256Gcm, KeyInit};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use zeroize::Zeroizing;

use super::key::{Key, KeyId, KeyIdError, KeyRing};
use super::plaintext::Plaintext;
use super::random::{self, RandomError};

const VERSION: &str = "v1";
const NONCE_BYTES: usize = 12;
const TAG_BYTES: usize = 16;

/// Where a value is stored. A ciphertext decrypts only where it was encrypted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Location<'a> {
    /// The table, for example `credentials`.
    pub table: &'a str,
    /// What names the row and never changes: the name of a credential, or an id.
    pub row: &'a str,
    /// The column, for example `password`.
    pub column: &'a str,
}

/// The text form of an encrypted value. Not secret, but long and of no use in a log: `Debug` shows only the version and the key.
#[derive(Clone, PartialEq, Eq)]
pub struct Ciphertext(String);

/// A text has not the form of a ciphertext. The text is not shown: it may be a password that was stored as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MalformedCiphertext {
    /// Not three parts divided by colons, or the first is not `v1`.
    #[error("not of the form `{VERSION}:<key id>:<base64>`")]
    Form,
    /// The second part.
    #[error(transparent)]
    KeyId(KeyIdError),
    /// The third part.
    #[error("not valid base64 after the key id")]
    Base64,
    /// Too short to hold a nonce and a tag.
    #[error("too short to be an encrypted value")]
    TooShort,
    /// What was encrypted is not UTF-8, so it was not encrypted by this code.
    #[error("the encrypted value is not text")]
    NotText,
}

/// Why a value cannot be decrypted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecryptError {
    /// The key file lacks the key: it is the wrong file, or the key was removed too early.
    #[error("the key file has no key `{key_id}`")]
    UnknownKey {
        /// The key that the ciphertext names.
        key_id: KeyId,
    },
    /// The key is there and does not fit.
    #[error("the value was changed or moved from another row, or `{key_id}` is another key of the same id")]
    Rejected {
        /// The key that the ciphertext names.
        key_id: KeyId,
    },
    /// No ciphertext at all.
    #[error("malformed: {0}")]
    Malformed(#[from] MalformedCiphertext),
}

/// Why a value cannot be encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EncryptError {
    /// No nonce could be made.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// Longer than the 64 GiB that the algorithm can take.
    #[error("the value is too long to be encrypted")]
    TooLong,
}

impl KeyRing {
    /// Encrypts a value with the writing key, for one location. Twice the same value gives two different texts.
    pub fn encrypt(&self, location: Location<'_>, plaintext: &Plaintext) -> Result<Ciphertext, EncryptError> {
        let key = self.writing();
        let mut nonce = [0_u8; NONCE_BYTES];
        random::fill(&mut nonce)?;

        let text = plaintext.expose().as_bytes();
        let mut bytes = Zeroizing::new(Vec::with_capacity(NONCE_BYTES + text.len() + TAG_BYTES));
        bytes.extend_from_slice(&nonce);
        bytes.extend_from_slice(text);
        let tag = cipher(key)
            .encrypt_inout_detached(
                &nonce.into(),
                &associated_data(location, key.id()),
                (&mut bytes[NONCE_BYTES..]).into(),
            )
            .map_err(|_| EncryptError::TooLong)?;
        bytes.extend_from_slice(&tag);
        Ok(Ciphertext(format!("{VERSION}:{}:{}", key.id(), STANDARD.encode(&*bytes))))
    }

    /// Decrypts a value with the key it names, if it was encrypted for this very location.
    pub fn decrypt(&self, location: Location<'_>, ciphertext: &Ciphertext) -> Result<Plaintext, DecryptError> {
        let (key_id, encoded) = ciphertext.parts()?;
        let mut bytes = Zeroizing::new(STANDARD.decode(encoded).map_err(|_| MalformedCiphertext::Base64)?);
        let (nonce, rest) = bytes.split_first_chunk_mut::<NONCE_BYTES>().ok_or(MalformedCiphertext::TooShort)?;
        let (text, tag) = rest.split_last_chunk_mut::<TAG_BYTES>().ok_or(MalformedCiphertext::TooShort)?;

        let Some(key) = self.find(&key_id) else { return Err(DecryptError::UnknownKey { key_id }) };
        let data = associated_data(location, &key_id);
        match cipher(key).decrypt_inout_detached(&(*nonce).into(), &data, (&mut *text).into(), &(*tag).into()) {
            Ok(()) => Ok(Plaintext::copy_of(std::str::from_utf8(text).map_err(|_| MalformedCiphertext::NotText)?)),
            Err(_) => Err(DecryptError::Rejected { key_id }),
        }
    }

    /// Whether a value is encrypted with the writing key. If not, a rotation has to encrypt it again.
    pub fn is_current(&self, ciphertext: &Ciphertext) -> bool {
        ciphertext.key_id().is_ok_and(|key_id| key_id == *self.writing().id())
    }
}

impl Ciphertext {
    /// Takes a text from the database as it is; decryption checks it, so that one bad row is one bad row.
    pub fn from_stored(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text to store.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The key it was encrypted with.
    pub fn key_id(&self) -> Result<KeyId, MalformedCiphertext> {
        self.parts().map(|(key_id, _)| key_id)
    }

    fn parts(&self) -> Result<(KeyId, &str), MalformedCiphertext> {
        let mut parts = self.0.splitn(3, ':');
        match (parts.next(), parts.next(), parts.next()) {
            (Some(VERSION), Some(key_id), Some(encoded)) => {
                Ok((KeyId::parse(key_id).map_err(MalformedCiphertext::KeyId)?, encoded))
            }
            _ => Err(MalformedCiphertext::Form),
        }
    }
}

impl fmt::Debug for Ciphertext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.key_id() {
            Ok(key_id) => write!(f, "Ciphertext({VERSION}:{key_id}:…)"),
            Err(_) => f.write_str("Ciphertext(malformed)"),
        }
    }
}

fn cipher(key: &Key) -> Aes256Gcm {
    Aes256Gcm::new(key.expose().into())
}

fn associated_data(location: Location<'_>, key_id: &KeyId) -> Vec<u8> {
    let mut data = Vec::new();
    for part in [VERSION, location.table, location.row, location.column, key_id.as_str()] {
        data.extend_from_slice(&(part.len() as u64).to_be_bytes());
        data.extend_from_slice(part.as_bytes());
    }
    data
}

#[cfg(test)]
mod tests;
