//! The grammar: text in, number lists and a day rule out.
//!
//! The order of the checks is cronsim's and decides what odd forms mean: a list is split first, then `L` and `#` of the
//! weekday are read, then a step, then a range. So `5-5/2` steps from 5 to the end, and `MON#2/2` is refused.

use super::days::{DayRule, Weekdays};
use super::error::{CronError, Field, Problem};
use super::numbers::NumberSet;

const MONTHS: [&str; 12] = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

/// An expression after parsing; everything in it is in range.
pub(super) struct Parsed {
    pub(super) text: String,
    pub(super) minutes: NumberSet,
    pub(super) hours: NumberSet,
    pub(super) days: DayRule,
    pub(super) wildcard: bool,
}

/// A piece of the expression: upper-case text, and its byte offset in the whole.
#[derive(Clone, Copy)]
struct Token<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Token<'a> {
    fn split(self, separator: char) -> Option<(Self, Self)> {
        let (left, right) = self.text.split_once(separator)?;
        let right_at = self.at + left.len() + separator.len_utf8();
        Some((Self { text: left, at: self.at }, Self { text: right, at: right_at }))
    }

    fn list(self) -> impl Iterator<Item = Self> {
        let mut at = self.at;
        self.text.split(',').map(move |text| {
            let item = Self { text, at };
            at += text.len() + 1;
            item
        })
    }

    fn fields(text: &'a str) -> Vec<Self> {
        let (mut fields, mut start) = (Vec::new(), None);
        for (at, c) in text.char_indices().chain([(text.len(), ' ')]) {
            match (c.is_whitespace(), start) {
                (false, None) => start = Some(at),
                (true, Some(from)) => {
                    fields.extend(text.get(from..at).map(|text| Self { text, at: from }));
                    start = None;
                }
                _ => {}
            }
        }
        fields
    }
}

/// What one field says. Only the day fields use the marks.
#[derive(Clone, Copy, Default)]
struct Values {
    numbers: NumberSet,
    last_day: bool,
    last_weekday: bool,
    /// For the weekdays 0 to 7: the occurrences 1 to 5 in the month, and 0 for the last one.
    occurrences: [NumberSet; 8],
}

impl Values {
    fn one(number: u32) -> Self {
        Self { numbers: NumberSet::range(number, number), ..Self::default() }
    }

    fn occurrence(weekday: u32, occurrence: u32) -> Self {
        let mut values = Self::default();
        if let Some(set) = usize::try_from(weekday).ok().and_then(|day| values.occurrences.get_mut(day)) {
            set.insert(occurrence);
        }
        values
    }

    fn merge(mut self, other: Self) -> Self {
        self.numbers = self.numbers.union(other.numbers);
        self.last_day |= other.last_day;
        self.last_weekday |= other.last_weekday;
        for (mine, theirs) in self.occurrences.iter_mut().zip(other.occurrences) {
            *mine = mine.union(theirs);
        }
        self
    }

    /// Weekdays 0 to 6: the number 7 becomes another name of 0.
    fn weekdays(self) -> Weekdays {
        let [sunday, mon, tue, wed, thu, fri, sat, also_sunday] = self.occurrences;
        let occurrences = [sunday.union(also_sunday), mon, tue, wed, thu, fri, sat];
        Weekdays { every: self.numbers.iter().map(|day| day % 7).collect(), occurrences }
    }
}

/// Reads a whole expression.
pub(super) fn parse(source: &str) -> Result<Parsed, CronError> {
    let chars = source.chars().count();
    if chars > super::CronExpr::MAX_CHARS {
        return Err(CronError::TooLong { chars });
    }
    let upper = source.to_ascii_uppercase();
    let reader = Reader { source };
    let fields = Token::fields(&upper);
    let &[minute, hour, day, month, weekday] = fields.as_slice() else {
        return Err(reader.field_count(&fields));
    };
    let starred = |token: Token<'_>| token.text.starts_with('*');
    let minutes = reader.field(Field::Minute, minute)?.numbers;
    let hours = reader.field(Field::Hour, hour)?.numbers;
    let dates = reader.field(Field::DayOfMonth, day)?;
    let months = reader.field(Field::Month, month)?.numbers;
    let weekdays = reader.field(Field::DayOfWeek, weekday)?.weekdays();
    let days = DayRule {
        months,
        dates: dates.numbers,
        last_day: dates.last_day,
        last_weekday: dates.last_weekday,
        weekdays,
        both: starred(day) || starred(weekday),
    };
    if !days.ever_matches() {
        return Err(CronError::Never { position: reader.position(day), token: reader.written(day) });
    }
    if !days.has_dates() {
        return Err(CronError::NoSuchDate { position: reader.position(day), token: reader.written(day) });
    }
    let text = fields.iter().map(|field| field.text).collect::<Vec<_>>().join(" ");
    Ok(Parsed { text, minutes, hours, days, wildcard: starred(minute) || starred(hour) })
}

/// Reads the fields, and knows the source for the sake of the errors.
#[derive(Clone, Copy)]
struct Reader<'a> {
    source: &'a str,
}

impl Reader<'_> {
    fn position(self, token: Token<'_>) -> usize {
        self.source.get(..token.at).map_or(0, |before| before.chars().count())
    }

    fn written(self, token: Token<'_>) -> String {
        self.source.get(token.at..token.at + token.text.len()).unwrap_or(token.text).to_owned()
    }

    fn field_count(self, fields: &[Token<'_>]) -> CronError {
        let found = fields.len();
        let end = Token { text: "", at: self.source.trim_end().len() };
        // A single word is shown whole: it is a shortcut such as @daily.
        let culprit = if found == 1 { fields.first() } else { fields.get(5) }.copied().unwrap_or(end);
        CronError::FieldCount { found, position: self.position(culprit), token: self.written(culprit) }
    }

    fn error(self, field: Field, token: Token<'_>, problem: Problem) -> CronError {
        let problem = if token.text.is_empty() { Problem::Missing } else { problem };
        CronError::Token { field, position: self.position(token), token: self.written(token), problem }
    }

    fn field(self, field: Field, token: Token<'_>) -> Result<Values, CronError> {
        token.list().try_fold(Values::default(), |all, item| Ok(all.merge(self.item(field, item)?)))
    }

    fn item(self, field: Field, token: Token<'_>) -> Result<Values, CronError> {
        if token.text == "*" {
            return Ok(Values { numbers: NumberSet::range(field.min(), field.max()), ..Values::default() });
        }
        if field == Field::DayOfWeek {
            if token.text.contains('L') {
                return self.last_of_weekday(token);
            }
            if let Some((weekday, occurrence)) = token.split('#') {
                return self.nth_of_weekday(token, weekday, occurrence);
            }
        }
        if let Some((term, step)) = token.split('/') {
            return self.stepped(field, token, term, step);
        }
        self.term(field, token)
    }

    fn last_of_weekday(self, token: Token<'_>) -> Result<Values, CronError> {
        let digits = token.text.strip_suffix('L').filter(|digits| is_digits(digits));
        let Some(digits) = digits else { return Err(self.error(Field::DayOfWeek, token, Problem::BadLast)) };
        let weekday = self.number(Field::DayOfWeek, Token { text: digits, at: token.at })?;
        Ok(Values::occurrence(weekday, 0))
    }

    fn nth_of_weekday(self, token: Token<'_>, day: Token<'_>, occurrence: Token<'_>) -> Result<Values, CronError> {
        let occurrence = whole(occurrence.text).filter(|nth| (1..=5).contains(nth));
        let occurrence = occurrence.ok_or_else(|| self.error(Field::DayOfWeek, token, Problem::BadOccurrence))?;
        Ok(Values::occurrence(self.number(Field::DayOfWeek, day)?, occurrence))
    }

    fn stepped(self, field: Field, token: Token<'_>, term: Token<'_>, step: Token<'_>) -> Result<Values, CronError> {
        let step = whole(step.text).filter(|&step| step > 0);
        let step = step.ok_or_else(|| self.error(field, token, Problem::BadStep))?;
        let values = if term.text == "*" { self.item(field, term)? } else { self.term(field, term)? };
        if values.last_day || values.last_weekday {
            return Ok(values);
        }
        // One number with a step, even when written as a range, starts a run to the end of the field.
        let numbers = match (values.numbers.len(), values.numbers.first()) {
            (1, Some(start)) => NumberSet::stepped(start, field.max(), step),
            _ => values.numbers.every(step),
        };
        Ok(Values { numbers, ..Values::default() })
    }

    fn term(self, field: Field, token: Token<'_>) -> Result<Values, CronError> {
        if let Some((start, end)) = token.split('-') {
            let (start, end) = (self.number(field, start)?, self.number(field, end)?);
            if end < start {
                return Err(self.error(field, token, Problem::Backwards));
            }
            return Ok(Values { numbers: NumberSet::range(start, end), ..Values::default() });
        }
        match (field, token.text) {
            (Field::DayOfMonth, "LW") => Ok(Values { last_weekday: true, ..Values::default() }),
            (Field::DayOfMonth, "L") => Ok(Values { last_day: true, ..Values::default() }),
            _ => self.number(field, token).map(Values::one),
        }
    }

    fn number(self, field: Field, token: Token<'_>) -> Result<u32, CronError> {
        let named = match field {
            Field::Month => (1..).zip(MONTHS).find(|(_, name)| *name == token.text),
            Field::DayOfWeek => (0..).zip(WEEKDAYS).find(|(_, name)| *name == token.text),
            Field::Minute | Field::Hour | Field::DayOfMonth => None,
        };
        named
            .map(|(number, _)| number)
            .or_else(|| whole(token.text).filter(|number| (field.min()..=field.max()).contains(number)))
            .ok_or_else(|| self.error(field, token, Problem::NotAValue))
    }
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// A whole number; one too large for the type is as good as the largest, because no field reaches that far.
fn whole(text: &str) -> Option<u32> {
    is_digits(text).then(|| text.parse().unwrap_or(u32::MAX))
}
