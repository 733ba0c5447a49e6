//! Counts per queue and status: the sum of deltas, so that no claim waits for another one's count.

use std::collections::BTreeMap;

use orchestrator_core::clock::Timestamp;
use orchestrator_core::queue::ElementStatus;
use orchestrator_core::text::QueueName;
use sqlx::types::Json;

use super::marks::Look;
use super::settings::{QueueSettings, Stored};
use crate::dialect::{Sql, on_conn, sql};
use crate::error::DbError;
use crate::lists::Texts;
use crate::page::{PageRequest, cursor};
use crate::rows::{execute, fetch_plain};
use crate::tx::Tx;

/// How many elements of a queue have each status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct QueueCounts {
    /// May be claimed.
    pub new: i64,
    /// Someone works on them.
    pub in_progress: i64,
    /// Done.
    pub done: i64,
    /// Failed.
    pub failed: i64,
    /// Abandoned.
    pub abandoned: i64,
}

impl QueueCounts {
    /// The count of one status.
    pub fn of(&self, status: ElementStatus) -> i64 {
        match status {
            ElementStatus::New => self.new,
            ElementStatus::InProgress => self.in_progress,
            ElementStatus::Done => self.done,
            ElementStatus::Failed => self.failed,
            ElementStatus::Abandoned => self.abandoned,
        }
    }

    /// All of them.
    pub fn total(&self) -> i64 {
        self.new + self.in_progress + self.done + self.failed + self.abandoned
    }

    fn of_mut(&mut self, status: ElementStatus) -> &mut i64 {
        match status {
            ElementStatus::New => &mut self.new,
            ElementStatus::InProgress => &mut self.in_progress,
            ElementStatus::Done => &mut self.done,
            ElementStatus::Failed => &mut self.failed,
            ElementStatus::Abandoned => &mut self.abandoned,
        }
    }
}

/// A queue with its counts and settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueSummary {
    /// Its name.
    pub name: QueueName,
    /// Its elements.
    pub counts: QueueCounts,
    /// How its elements are treated.
    pub settings: QueueSettings,
    /// Nothing of it is handed out, and no trigger fires for it.
    pub paused: bool,
    /// How often an element became done, whatever became of it since.
    pub done_total: i64,
    /// How often one failed or was abandoned, whatever became of it since.
    pub failed_total: i64,
}

/// A part of the queues.
#[derive(Debug)]
pub struct QueuePage {
    /// By name.
    pub queues: Vec<QueueSummary>,
    /// How many there are in all.
    pub total: usize,
    /// Where the next part begins; `None` in the last one.
    pub next: Option<String>,
}

/// Counts elements that were done and are so no more, or no longer there.
const DONE_LEFT: &str = "DONE_LEFT";
/// The same of those that were failed or abandoned.
const FAILED_LEFT: &str = "FAILED_LEFT";

/// Where elements are counted that leave a status in which they had ended.
fn left(status: ElementStatus) -> Option<&'static str> {
    match status {
        ElementStatus::New | ElementStatus::InProgress => None,
        ElementStatus::Done => Some(DONE_LEFT),
        ElementStatus::Failed | ElementStatus::Abandoned => Some(FAILED_LEFT),
    }
}

/// What a verb changed, summed up a queue and status.
#[derive(Debug, Default)]
pub(crate) struct Deltas(BTreeMap<(String, &'static str), i64>);

impl Deltas {
    pub(super) fn add(&mut self, queue: &QueueName, status: ElementStatus, delta: i64) {
        self.add_text(queue.as_str(), status, delta);
    }

    pub(crate) fn add_text(&mut self, queue: &str, status: ElementStatus, delta: i64) {
        *self.0.entry((queue.to_owned(), status.as_str())).or_default() += delta;
        // Claims and ends leave no such status: neither writes a row more.
        if let Some(left) = left(status).filter(|_| delta < 0) {
            *self.0.entry((queue.to_owned(), left)).or_default() -= delta;
        }
    }

    pub(super) fn into_rows(self) -> Vec<(String, &'static str, i64)> {
        let changed = self.0.into_iter().filter(|(_, delta)| *delta != 0);
        changed.map(|((queue, status), delta)| (queue, status, delta)).collect()
    }
}

const COUNTS_APPEND: Sql = sql!["INSERT INTO queue_counts (queue_name, status, delta)
     SELECT value->>0, value->>1, " [only sqlite "value->>2 FROM json_each($1)"]
     [only postgres "(value->>2)::bigint FROM json_array_elements($1::json) AS delta (value)"]];
const COUNTS_SUM: Sql = sql![
    "SELECT queue_name, status, CAST(SUM(delta) AS BIGINT) FROM queue_counts
     GROUP BY queue_name, status"
];
const COUNTS_SUM_OF_QUEUE: Sql = sql![
    "SELECT queue_name, status, CAST(SUM(delta) AS BIGINT) FROM queue_counts
     WHERE queue_name = $1 GROUP BY queue_name, status"
];
const COUNTS_TAKE: Sql = sql!["DELETE FROM queue_counts WHERE id" [in_open] "SELECT id FROM queue_counts
         WHERE (queue_name, status) IN (SELECT queue_name, status FROM queue_counts
             GROUP BY queue_name, status HAVING COUNT(*) > 1)
         ORDER BY queue_name, status, id LIMIT $1" [skip_locked] [in_close] "
     RETURNING queue_name, status, delta"];
// Without the hint SQLite walks the index of all elements, finished ones too.
const READY_COUNT: Sql = sql!["SELECT COUNT(*) FROM (SELECT 1 FROM queues" [indexed_by "queues_ready"]
     " WHERE queue_name" [bytewise] " = $1 AND ready" [only postgres " AND (created_date, id) >= ($3, $4)"]
     " AND NOT EXISTS (SELECT 1 FROM queue_settings
             WHERE queue_name = $1 AND paused) LIMIT $2) AS ready_elements"];

// The first entry of the ready index, a queue.
const OLDEST_READY: Sql = sql!["SELECT named.queue_name, (SELECT q.created_date FROM queues AS q" [indexed_by "queues_ready"]
     " WHERE q.queue_name" [bytewise] " = named.queue_name AND q.ready ORDER BY q.created_date, q.id LIMIT 1) FROM ("
     [only sqlite "SELECT value AS queue_name FROM json_each($1)"]
     [only postgres "SELECT unnest($1::text[]) AS queue_name"] ") AS named"];

type Sum = (String, String, i64);

impl Tx {
    pub(crate) async fn counts_append(&mut self, deltas: Deltas) -> Result<(), DbError> {
        let rows = deltas.into_rows();
        if rows.is_empty() {
            return Ok(());
        }
        execute!(self, "counts_append", COUNTS_APPEND, [Json(&rows)]).map(drop)
    }

    /// Queues that have elements or settings, by name.
    pub async fn queue_list(&mut self) -> Result<Vec<QueueSummary>, DbError> {
        let sums = fetch_plain!(self, "queue_list", COUNTS_SUM, as Sum, [])?;
        let mut queues: BTreeMap<String, (Counted, Option<Stored>)> = BTreeMap::new();
        for (name, counted) in by_queue(sums) {
            queues.entry(name).or_default().0 = counted;
        }
        for (name, settings) in self.queue_settings_all().await? {
            queues.entry(name).or_default().1 = Some(settings);
        }
        let known = queues
            .into_iter()
            .filter(|(_, (counted, settings))| settings.is_some() || counted.counts != QueueCounts::default());
        Ok(known.map(|(name, (counted, settings))| summary(QueueName::from_stored(name), counted, settings)).collect())
    }

    /// A page of the queues. Each costs the sums of all of them, which are a few folded rows a queue.
    pub async fn queue_page(&mut self, page: &PageRequest) -> Result<QueuePage, DbError> {
        let after = page.after::<String>()?.unwrap_or_default();
        let mut queues = self.queue_list().await?;
        let total = queues.len();
        queues.retain(|queue| queue.name.as_str() > after.as_str());
        let is_last = queues.len() <= page.rows();
        queues.truncate(page.rows());
        let next = queues.last().filter(|_| !is_last).map(|last| cursor(&last.name.as_str()));
        Ok(QueuePage { queues, total, next })
    }

    /// One queue; one that does not exist has no elements.
    pub async fn queue_get(&mut self, name: &QueueName) -> Result<QueueSummary, DbError> {
        let sums = fetch_plain!(self, "queue_get", COUNTS_SUM_OF_QUEUE, as Sum, [name.as_str()])?;
        let counted = by_queue(sums).remove(name.as_str()).unwrap_or_default();
        Ok(summary(name.clone(), counted, self.queue_stored_settings(name).await?))
    }

    /// When the element was created that waits longest, of each of these queues in which one waits.
    pub async fn queue_oldest_ready(
        &mut self,
        queues: impl Iterator<Item = &QueueName>,
    ) -> Result<BTreeMap<String, Timestamp>, DbError> {
        let names: Texts = queues.map(QueueName::as_str).collect();
        let rows = fetch_plain!(self, "queue_oldest_ready", OLDEST_READY, as (String, Option<Timestamp>), [&names])?;
        Ok(rows.into_iter().filter_map(|(queue, at)| Some((queue, at?))).collect())
    }

    /// How many elements may be claimed (none of a paused queue), counted up to `at_most` and no further, from where `look`
    /// begins.
    pub async fn queue_ready_count(&mut self, queue: &QueueName, at_most: u64, look: Look) -> Result<u64, DbError> {
        let at_most = i64::try_from(at_most).unwrap_or(i64::MAX);
        let from = self.look_from(queue.as_str(), look);
        // Numbered parameters may be bound beyond those that a text has.
        let count: i64 = on_conn!(self, |conn, dialect| {
            sqlx::query_scalar(READY_COUNT.text(dialect))
                .bind(queue.as_str())
                .bind(at_most)
                .bind(from.created)
                .bind(from.id)
                .fetch_one(conn)
                .await
        })
        .map_err(DbError::in_op("queue_ready_count"))?;
        Ok(u64::try_from(count).unwrap_or_default())
    }

    /// Folds deltas of the same queue and status into one each; at most `limit` rows at a time. How many it folded.
    pub async fn queue_counts_fold(&mut self, limit: u32) -> Result<usize, DbError> {
        let taken = fetch_plain!(self, "queue_counts_fold", COUNTS_TAKE, as Sum, [i64::from(limit)])?;
        let folded = taken.len();
        let mut sums: BTreeMap<(String, String), i64> = BTreeMap::new();
        for (queue, status, delta) in taken {
            *sums.entry((queue, status)).or_default() += delta;
        }
        let rows: Vec<Sum> =
            sums.into_iter().filter(|(_, sum)| *sum != 0).map(|((queue, status), sum)| (queue, status, sum)).collect();
        if !rows.is_empty() {
            execute!(self, "queue_counts_fold", COUNTS_APPEND, [Json(&rows)]).map(drop)?;
        }
        Ok(folded)
    }
}

/// What is counted of a queue.
#[derive(Debug, Clone, Copy, Default)]
struct Counted {
    counts: QueueCounts,
    done_left: i64,
    failed_left: i64,
}

fn by_queue(sums: Vec<Sum>) -> BTreeMap<String, Counted> {
    let mut queues: BTreeMap<String, Counted> = BTreeMap::new();
    for (queue, status, sum) in sums {
        let row = queue.clone();
        let counted = queues.entry(queue).or_default();
        match (status.as_str(), status.parse()) {
            (DONE_LEFT, _) => counted.done_left = sum,
            (FAILED_LEFT, _) => counted.failed_left = sum,
            (_, Ok(status)) => *counted.counts.of_mut(status) = sum,
            (_, Err(error)) => {
                tracing::error!(table = "queue_counts", row, column = "status", %error, "a stored row cannot be read");
            }
        }
    }
    queues
}

fn summary(name: QueueName, counted: Counted, stored: Option<Stored>) -> QueueSummary {
    let Stored { settings, paused } = stored.unwrap_or_default();
    let Counted { counts, done_left, failed_left } = counted;
    let done_total = counts.done + done_left;
    let failed_total = counts.failed + counts.abandoned + failed_left;
    QueueSummary { name, counts, settings, paused, done_total, failed_total }
}

#[cfg(test)]
crate::statements::statements![COUNTS_APPEND, COUNTS_SUM, COUNTS_SUM_OF_QUEUE, COUNTS_TAKE, READY_COUNT, OLDEST_READY];
