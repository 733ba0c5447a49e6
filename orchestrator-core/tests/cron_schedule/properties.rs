//! Laws that hold for any expression, any zone and any start.

use std::collections::BTreeSet;
use std::str::FromStr;

use chrono::{DateTime, Datelike, Duration, NaiveDateTime, Timelike, Utc};
use chrono_tz::{TZ_VARIANTS, Tz};
use orchestrator_core::cron::CronExpr;
use proptest::collection::btree_set;
use proptest::prelude::*;
use proptest::sample::select;

use crate::world::{offset, wall};

/// An expression together with the numbers it was made from, so that the test needs no parser of its own.
#[derive(Clone, Debug)]
struct Made {
    text: String,
    fields: [Option<BTreeSet<u32>>; 5],
}

impl Made {
    /// Date and weekday are OR-ed here: the day fields never start with `*` unless they are just that.
    fn matches(&self, at: NaiveDateTime) -> bool {
        let [minute, hour, date, month, weekday] = &self.fields;
        let has = |field: &Option<BTreeSet<u32>>, number| field.as_ref().is_none_or(|set| set.contains(&number));
        let day = at.weekday().num_days_from_sunday();
        let (on_date, on_weekday) = (has(date, at.day()), has(weekday, day) || (day == 0 && has(weekday, 7)));
        let either = date.is_some() && weekday.is_some();
        let on_day = if either { on_date || on_weekday } else { on_date && on_weekday };
        has(minute, at.minute()) && has(hour, at.hour()) && has(month, at.month()) && on_day
    }
}

fn field(min: u32, max: u32) -> impl Strategy<Value = (String, Option<BTreeSet<u32>>)> {
    let list = btree_set(min..=max, 1..5).prop_map(|set| {
        let text = set.iter().map(u32::to_string).collect::<Vec<_>>().join(",");
        (text, Some(set))
    });
    let range = (min..=max).prop_flat_map(move |start| (Just(start), start..=max, 1..=7_u32)).prop_map(
        move |(start, end, step)| {
            // A range of one number with a step would mean "to the end of the field".
            let step = if start == end { 1 } else { step };
            let text = if step == 1 { format!("{start}-{end}") } else { format!("{start}-{end}/{step}") };
            (text, Some((start..=end).step_by(step as usize).collect()))
        },
    );
    prop_oneof![2 => Just(("*".to_owned(), None)), 2 => list, 1 => range]
}

fn made() -> impl Strategy<Value = Made> {
    (field(0, 59), field(0, 23), field(1, 31), field(1, 12), field(0, 7))
        .prop_map(|(minute, hour, date, month, weekday)| {
            let (texts, fields): (Vec<_>, Vec<_>) = [minute, hour, date, month, weekday].into_iter().unzip();
            Made { text: texts.join(" "), fields: fields.try_into().expect("five fields") }
        })
        .prop_filter("fires at all", |made| CronExpr::parse(&made.text).is_ok())
}

fn zone() -> impl Strategy<Value = Tz> {
    prop_oneof![
        select(vec![Tz::UTC, Tz::Europe__Copenhagen, Tz::America__New_York, Tz::Australia__Lord_Howe]),
        select(TZ_VARIANTS.to_vec()),
    ]
}

fn instant() -> impl Strategy<Value = DateTime<Utc>> {
    // 1980 to 2035, with seconds and a fraction.
    (315_532_800_i64..2_051_222_400, 0..1_000_000_000_u32)
        .prop_map(|(second, nanos)| DateTime::from_timestamp(second, nanos).expect("in the calendar"))
}

/// Text made of the characters expressions are made of, so that some of it gets far into the parser.
fn almost_cron() -> impl Strategy<Value = String> {
    proptest::string::string_regex("[-0-9*/,#LWlwSUNFRIj? é]{0,40}").expect("a valid pattern")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn instants_rise_and_are_later_than_the_start(made in made(), zone in zone(), start in instant()) {
        let mut last = start;
        for next in CronExpr::parse(&made.text).unwrap().instants(start, zone).take(20) {
            prop_assert!(next > last, "{} in {zone}: {last} then {next}", made.text);
            last = next;
        }
        prop_assert!(last > start, "{} in {zone} gives nothing after {start}", made.text);
    }

    #[test]
    fn instants_match_their_fields_or_end_a_gap(made in made(), zone in zone(), start in instant()) {
        let expr = CronExpr::parse(&made.text).unwrap();
        for next in expr.instants(start, zone).take(20) {
            let ends_a_gap = offset(zone, next) != offset(zone, next - Duration::minutes(1));
            let fits = made.matches(wall(zone, next)) || (ends_a_gap && !expr.is_wildcard());
            prop_assert!(fits, "{} in {zone} from {start} gives {next}", made.text);
        }
    }

    #[test]
    fn latest_is_the_last_of_the_instants(made in made(), zone in zone(), start in instant(), minutes in 0..3_000_i64) {
        let (expr, until) = (CronExpr::parse(&made.text).unwrap(), start + Duration::minutes(minutes));
        let by_walking = expr.instants(start, zone).take_while(|at| *at <= until).last();
        prop_assert_eq!(expr.latest_in(start, until, zone), by_walking);
    }

    #[test]
    fn latest_is_the_last_of_the_instants_in_years(made in made(), zone in zone(), start in instant(), days in 0..4_000_i64) {
        let (expr, until) = (CronExpr::parse(&made.text).unwrap(), start + Duration::days(days));
        let latest = expr.latest_in(start, until, zone);
        prop_assert_eq!(latest.is_some(), expr.next_after(start, zone).is_some_and(|first| first <= until));
        if let Some(latest) = latest {
            prop_assert!(start < latest && latest <= until);
            prop_assert!(expr.next_after(latest, zone).is_none_or(|next| next > until));
            prop_assert_eq!(expr.next_after(latest - Duration::seconds(1), zone), Some(latest));
        }
    }

    #[test]
    fn written_back_and_read_again_is_the_same(text in prop_oneof![made().prop_map(|made| made.text), almost_cron()]) {
        if let Ok(expr) = CronExpr::parse(&text) {
            let again = CronExpr::parse(&expr.to_string()).unwrap();
            prop_assert_eq!(again.to_string(), expr.to_string());
            prop_assert_eq!(again.describe(), expr.describe());
        }
    }

    #[test]
    fn any_text_is_read_or_refused_with_a_position_inside_it(text in prop_oneof![any::<String>(), almost_cron()]) {
        if let Err(error) = CronExpr::parse(&text) {
            prop_assert!(error.position() <= text.chars().count(), "{error:?}");
            prop_assert!(text.contains(error.token()), "{error:?}");
            prop_assert!(!error.to_string().is_empty());
        }
    }

    #[test]
    fn croner_gives_the_same_times_in_utc(made in made(), start in instant()) {
        let oracle = croner::Cron::from_str(&made.text).unwrap();
        let mut last = start;
        for next in CronExpr::parse(&made.text).unwrap().instants(start, Tz::UTC).take(10) {
            prop_assert_eq!(oracle.find_next_occurrence(&last, false).unwrap(), next, "{} from {}", made.text, last);
            last = next;
        }
    }
}

#[test]
fn a_minute_wise_schedule_missed_for_thirty_years_is_found_at_once() {
    let expr = CronExpr::parse("* * * * *").unwrap();
    let (start, until) = (DateTime::UNIX_EPOCH, DateTime::from_timestamp(1_000_000_007, 5).unwrap());
    let latest = expr.latest_in(start, until, Tz::Europe__Copenhagen);
    assert_eq!(latest, DateTime::from_timestamp(1_000_000_007 / 60 * 60, 0));
    assert_eq!(expr.latest_in(until, start, Tz::UTC), None);
    assert_eq!(expr.latest_in(until, until, Tz::UTC), None);
}
