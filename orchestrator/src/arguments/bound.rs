//! The ends of a span of time that a list is limited to.

use std::str::FromStr;
use std::time::Duration;

use chrono::{Local, TimeZone, Utc};
use orchestrator_core::clock::Timestamp;

use super::moment::to_wire;
use super::{Moment, elapsed, when};

/// A point in time, or how long ago it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bound {
    /// So long before now.
    Ago(Duration),
    /// This one.
    Moment(Moment),
}

/// A text that is no such thing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected how long ago as in 30m, 8h or 2d, a time as lists show it as in '2026-11-22 12:00', `now`, or a time with its zone as in 2026-11-22T11:00:00Z"
)]
pub(crate) struct BoundError;

impl FromStr for Bound {
    type Err = BoundError;

    /// A time without a zone is read in the zone of this machine, in which lists show times.
    fn from_str(text: &str) -> Result<Self, BoundError> {
        read(text, &Local)
    }
}

fn read(text: &str, zone: &impl TimeZone) -> Result<Bound, BoundError> {
    let text = text.trim();
    if let Ok(moment) = text.parse() {
        return Ok(Bound::Moment(moment));
    }
    if let Ok(ago) = elapsed::parse(text) {
        return Ok(Bound::Ago(ago));
    }
    let local = when::local(text).ok_or(BoundError)?;
    // Of a time that clocks show twice the first; one that they leave out is nobody's to guess.
    let at = zone.from_local_datetime(&local).earliest().ok_or(BoundError)?;
    Ok(Bound::Moment(Moment::At(at.with_timezone(&Utc))))
}

impl Bound {
    pub(crate) fn resolve(self, now: Timestamp) -> prost_types::Timestamp {
        match self {
            Self::Moment(moment) => moment.resolve(now),
            Self::Ago(ago) => {
                let since = chrono::Duration::from_std(ago).ok().and_then(|ago| now.checked_sub_signed(ago));
                // Before all that there can be.
                to_wire(since.unwrap_or(Timestamp::UNIX_EPOCH).max(Timestamp::UNIX_EPOCH))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono_tz::Europe::Copenhagen;

    use super::*;

    const NOW: &str = "2026-11-22T12:00:00Z";

    fn resolved(text: &str) -> Result<String, BoundError> {
        let at = read(text, &Copenhagen)?.resolve(NOW.parse().unwrap());
        Ok(Utc.timestamp_opt(at.seconds, 0).unwrap().to_rfc3339())
    }

    #[test]
    fn a_bound_is_how_long_ago_or_a_time() {
        for (text, expected) in [
            ("8h", "2026-11-22T04:00:00+00:00"),
            ("30m", "2026-11-22T11:30:00+00:00"),
            ("2d", "2026-11-20T12:00:00+00:00"),
            ("1h 30m", "2026-11-22T10:30:00+00:00"),
            ("now", "2026-11-22T12:00:00+00:00"),
            ("2026-11-22 12:00", "2026-11-22T11:00:00+00:00"),
            ("2026-10-25T02:30", "2026-10-25T00:30:00+00:00"),
            ("2026-11-22T12:00:00+02:00", "2026-11-22T10:00:00+00:00"),
            ("9000y", "1970-01-01T00:00:00+00:00"),
        ] {
            assert_eq!(resolved(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_neither_is_refused_with_examples() {
        for text in ["", "8", "tomorrow", "2026-11-22", "2026-03-29 02:30", "-8h"] {
            assert!(resolved(text).unwrap_err().to_string().contains("30m, 8h or 2d"), "{text}");
        }
    }
}
