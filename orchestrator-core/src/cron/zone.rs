//! IANA zones: reading their names, and the two questions a schedule asks of them.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Duration, FixedOffset, NaiveDateTime, Offset, TimeZone, Utc};
use chrono_tz::Tz;

/// The longest gap there is: zones that crossed the date line skipped a whole day.
const LONGEST_GAP_MINUTES: i64 = 26 * 60;

/// A zone name that the IANA database does not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownZone {
    /// The name as it was given.
    pub name: String,
}

impl std::error::Error for UnknownZone {}

impl fmt::Display for UnknownZone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{}' is not a known time zone; it must be an IANA name like Europe/Copenhagen", self.name)
    }
}

/// Reads an IANA zone name; surrounding blanks do not matter, upper and lower case do.
pub fn parse_zone(name: &str) -> Result<Tz, UnknownZone> {
    Tz::from_str(name.trim()).map_err(|_| UnknownZone { name: name.to_owned() })
}

/// The UTC offset in force at an instant.
pub(super) fn offset_at(zone: Tz, instant: DateTime<Utc>) -> FixedOffset {
    zone.offset_from_utc_datetime(&instant.naive_utc()).fix()
}

/// What the clock on the wall shows at an instant; `None` at the ends of the calendar.
pub(super) fn wall_at(offset: FixedOffset, instant: DateTime<Utc>) -> Option<NaiveDateTime> {
    instant.naive_utc().checked_add_offset(offset)
}

/// The instant at which a clock with this fixed offset shows `wall`.
pub(super) fn instant_at(offset: FixedOffset, wall: NaiveDateTime) -> Option<DateTime<Utc>> {
    wall.checked_sub_offset(offset).map(|naive| naive.and_utc())
}

/// When a fixed wall-clock minute happens: once, in the first pass of an overlap, and at the first valid minute after a
/// gap.
pub(super) fn resolve(zone: Tz, wall: NaiveDateTime) -> Option<DateTime<Utc>> {
    (0..=LONGEST_GAP_MINUTES).find_map(|minutes| {
        let wall = wall.checked_add_signed(Duration::minutes(minutes))?;
        let offset = zone.offset_from_local_datetime(&wall).earliest()?;
        instant_at(offset.fix(), wall)
    })
}

/// The first instant in (`from`, `to`] at which the UTC offset is no longer the one in force at `from`.
///
/// The zone tables are not public, so this looks once a day and then halves the day in question. Two transitions within
/// one day that cancel each other would be missed; from 1970 on the database has none closer than two days.
pub(super) fn first_transition(zone: Tz, from: DateTime<Utc>, to: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let offset = offset_at(zone, from);
    let mut same = from;
    while same < to {
        let probe = same.checked_add_signed(Duration::days(1)).map_or(to, |day| day.min(to));
        if offset_at(zone, probe) != offset {
            return Some(halve(zone, offset, same, probe));
        }
        same = probe;
    }
    None
}

/// Narrows (`same`, `changed`] down to the second in which the offset changes.
fn halve(zone: Tz, offset: FixedOffset, same: DateTime<Utc>, changed: DateTime<Utc>) -> DateTime<Utc> {
    let (mut low, mut high) = (same.timestamp(), changed.timestamp());
    let at = |second| DateTime::from_timestamp(second, 0).unwrap_or(changed);
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if offset_at(zone, at(middle)) == offset { low = middle } else { high = middle }
    }
    at(high)
}
