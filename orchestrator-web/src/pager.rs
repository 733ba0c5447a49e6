//! Going on in a list. A cursor is where the page before ended, so there is a next page and a first one; the browser's own
//! "back" is the way back. A search looks at so many rows a page and no more, and may find few or none among them.

use crate::link::Link;

/// The links under a list.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pager {
    /// Where the list begins, unless this is it.
    pub(crate) first: Option<String>,
    pub(crate) next: Option<String>,
    /// Where a search goes on that has looked at its share of the rows.
    pub(crate) further: Option<String>,
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
            further: None,
        }
    }

    /// The same for a list whose filters may look at rows that do not fit: it has so many rows of at most `limit`.
    #[must_use]
    pub(crate) fn searched(self, rows: usize, limit: u32) -> Self {
        if rows >= limit as usize { self } else { Self { further: self.next, next: None, ..self } }
    }

    pub(crate) fn is_needed(&self) -> bool {
        self.first.is_some() || self.next.is_some() || self.further.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_page_has_a_next_one_and_a_short_one_a_search_that_goes_on() {
        let pager = |next: &str, rows| Pager::new(&Link::to("/logs"), "", next).searched(rows, 100);
        assert_eq!(pager("n", 100).next.as_deref(), Some("/logs?cursor=n"));
        assert_eq!(pager("n", 100).further, None);
        assert_eq!(pager("n", 7).further.as_deref(), Some("/logs?cursor=n"));
        assert_eq!(pager("n", 7).next, None);
        assert!(!pager("", 7).is_needed());
    }
}
