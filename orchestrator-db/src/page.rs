//! Lists page by page: a cursor is the key of the last row that was given, so that a page costs the same wherever it is
//! and rows that come or go in between neither repeat nor hide others.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::answer::{Bulk, fitting};
use crate::error::{Corrupt, DbError};
use crate::lists::{earliest, latest};

/// The most rows of one page.
const MOST_ROWS: u32 = 1000;

/// How many rows at most one page looks at of a list whose filter no index serves, such as a search for a text: it may be
/// empty and yet have a next one.
pub const SEARCHED_ROWS: u32 = 50_000;

/// How many rows are looked at in one step of it.
pub(crate) const STEP: u32 = 5_000;

/// After how long no further step is begun: a page is answered in time on a slow machine, too.
const LONGEST: Duration = Duration::from_millis(40);

/// Which page of a list is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageRequest {
    /// How many rows, from 1 to 1000; what is outside is moved to the nearer end.
    pub limit: u32,
    /// Where the page before it ended; `None` for the first.
    pub cursor: Option<String>,
}

impl PageRequest {
    /// The first page.
    pub fn first(limit: u32) -> Self {
        Self { limit, cursor: None }
    }

    pub(crate) fn rows(&self) -> usize {
        self.limit.clamp(1, MOST_ROWS) as usize
    }

    /// How many rows to ask the database for: one more than wanted tells whether there is another page.
    pub(crate) fn fetch(&self) -> i64 {
        i64::from(self.limit.clamp(1, MOST_ROWS)) + 1
    }

    /// How many more rows to ask for, after these.
    pub(crate) fn still_wanted<R>(&self, rows: &[R]) -> i64 {
        self.fetch() - i64::try_from(rows.len()).unwrap_or(i64::MAX)
    }

    /// The key after which the page begins.
    pub(crate) fn after<K: Key>(&self) -> Result<Option<K>, DbError> {
        let Some(cursor) = &self.cursor else { return Ok(None) };
        let key = from_hex(cursor).and_then(|json| serde_json::from_slice(&json).ok()).filter(K::is_storable);
        key.map(Some).ok_or_else(|| DbError::InvalidCursor { cursor: cursor.clone() })
    }

    /// Cuts off the extra row, and those that one answer cannot hold, and makes the cursor of the next page, if there is
    /// one, from the key of the last row that could be read.
    pub(crate) fn cut<R: Bulk, K: Key>(
        &self,
        rows: &mut Vec<Result<R, Corrupt>>,
        key: impl Fn(&R) -> K,
    ) -> Option<String> {
        // What cannot be read is left out of the answer.
        let leading = rows.iter().take_while(|row| row.is_err()).count();
        let sizes = rows[leading..].iter().map(|row| row.as_ref().map_or(0, Bulk::bytes));
        let most = self.rows().min(leading + fitting(sizes));
        if rows.len() <= most {
            return None;
        }
        rows.truncate(most);
        rows.iter().rev().find_map(|row| row.as_ref().ok()).map(|row| cursor(&key(row)))
    }
}

/// One page of a list whose filter no index serves, which looks at rows step by step.
#[derive(Debug)]
pub(crate) struct Search {
    began: Instant,
    looked_at: u32,
}

impl Search {
    pub(crate) fn begin() -> Self {
        Self { began: Instant::now(), looked_at: 0 }
    }

    /// One that is given up sooner, because another one may follow it.
    pub(crate) fn brief() -> Self {
        Self { looked_at: SEARCHED_ROWS / 2, ..Self::begin() }
    }

    /// Whether another step may follow the one that was made.
    pub(crate) fn goes_on(&mut self) -> bool {
        self.looked_at += STEP;
        self.looked_at + STEP <= SEARCHED_ROWS && self.began.elapsed() < LONGEST
    }
}

/// What a list goes on after. Cursors come back from callers, who may have written what no database takes.
pub(crate) trait Key: Serialize + DeserializeOwned {
    /// Whether it may be the key of a row.
    fn is_storable(&self) -> bool;
}

impl Key for Uuid {
    fn is_storable(&self) -> bool {
        true
    }
}

impl Key for String {
    fn is_storable(&self) -> bool {
        !self.contains('\0')
    }
}

impl Key for (String, String) {
    fn is_storable(&self) -> bool {
        self.0.is_storable() && self.1.is_storable()
    }
}

impl Key for (DateTime<Utc>, Uuid) {
    fn is_storable(&self) -> bool {
        (earliest()..=latest()).contains(&self.0)
    }
}

/// The text of a key.
pub(crate) fn cursor<K: Serialize>(key: &K) -> String {
    let json = serde_json::to_vec(key).unwrap_or_default();
    json.iter().fold(String::with_capacity(json.len() * 2), |mut hex, byte| {
        // Writing to a string cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    if !text.is_ascii() || !text.len().is_multiple_of(2) {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::ANSWER_BYTES;

    /// A row of so many hundredths of an answer.
    impl Bulk for u32 {
        fn bytes(&self) -> usize {
            ANSWER_BYTES / 100 * *self as usize
        }
    }

    #[test]
    fn a_page_goes_on_after_the_last_row_of_the_one_before() {
        let mut rows: Vec<Result<u32, Corrupt>> = vec![Ok(1), Ok(2), Ok(3)];
        let next = PageRequest::first(2).cut(&mut rows, |row| format!("æ{row}")).unwrap();
        assert_eq!(rows.len(), 2);
        let page = PageRequest { limit: 2, cursor: Some(next) };
        assert_eq!(page.after::<String>().unwrap(), Some("æ2".to_owned()));
    }

    #[test]
    fn a_page_ends_where_the_answer_is_full_and_has_one_row_at_least() {
        let page = PageRequest::first(100);
        let mut rows: Vec<Result<u32, Corrupt>> = vec![Ok(40), Ok(40), Ok(40)];
        assert_eq!(page.cut(&mut rows, u32::to_string), Some(cursor(&"40")));
        assert_eq!(rows.len(), 2);
        let mut rows: Vec<Result<u32, Corrupt>> = vec![Ok(101), Ok(1)];
        assert_eq!(page.cut(&mut rows, u32::to_string), Some(cursor(&"101")));
        assert_eq!(rows.len(), 1);
        let mut rows: Vec<Result<u32, Corrupt>> = vec![Ok(60), Ok(40)];
        assert_eq!(page.cut(&mut rows, u32::to_string), None, "all of it fits");
    }

    #[test]
    fn the_last_page_has_no_cursor() {
        let mut rows: Vec<Result<u32, Corrupt>> = vec![Ok(1), Ok(2)];
        assert_eq!(PageRequest::first(2).cut(&mut rows, u32::to_string), None);
    }

    #[test]
    fn a_cursor_that_is_none_is_refused() {
        for cursor in ["zz", "7", "æ", "7b", "22"] {
            let page = PageRequest { limit: 1, cursor: Some(cursor.to_owned()) };
            assert!(matches!(page.after::<String>(), Err(DbError::InvalidCursor { .. })), "{cursor}");
        }
    }

    #[test]
    fn a_cursor_that_no_database_takes_is_refused() {
        let nul = PageRequest { limit: 1, cursor: Some(cursor(&"a\0b")) };
        assert!(matches!(nul.after::<String>(), Err(DbError::InvalidCursor { .. })));
        for at in [DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC] {
            let far = PageRequest { limit: 1, cursor: Some(cursor(&(at, Uuid::nil()))) };
            assert!(matches!(far.after::<(DateTime<Utc>, Uuid)>(), Err(DbError::InvalidCursor { .. })), "{at}");
        }
    }

    #[test]
    fn a_search_ends_after_so_many_rows_or_so_long() {
        let mut search = Search::begin();
        let mut steps = 1;
        while search.goes_on() {
            steps += 1;
        }
        assert!(steps * STEP <= SEARCHED_ROWS, "{steps} steps");
        let mut slow = Search { began: Instant::now().checked_sub(LONGEST).unwrap(), looked_at: 0 };
        assert!(!slow.goes_on());
    }

    #[test]
    fn limits_are_moved_into_range() {
        assert_eq!(PageRequest::first(0).fetch(), 2);
        assert_eq!(PageRequest::first(5000).fetch(), 1001);
    }
}
