//! The expression itself.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;
use std::sync::Arc;

use chrono::{NaiveDate, NaiveDateTime};
use serde::{Deserialize, Serialize};

use super::days::DayRule;
use super::error::CronError;
use super::numbers::NumberSet;
use super::parse::{Parsed, parse};
use super::wall::{ClockFace, next_wall};

/// A valid five-field cron expression that fires at some time.
///
/// Written and compared as its normalised text: upper case, one blank between the fields. Clones share what was parsed.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CronExpr(Arc<Plan>);

struct Plan {
    parsed: Parsed,
    clock: ClockFace,
}

impl CronExpr {
    /// The longest expression, in characters; the stored column has the same limit.
    pub const MAX_CHARS: usize = 200;

    /// Reads an expression. Case and the amount of white space do not matter.
    pub fn parse(source: &str) -> Result<Self, CronError> {
        let parsed = parse(source)?;
        let clock = ClockFace::new(parsed.minutes, parsed.hours);
        Ok(Self(Arc::new(Plan { parsed, clock })))
    }

    /// The normalised text, the same as `to_string()` gives.
    pub fn as_str(&self) -> &str {
        &self.0.parsed.text
    }

    /// Whether minute or hour starts with `*`, so that the schedule follows real elapsed time through clock changes.
    pub fn is_wildcard(&self) -> bool {
        self.0.parsed.wildcard
    }

    pub(super) fn minutes(&self) -> NumberSet {
        self.0.parsed.minutes
    }

    pub(super) fn hours(&self) -> NumberSet {
        self.0.parsed.hours
    }

    pub(super) fn days(&self) -> &DayRule {
        &self.0.parsed.days
    }

    pub(super) fn next_wall(&self, from: NaiveDateTime, limit: NaiveDate) -> Option<NaiveDateTime> {
        next_wall(&self.0.clock, self.days(), from, limit)
    }
}

impl fmt::Display for CronExpr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for CronExpr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CronExpr").field(&self.as_str()).finish()
    }
}

impl PartialEq for CronExpr {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for CronExpr {}

impl Hash for CronExpr {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl FromStr for CronExpr {
    type Err = CronError;

    fn from_str(source: &str) -> Result<Self, CronError> {
        Self::parse(source)
    }
}

impl TryFrom<String> for CronExpr {
    type Error = CronError;

    fn try_from(source: String) -> Result<Self, CronError> {
        Self::parse(&source)
    }
}

impl From<CronExpr> for String {
    fn from(expr: CronExpr) -> Self {
        expr.as_str().to_owned()
    }
}
