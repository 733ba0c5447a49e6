//! How queues stood: their counts, kept once a minute.
//!
//! What is kept is read from the counts, which are a few folded rows a queue: no claim and no end of an element pays for
//! it. Any number of servers may keep the same minute; one of them does.

use std::collections::BTreeMap;

use chrono::{TimeDelta, Timelike as _};
use orchestrator_core::clock::Timestamp;
use orchestrator_core::text::QueueName;

use super::count::QueueSummary;
use crate::dialect::{Sql, sql};
use crate::error::DbError;
use crate::lists::Texts;
use crate::rows::{execute, fetch_plain, fetch_scalars};
use crate::tx::Tx;

/// How long each minute is kept: an hour, and a little for whoever asks what was an hour ago.
const MINUTES_KEPT: TimeDelta = TimeDelta::minutes(75);

/// How long each quarter of an hour is kept.
const QUARTERS_KEPT: TimeDelta = TimeDelta::hours(48);

/// How a queue stood at an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueSample {
    /// When.
    pub at: Timestamp,
    /// Elements that waited.
    pub new: i64,
    /// Elements that someone worked on.
    pub in_progress: i64,
    /// How often an element had become done until then.
    pub done_total: i64,
    /// How often one had failed or been abandoned until then.
    pub failed_total: i64,
}

impl QueueSample {
    /// How a queue stands now.
    pub fn of(summary: &QueueSummary, now: Timestamp) -> Self {
        Self {
            at: now,
            new: summary.counts.new,
            in_progress: summary.counts.in_progress,
            done_total: summary.done_total,
            failed_total: summary.failed_total,
        }
    }

    /// How a queue stood before it had an element.
    pub fn nothing(at: Timestamp) -> Self {
        Self { at, new: 0, in_progress: 0, done_total: 0, failed_total: 0 }
    }
}

// A minute that another server has kept already is not summed up again. Queues that are no more are left out.
const SAMPLE_KEEP: Sql = sql![
    "INSERT INTO queue_samples
         (queue_name, sampled_at, step_minutes, new_count, in_progress_count, done_total, failed_total)
     SELECT queue_name, $1, $2,
         CAST(SUM(CASE WHEN status = 'NEW' THEN delta ELSE 0 END) AS BIGINT),
         CAST(SUM(CASE WHEN status = 'IN_PROGRESS' THEN delta ELSE 0 END) AS BIGINT),
         CAST(SUM(CASE WHEN status IN ('DONE', 'DONE_LEFT') THEN delta ELSE 0 END) AS BIGINT),
         CAST(SUM(CASE WHEN status IN ('FAILED', 'ABANDONED', 'FAILED_LEFT') THEN delta ELSE 0 END) AS BIGINT)
     FROM queue_counts
     WHERE NOT EXISTS (SELECT 1 FROM queue_samples WHERE step_minutes = $2 AND sampled_at = $1)
     GROUP BY queue_name
     HAVING SUM(CASE WHEN status IN ('DONE_LEFT', 'FAILED_LEFT') THEN 0 ELSE delta END) > 0
     ORDER BY queue_name
     ON CONFLICT (queue_name, sampled_at) DO NOTHING"
];
const SAMPLE_PRUNE: Sql = sql![
    "DELETE FROM queue_samples
     WHERE (step_minutes = 1 AND sampled_at < $1) OR (step_minutes IN (15, 60) AND sampled_at < $2)"
];
const SAMPLE_DELETE: Sql = sql!["DELETE FROM queue_samples WHERE queue_name = $1"];
const LEFT_DELETE: Sql =
    sql!["DELETE FROM queue_counts WHERE queue_name = $1 AND status IN ('DONE_LEFT', 'FAILED_LEFT')"];
// With the last one before: what happened since then is counted from it.
const SAMPLES: Sql = sql![
    "SELECT sampled_at, new_count, in_progress_count, done_total, failed_total FROM queue_samples
     WHERE queue_name = $1 AND sampled_at >= COALESCE(
         (SELECT MAX(sampled_at) FROM queue_samples WHERE queue_name = $1 AND sampled_at <= $2), $2)
     ORDER BY sampled_at"
];
const DEPTHS: Sql = sql!["SELECT queue_name, sampled_at, new_count FROM queue_samples
     WHERE step_minutes IN ($2, 60) AND sampled_at >= $1 AND queue_name" [in_texts "$3"] " ORDER BY queue_name, sampled_at"];
// What is known of an instant: the last sample until then, the first one after it, and when the oldest element came.
const DONE_BEFORE: Sql = sql!["SELECT named.queue_name,
         (SELECT s.done_total FROM queue_samples AS s WHERE s.queue_name = named.queue_name AND s.sampled_at <= $2
             ORDER BY s.sampled_at DESC LIMIT 1),
         (SELECT s.done_total FROM queue_samples AS s WHERE s.queue_name = named.queue_name AND s.sampled_at > $2
             ORDER BY s.sampled_at LIMIT 1),
         (SELECT q.created_date FROM queues AS q" [indexed_by "queues_order"]
     " WHERE q.queue_name = named.queue_name ORDER BY q.created_date, q.id LIMIT 1) FROM ("
     [only sqlite "SELECT value AS queue_name FROM json_each($1)"]
     [only postgres "SELECT unnest($1::text[]) AS queue_name"] ") AS named"];
const FIRST_CREATED: Sql = sql![
    "SELECT created_date FROM queues" [indexed_by "queues_order"]
    " WHERE queue_name = $1 ORDER BY created_date, id LIMIT 1"
];

type SampleRow = (Timestamp, i64, i64, i64, i64);
type BeforeRow = (String, Option<i64>, Option<i64>, Option<Timestamp>);

/// How far apart samples are that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SampleStep {
    /// A quarter of an hour.
    Quarter,
    /// An hour.
    Hour,
}

impl SampleStep {
    fn minutes(self) -> i64 {
        match self {
            Self::Quarter => 15,
            Self::Hour => 60,
        }
    }
}

/// The longest step that an instant is a whole number of.
fn step_minutes(minute: Timestamp) -> i64 {
    match minute.minute() {
        0 => 60,
        15 | 30 | 45 => 15,
        _ => 1,
    }
}

impl Tx {
    /// Keeps how every queue stands at a whole minute. How many, none when it is kept already.
    pub async fn queue_samples_keep(&mut self, minute: Timestamp) -> Result<u64, DbError> {
        execute!(self, "queue_samples_keep", SAMPLE_KEEP, [minute, step_minutes(minute)])
    }

    /// Deletes what is kept no longer: minutes after little more than an hour, quarters of an hour after two days.
    pub async fn queue_samples_prune(&mut self, now: Timestamp) -> Result<u64, DbError> {
        execute!(self, "queue_samples_prune", SAMPLE_PRUNE, [now - MINUTES_KEPT, now - QUARTERS_KEPT])
    }

    /// Forgets how a queue stood, and what it had done: for one that is deleted.
    pub async fn queue_history_delete(&mut self, queue: &QueueName) -> Result<(), DbError> {
        execute!(self, "queue_history_delete", LEFT_DELETE, [queue.as_str()])?;
        execute!(self, "queue_history_delete", SAMPLE_DELETE, [queue.as_str()]).map(drop)
    }

    /// How a queue stood, oldest first: since an instant, and the last time before it.
    pub async fn queue_samples(&mut self, queue: &QueueName, since: Timestamp) -> Result<Vec<QueueSample>, DbError> {
        let rows = fetch_plain!(self, "queue_samples", SAMPLES, as SampleRow, [queue.as_str(), since])?;
        let sample = |(at, new, in_progress, done_total, failed_total)| QueueSample {
            at,
            new,
            in_progress,
            done_total,
            failed_total,
        };
        Ok(rows.into_iter().map(sample).collect())
    }

    /// How many elements waited in each of these queues since an instant, oldest first.
    pub async fn queue_depths(
        &mut self,
        queues: impl Iterator<Item = &QueueName>,
        since: Timestamp,
        step: SampleStep,
    ) -> Result<BTreeMap<String, Vec<(Timestamp, i64)>>, DbError> {
        let names: Texts = queues.map(QueueName::as_str).collect();
        let bound = fetch_plain!(self, "queue_depths", DEPTHS, as (String, Timestamp, i64), [
            since,
            step.minutes(),
            &names
        ]);
        let rows = bound?;
        let mut queues: BTreeMap<String, Vec<(Timestamp, i64)>> = BTreeMap::new();
        for (queue, at, new) in rows {
            queues.entry(queue).or_default().push((at, new));
        }
        Ok(queues)
    }

    /// How often an element of each queue had become done until an instant. Where nothing was kept before it: none of a queue
    /// that is younger, else what was kept first. Queues of which neither is known are left out.
    pub async fn queue_done_before(
        &mut self,
        queues: impl Iterator<Item = &QueueName>,
        at: Timestamp,
    ) -> Result<BTreeMap<String, i64>, DbError> {
        let names: Texts = queues.map(QueueName::as_str).collect();
        let rows = fetch_plain!(self, "queue_done_before", DONE_BEFORE, as BeforeRow, [&names, at])?;
        let known = |(queue, before, after, began): BeforeRow| {
            let none = began.is_some_and(|began| began > at).then_some(0);
            Some((queue, before.or(none).or(after)?))
        };
        Ok(rows.into_iter().filter_map(known).collect())
    }

    /// When the oldest element of a queue came that is still there.
    pub async fn queue_first_created(&mut self, queue: &QueueName) -> Result<Option<Timestamp>, DbError> {
        let found = fetch_scalars!(self, "queue_first_created", FIRST_CREATED, as Timestamp, [queue.as_str()])?;
        Ok(found.into_iter().next())
    }
}

#[cfg(test)]
crate::statements::statements![
    SAMPLE_KEEP,
    SAMPLE_PRUNE,
    SAMPLE_DELETE,
    LEFT_DELETE,
    SAMPLES,
    DEPTHS,
    DONE_BEFORE,
    FIRST_CREATED
];
