//! The calendar: which dates an expression allows.

use chrono::{Datelike, NaiveDate};

use super::numbers::NumberSet;

/// The weekdays a rule allows; Sunday is 0.
#[derive(Clone, Copy, Debug)]
pub(super) struct Weekdays {
    /// Those allowed each time they come.
    pub(super) every: NumberSet,
    /// For each weekday, its occurrences in the month (1 to 5), and 0 for the last one.
    pub(super) occurrences: [NumberSet; 7],
}

impl Weekdays {
    fn matches(&self, day: Day) -> bool {
        let occurrences = usize::try_from(day.weekday).ok().and_then(|at| self.occurrences.get(at)).copied();
        let occurrences = occurrences.unwrap_or_default();
        self.every.contains(day.weekday)
            || occurrences.contains(day.date.div_ceil(7))
            || (occurrences.contains(0) && day.date + 7 > day.days_in_month)
    }
}

/// What the rule needs to know about one day.
#[derive(Clone, Copy, Debug)]
struct Day {
    date: u32,
    weekday: u32,
    days_in_month: u32,
}

impl Day {
    fn of(date: NaiveDate) -> Self {
        let weekday = date.weekday().num_days_from_sunday();
        Self { date: date.day(), weekday, days_in_month: u32::from(date.num_days_in_month()) }
    }

    /// The last day of the month that is neither Saturday nor Sunday.
    fn is_last_working_day(self) -> bool {
        let last_weekday = (self.weekday + self.days_in_month - self.date) % 7;
        let back = match last_weekday {
            0 => 2,
            6 => 1,
            _ => 0,
        };
        self.date + back == self.days_in_month
    }
}

/// The months, the dates in them and the weekdays.
#[derive(Clone, Copy, Debug)]
pub(super) struct DayRule {
    pub(super) months: NumberSet,
    pub(super) dates: NumberSet,
    pub(super) last_day: bool,
    pub(super) last_weekday: bool,
    pub(super) weekdays: Weekdays,
    /// Date and weekday must both match, because one of the two fields starts with `*`; else either is enough.
    pub(super) both: bool,
}

impl DayRule {
    /// The first allowed date from `from` to `limit`, both included.
    pub(super) fn next_date(&self, from: NaiveDate, limit: NaiveDate) -> Option<NaiveDate> {
        let mut date = from;
        while date <= limit {
            if !self.months.contains(date.month()) {
                date = first_of_next_month(date)?;
            } else if self.matches(Day::of(date)) {
                return Some(date);
            } else {
                date = date.succ_opt()?;
            }
        }
        None
    }

    /// False when the day-of-month list names only days that the chosen months do not have. Such an expression is
    /// refused even when its weekdays could fire, as cronsim does: nobody means "30 February or a Monday".
    pub(super) fn has_dates(&self) -> bool {
        let longest = self.months.iter().map(longest_month).max().unwrap_or_default();
        self.last_day || self.last_weekday || self.dates.first().is_some_and(|first| first <= longest)
    }

    /// Whether any date in the calendar matches. A month is known by its length and the weekday it starts on, and all
    /// combinations come within 400 years (29 February at most 40 years apart), so no calendar has to be searched.
    pub(super) fn ever_matches(&self) -> bool {
        self.months.iter().any(|month| {
            let longest = longest_month(month);
            let shortest = if month == 2 { 28 } else { longest };
            (shortest..=longest).any(|days_in_month| (0..7).any(|first| self.matches_month(first, days_in_month)))
        })
    }

    fn matches_month(&self, first_weekday: u32, days_in_month: u32) -> bool {
        (1..=days_in_month)
            .map(|date| Day { date, weekday: (first_weekday + date - 1) % 7, days_in_month })
            .any(|day| self.matches(day))
    }

    fn matches(&self, day: Day) -> bool {
        let (date, weekday) = (self.matches_date(day), self.weekdays.matches(day));
        if self.both { date && weekday } else { date || weekday }
    }

    fn matches_date(&self, day: Day) -> bool {
        self.dates.contains(day.date)
            || (self.last_day && day.date == day.days_in_month)
            || (self.last_weekday && day.is_last_working_day())
    }
}

fn longest_month(month: u32) -> u32 {
    match month {
        2 => 29,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

fn first_of_next_month(date: NaiveDate) -> Option<NaiveDate> {
    date.with_day(1)?.checked_add_months(chrono::Months::new(1))
}
