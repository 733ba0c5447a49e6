//! What a queue's last day looked like.

use std::fmt::Write as _;

use chrono::TimeDelta;
use orchestrator_core::clock::Timestamp;
use orchestrator_proto::v1;

use crate::times::instant;
use crate::viewer::Viewer;

/// The width and height of a line's drawing.
const WIDTH: i64 = 1000;
const HEIGHT: i64 = 100;

/// What a line keeps free above and below, so that it is not cut off at its thickest.
const MARGIN: i64 = 4;

/// How long a line goes on without a number: where no server ran for longer, it has a gap.
const BRIDGED: TimeDelta = TimeDelta::minutes(65);

/// The height of the drawing of what ended, and the width of a column with the gap beside it.
const TALL: i64 = 1000;
const COLUMN: i64 = 100;

/// How many elements waited, as a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    /// The `d` of a path.
    pub(crate) path: String,
    pub(crate) most: i64,
    pub(crate) now: i64,
}

impl Line {
    /// The last day of a listed queue, until now.
    pub(super) fn of_day(queue: &v1::Queue, viewer: &Viewer) -> Option<Self> {
        let known = queue.depths.iter().filter_map(|depth| Some((instant(depth.at)?, depth.new_count)));
        Self::through(&known.chain([(viewer.now(), queue.new_count)]).collect::<Vec<_>>(), viewer.now())
    }

    /// Through numbers of the day before `now`, in order. One number is no line.
    fn through(points: &[(Timestamp, i64)], now: Timestamp) -> Option<Self> {
        if points.len() < 2 {
            return None;
        }
        let day = TimeDelta::hours(24);
        let most = points.iter().map(|(_, count)| *count).max().unwrap_or_default();
        let mut path = String::new();
        let mut before: Option<Timestamp> = None;
        for &(at, count) in points {
            let x = (at - (now - day)).num_seconds().clamp(0, day.num_seconds()) * WIDTH / day.num_seconds();
            let y = HEIGHT - MARGIN - scaled(count, most, HEIGHT - 2 * MARGIN);
            let goes_on = before.is_some_and(|before| at - before <= BRIDGED);
            // Writing to a String cannot fail.
            let _ = write!(path, "{}{x} {y}", if goes_on { 'L' } else { 'M' });
            before = Some(at);
        }
        Some(Self { path, most, now: points.last().map_or(0, |(_, count)| *count) })
    }
}

/// A queue's last day: what waited, and what ended.
#[derive(Debug)]
pub(super) struct Past {
    pub(super) waiting: Option<Line>,
    pub(super) bars: Vec<Bar>,
    /// The width of the drawing of what ended.
    pub(super) width: i64,
    pub(super) done_last_hour: Option<i64>,
    pub(super) done: i64,
    pub(super) failed: i64,
    /// In the quarter of an hour in which most ended.
    pub(super) most: i64,
}

/// A part of a quarter's column.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Bar {
    pub(super) look: &'static str,
    pub(super) x: i64,
    pub(super) y: i64,
    pub(super) height: i64,
    pub(super) title: String,
}

impl Past {
    pub(super) fn new(intervals: &[v1::QueueInterval], done_last_hour: Option<i64>, viewer: &Viewer) -> Self {
        let now = viewer.now();
        let end = |interval: &v1::QueueInterval| Some((instant(interval.start)? + TimeDelta::minutes(15)).min(now));
        let known = intervals.iter().filter_map(|interval| Some((end(interval)?, interval.new_count?)));
        let most = intervals.iter().map(|it| it.done_count + it.failed_count).max().unwrap_or_default();
        let titled = |interval: &v1::QueueInterval| viewer.stamp(interval.start).short();
        Self {
            waiting: Line::through(&known.collect::<Vec<_>>(), now),
            bars: (0..).zip(intervals).flat_map(|(place, it)| bars(place, it, most, &titled(it))).collect(),
            width: i64::try_from(intervals.len()).unwrap_or(1) * COLUMN,
            done_last_hour,
            done: intervals.iter().map(|it| it.done_count).sum(),
            failed: intervals.iter().map(|it| it.failed_count).sum(),
            most,
        }
    }
}

/// The column of a quarter of an hour: what was done, and on top of it what failed.
fn bars(place: i64, interval: &v1::QueueInterval, most: i64, from: &str) -> Vec<Bar> {
    let mut below = 0;
    let mut bars = Vec::new();
    for (look, word, count) in
        [("done", "done", interval.done_count), ("failed", "failed or abandoned", interval.failed_count)]
    {
        if count > 0 {
            let (foot, top) = (scaled(below, most, TALL), scaled(below + count, most, TALL));
            below += count;
            let title = format!("{from}: {count} {word}");
            bars.push(Bar { look, x: place * COLUMN, y: TALL - top, height: top - foot, title });
        }
    }
    bars
}

fn scaled(count: i64, most: i64, height: i64) -> i64 {
    let scaled = i128::from(count.max(0)) * i128::from(height) / i128::from(most.max(1));
    i64::try_from(scaled).unwrap_or(height).min(height)
}

#[cfg(test)]
mod tests {
    use chrono::{TimeZone as _, Utc};

    use super::*;

    /// An instant, in hours of the day that the lines are of.
    fn at(hours: i64) -> Timestamp {
        Utc.timestamp_opt(1_800_000_000, 0).unwrap() + TimeDelta::hours(hours)
    }

    fn line(points: &[(i64, i64)]) -> Option<Line> {
        let points: Vec<_> = points.iter().map(|&(hours, count)| (at(hours), count)).collect();
        Line::through(&points, at(24))
    }

    #[test]
    fn a_line_goes_through_all_numbers_and_ends_with_what_waits_now() {
        let line = line(&[(0, 0), (1, 10), (2, 5)]).unwrap();
        assert_eq!((line.path.as_str(), line.most, line.now), ("M0 96L41 4L83 50", 10, 5));
    }

    #[test]
    fn where_nobody_counted_there_is_a_gap() {
        assert_eq!(line(&[(0, 1), (1, 1), (12, 1), (13, 1)]).unwrap().path, "M0 4L41 4M500 4L541 4");
    }

    #[test]
    fn one_number_is_no_line_and_nothing_at_all_lies_on_the_ground() {
        assert_eq!(line(&[]), None);
        assert_eq!(line(&[(24, 7)]), None);
        assert_eq!(line(&[(23, 0), (24, 0)]).unwrap().path, "M958 96L1000 96");
    }

    #[test]
    fn columns_fill_the_height_and_leave_no_gap() {
        let interval = v1::QueueInterval { done_count: 2, failed_count: 1, ..v1::QueueInterval::default() };
        let bars = bars(3, &interval, 3, "then");
        assert_eq!((bars[0].x, bars[0].y, bars[0].height), (300, 334, 666));
        assert_eq!((bars[1].y, bars[1].height, bars[1].title.as_str()), (0, 334, "then: 1 failed or abandoned"));
    }
}
