//! Spring gaps and autumn overlaps: the table for Copenhagen 2026, and every zone of the database against brute force.

use chrono::{DateTime, Duration, NaiveDateTime, TimeZone, Timelike, Utc};
use chrono_tz::{TZ_VARIANTS, Tz};
use rstest::rstest;

use crate::world::{COPENHAGEN, cron, offset, shown, transitions, utc, wall};

const BEFORE_SPRING: &str = "2026-03-28T22:59:00Z";
const AFTER_SPRING: &str = "2026-03-29T03:00:00Z";
const BEFORE_AUTUMN: &str = "2026-10-24T22:59:00Z";
const AFTER_AUTUMN: &str = "2026-10-25T03:59:00Z";

#[rstest]
#[case::inside_the_gap("30 2 * * *", &["03-29 03:00+02:00"])]
#[case::several_inside_the_gap_run_once("0,15,30,45 2 * * *", &["03-29 03:00+02:00"])]
#[case::gap_and_first_valid_minute_run_once("0 2,3 * * *", &["03-29 03:00+02:00"])]
#[case::before_inside_and_after("30 1-3 * * *", &["03-29 01:30+01:00", "03-29 03:00+02:00", "03-29 03:30+02:00"])]
#[case::wildcard_skips_what_does_not_exist("*/30 1-3 * * *", &["03-29 01:00+01:00", "03-29 01:30+01:00", "03-29 03:00+02:00", "03-29 03:30+02:00"])]
#[case::wildcard_hour_inside_the_gap_only("*/15 2 * * *", &[])]
fn spring_gap(#[case] expr: &str, #[case] expected: &[&str]) {
    assert_eq!(shown(expr, COPENHAGEN, BEFORE_SPRING, AFTER_SPRING), expected);
}

#[rstest]
#[case::once_in_the_first_pass("30 2 * * *", &["10-25 02:30+02:00"])]
#[case::range_counts_as_fixed("0 2-4 * * *", &["10-25 02:00+02:00", "10-25 03:00+01:00", "10-25 04:00+01:00"])]
#[case::wildcard_hour_runs_in_both("30 * * * *", &["10-25 01:30+02:00", "10-25 02:30+02:00", "10-25 02:30+01:00", "10-25 03:30+01:00", "10-25 04:30+01:00"])]
fn autumn_overlap(#[case] expr: &str, #[case] expected: &[&str]) {
    let found = shown(expr, COPENHAGEN, BEFORE_AUTUMN, AFTER_AUTUMN);
    assert_eq!(found.iter().filter(|at| !at.contains(" 00:")).collect::<Vec<_>>(), expected.iter().collect::<Vec<_>>());
}

#[test]
fn quarter_hours_fire_eight_times_through_both_passes() {
    let found = shown("*/15 * * * *", COPENHAGEN, "2026-10-24T23:59:00Z", "2026-10-25T01:59:00Z");
    let times = |offset: &str| ["00", "15", "30", "45"].map(|minute| format!("10-25 02:{minute}{offset}"));
    assert_eq!(found, [times("+02:00"), times("+01:00")].concat());
}

/// The row of the table that is an outage elsewhere: the answer must not be 02:15 of the first pass.
#[test]
fn from_the_second_pass_quarter_hours_go_on_in_the_second_pass() {
    let next = cron("*/15 * * * *").next_after(utc("2026-10-25T02:05:00+01:00"), COPENHAGEN);
    assert_eq!(next, Some(utc("2026-10-25T02:15:00+01:00")));
}

#[test]
fn a_yearly_wildcard_has_its_second_pass_before_next_year() {
    let next = cron("*/15 2 25 10 *").next_after(utc("2026-10-25T02:45:00+02:00"), COPENHAGEN);
    assert_eq!(next, Some(utc("2026-10-25T02:00:00+01:00")));
}

#[rstest]
#[case("30 2 * * *", "2026-10-26T02:30:00+01:00")]
#[case("45 2 * * *", "2026-10-26T02:45:00+01:00")]
#[case("0,30 2,4 * * *", "2026-10-25T04:00:00+01:00")]
fn from_the_second_pass_fixed_times_do_not_come_again(#[case] expr: &str, #[case] expected: &str) {
    let next = cron(expr).next_after(utc("2026-10-25T02:05:00+01:00"), COPENHAGEN);
    assert_eq!(next, Some(utc(expected)));
}

/// A server that polls every six seconds and stores what `next_after` gives, restarted in the middle of the second
/// pass.
#[rstest]
#[case("*/15 * * * *", 7)]
#[case("45 2 * * *", 0)]
#[case("30 2 * * *", 0)]
#[case("* * * * *", 114)]
fn a_poll_loop_restarted_in_the_second_pass_starts_no_storm(#[case] expr: &str, #[case] launches: u32) {
    let (start, end) = (utc("2026-10-25T02:05:00+01:00"), utc("2026-10-25T04:00:00+01:00"));
    let expr = cron(expr);
    let (mut now, mut due, mut launched) = (start, expr.next_after(start, COPENHAGEN).unwrap(), 0);
    while now < end {
        if due <= now {
            launched += 1;
            due = expr.next_after(now, COPENHAGEN).unwrap();
        }
        now += Duration::seconds(6);
    }
    assert_eq!(launched, launches);
}

#[test]
fn a_skipped_day_runs_at_the_first_valid_minute() {
    let samoa = Tz::Pacific__Apia;
    let next = cron("0 6 30 12 *").next_after(utc("2011-12-29T00:00:00Z"), samoa);
    assert_eq!(next.map(|at| wall(samoa, at).to_string()).as_deref(), Some("2011-12-31 00:00:00"));
}

#[test]
fn a_wildcard_years_ahead_crosses_all_transitions() {
    let next = cron("* * 29 2 *").next_after(utc("2024-03-01T00:00:00Z"), COPENHAGEN);
    assert_eq!(next, Some(utc("2028-02-29T00:00:00+01:00")));
}

#[test]
fn the_calendar_goes_on_after_2100() {
    let next = cron("0 6 29 2 *").next_after(utc("2096-03-01T00:00:00Z"), Tz::UTC);
    assert_eq!(next, Some(utc("2104-02-29T06:00:00Z")));
}

#[rstest]
#[case(DateTime::<Utc>::MIN_UTC)]
#[case(DateTime::<Utc>::MAX_UTC)]
fn the_ends_of_the_calendar_are_no_accident(#[case] edge: DateTime<Utc>) {
    for expr in ["* * * * *", "0 6 * * *", "0 6 L * *"] {
        for zone in [Tz::UTC, Tz::Pacific__Kiritimati, Tz::Pacific__Pago_Pago] {
            let next = cron(expr).next_after(edge, zone);
            assert!(next.is_none_or(|next| next > edge), "{expr} in {zone}");
            let latest = cron(expr).latest_in(DateTime::<Utc>::MIN_UTC, edge, zone);
            assert!(latest.is_none_or(|latest| latest <= edge), "{expr} in {zone}");
        }
    }
}

/// Each zone, each transition of three years: all firings of the nights around it, by trying every minute.
#[test]
fn every_zone_agrees_with_brute_force_around_its_transitions() {
    let (from, to) = (utc("2023-01-01T00:00:00Z"), utc("2026-01-01T00:00:00Z"));
    let mut seen = 0;
    for zone in TZ_VARIANTS {
        for transition in transitions(zone, from, to) {
            let (start, end) = (transition - Duration::hours(4), transition + Duration::hours(4));
            check(zone, start, end, "*/20 * * * *", |at| at.minute() % 20 == 0, brute_wildcard);
            check(zone, start, end, "* 1-2 * * *", |at| (1..=2).contains(&at.hour()), brute_wildcard);
            check(
                zone,
                start,
                end,
                "5,40 0-3 * * *",
                |at| at.hour() <= 3 && [5, 40].contains(&at.minute()),
                brute_fixed,
            );
            seen += 1;
        }
    }
    assert!(seen > 500, "only {seen} transitions");
}

type Matches = fn(NaiveDateTime) -> bool;
type Brute = fn(Tz, DateTime<Utc>, DateTime<Utc>, Matches) -> Vec<DateTime<Utc>>;

fn check(zone: Tz, start: DateTime<Utc>, end: DateTime<Utc>, expr: &str, matches: Matches, brute: Brute) {
    let found: Vec<_> = cron(expr).instants(start, zone).take_while(|at| *at <= end).collect();
    assert_eq!(found, brute(zone, start, end, matches), "{expr} in {zone} from {start}");
}

/// Every instant whose wall-clock time matches.
fn brute_wildcard(zone: Tz, start: DateTime<Utc>, end: DateTime<Utc>, matches: Matches) -> Vec<DateTime<Utc>> {
    minutes_of(start, end).filter(|at| matches(wall(zone, *at))).collect()
}

/// Every wall-clock time that matches, in its first pass, or at the end of the gap that holds it; once each.
fn brute_fixed(zone: Tz, start: DateTime<Utc>, end: DateTime<Utc>, matches: Matches) -> Vec<DateTime<Utc>> {
    let margin = Duration::hours(3);
    let frame = |at: DateTime<Utc>| wall(zone, at).and_utc();
    let (first, last) = (frame(start) - margin, frame(end) + margin);
    let mut found: Vec<_> = minutes_of(first, last)
        .map(|frame| frame.naive_utc())
        .filter(|time| matches(*time))
        .filter_map(|time| zone.from_local_datetime(&time).earliest().or_else(|| gap_end(zone, time)))
        .map(|at| at.with_timezone(&Utc))
        .filter(|at| start < *at && *at <= end)
        .collect();
    found.sort_unstable();
    found.dedup();
    found
}

/// The minute at which the offset grows past the missing time: asked of instants, not of wall-clock times.
fn gap_end(zone: Tz, missing: NaiveDateTime) -> Option<DateTime<Tz>> {
    let around = missing.and_utc();
    let end = minutes_of(around - Duration::hours(16), around + Duration::hours(16)).find(|at| {
        wall(zone, *at) > missing
            && wall(zone, *at - Duration::minutes(1)) < missing
            && offset(zone, *at) != offset(zone, *at - Duration::minutes(1))
    });
    end.map(|at| at.with_timezone(&zone))
}

fn minutes_of(start: DateTime<Utc>, end: DateTime<Utc>) -> impl Iterator<Item = DateTime<Utc>> {
    std::iter::successors(Some(start + Duration::minutes(1)), |at| Some(*at + Duration::minutes(1)))
        .take_while(move |at| *at <= end)
}
