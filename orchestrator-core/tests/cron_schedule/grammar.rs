//! What is said when an expression is refused, and how accepted ones are written back.

use chrono_tz::Tz;
use orchestrator_core::cron::{CronError, CronExpr, Field, Problem, parse_zone};
use rstest::rstest;

use crate::world::cron;

fn refused(expr: &str) -> CronError {
    CronExpr::parse(expr).expect_err(expr)
}

#[rstest]
#[case("61 * * * *", Field::Minute, 0, "61", Problem::NotAValue)]
#[case("0 6 * * mon-frx", Field::DayOfWeek, 12, "frx", Problem::NotAValue)]
#[case("0 6,24 * * *", Field::Hour, 4, "24", Problem::NotAValue)]
#[case("0  22-2 * * *", Field::Hour, 3, "22-2", Problem::Backwards)]
#[case("0 6 * * FRI-MON", Field::DayOfWeek, 8, "FRI-MON", Problem::Backwards)]
#[case("0 6 15W * *", Field::DayOfMonth, 4, "15W", Problem::NotAValue)]
#[case("0 6 ? * 1", Field::DayOfMonth, 4, "?", Problem::NotAValue)]
#[case("0 6 * * FRIL", Field::DayOfWeek, 8, "FRIL", Problem::BadLast)]
#[case("0 6 * * 9L", Field::DayOfWeek, 8, "9", Problem::NotAValue)]
#[case("0 6 * * 1#6", Field::DayOfWeek, 8, "1#6", Problem::BadOccurrence)]
#[case("5,*/0 * * * *", Field::Minute, 2, "*/0", Problem::BadStep)]
#[case("1,,2 * * * *", Field::Minute, 2, "", Problem::Missing)]
#[case("1 - * * *", Field::Hour, 2, "", Problem::Missing)]
#[case("0 6 * * fré", Field::DayOfWeek, 8, "fré", Problem::NotAValue)]
#[case("é,1 6 * * 61", Field::Minute, 0, "é", Problem::NotAValue)]
fn points_at_the_token(
    #[case] expr: &str,
    #[case] field: Field,
    #[case] position: usize,
    #[case] token: &str,
    #[case] problem: Problem,
) {
    let token = token.to_owned();
    assert_eq!(refused(expr), CronError::Token { field, position, token, problem });
}

#[test]
fn positions_count_characters_not_bytes() {
    let error = refused("\u{a0}1 2 é * *");
    assert_eq!((error.field(), error.position(), error.token()), (Some(Field::DayOfMonth), 5, "é"));
}

#[rstest]
#[case(
    "61 * * * *",
    "minute field: '61' is not a number from 0 to 59 (position 0); the form is: minute hour day-of-month month day-of-week"
)]
#[case(
    "0 6 * foo *",
    "month field: 'foo' is not a number from 1 to 12 or a name from JAN to DEC (position 6); the form is: minute hour day-of-month month day-of-week"
)]
#[case(
    "0 0 6 * * *",
    "a cron expression has five fields, this one has 6 from '*' on (position 10), and there are no seconds or years; the form is: minute hour day-of-month month day-of-week"
)]
#[case(
    "@daily",
    "a cron expression has five fields, this one has 1 and shortcuts such as '@daily' are not known; the form is: minute hour day-of-month month day-of-week"
)]
#[case(
    "",
    "a cron expression has five fields, this one has 0; the form is: minute hour day-of-month month day-of-week"
)]
#[case("0 6 30 2 *", "day-of-month field: '30' never comes in the chosen months and weekdays (position 4)")]
#[case(
    "0 0 31 2 5",
    "day-of-month field: '31' never comes in the chosen months, and only the weekdays would be left; for these alone write * there (position 4)"
)]
fn says_what_is_wrong(#[case] expr: &str, #[case] message: &str) {
    assert_eq!(refused(expr).to_string(), message);
}

#[rstest]
#[case("0 6 30 2 *")]
#[case("0 6 31 4,6,9,11 *")]
#[case("0 6 */31 * 1#2")]
#[case("0 6 LW * */7")]
fn refuses_what_can_never_fire(#[case] expr: &str) {
    assert!(matches!(refused(expr), CronError::Never { .. }), "{:?}", refused(expr));
}

#[test]
fn refuses_more_than_200_characters() {
    let long = format!("{} * * * *", vec!["1"; 97].join(","));
    assert_eq!(refused(&long), CronError::TooLong { chars: 201 });
    assert!(CronExpr::parse(&long[2..]).is_ok());
}

#[rstest]
#[case("  0 6\t*  jan mon-Fri \n", "0 6 * JAN MON-FRI")]
#[case("00 06 l * 5L", "00 06 L * 5L")]
fn is_written_back_in_upper_case_with_single_blanks(#[case] expr: &str, #[case] text: &str) {
    assert_eq!(cron(expr).to_string(), text);
    assert_eq!(cron(expr), cron(text));
    assert_eq!(cron(text).as_str(), text);
}

#[test]
fn is_a_string_in_documents() {
    let expr: CronExpr = serde_json::from_str("\"0 6 * * mon\"").unwrap();
    assert_eq!(serde_json::to_string(&expr).unwrap(), "\"0 6 * * MON\"");
    let error = serde_json::from_str::<CronExpr>("\"0 6 * *\"").unwrap_err();
    assert!(error.to_string().contains("five fields"), "{error}");
    assert_eq!("0 6 * * 1".parse::<CronExpr>(), Ok(cron("0 6 * * 1")));
}

#[rstest]
#[case("Europe/Copenhagen", Tz::Europe__Copenhagen)]
#[case(" UTC ", Tz::UTC)]
fn knows_iana_zones(#[case] name: &str, #[case] zone: Tz) {
    assert_eq!(parse_zone(name), Ok(zone));
}

#[rstest]
#[case("")]
#[case("CopenHagen")]
#[case("Romance Standard Time")]
#[case("+02:00")]
fn names_the_unknown_zone(#[case] name: &str) {
    let error = parse_zone(name).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("'{name}' is not a known time zone; it must be an IANA name like Europe/Copenhagen")
    );
}
