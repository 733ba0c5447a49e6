//! `golden/cron.tsv`, written by cronsim 2.6 through `golden/generate_cron.py`.

use chrono::{DateTime, Duration, Utc};
use orchestrator_core::cron::{CronError, CronExpr, parse_zone};

const GOLDEN: &str = include_str!("../golden/cron.tsv");

fn lines(kind: char) -> impl Iterator<Item = &'static str> {
    GOLDEN.lines().filter_map(move |line| line.strip_prefix(kind)?.strip_prefix('\t'))
}

#[test]
fn accepts_what_cronsim_accepts() {
    for expression in lines('A') {
        assert!(CronExpr::parse(expression).is_ok(), "{expression:?}: {:?}", CronExpr::parse(expression));
    }
}

#[test]
fn refuses_what_cronsim_refuses() {
    for expression in lines('R') {
        assert!(CronExpr::parse(expression).is_err(), "{expression:?} should be refused");
    }
}

#[test]
fn refuses_what_never_fires_in_cronsim() {
    for expression in lines('N') {
        assert!(matches!(CronExpr::parse(expression), Err(CronError::Never { .. })), "{expression:?}");
    }
}

#[test]
fn fires_when_cronsim_fires() {
    let mut cases = 0;
    for line in lines('F') {
        let [zone, start, distances, expression] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("{line:?}") };
        let zone = parse_zone(zone).unwrap();
        let start: DateTime<Utc> = DateTime::UNIX_EPOCH + minutes(start);
        let expr = CronExpr::parse(expression).unwrap_or_else(|error| panic!("{expression:?}: {error}"));
        let mut actual = expr.instants(start, zone);
        let mut expected = start;
        for distance in distances.split(' ') {
            expected += minutes(distance);
            assert_eq!(actual.next(), Some(expected), "{expression:?} in {zone} from {start}");
        }
        cases += 1;
    }
    assert!(cases > 4000, "only {cases} cases in the golden file");
}

#[test]
fn finds_the_latest_firing_of_each_golden_case() {
    for line in lines('F') {
        let [zone, start, distances, expression] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("{line:?}") };
        let start: DateTime<Utc> = DateTime::UNIX_EPOCH + minutes(start);
        let last = distances.split(' ').map(minutes).fold(start, |at, distance| at + distance);
        let expr = CronExpr::parse(expression).unwrap();
        let latest = expr.latest_in(start, last + Duration::seconds(59), parse_zone(zone).unwrap());
        assert_eq!(latest, Some(last), "{expression:?} in {zone} from {start}");
    }
}

fn minutes(text: &str) -> Duration {
    Duration::minutes(text.parse().expect(text))
}
