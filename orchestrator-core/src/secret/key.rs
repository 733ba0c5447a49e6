//! Keys, their ids, and the ring of keys that a server holds.

use std::fmt;

use secrecy::{ExposeSecret, ExposeSecretMut, SecretBox};

use super::random::{self, RandomError};

/// The longest id of a key, in characters.
pub const MAX_KEY_ID_LENGTH: usize = 24;

pub(super) const KEY_BYTES: usize = 32;

/// Eight base-62 digits of a generated id: short to read aloud, and the ring checks that they are unique in it.
const GENERATED_ID_LENGTH: usize = 8;

/// Names a key; not secret, and part of every ciphertext.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(String);

/// A text is no id of a key. The text is not shown: it may be the key itself, in the wrong place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyIdError {
    /// Nothing there.
    #[error("the key id is empty")]
    Empty,
    /// More than [`MAX_KEY_ID_LENGTH`] characters.
    #[error("the key id has {length} characters, at most {MAX_KEY_ID_LENGTH} are allowed")]
    TooLong {
        /// The length of what was given.
        length: usize,
    },
    /// A character other than an ASCII letter, a digit, `-`, `_` or `.`.
    #[error("character {position} of the key id is not a letter, a digit, `-`, `_` or `.`")]
    Character {
        /// Counted from 1.
        position: usize,
    },
}

impl KeyId {
    /// Checks the length and the characters.
    pub fn parse(text: &str) -> Result<Self, KeyIdError> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        match text.chars().count() {
            0 => Err(KeyIdError::Empty),
            length if length > MAX_KEY_ID_LENGTH => Err(KeyIdError::TooLong { length }),
            _ => match text.chars().position(|c| !allowed(c)) {
                Some(index) => Err(KeyIdError::Character { position: index + 1 }),
                None => Ok(Self(text.to_owned())),
            },
        }
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn generate() -> Result<Self, RandomError> {
        let mut number = [0_u8; 16];
        random::fill(&mut number)?;
        let mut text = String::with_capacity(GENERATED_ID_LENGTH);
        random::push_base62(&mut text, &mut number, GENERATED_ID_LENGTH);
        Ok(Self(text))
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A 256-bit key and its id.
pub struct Key {
    id: KeyId,
    bytes: SecretBox<[u8; KEY_BYTES]>,
}

impl Key {
    /// A new random key.
    pub fn generate(id: KeyId) -> Result<Self, RandomError> {
        let mut bytes = SecretBox::<[u8; KEY_BYTES]>::default();
        random::fill(bytes.expose_secret_mut())?;
        Ok(Self { id, bytes })
    }

    /// Copies the bytes of a key; `None` if there are not exactly 32.
    pub(super) fn copy_of(id: KeyId, bytes: &[u8]) -> Option<Self> {
        let source: &[u8; KEY_BYTES] = bytes.try_into().ok()?;
        Some(Self {
            id,
            bytes: SecretBox::init_with_mut(|target: &mut [u8; KEY_BYTES]| target.copy_from_slice(source)),
        })
    }

    /// The id.
    pub fn id(&self) -> &KeyId {
        &self.id
    }

    pub(super) fn expose(&self) -> &[u8; KEY_BYTES] {
        self.bytes.expose_secret()
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("id", &self.id.as_str()).finish_non_exhaustive()
    }
}

/// One writing key and any number of reading keys, each with an id of its own.
#[derive(Debug)]
pub struct KeyRing {
    writing: Key,
    /// Staged keys first, then those that were written with, newest first.
    reading: Vec<Key>,
    staged_count: usize,
}

/// Two keys of a ring would have the same id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("two keys have the id `{id}`")]
pub struct KeyRingError {
    /// The id that both have.
    pub id: KeyId,
}

impl KeyRing {
    /// A ring of given keys; the reading keys newest first.
    pub fn new(writing: Key, reading: Vec<Key>) -> Result<Self, KeyRingError> {
        let mut ids: Vec<&KeyId> = reading.iter().chain([&writing]).map(Key::id).collect();
        ids.sort_unstable();
        match ids.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => Err(KeyRingError { id: pair[0].clone() }),
            None => Ok(Self { writing, reading, staged_count: 0 }),
        }
    }

    /// A ring of keys whose ids are known to differ.
    pub(super) fn from_unique(writing: Key, staged: Vec<Key>, old: Vec<Key>) -> Self {
        let staged_count = staged.len();
        Self { writing, reading: staged.into_iter().chain(old).collect(), staged_count }
    }

    /// A ring of one new random key with a random id.
    pub fn generate() -> Result<Self, RandomError> {
        Ok(Self { writing: Key::generate(KeyId::generate()?)?, reading: Vec::new(), staged_count: 0 })
    }

    /// Makes a new random key the writing one. The old one becomes the first of the reading keys.
    ///
    /// When this fails, the ring is as it was.
    pub fn rotate(&mut self) -> Result<(), RandomError> {
        let new = self.another()?;
        self.write_with(new);
        Ok(())
    }

    fn write_with(&mut self, new: Key) {
        let old = std::mem::replace(&mut self.writing, new);
        self.reading.insert(self.staged_count, old);
    }

    /// Adds a new random key for reading, as the first of them: where it is known to all who read, [`Self::promote`] makes it
    /// the writing one.
    ///
    /// When this fails, the ring is as it was.
    pub fn stage(&mut self) -> Result<&Key, RandomError> {
        let new = self.another()?;
        self.reading.insert(0, new);
        self.staged_count += 1;
        Ok(&self.reading[0])
    }

    /// Makes a reading key, mostly a staged one, the writing one, and the writing one the newest of the old ones. False changes
    /// nothing: there is no reading key of that id.
    pub fn promote(&mut self, id: &KeyId) -> bool {
        let Some(at) = self.reading.iter().position(|key| key.id() == id) else { return false };
        let new = self.reading.remove(at);
        self.staged_count -= usize::from(at < self.staged_count);
        self.write_with(new);
        true
    }

    /// Keys that were never written with: [`Self::promote`] makes one the writing one.
    pub fn staged(&self) -> &[Key] {
        &self.reading[..self.staged_count]
    }

    /// A new random key whose id no key of the ring has.
    fn another(&self) -> Result<Key, RandomError> {
        loop {
            let id = KeyId::generate()?;
            if self.find(&id).is_none() {
                return Key::generate(id);
            }
        }
    }

    /// The ring without keys that were written with before.
    #[must_use]
    pub fn without_old(mut self) -> Self {
        self.reading.truncate(self.staged_count);
        self
    }

    /// The key that new values are encrypted with.
    pub fn writing(&self) -> &Key {
        &self.writing
    }

    /// The keys that are only for values encrypted earlier, newest first.
    pub fn reading(&self) -> &[Key] {
        &self.reading
    }

    /// The key with this id, whichever its role.
    pub fn find(&self, id: &KeyId) -> Option<&Key> {
        std::iter::once(&self.writing).chain(&self.reading).find(|key| key.id() == id)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::{Key, KeyId, KeyIdError, KeyRing};

    #[rstest]
    #[case::nothing("", KeyIdError::Empty)]
    #[case::colon("a:b", KeyIdError::Character { position: 2 })]
    #[case::space("2026 ", KeyIdError::Character { position: 5 })]
    #[case::letter_outside_ascii("nøgle", KeyIdError::Character { position: 2 })]
    #[case::longer_than_24("1234567890123456789012345", KeyIdError::TooLong { length: 25 })]
    fn an_unfit_id_is_refused(#[case] text: &str, #[case] expected: KeyIdError) {
        assert_eq!(KeyId::parse(text), Err(expected));
    }

    #[test]
    fn a_generated_id_is_a_fit_id() {
        let id = KeyId::generate().unwrap();
        assert_eq!(KeyId::parse(id.as_str()).unwrap(), id);
        assert_ne!(KeyId::generate().unwrap(), id);
    }

    #[test]
    fn a_staged_key_is_read_with_before_it_is_written_with() {
        let mut ring = KeyRing::generate().unwrap();
        let old = ring.writing().id().clone();
        let new = ring.stage().unwrap().id().clone();
        assert_eq!((ring.writing().id(), ring.reading()[0].id()), (&old, &new));
        assert!(!ring.promote(&old), "it is no reading key");
        let mut ring = KeyRing::parse(ring.render().expose()).unwrap();
        assert_eq!(ring.staged().iter().map(Key::id).collect::<Vec<_>>(), [&new], "the file tells which is staged");
        assert!(ring.promote(&new));
        assert_eq!((ring.writing().id(), ring.reading()[0].id(), ring.reading().len()), (&new, &old, 1));
        assert!(ring.staged().is_empty());
    }

    #[test]
    fn rotation_keeps_every_key_and_the_newest_first() {
        let mut ring = KeyRing::generate().unwrap();
        let first = ring.writing().id().clone();
        ring.rotate().unwrap();
        let second = ring.writing().id().clone();
        ring.rotate().unwrap();

        let reading: Vec<_> = ring.reading().iter().map(Key::id).collect();
        assert_eq!(reading, [&second, &first]);
        assert!(ring.find(&first).is_some() && ring.find(ring.writing().id()).is_some());
    }

    #[test]
    fn two_keys_of_one_id_are_no_ring() {
        let key = |id: &str| Key::generate(KeyId::parse(id).unwrap()).unwrap();
        let error = KeyRing::new(key("a"), vec![key("b"), key("a")]).unwrap_err();
        assert_eq!(error.to_string(), "two keys have the id `a`");
        KeyRing::new(key("a"), vec![key("b"), key("c")]).unwrap();
    }

    #[test]
    fn debug_shows_ids_and_no_key() {
        let key = Key::copy_of(KeyId::parse("k1").unwrap(), &[0xAB; 32]).unwrap();
        let ring = KeyRing::new(key, Vec::new()).unwrap();
        let shown = format!("{ring:?}");
        assert_eq!(shown, r#"KeyRing { writing: Key { id: "k1", .. }, reading: [], staged_count: 0 }"#);
    }
}
