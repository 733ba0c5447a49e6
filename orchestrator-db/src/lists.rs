//! Lists as one bound value: an array on PostgreSQL, a JSON text for `json_each` on SQLite.

use std::fmt::Write as _;

use chrono::{DateTime, SecondsFormat, TimeDelta};
use orchestrator_core::clock::Timestamp;
use sqlx::encode::{Encode, IsNull};
use sqlx::error::BoxDynError;
use sqlx::{Database, Postgres, Sqlite, Type};
use uuid::Uuid;

/// An instant as sqlx writes it to SQLite, for values inside a JSON text: stored texts must compare as instants do.
pub(crate) fn time_text(at: Timestamp) -> String {
    at.to_rfc3339_opts(SecondsFormat::AutoSi, false)
}

/// Bytes inside a JSON text, as both databases can read them back.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Before everything that is stored: the first instant that a message can name.
pub(crate) fn earliest() -> Timestamp {
    DateTime::UNIX_EPOCH - TimeDelta::seconds(62_135_596_800)
}

/// After everything that is stored: the last instant that a message can name, whose text is the last one, too.
pub(crate) fn latest() -> Timestamp {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(253_402_300_799) + TimeDelta::microseconds(999_999)
}

/// A pattern for `[like "$n"]` that finds a text anywhere: wildcards in it stand for themselves.
pub(crate) fn containing(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len() + 2);
    pattern.push('%');
    for character in text.chars() {
        if matches!(character, '\\' | '%' | '_') {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern.push('%');
    pattern
}

/// Ids for `[in_ids "$n"]`.
#[derive(Debug, Clone)]
pub(crate) struct Ids(pub(crate) Vec<Uuid>);

impl FromIterator<Uuid> for Ids {
    fn from_iter<I: IntoIterator<Item = Uuid>>(ids: I) -> Self {
        Self(ids.into_iter().collect())
    }
}

/// Texts for `[in_texts "$n"]`.
#[derive(Debug, Clone)]
pub(crate) struct Texts(pub(crate) Vec<String>);

impl<T: Into<String>> FromIterator<T> for Texts {
    fn from_iter<I: IntoIterator<Item = T>>(texts: I) -> Self {
        Self(texts.into_iter().map(Into::into).collect())
    }
}

impl Type<Sqlite> for Ids {
    fn type_info() -> <Sqlite as Database>::TypeInfo {
        <String as Type<Sqlite>>::type_info()
    }
}

impl Encode<'_, Sqlite> for Ids {
    fn encode_by_ref(&self, buf: &mut <Sqlite as Database>::ArgumentBuffer) -> Result<IsNull, BoxDynError> {
        let hex: Vec<String> = self.0.iter().map(|id| id.simple().to_string()).collect();
        <String as Encode<Sqlite>>::encode(serde_json::to_string(&hex)?, buf)
    }
}

impl Type<Postgres> for Ids {
    fn type_info() -> <Postgres as Database>::TypeInfo {
        <Vec<Uuid> as Type<Postgres>>::type_info()
    }
}

impl Encode<'_, Postgres> for Ids {
    fn encode_by_ref(&self, buf: &mut <Postgres as Database>::ArgumentBuffer) -> Result<IsNull, BoxDynError> {
        <Vec<Uuid> as Encode<Postgres>>::encode_by_ref(&self.0, buf)
    }
}

impl Type<Sqlite> for Texts {
    fn type_info() -> <Sqlite as Database>::TypeInfo {
        <String as Type<Sqlite>>::type_info()
    }
}

impl Encode<'_, Sqlite> for Texts {
    fn encode_by_ref(&self, buf: &mut <Sqlite as Database>::ArgumentBuffer) -> Result<IsNull, BoxDynError> {
        <String as Encode<Sqlite>>::encode(serde_json::to_string(&self.0)?, buf)
    }
}

impl Type<Postgres> for Texts {
    fn type_info() -> <Postgres as Database>::TypeInfo {
        <Vec<String> as Type<Postgres>>::type_info()
    }
}

impl Encode<'_, Postgres> for Texts {
    fn encode_by_ref(&self, buf: &mut <Postgres as Database>::ArgumentBuffer) -> Result<IsNull, BoxDynError> {
        <Vec<String> as Encode<Postgres>>::encode_by_ref(&self.0, buf)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_in_a_search_stand_for_themselves() {
        assert_eq!(containing("100 %_\\"), "%100 \\%\\_\\\\%");
    }

    #[test]
    fn texts_of_instants_sort_as_the_instants_do() {
        let noon = DateTime::UNIX_EPOCH + TimeDelta::hours(12);
        let instants = [
            earliest(),
            noon,
            noon + TimeDelta::microseconds(1),
            noon + TimeDelta::milliseconds(1),
            noon + TimeDelta::seconds(1),
            latest(),
        ];
        let texts = instants.map(time_text);
        assert!(texts.is_sorted(), "{texts:?}");
    }
}
