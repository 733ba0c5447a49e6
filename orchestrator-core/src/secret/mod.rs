//! Secrets: how stored credentials are encrypted, where the keys come from, and the tokens people and programs sign in with.
//!
//! The database is not trusted. A [`KeyRing`], read from a key file that never enters the database, encrypts each value with
//! AES-256-GCM under its one *writing* key and decrypts with that key or any of its *reading* keys. Each ciphertext is bound to
//! its [`Location`] and to the id of its key, so that whoever can write to the database cannot have the password of one row
//! shown to the reader of another.
//!
//! Invariants:
//!
//! - No type here that holds a secret prints it: [`Plaintext`], [`Key`], [`KeyRing`], [`ApiToken`] and the like have a `Debug` without
//!   content, no `Display`, and nothing of serde. To see a secret is to write `expose`, which is easy to search for.
//! - No error here carries any part of a secret, nor of text that might be one (a password stored by accident where a
//!   ciphertext belongs).
//! - Memory that held a secret is zeroised when it is dropped.
//!
//! Each value gets a random 96-bit nonce. That is safe for far fewer than 2³² values per key; rotate long before.
//!
//! ```
//! use orchestrator_core::secret::{DecryptError, KeyRing, Location, Plaintext};
//!
//! let mut keys = KeyRing::generate()?;
//! let here = Location { table: "credentials", row: "payroll", column: "password" };
//!
//! let stored = keys.encrypt(here, &Plaintext::password("correct horse".to_owned())?)?;
//! assert!(stored.as_str().starts_with("v1:"));
//! assert_eq!(keys.decrypt(here, &stored)?.expose(), "correct horse");
//!
//! // The same ciphertext, moved to another row, does not decrypt.
//! let elsewhere = Location { row: "my-own", ..here };
//! assert!(matches!(keys.decrypt(elsewhere, &stored), Err(DecryptError::Rejected { .. })));
//!
//! // After a rotation old values can still be read; new ones use the new key.
//! keys.rotate()?;
//! assert!(!keys.is_current(&stored));
//! assert_eq!(keys.decrypt(here, &stored)?.expose(), "correct horse");
//!
//! // The key file is text; reading and writing it is the caller's.
//! let again = KeyRing::parse(keys.render().expose())?;
//! assert_eq!(again.decrypt(here, &stored)?.expose(), "correct horse");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod cipher;
mod key;
mod key_file;
mod password;
mod plaintext;
mod random;
mod sign_in;
mod token;

pub use cipher::{Ciphertext, DecryptError, EncryptError, Location, MalformedCiphertext};
pub use key::{Key, KeyId, KeyIdError, KeyRing, KeyRingError, MAX_KEY_ID_LENGTH};
pub use key_file::{KeyFileError, KeyLineProblem};
pub use password::{
    HashPasswordError, LEAST_PASSWORD_CHARACTERS, MOST_PASSWORD_CHARACTERS, NewPassword, PasswordHash, PasswordRefused,
};
pub use plaintext::{MAX_PASSWORD_BYTES, PasswordTooLong, Plaintext};
pub use random::RandomError;
pub use sign_in::SignInSecret;
pub use token::{ApiToken, ParseTokenError, TokenHash, TokenKind};
