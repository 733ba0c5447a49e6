use chrono::{DateTime, Utc};
use orchestrator_core::clock::Timestamp;
use orchestrator_core::id::JobId;
use orchestrator_core::queue::{ElementStatus, QueueElement};
use orchestrator_core::text::{QueueName, Reference};
use uuid::Uuid;

use super::row::{ElementRow, element_columns};
use crate::dialect::{Sql, sql};
use crate::error::{DbError, Readable};
use crate::lists::{Texts, containing, earliest, latest};
use crate::page::{PageRequest, SEARCHED_ROWS, cursor};
use crate::rows::{fetch, fetch_plain};
use crate::tx::Tx;

/// Which elements of a queue are listed. Everything that is set must fit.
#[derive(Debug, Clone)]
pub struct ElementFilter {
    /// The queue.
    pub queue: QueueName,
    /// Exactly this reference.
    pub reference: Option<Reference>,
    /// Any of these; all when empty.
    pub statuses: Vec<ElementStatus>,
    /// Created at this instant or later.
    pub created_from: Option<Timestamp>,
    /// Created at this instant or earlier.
    pub created_to: Option<Timestamp>,
    /// Part of reference, data or message, whatever the case of letters; not a pattern.
    pub search: Option<String>,
    /// Newest first instead of the order of insertion.
    pub newest_first: bool,
}

impl ElementFilter {
    /// All elements of a queue, in the order of insertion.
    pub fn of(queue: QueueName) -> Self {
        Self {
            queue,
            reference: None,
            statuses: Vec::new(),
            created_from: None,
            created_to: None,
            search: None,
            newest_first: false,
        }
    }
}

/// `$scope` names the index that fits: `$6` is the reference, or unused text.
macro_rules! list_text {
    ($scope:literal, $low:literal, $high:literal, $order:literal) => {
        sql!["SELECT " [columns element_columns] " FROM queues
         WHERE queue_name = $1 AND " $scope " AND (created_date, id) " $low " ($2, $3) AND (created_date, id) " $high " ($4, $5)
             AND ($7 OR status" [in_texts "$8"] ")
             AND ($9 = '%%' OR reference" [like "$9"] " OR data" [like "$9"] " OR message" [like "$9"] ")
         " $order " LIMIT $10"]
    };
    ($scope:literal) => {
        [
            list_text!($scope, ">", "<=", "ORDER BY created_date, id"),
            list_text!($scope, ">=", "<", "ORDER BY created_date DESC, id DESC"),
        ]
    };
}
const OF_REFERENCE: [Sql; 2] = list_text!("reference = $6");
const READY: [Sql; 2] = list_text!("ready AND $6 = ''");
const ATTENTION: [Sql; 2] = list_text!("attention AND $6 = ''");
const ALL: [Sql; 2] = list_text!("$6 = ''");

/// Where a search stops looking, in the same order.
macro_rules! window_text {
    ($scope:literal, $low:literal, $high:literal, $order:literal) => {
        sql!["SELECT created_date, id FROM queues
         WHERE queue_name = $1 AND " $scope " AND (created_date, id) " $low " ($2, $3) AND (created_date, id) " $high " ($4, $5)
         " $order " LIMIT 1 OFFSET $7"]
    };
    ($scope:literal) => {
        [
            window_text!($scope, ">", "<=", "ORDER BY created_date, id"),
            window_text!($scope, ">=", "<", "ORDER BY created_date DESC, id DESC"),
        ]
    };
}
const WINDOW_OF_REFERENCE: [Sql; 2] = window_text!("reference = $6");
const WINDOW_OF_READY: [Sql; 2] = window_text!("ready AND $6 = ''");
const WINDOW_OF_ATTENTION: [Sql; 2] = window_text!("attention AND $6 = ''");
const WINDOW_OF_ALL: [Sql; 2] = window_text!("$6 = ''");

const OF_JOB: Sql =
    sql!["SELECT " [columns element_columns] " FROM queues WHERE job_id = $1 ORDER BY created_date, id LIMIT $2"];

type Key = (DateTime<Utc>, Uuid);

impl Tx {
    /// Elements that a job holds or held last, in the order of insertion.
    pub async fn element_list_of_job(&mut self, job: JobId, limit: u32) -> Result<Readable<QueueElement>, DbError> {
        let rows = fetch!(self, "element_list_of_job", OF_JOB, table "queues" key "id" as ElementRow, [
            job.as_uuid(),
            i64::from(limit),
        ])?;
        Ok(Readable::collect(rows.into_iter().map(|row| row?.try_into())))
    }

    /// A page of a queue's elements, with the cursor of the next one. A search looks at [`SEARCHED_ROWS`] rows at most.
    pub async fn element_list(
        &mut self,
        filter: &ElementFilter,
        page: &PageRequest,
    ) -> Result<(Readable<QueueElement>, Option<String>), DbError> {
        let after = page.after::<Key>()?;
        // No id is the first or the last one there can be.
        let mut low: Key = (filter.created_from.unwrap_or_else(earliest), Uuid::nil());
        let mut high: Key = (filter.created_to.unwrap_or_else(latest), Uuid::max());
        match after {
            Some(after) if filter.newest_first => high = high.min(after),
            Some(after) => low = low.max(after),
            None => {}
        }
        let window = if filter.search.is_some() { self.element_window(filter, low, high).await? } else { None };
        match window {
            Some(window) if filter.newest_first => low = window,
            Some(window) => high = window,
            None => {}
        }
        let statuses: Texts = filter.statuses.iter().map(|status| status.as_str()).collect();
        let [text, _] = filter.texts();
        let mut rows = fetch!(self, "element_list", text, table "queues" key "id" as ElementRow, [
            filter.queue.as_str(),
            low.0,
            low.1,
            high.0,
            high.1,
            filter.reference.as_ref().map_or("", Reference::as_str),
            filter.statuses.is_empty(),
            &statuses,
            containing(filter.search.as_deref().unwrap_or_default()),
            page.fetch(),
        ])?;
        let next = page.cut(&mut rows, |row| (row.created_date, row.id)).or_else(|| window.as_ref().map(cursor));
        Ok((Readable::collect(rows.into_iter().map(|row| row.and_then(QueueElement::try_from))), next))
    }

    /// The last row between these two that a search looks at, when there may be more.
    async fn element_window(&mut self, filter: &ElementFilter, low: Key, high: Key) -> Result<Option<Key>, DbError> {
        let [_, text] = filter.texts();
        let mut rows = fetch_plain!(self, "element_window", text, as Key, [
            filter.queue.as_str(),
            low.0,
            low.1,
            high.0,
            high.1,
            filter.reference.as_ref().map_or("", Reference::as_str),
            i64::from(SEARCHED_ROWS) - 1,
        ])?;
        Ok(rows.pop())
    }
}

impl ElementFilter {
    /// The texts of the list and of its window whose index fits best.
    fn texts(&self) -> [Sql; 2] {
        let only = |fits: fn(ElementStatus) -> bool| {
            !self.statuses.is_empty() && self.statuses.iter().all(|status| fits(*status))
        };
        let (list, window) = if self.reference.is_some() {
            (OF_REFERENCE, WINDOW_OF_REFERENCE)
        } else if only(ElementStatus::is_ready) {
            (READY, WINDOW_OF_READY)
        } else if only(ElementStatus::needs_attention) {
            (ATTENTION, WINDOW_OF_ATTENTION)
        } else {
            (ALL, WINDOW_OF_ALL)
        };
        let order = usize::from(self.newest_first);
        [list[order], window[order]]
    }
}

#[cfg(test)]
crate::statements::statements![
    OF_JOB,
    OF_REFERENCE[0],
    OF_REFERENCE[1],
    READY[0],
    READY[1],
    ATTENTION[0],
    ATTENTION[1],
    ALL[0],
    ALL[1],
    WINDOW_OF_REFERENCE[0],
    WINDOW_OF_REFERENCE[1],
    WINDOW_OF_READY[0],
    WINDOW_OF_READY[1],
    WINDOW_OF_ATTENTION[0],
    WINDOW_OF_ATTENTION[1],
    WINDOW_OF_ALL[0],
    WINDOW_OF_ALL[1]
];
