use chrono::{DateTime, Utc};
use orchestrator_core::clock::Timestamp;
use orchestrator_core::id::JobId;
use orchestrator_core::queue::{ElementStatus, QueueElement};
use orchestrator_core::text::{QueueName, Reference};
use uuid::Uuid;

use super::row::{ElementRow, element_columns};
use crate::answer::{Bulk, fitting};
use crate::dialect::{Sql, sql};
use crate::error::{Corrupt, DbError, Readable};
use crate::lists::{Texts, containing, earliest, latest};
use crate::page::{PageRequest, STEP, Search, cursor};
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

/// `$scope` names the index that fits: `$6` is the reference, or unused text. What the pairs imply of the time is said
/// again on PostgreSQL, which estimates nothing from a pair and would take a short step for all of the queue.
macro_rules! list_text {
    ($low:literal, $high:literal, $order:literal; $($scope:tt)*) => {
        sql!["SELECT " [columns element_columns] " FROM queues
         WHERE " $($scope)* " AND (created_date, id) " $low " ($2, $3) AND (created_date, id) " $high " ($4, $5)"
             [only postgres " AND created_date >= $2 AND created_date <= $4"] "
             AND ($7 OR status" [in_texts "$8"] ")
             AND ($9 = '%%' OR reference" [like "$9"] " OR data" [like "$9"] " OR message" [like "$9"] ")
         " $order " LIMIT $10"]
    };
    ($($scope:tt)*) => {
        [
            list_text!(">", "<=", "ORDER BY created_date, id"; $($scope)*),
            list_text!(">=", "<", "ORDER BY created_date DESC, id DESC"; $($scope)*),
        ]
    };
}
const OF_REFERENCE: [Sql; 2] = list_text!("queue_name = $1 AND reference = $6");
const READY: [Sql; 2] = list_text!("queue_name" [bytewise] " = $1 AND ready AND $6 = ''");
const ATTENTION: [Sql; 2] = list_text!("queue_name = $1 AND attention AND $6 = ''");
const ALL: [Sql; 2] = list_text!("queue_name = $1 AND $6 = ''");

/// Where a step of a search ends, in the same order.
macro_rules! window_text {
    ($low:literal, $high:literal, $order:literal; $($scope:tt)*) => {
        sql!["SELECT created_date, id FROM queues
         WHERE " $($scope)* " AND (created_date, id) " $low " ($2, $3) AND (created_date, id) " $high " ($4, $5)
         " $order " LIMIT 1 OFFSET $7"]
    };
    ($($scope:tt)*) => {
        [
            window_text!(">", "<=", "ORDER BY created_date, id"; $($scope)*),
            window_text!(">=", "<", "ORDER BY created_date DESC, id DESC"; $($scope)*),
        ]
    };
}
const WINDOW_OF_REFERENCE: [Sql; 2] = window_text!("queue_name = $1 AND reference = $6");
const WINDOW_OF_READY: [Sql; 2] = window_text!("queue_name" [bytewise] " = $1 AND ready AND $6 = ''");
const WINDOW_OF_ATTENTION: [Sql; 2] = window_text!("queue_name = $1 AND attention AND $6 = ''");
const WINDOW_OF_ALL: [Sql; 2] = window_text!("queue_name = $1 AND $6 = ''");

const OF_JOB: Sql =
    sql!["SELECT " [columns element_columns] " FROM queues WHERE job_id = $1 ORDER BY created_date, id LIMIT $2"];

pub(super) type Key = (DateTime<Utc>, Uuid);

impl Tx {
    /// Elements that a job holds or held last, in the order of insertion; no more than one answer holds.
    pub async fn element_list_of_job(&mut self, job: JobId, limit: u32) -> Result<Readable<QueueElement>, DbError> {
        let rows = fetch!(self, "element_list_of_job", OF_JOB, table "queues" key "id" as ElementRow, [
            job.as_uuid(),
            i64::from(limit),
        ])?;
        let mut listed = Readable::collect(rows.into_iter().map(|row| row?.try_into()));
        listed.rows.truncate(fitting(listed.rows.iter().map(Bulk::bytes)));
        Ok(listed)
    }

    /// A page of a queue's elements, with the cursor of the next one. Where no index serves the filter it looks at
    /// [`SEARCHED_ROWS`](crate::SEARCHED_ROWS) rows at most.
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
        self.plan_for_values().await?;
        if let Some(held) = self.element_list_held(filter, page).await? {
            return Ok(held);
        }
        let mut rows = Vec::new();
        let mut search = Search::begin();
        let stopped = loop {
            let step = if filter.looks_further() { self.element_window(filter, low, high).await? } else { None };
            let (least, most) = match step {
                Some(step) if filter.newest_first => (step, high),
                Some(step) => (low, step),
                None => (low, high),
            };
            let wanted = page.still_wanted(&rows);
            rows.extend(self.element_rows(filter, least, most, wanted).await?);
            match step {
                Some(step) if page.still_wanted(&rows) == 0 || !search.goes_on() => break Some(step),
                Some(step) if filter.newest_first => high = step,
                Some(step) => low = step,
                None => break None,
            }
        };
        let next = page.cut(&mut rows, |row| (row.created_date, row.id)).or_else(|| stopped.as_ref().map(cursor));
        Ok((Readable::collect(rows.into_iter().map(|row| row.and_then(QueueElement::try_from))), next))
    }

    pub(super) async fn element_rows(
        &mut self,
        filter: &ElementFilter,
        low: Key,
        high: Key,
        limit: i64,
    ) -> Result<Vec<Result<ElementRow, Corrupt>>, DbError> {
        let statuses: Texts = filter.statuses.iter().map(|status| status.as_str()).collect();
        let [text, _] = filter.texts();
        fetch!(self, "element_list", text, table "queues" key "id" as ElementRow, [
            filter.queue.as_str(),
            low.0,
            low.1,
            high.0,
            high.1,
            filter.reference.as_ref().map_or("", Reference::as_str),
            filter.statuses.is_empty(),
            &statuses,
            containing(filter.search.as_deref().unwrap_or_default()),
            limit,
        ])
    }

    /// The last row between these two that a step of a search looks at, when there may be more.
    pub(super) async fn element_window(
        &mut self,
        filter: &ElementFilter,
        low: Key,
        high: Key,
    ) -> Result<Option<Key>, DbError> {
        let [_, text] = filter.texts();
        let mut rows = fetch_plain!(self, "element_window", text, as Key, [
            filter.queue.as_str(),
            low.0,
            low.1,
            high.0,
            high.1,
            filter.reference.as_ref().map_or("", Reference::as_str),
            i64::from(STEP) - 1,
        ])?;
        Ok(rows.pop())
    }
}

impl ElementFilter {
    fn only(&self, fits: fn(ElementStatus) -> bool) -> bool {
        !self.statuses.is_empty() && self.statuses.iter().all(|status| fits(*status))
    }

    /// Whether rows are looked at that do not fit: no index has exactly those that do.
    fn looks_further(&self) -> bool {
        let all_of = |fits: fn(ElementStatus) -> bool| {
            ElementStatus::ALL.iter().filter(|status| fits(**status)).all(|status| self.statuses.contains(status))
        };
        let is_whole = |fits| self.reference.is_none() && self.only(fits) && all_of(fits);
        let is_exact =
            self.statuses.is_empty() || is_whole(ElementStatus::is_ready) || is_whole(ElementStatus::needs_attention);
        self.search.is_some() || !is_exact
    }

    /// The texts of the list and of its window whose index fits best.
    fn texts(&self) -> [Sql; 2] {
        let (list, window) = if self.reference.is_some() {
            (OF_REFERENCE, WINDOW_OF_REFERENCE)
        } else if self.only(ElementStatus::is_ready) {
            (READY, WINDOW_OF_READY)
        } else if self.only(ElementStatus::needs_attention) {
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
