//! Times without a zone, as the source keeps them, and ids that sort by them.

use chrono::{DateTime, LocalResult, NaiveDateTime, TimeZone as _, Utc};
use chrono_tz::Tz;
use orchestrator_core::clock::Timestamp;
use uuid::Uuid;

/// The instant of a local time. One that the clock skipped is the first valid one after it; one that came twice the first.
pub(super) fn instant(text: &str, zone: Tz) -> Option<Timestamp> {
    if let Ok(exact) = DateTime::parse_from_rfc3339(text) {
        return Some(exact.with_timezone(&Utc));
    }
    let local = NaiveDateTime::parse_from_str(&text.replace(' ', "T"), "%Y-%m-%dT%H:%M:%S%.f").ok()?;
    (0..=120).find_map(|minutes| match zone.from_local_datetime(&(local + chrono::TimeDelta::minutes(minutes))) {
        LocalResult::Single(at) | LocalResult::Ambiguous(at, _) => Some(at.with_timezone(&Utc)),
        LocalResult::None => None,
    })
}

/// The id of an imported thing: made of its instant and of its id there, so that it sorts by the one and is always the same.
pub(super) fn id_at(at: Timestamp, there: Uuid) -> Uuid {
    let micros = u128::try_from(at.timestamp_micros()).unwrap_or_default();
    let (millis, fraction) = (micros / 1000, micros % 1000);
    let rest = there.as_u128() & ((1 << 62) - 1);
    Uuid::from_u128(((millis & ((1 << 48) - 1)) << 80) | (7 << 76) | (fraction << 64) | (2 << 62) | rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Option<String> {
        instant(text, chrono_tz::Europe::Copenhagen).map(|at| at.to_rfc3339())
    }

    #[test]
    fn local_times_are_read_in_their_zone_on_both_odd_nights() {
        assert_eq!(at("2026-11-22T12:00:00").as_deref(), Some("2026-11-22T11:00:00+00:00"));
        assert_eq!(at("2026-07-01 12:00:00.250000").as_deref(), Some("2026-07-01T10:00:00.250+00:00"));
        assert_eq!(at("2026-03-29T02:30:00").as_deref(), Some("2026-03-29T01:00:00+00:00"), "skipped by the clock");
        assert_eq!(at("2026-10-25T02:30:00").as_deref(), Some("2026-10-25T00:30:00+00:00"), "the first of two");
        assert_eq!(at("2026-11-22T12:00:00+00:00").as_deref(), Some("2026-11-22T12:00:00+00:00"));
        assert_eq!(at("tomorrow"), None);
    }

    #[test]
    fn ids_sort_by_time_to_the_microsecond_and_are_always_the_same() {
        let there = [Uuid::from_u128(u128::MAX), Uuid::from_u128(1), Uuid::from_u128(99)];
        let times = ["2026-01-01T00:00:00.000001Z", "2026-01-01T00:00:00.000002Z", "2026-01-01T00:00:00.001Z"];
        let ids: Vec<Uuid> = times.iter().zip(there).map(|(at, there)| id_at(at.parse().unwrap(), there)).collect();
        assert!(ids.is_sorted(), "{ids:?}");
        assert_eq!(ids[0], id_at(times[0].parse().unwrap(), there[0]));
        assert_eq!((ids[0].get_version_num(), ids[0].get_variant()), (7, uuid::Variant::RFC4122));
    }
}
