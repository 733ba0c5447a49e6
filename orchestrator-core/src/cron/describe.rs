//! An expression as a plain English sentence.
//!
//! Words for the usual forms, and complete lists of numbers for the rest: a sentence may be clumsy, never wrong. It is
//! made from the parsed numbers, so two ways to write the same schedule read the same.

use super::CronExpr;
use super::days::{DayRule, Weekdays};
use super::error::Field;
use super::numbers::NumberSet;

/// Up to this many times of day are listed one by one.
const LISTED_TIMES: u32 = 6;

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const WEEKDAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const OCCURRENCES: [&str; 6] = ["last", "first", "second", "third", "fourth", "fifth"];

impl CronExpr {
    /// The schedule as a sentence without a subject: "at 06:00 on Monday to Friday", "every 15 minutes".
    pub fn describe(&self) -> String {
        let (time, around_the_clock) = describe_time(self.minutes(), self.hours());
        let days = describe_days(self.days());
        let months = describe_months(self.days().months);
        let every_day = if around_the_clock { String::new() } else { "every day".to_owned() };
        let parts = [time, days.unwrap_or(every_day), months];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
    }
}

/// The time of day, and whether it says by itself that every hour is meant.
fn describe_time(minutes: NumberSet, hours: NumberSet) -> (String, bool) {
    let every_hour = is_full(hours, Field::Hour);
    if every_hour {
        return (describe_hourly(minutes), true);
    }
    let text = if minutes.len() * hours.len() <= LISTED_TIMES {
        format!("at {}", and(times(minutes, hours)))
    } else {
        describe_span(minutes, hours)
            .unwrap_or_else(|| format!("at {} past {}", counted("minute", minutes), counted("hour", hours)))
    };
    (text, false)
}

fn describe_hourly(minutes: NumberSet) -> String {
    match (cycle(minutes), minutes.first()) {
        (Some(1), _) => "every minute".to_owned(),
        (Some(step), Some(0)) => format!("every {step} minutes"),
        (_, Some(0)) if minutes.len() == 1 => "every hour".to_owned(),
        _ => format!("at {} past every hour", counted("minute", minutes)),
    }
}

/// One run of evenly spaced times: "every 2 hours from 09:00 to 23:00", "every 15 minutes from 08:00 to 16:45".
fn describe_span(minutes: NumberSet, hours: NumberSet) -> Option<String> {
    let step = if hours.len() == 1 { 1 } else { hours.even_step()? };
    let from = clock(hours.first()?, minutes.first()?);
    let to = clock(hours.last()?, minutes.last()?);
    let every = match (minutes.len(), step, cycle(minutes)) {
        (1, 1, _) => "every hour".to_owned(),
        (1, step, _) => format!("every {step} hours"),
        (_, 1, Some(1)) => "every minute".to_owned(),
        (_, 1, Some(minutes)) => format!("every {minutes} minutes"),
        _ => return None,
    };
    Some(format!("{every} from {from} to {to}"))
}

/// The distance between minutes that stays the same across the full hour.
fn cycle(minutes: NumberSet) -> Option<u32> {
    let step = minutes.even_step()?;
    (step * minutes.len() == 60).then_some(step)
}

/// `None` when every day is meant.
fn describe_days(rule: &DayRule) -> Option<String> {
    let dates = describe_dates(rule);
    let weekdays = describe_weekdays(&rule.weekdays);
    match (dates, weekdays) {
        (Some(dates), Some(weekdays)) if rule.both => Some(format!("on {} if it is also {}", or(dates), or(weekdays))),
        (Some(dates), Some(weekdays)) => Some(format!("on {} or on {}", and(dates), and(weekdays))),
        // One of the two allows every day: with "both" the other decides, with "either" nothing is left to decide.
        (Some(only), None) | (None, Some(only)) if rule.both => Some(format!("on {}", and(only))),
        _ => None,
    }
}

/// The phrases for the dates; `None` when every date is allowed.
fn describe_dates(rule: &DayRule) -> Option<Vec<String>> {
    if is_full(rule.dates, Field::DayOfMonth) {
        return None;
    }
    let mut phrases = Vec::new();
    if !rule.dates.is_empty() {
        phrases.push(format!("{} of the month", counted("day", rule.dates)));
    }
    if rule.last_day {
        phrases.push("the last day of the month".to_owned());
    }
    if rule.last_weekday {
        phrases.push("the last working day of the month".to_owned());
    }
    Some(phrases)
}

/// The phrases for the weekdays; `None` when every weekday is allowed.
fn describe_weekdays(weekdays: &Weekdays) -> Option<Vec<String>> {
    // Monday first, so that "Saturday and Sunday" stay together.
    let order = [1, 2, 3, 4, 5, 6, 0];
    let every: Vec<usize> = (0..7).filter(|&at| weekdays.every.contains(order_at(order, at))).collect();
    if every.len() == 7 {
        return None;
    }
    let name = |at: usize| name_of(&WEEKDAYS, order_at(order, at));
    let mut phrases = match every.as_slice() {
        &[first, .., last] if every.len() > 2 && last - first + 1 == every.len() => {
            vec![format!("{} to {}", name(first), name(last))]
        }
        days => days.iter().map(|&at| name(at).to_owned()).collect(),
    };
    for weekday in order {
        let occurrences = usize::try_from(weekday).ok().and_then(|at| weekdays.occurrences.get(at)).copied();
        let occurrences = occurrences.unwrap_or_default();
        phrases.extend(
            (1..=5)
                .chain([0])
                .filter(|&nth| occurrences.contains(nth))
                .map(|nth| format!("the {} {} of the month", name_of(&OCCURRENCES, nth), name_of(&WEEKDAYS, weekday))),
        );
    }
    Some(phrases)
}

fn order_at(order: [u32; 7], at: usize) -> u32 {
    order.get(at).copied().unwrap_or_default()
}

fn describe_months(months: NumberSet) -> String {
    if is_full(months, Field::Month) {
        return String::new();
    }
    let name = |month: u32| name_of(&MONTHS, month - 1);
    let text = match (months.first(), months.last(), months.even_step()) {
        (Some(first), Some(last), Some(1)) if months.len() > 2 => format!("{} to {}", name(first), name(last)),
        _ => and(months.iter().map(|month| name(month).to_owned()).collect()),
    };
    format!("in {text}")
}

/// "minute 5", "minutes 5 and 20", "days 1 to 7".
fn counted(noun: &str, numbers: NumberSet) -> String {
    match (numbers.first(), numbers.last(), numbers.even_step()) {
        (Some(only), _, None) if numbers.len() == 1 => format!("{noun} {only}"),
        (Some(first), Some(last), Some(1)) if numbers.len() > 2 => format!("{noun}s {first} to {last}"),
        _ => format!("{noun}s {}", and(numbers.iter().map(|number| number.to_string()).collect())),
    }
}

fn times(minutes: NumberSet, hours: NumberSet) -> Vec<String> {
    hours.iter().flat_map(|hour| minutes.iter().map(move |minute| clock(hour, minute))).collect()
}

fn clock(hour: u32, minute: u32) -> String {
    format!("{hour:02}:{minute:02}")
}

fn is_full(numbers: NumberSet, field: Field) -> bool {
    (field.min()..=field.max()).all(|number| numbers.contains(number))
}

fn name_of(names: &[&'static str], at: u32) -> &'static str {
    usize::try_from(at).ok().and_then(|at| names.get(at)).copied().unwrap_or_default()
}

fn and(items: Vec<String>) -> String {
    enumerate(items, "and")
}

fn or(items: Vec<String>) -> String {
    enumerate(items, "or")
}

/// "a", "a and b", "a, b and c".
fn enumerate(mut items: Vec<String>, last_joint: &str) -> String {
    let Some(last) = items.pop() else { return String::new() };
    if items.is_empty() { last } else { format!("{} {last_joint} {last}", items.join(", ")) }
}
