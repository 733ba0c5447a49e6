//! Elements in progress. No index has them: one would make every completion more than an update in place. But it is known
//! how many there are, and they are where claims have come to, beside the oldest element that may be claimed.

use orchestrator_core::queue::{ElementStatus, QueueElement};
use uuid::Uuid;

use super::list::{ElementFilter, Key};
use super::row::ElementRow;
use crate::error::{Corrupt, DbError, Readable};
use crate::lists::{earliest, latest};
use crate::page::{PageRequest, Search};
use crate::tx::Tx;

/// More than these are listed as others are.
const MOST: usize = 1000;

/// Which way from the oldest element that may be claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Older,
    Newer,
}

impl Tx {
    /// The first page of the elements in progress, if that is what is asked for and all of them are close to each other.
    pub(super) async fn element_list_held(
        &mut self,
        filter: &ElementFilter,
        page: &PageRequest,
    ) -> Result<Option<(Readable<QueueElement>, Option<String>)>, DbError> {
        if page.cursor.is_some() || !filter.is_all_in_progress() {
            return Ok(None);
        }
        let count = usize::try_from(self.queue_get(&filter.queue).await?.counts.in_progress).unwrap_or_default();
        if count > MOST {
            return Ok(None);
        }
        let Some(mut rows) = self.elements_held(filter, count).await? else { return Ok(None) };
        let key = |row: &ElementRow| (row.created_date, row.id);
        rows.sort_by_key(|row| row.as_ref().map(key).ok());
        if filter.newest_first {
            rows.reverse();
        }
        let next = page.cut(&mut rows, key);
        Ok(Some((Readable::collect(rows.into_iter().map(|row| row.and_then(QueueElement::try_from))), next)))
    }

    /// So many elements in progress, in no order; nothing when they are not found soon.
    async fn elements_held(
        &mut self,
        filter: &ElementFilter,
        count: usize,
    ) -> Result<Option<Vec<Result<ElementRow, Corrupt>>>, DbError> {
        let (first, last): (Key, Key) = ((earliest(), Uuid::nil()), (latest(), Uuid::max()));
        let ready = ElementFilter { statuses: vec![ElementStatus::New], ..ElementFilter::of(filter.queue.clone()) };
        let ready = self.element_rows(&ready, first, last, 1).await?.into_iter().find_map(Result::ok);
        let oldest = ready.map_or(last, |row| (row.created_date, row.id));
        let (mut below, mut above) = (Some(oldest), Some(oldest));
        let mut rows = Vec::new();
        let mut search = Search::brief();
        while rows.len() < count {
            below = match below {
                Some(high) => self.step(filter, Way::Older, (first, high), count, &mut rows).await?,
                None => None,
            };
            above = match above {
                Some(low) if rows.len() < count => self.step(filter, Way::Newer, (low, last), count, &mut rows).await?,
                other => other,
            };
            if (below.is_none() && above.is_none()) || !search.goes_on() {
                break;
            }
        }
        Ok((rows.len() == count).then_some(rows))
    }

    /// Looks at some of the elements between two; where to go on.
    async fn step(
        &mut self,
        filter: &ElementFilter,
        way: Way,
        (low, high): (Key, Key),
        count: usize,
        rows: &mut Vec<Result<ElementRow, Corrupt>>,
    ) -> Result<Option<Key>, DbError> {
        let filter = ElementFilter { newest_first: way == Way::Older, ..filter.clone() };
        let step = self.element_window(&filter, low, high).await?;
        let (low, high) = match (step, way) {
            (Some(step), Way::Older) => (step, high),
            (Some(step), Way::Newer) => (low, step),
            (None, _) => (low, high),
        };
        let wanted = i64::try_from(count - rows.len()).unwrap_or(i64::MAX);
        rows.extend(self.element_rows(&filter, low, high, wanted).await?);
        Ok(step)
    }
}

impl ElementFilter {
    /// Whether nothing but the status narrows it.
    fn is_all_in_progress(&self) -> bool {
        self.statuses == [ElementStatus::InProgress]
            && self.reference.is_none()
            && self.search.is_none()
            && self.created_from.is_none()
            && self.created_to.is_none()
    }
}
