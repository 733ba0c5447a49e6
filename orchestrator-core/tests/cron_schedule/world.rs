//! Words the tests share.

use chrono::{DateTime, Duration, FixedOffset, NaiveDateTime, Offset, TimeZone, Utc};
use chrono_tz::Tz;
use orchestrator_core::cron::CronExpr;

pub(crate) const COPENHAGEN: Tz = Tz::Europe__Copenhagen;

pub(crate) fn cron(text: &str) -> CronExpr {
    CronExpr::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

pub(crate) fn utc(text: &str) -> DateTime<Utc> {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

pub(crate) fn offset(zone: Tz, instant: DateTime<Utc>) -> FixedOffset {
    zone.offset_from_utc_datetime(&instant.naive_utc()).fix()
}

pub(crate) fn wall(zone: Tz, instant: DateTime<Utc>) -> NaiveDateTime {
    instant.with_timezone(&zone).naive_local()
}

/// All firings in (`after`, `until`], shown with their offset.
pub(crate) fn shown(expr: &str, zone: Tz, after: &str, until: &str) -> Vec<String> {
    let until = utc(until);
    let instants = cron(expr).instants(utc(after), zone).take_while(|at| *at <= until).collect::<Vec<_>>();
    instants.iter().map(|at| at.with_timezone(&zone).format("%m-%d %H:%M%:z").to_string()).collect()
}

/// The hours at which the zone changed its offset, from one instant to another.
pub(crate) fn transitions(zone: Tz, from: DateTime<Utc>, to: DateTime<Utc>) -> Vec<DateTime<Utc>> {
    let quarters = std::iter::successors(Some(from), |at| Some(*at + Duration::minutes(15)));
    let changes = |at: &DateTime<Utc>| offset(zone, *at) != offset(zone, *at - Duration::minutes(15));
    quarters.take_while(|at| *at <= to).filter(changes).collect()
}
