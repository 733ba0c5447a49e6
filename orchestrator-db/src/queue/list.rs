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
use crate::page::PageRequest;
use crate::rows::fetch;
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

/// `$scope` names the index that fits: `$9` is the reference, or unused text.
macro_rules! list_text {
    ($scope:literal, $after:literal, $order:literal) => {
        sql!["SELECT " [columns element_columns] " FROM queues
         WHERE queue_name = $1 AND " $scope " AND created_date >= $2 AND created_date <= $3
             AND (created_date, id) " $after " ($4, $5)
             AND ($6 OR status" [in_texts "$7"] ")
             AND ($8 = '%%' OR reference" [like "$8"] " OR data" [like "$8"] " OR message" [like "$8"] ")
         " $order " LIMIT $10"]
    };
    ($scope:literal) => {
        [
            list_text!($scope, ">", "ORDER BY created_date, id"),
            list_text!($scope, "<", "ORDER BY created_date DESC, id DESC"),
        ]
    };
}
const OF_REFERENCE: [Sql; 2] = list_text!("reference = $9");
const READY: [Sql; 2] = list_text!("ready AND $9 = ''");
const ATTENTION: [Sql; 2] = list_text!("attention AND $9 = ''");
const ALL: [Sql; 2] = list_text!("$9 = ''");

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

    /// A page of a queue's elements, with the cursor of the next one.
    pub async fn element_list(
        &mut self,
        filter: &ElementFilter,
        page: &PageRequest,
    ) -> Result<(Readable<QueueElement>, Option<String>), DbError> {
        let start: Key = if filter.newest_first { (latest(), Uuid::max()) } else { (earliest(), Uuid::nil()) };
        let (created_date, id) = page.after::<Key>()?.unwrap_or(start);
        let statuses: Texts = filter.statuses.iter().map(|status| status.as_str()).collect();
        let mut rows = fetch!(self, "element_list", filter.text(), table "queues" key "id" as ElementRow, [
            filter.queue.as_str(),
            filter.created_from.unwrap_or_else(earliest),
            filter.created_to.unwrap_or_else(latest),
            created_date,
            id,
            filter.statuses.is_empty(),
            &statuses,
            containing(filter.search.as_deref().unwrap_or_default()),
            filter.reference.as_ref().map_or("", Reference::as_str),
            page.fetch(),
        ])?;
        let next = page.cut(&mut rows, |row| (row.created_date, row.id));
        Ok((Readable::collect(rows.into_iter().map(|row| row.and_then(QueueElement::try_from))), next))
    }
}

impl ElementFilter {
    fn text(&self) -> Sql {
        let only = |fits: fn(ElementStatus) -> bool| {
            !self.statuses.is_empty() && self.statuses.iter().all(|status| fits(*status))
        };
        let texts = if self.reference.is_some() {
            OF_REFERENCE
        } else if only(ElementStatus::is_ready) {
            READY
        } else if only(ElementStatus::needs_attention) {
            ATTENTION
        } else {
            ALL
        };
        texts[usize::from(self.newest_first)]
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
    ALL[1]
];
