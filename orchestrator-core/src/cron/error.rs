//! Why an expression was refused, with the place to point at.

use std::fmt;

/// The five fields, shown wherever a user may have thought of another form.
const FORM: &str = "the form is: minute hour day-of-month month day-of-week";

/// One of the five fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Field {
    /// Minute of the hour, 0 to 59.
    Minute,
    /// Hour of the day, 0 to 23.
    Hour,
    /// Day of the month, 1 to 31, or `L` or `LW`.
    DayOfMonth,
    /// Month, 1 to 12 or `JAN` to `DEC`.
    Month,
    /// Day of the week, 0 to 7 or `SUN` to `SAT`; both 0 and 7 are Sunday.
    DayOfWeek,
}

impl Field {
    /// The name a user reads: "minute", "hour", "day-of-month", "month" or "day-of-week".
    pub const fn name(self) -> &'static str {
        match self {
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::DayOfMonth => "day-of-month",
            Self::Month => "month",
            Self::DayOfWeek => "day-of-week",
        }
    }

    /// The smallest number the field takes.
    pub const fn min(self) -> u32 {
        match self {
            Self::Minute | Self::Hour | Self::DayOfWeek => 0,
            Self::DayOfMonth | Self::Month => 1,
        }
    }

    /// The largest number the field takes.
    pub const fn max(self) -> u32 {
        match self {
            Self::Minute => 59,
            Self::Hour => 23,
            Self::DayOfMonth => 31,
            Self::Month => 12,
            Self::DayOfWeek => 7,
        }
    }

    const fn names_hint(self) -> &'static str {
        match self {
            Self::Minute | Self::Hour => "",
            Self::DayOfMonth => ", L or LW",
            Self::Month => " or a name from JAN to DEC",
            Self::DayOfWeek => " or a name from SUN to SAT",
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What is wrong with one token of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Problem {
    /// Nothing stands where a value must, as in `1,,2` or `-5`.
    Missing,
    /// Not a number in the field's range, nor a name it knows.
    NotAValue,
    /// A range whose end is before its start; ranges do not wrap around.
    Backwards,
    /// The part after `/` is not a whole number of at least 1.
    BadStep,
    /// The part after `#` is not a number from 1 to 5.
    BadOccurrence,
    /// `L` beside something that is not a weekday number, as in `FRIL` or a bare `L` for the weekday.
    BadLast,
}

/// Why a cron expression was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CronError {
    /// Longer than [`CronExpr::MAX_CHARS`](super::CronExpr::MAX_CHARS).
    TooLong {
        /// Its length in characters.
        chars: usize,
    },
    /// Not five fields.
    FieldCount {
        /// How many there are.
        found: usize,
        /// Where the first field too many starts, or where the expression ends too early.
        position: usize,
        /// The first field too many, or nothing.
        token: String,
    },
    /// One token of one field makes no sense.
    Token {
        /// The field it stands in.
        field: Field,
        /// Where it starts, counted in characters from the start of the expression.
        position: usize,
        /// The token as it was written.
        token: String,
        /// What is wrong with it.
        problem: Problem,
    },
    /// Every field is sound, but no date satisfies all of them: 30 February.
    Never {
        /// Where the day-of-month field starts.
        position: usize,
        /// The day-of-month field as it was written.
        token: String,
    },
    /// The weekdays come, but none of the dates beside them does: 30 February or a Monday. OpenOrchestrator refuses that, too.
    NoSuchDate {
        /// Where the day-of-month field starts.
        position: usize,
        /// The day-of-month field as it was written.
        token: String,
    },
}

impl CronError {
    /// The field the error is about, when there is one.
    pub const fn field(&self) -> Option<Field> {
        match self {
            Self::TooLong { .. } | Self::FieldCount { .. } => None,
            Self::Token { field, .. } => Some(*field),
            Self::Never { .. } | Self::NoSuchDate { .. } => Some(Field::DayOfMonth),
        }
    }

    /// Where to put the caret, counted in characters from the start of the expression.
    pub const fn position(&self) -> usize {
        match self {
            Self::TooLong { .. } => super::CronExpr::MAX_CHARS,
            Self::FieldCount { position, .. }
            | Self::Token { position, .. }
            | Self::Never { position, .. }
            | Self::NoSuchDate { position, .. } => *position,
        }
    }

    /// The offending text as it was written; empty when something is missing.
    pub fn token(&self) -> &str {
        match self {
            Self::TooLong { .. } => "",
            Self::FieldCount { token, .. }
            | Self::Token { token, .. }
            | Self::Never { token, .. }
            | Self::NoSuchDate { token, .. } => token,
        }
    }
}

impl std::error::Error for CronError {}

impl fmt::Display for CronError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong { chars } => {
                write!(
                    f,
                    "a cron expression has at most {} characters, this one has {chars}",
                    super::CronExpr::MAX_CHARS
                )
            }
            Self::FieldCount { found, position, token } => {
                write!(f, "a cron expression has five fields, this one has {found}")?;
                match found {
                    1 if token.starts_with('@') => write!(f, " and shortcuts such as '{token}' are not known")?,
                    6 | 7 => write!(f, " from '{token}' on (position {position}), and there are no seconds or years")?,
                    _ => {}
                }
                write!(f, "; {FORM}")
            }
            Self::Token { field, position, token, problem } => {
                write!(f, "{field} field: ")?;
                problem.explain(f, *field, token)?;
                write!(f, " (position {position}); {FORM}")
            }
            Self::Never { position, token } => {
                let field = Field::DayOfMonth;
                write!(
                    f,
                    "{field} field: '{token}' never comes in the chosen months and weekdays (position {position})"
                )
            }
            Self::NoSuchDate { position, token } => {
                let field = Field::DayOfMonth;
                write!(
                    f,
                    "{field} field: '{token}' never comes in the chosen months, and only the weekdays would be left; \
                     for these alone write * there (position {position})"
                )
            }
        }
    }
}

impl Problem {
    fn explain(self, f: &mut fmt::Formatter<'_>, field: Field, token: &str) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("a value is missing"),
            Self::NotAValue => {
                let (min, max, names) = (field.min(), field.max(), field.names_hint());
                write!(f, "'{token}' is not a number from {min} to {max}{names}")
            }
            Self::Backwards => write!(f, "the range '{token}' ends before it starts, write it as a list of two ranges"),
            Self::BadStep => write!(f, "the step in '{token}' is not a whole number of at least 1"),
            Self::BadOccurrence => write!(f, "the part after # in '{token}' is not a number from 1 to 5"),
            Self::BadLast => write!(f, "'{token}' is not a weekday number followed by L, as in 5L"),
        }
    }
}
