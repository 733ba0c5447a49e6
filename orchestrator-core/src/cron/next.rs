//! From wall-clock times to instants.

use chrono::{DateTime, Duration, NaiveDateTime, Utc};
use chrono_tz::Tz;

use super::CronExpr;
use super::wall::{following_minute, horizon};
use super::zone::{first_transition, instant_at, offset_at, resolve, wall_at};

impl CronExpr {
    /// The first instant after `after` at which the schedule fires in `zone`, on whole minutes of the wall clock.
    ///
    /// `None` if there is none within 50 years, which only happens at the end of the calendar, because expressions that
    /// never fire do not parse.
    ///
    /// # Panics
    ///
    /// If the result were not later than `after`. A scheduler fed with its own past would start the same job on each
    /// poll; stopping is the better failure.
    pub fn next_after(&self, after: DateTime<Utc>, zone: Tz) -> Option<DateTime<Utc>> {
        let next = if self.is_wildcard() { self.next_elapsed(after, zone) } else { self.next_fixed(after, zone) };
        if let Some(next) = next {
            assert!(next > after, "cron expression '{self}' in {zone} went from {after} back to {next}");
        }
        next
    }

    /// All instants after `after`, in order, computed one at a time. There is no end to them worth waiting for: take
    /// some.
    pub fn instants(&self, after: DateTime<Utc>, zone: Tz) -> impl Iterator<Item = DateTime<Utc>> {
        std::iter::successors(self.next_after(after, zone), move |&last| self.next_after(last, zone))
    }

    /// The last instant later than `after` and not later than `until`.
    ///
    /// Halves the interval instead of walking through it, so a minute-wise schedule missed for years costs no more than
    /// a yearly one.
    pub fn latest_in(&self, after: DateTime<Utc>, until: DateTime<Utc>, zone: Tz) -> Option<DateTime<Utc>> {
        let in_time = |start| self.next_after(start, zone).filter(|next| *next <= until);
        let mut latest = in_time(after)?;
        // Invariant: `latest` is an instant of the schedule, and none is in (`empty_from`, `until`].
        let mut empty_from = until;
        // Instants are whole minutes, so nothing fits into the last second.
        while empty_from.signed_duration_since(latest) > Duration::seconds(1) {
            let middle = latest + empty_from.signed_duration_since(latest) / 2;
            match in_time(middle) {
                Some(later) => latest = later,
                None => empty_from = middle,
            }
        }
        Some(latest)
    }

    /// Fixed times: the next wall-clock time whose instant is still ahead. In the second pass of an overlap the first
    /// ones are behind.
    fn next_fixed(&self, after: DateTime<Utc>, zone: Tz) -> Option<DateTime<Utc>> {
        let start = wall_at(offset_at(zone, after), after)?;
        let mut from = following_minute(start)?;
        loop {
            let wall = self.wall_from(from, start)?;
            let instant = resolve(zone, wall)?;
            if instant > after {
                return Some(instant);
            }
            from = following_minute(wall)?;
        }
    }

    /// Wildcards: stay on the current offset, and start again at each transition that comes before the candidate.
    fn next_elapsed(&self, after: DateTime<Utc>, zone: Tz) -> Option<DateTime<Utc>> {
        let mut offset = offset_at(zone, after);
        let start = wall_at(offset, after)?;
        let (mut reached, mut from) = (after, following_minute(start)?);
        loop {
            let candidate = instant_at(offset, self.wall_from(from, start)?)?;
            let Some(transition) = first_transition(zone, reached, candidate) else { return Some(candidate) };
            reached = transition;
            offset = offset_at(zone, transition);
            from = wall_at(offset, transition)?;
        }
    }

    fn wall_from(&self, from: NaiveDateTime, start: NaiveDateTime) -> Option<NaiveDateTime> {
        self.next_wall(from, horizon(start))
    }
}
