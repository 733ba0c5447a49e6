//! How a queue stood and what it did, lately.

use std::collections::BTreeMap;

use chrono::{DurationRound as _, TimeDelta};
use orchestrator_core::clock::Timestamp;
use orchestrator_core::text::QueueName;
use orchestrator_db::{DbError, QueueSample, QueueSummary, SampleStep, Tx};
use orchestrator_proto::convert::{self, DecodeError};
use orchestrator_proto::v1;

/// The most hours: what is kept.
const MOST: u32 = 48;

/// How long an interval is.
const INTERVAL: TimeDelta = TimeDelta::minutes(15);

/// Intervals in an hour.
const AN_HOUR: i32 = 4;

/// Up to how many queues there are with a depth for every quarter of an hour.
const LISTED_BY_QUARTER: usize = 100;

/// The queue and the hours that are asked for.
pub(super) fn asked(message: &v1::GetQueueHistoryRequest) -> Result<(QueueName, u32), DecodeError> {
    let hours = match message.hours {
        0 => 24,
        hours if hours <= MOST => hours,
        hours => {
            let (value, most) = (i128::from(hours), i128::from(MOST));
            return Err(DecodeError::OutOfRange { field: "hours", value, least: 1, most });
        }
    };
    Ok((QueueName::parse(&message.queue_name)?, hours))
}

/// The intervals of so many hours until now, the oldest first.
pub(super) async fn of(
    tx: &mut Tx,
    name: &QueueName,
    hours: u32,
    now: Timestamp,
) -> Result<Vec<v1::QueueInterval>, DbError> {
    let starts = starts(hours, now);
    let since = starts.first().copied().unwrap_or(now);
    let mut known = tx.queue_samples(name, since).await?;
    // What was kept first of a queue that is older says nothing of what it had done before.
    let is_old = known.first().is_some_and(|first| first.at <= since);
    if let Some(began) = tx.queue_first_created(name).await?.filter(|began| !is_old && *began > since) {
        let first = known.first().map_or(began, |first| first.at.min(began));
        known.insert(0, QueueSample::nothing(first));
    }
    known.push(QueueSample::of(&tx.queue_get(name).await?, now));
    Ok(starts.iter().map(|start| interval(&known, *start)).collect())
}

/// When the intervals begin; the last one has begun and not ended.
fn starts(hours: u32, now: Timestamp) -> Vec<Timestamp> {
    // Instants of a clock are always in range. What is now belongs to what was before it.
    let last = (now - TimeDelta::microseconds(1)).duration_trunc(INTERVAL).unwrap_or(now);
    let count = i32::try_from(hours).unwrap_or(1) * AN_HOUR;
    (0..count).rev().map(|back| last - INTERVAL * back).collect()
}

/// What is known of the interval that begins at an instant; `known` is in order.
fn interval(known: &[QueueSample], start: Timestamp) -> v1::QueueInterval {
    let until = |instant| known.iter().rev().find(|sample| sample.at <= instant);
    // What nothing was known before counts from where it is.
    let (before, at_end) = (until(start).or_else(|| known.first()), until(start + INTERVAL));
    let seen = at_end.filter(|sample| sample.at > start);
    let grown = |total: fn(&QueueSample) -> i64| {
        let (from, to) = (before.map_or(0, total), seen.or(before).map_or(0, total));
        to.saturating_sub(from).max(0)
    };
    v1::QueueInterval {
        start: Some(convert::timestamp(start)),
        new_count: seen.map(|sample| sample.new),
        in_progress_count: seen.map(|sample| sample.in_progress),
        done_count: grown(|sample| sample.done_total),
        failed_count: grown(|sample| sample.failed_total),
    }
}

/// How far apart depths are of which so many queues have some.
pub(super) fn step(queue_count: usize) -> SampleStep {
    if queue_count <= LISTED_BY_QUARTER { SampleStep::Quarter } else { SampleStep::Hour }
}

/// What lists tell of each queue beside its counts.
#[derive(Debug, Default)]
pub(super) struct Lately {
    oldest: BTreeMap<String, Timestamp>,
    done_before: BTreeMap<String, i64>,
    depths: BTreeMap<String, Vec<(Timestamp, i64)>>,
}

impl Lately {
    pub(super) async fn read(
        tx: &mut Tx,
        queues: &[QueueSummary],
        depths: Option<SampleStep>,
        now: Timestamp,
    ) -> Result<Self, DbError> {
        let waiting = queues.iter().filter(|queue| queue.counts.new > 0).map(|queue| &queue.name);
        let oldest = tx.queue_oldest_ready(waiting).await?;
        let names = queues.iter().map(|queue| &queue.name);
        let done_before = tx.queue_done_before(names, now - TimeDelta::hours(1)).await?;
        let names = queues.iter().map(|queue| &queue.name);
        let depths = match depths {
            Some(step) => tx.queue_depths(names, now - TimeDelta::hours(24), step).await?,
            None => BTreeMap::new(),
        };
        Ok(Self { oldest, done_before, depths })
    }

    /// The queue, with it.
    pub(super) fn add_to(&mut self, queue: v1::Queue, done_total: i64) -> v1::Queue {
        let name = queue.queue_name.as_str();
        let depth = |(at, new_count)| v1::QueueDepth { at: Some(convert::timestamp(at)), new_count };
        v1::Queue {
            oldest_new_at: self.oldest.get(name).copied().map(convert::timestamp),
            done_last_hour_count: self.done_before.get(name).map(|before| (done_total - before).max(0)),
            depths: self.depths.remove(name).unwrap_or_default().into_iter().map(depth).collect(),
            ..queue
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::{TimeZone as _, Utc};

    use super::*;

    /// An instant of a day, in minutes after midnight.
    fn at(minutes: i64) -> Timestamp {
        Utc.timestamp_opt(1_800_000_000, 0).unwrap() + TimeDelta::minutes(minutes)
    }

    fn sample(minutes: i64, new: i64, done_total: i64) -> QueueSample {
        QueueSample { at: at(minutes), new, in_progress: 1, done_total, failed_total: 0 }
    }

    #[test]
    fn intervals_end_with_the_one_that_goes_on() {
        for (now, first, last) in [(60, 0, 45), (61, 15, 60), (74, 15, 60), (75, 15, 60)] {
            let starts = starts(1, at(now));
            assert_eq!((starts.len(), starts[0], starts[3]), (4, at(first), at(last)), "{now}");
        }
    }

    #[test]
    fn an_interval_counts_what_came_since_the_last_one() {
        let known = [sample(0, 5, 100), sample(15, 3, 104), sample(20, 9, 105), sample(30, 2, 110)];
        let of = |start| {
            let interval = interval(&known, at(start));
            (interval.new_count, interval.done_count)
        };
        assert_eq!([of(0), of(15), of(30)], [(Some(3), 4), (Some(2), 6), (None, 0)]);
        assert_eq!(of(-15), (Some(5), 0), "what was before the first sample is not known");
        assert_eq!(of(-30), (None, 0));
    }

    #[test]
    fn what_came_while_nobody_looked_is_counted_when_somebody_does() {
        let known = [sample(0, 5, 100), sample(47, 1, 108)];
        let counts: Vec<_> = [0, 15, 30, 45].map(|start| interval(&known, at(start)).done_count).into();
        assert_eq!(counts, [0, 0, 0, 8]);
        assert_eq!(interval(&known, at(15)).new_count, None);
    }

    #[test]
    fn totals_that_went_down_are_no_negative_work() {
        let known = [sample(0, 5, 100), sample(15, 1, 3)];
        assert_eq!(interval(&known, at(0)).done_count, 0);
    }
}
