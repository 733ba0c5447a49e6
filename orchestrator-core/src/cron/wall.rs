//! The clock face: which minutes of an allowed day an expression names, without any zone.

use std::str::FromStr;

use ::cron::Schedule;
use chrono::{DateTime, Datelike, Duration, NaiveDate, NaiveDateTime, NaiveTime, Timelike, Utc};

use super::days::DayRule;
use super::numbers::NumberSet;

/// How many calendar years ahead a search looks before the answer is "never".
const HORIZON_YEARS: i32 = 50;

/// The minutes and hours, as a schedule of the `cron` crate.
///
/// The crate sees one day only, an ordinary one in UTC: its weekdays start on another number, its calendar ends in
/// 2100, and its zones interleave the passes of an overlap. None of that exists on this day.
#[derive(Clone, Debug)]
pub(super) struct ClockFace {
    schedule: Schedule,
}

impl ClockFace {
    /// # Panics
    ///
    /// If the crate refused plain lists of numbers that are in range, which would be a bug here or there.
    pub(super) fn new(minutes: NumberSet, hours: NumberSet) -> Self {
        let quartz = format!("0 {} {} * * *", list(minutes), list(hours));
        let schedule = Schedule::from_str(&quartz).expect("the cron crate takes lists of minutes and hours");
        Self { schedule }
    }

    /// The first time of day from the whole minute `from` on.
    fn next_time(&self, from: NaiveTime) -> Option<NaiveTime> {
        let frame = DateTime::<Utc>::UNIX_EPOCH.date_naive().succ_opt()?;
        // The crate looks strictly later than it is told, in whole seconds.
        let before = frame.and_time(from).checked_sub_signed(Duration::seconds(1))?;
        let found = self.schedule.after(&before.and_utc()).next()?;
        (found.date_naive() == frame).then(|| found.time())
    }
}

fn list(numbers: NumberSet) -> String {
    numbers.iter().map(|number| number.to_string()).collect::<Vec<_>>().join(",")
}

/// Where a search stops.
pub(super) fn horizon(start: NaiveDateTime) -> NaiveDate {
    let year = start.year().saturating_add(HORIZON_YEARS);
    NaiveDate::from_ymd_opt(year, 12, 31).unwrap_or(NaiveDate::MAX)
}

/// The first wall-clock minute at or after `from` that clock face and day rule allow, up to the end of `limit`.
pub(super) fn next_wall(
    clock: &ClockFace,
    days: &DayRule,
    from: NaiveDateTime,
    limit: NaiveDate,
) -> Option<NaiveDateTime> {
    let from = ceil_minute(from)?;
    let date = days.next_date(from.date(), limit)?;
    let earliest = if date == from.date() { from.time() } else { NaiveTime::MIN };
    if let Some(time) = clock.next_time(earliest) {
        return Some(date.and_time(time));
    }
    let date = days.next_date(date.succ_opt()?, limit)?;
    clock.next_time(NaiveTime::MIN).map(|time| date.and_time(time))
}

/// The whole minute at or after `wall`.
fn ceil_minute(wall: NaiveDateTime) -> Option<NaiveDateTime> {
    let floor = floor_minute(wall);
    if floor == wall { Some(wall) } else { following_minute(wall) }
}

/// The whole minute at or before `wall`.
fn floor_minute(wall: NaiveDateTime) -> NaiveDateTime {
    let within = Duration::seconds(i64::from(wall.second())) + Duration::nanoseconds(i64::from(wall.nanosecond()));
    wall.checked_sub_signed(within).unwrap_or(wall)
}

/// The whole minute after the one `wall` is in.
pub(super) fn following_minute(wall: NaiveDateTime) -> Option<NaiveDateTime> {
    floor_minute(wall).checked_add_signed(Duration::minutes(1))
}
