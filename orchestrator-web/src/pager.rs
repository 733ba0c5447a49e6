//! Going on in a list. A cursor is where the page before ended, so there is a next page and a first one; the browser's own
//! "back" is the way back.

use crate::link::Link;

/// The links under a list.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pager {
    /// Where the list begins, unless this is it.
    pub(crate) first: Option<String>,
    pub(crate) next: Option<String>,
}

impl Pager {
    /// `link` is the list with its filters and without a cursor.
    pub(crate) fn new(link: &Link, cursor: &str, next_cursor: &str) -> Self {
        Self::named("cursor", link, cursor, next_cursor)
    }

    /// The same where the address has cursors of several lists: this one's has a name of its own.
    pub(crate) fn named(name: &str, link: &Link, cursor: &str, next_cursor: &str) -> Self {
        Self {
            first: (!cursor.is_empty()).then(|| link.clone().into_string()),
            next: (!next_cursor.is_empty()).then(|| link.clone().with(name, next_cursor).into_string()),
        }
    }

    pub(crate) fn is_needed(&self) -> bool {
        self.first.is_some() || self.next.is_some()
    }
}
