//! Pages of lists, and what they are filtered by.

use std::str::FromStr;

use orchestrator_core::states::UnknownName;
use orchestrator_core::text::TextError;
use orchestrator_db::PageRequest;
use orchestrator_proto::convert::{self, DecodeError};
use orchestrator_proto::v1;

/// Reads which part of a list is asked for.
pub(crate) fn page(message: Option<v1::Page>) -> Result<PageRequest, DecodeError> {
    let convert::PageRequest { limit, cursor } = convert::page(message)?;
    Ok(PageRequest { limit, cursor })
}

/// How many, as messages count.
pub(crate) fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// The most characters of a text that is searched for.
const MOST_SEARCHED: usize = 1000;

/// The most values of which any may fit: more than there are statuses or levels.
const MOST_VALUES: usize = 20;

/// A part of a text that is searched for; nothing when it is empty.
pub(crate) fn searched(field: &'static str, text: String) -> Result<Option<String>, DecodeError> {
    let length = text.chars().count();
    if length > MOST_SEARCHED {
        return Err(TextError::TooLong { field, limit: MOST_SEARCHED, length }.into());
    }
    // No stored text has one, and PostgreSQL does not take it.
    if let Some(position) = text.chars().position(|c| c == '\0') {
        return Err(TextError::ControlCharacter { field, code: 0, position }.into());
    }
    Ok(given(text))
}

/// Names of which any may fit; all of them do when there is none.
pub(crate) fn any_of<N: FromStr<Err = UnknownName>>(
    field: &'static str,
    texts: &[String],
) -> Result<Vec<N>, DecodeError> {
    at_most(field, texts.len(), MOST_VALUES)?;
    texts.iter().map(|text| convert::name(field, text)).collect()
}

/// Refuses a list that is too long.
pub(crate) fn at_most(field: &'static str, length: usize, most: usize) -> Result<(), DecodeError> {
    if length <= most {
        return Ok(());
    }
    let (value, most) = (length as i128, most as i128);
    Err(DecodeError::OutOfRange { field, value, least: 0, most })
}

/// A text that filters only when it is not empty.
pub(crate) fn given(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}
