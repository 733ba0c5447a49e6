//! Pages of lists.

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

/// A text that filters only when it is not empty.
pub(crate) fn given(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}
