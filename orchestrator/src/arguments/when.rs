//! Points in time that may be given as the clock on the wall shows them.

use std::str::FromStr;

use chrono::{LocalResult, NaiveDateTime, TimeZone as _, Utc};
use chrono_tz::Tz;
use orchestrator_core::clock::Timestamp;

use super::Moment;
use crate::error::{CliError, Result};

/// How a time without a zone may be written.
const FORMS: [&str; 2] = ["%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M"];

/// A point in time, or a local time whose zone is named elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    /// This one.
    Moment(Moment),
    /// As the clock shows it somewhere.
    Local(NaiveDateTime),
}

/// A text that is no point in time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected `now`, a local time as in 2026-11-22T12:00 or '2026-11-22 12:00:00', or a time with its zone as in 2026-11-22T12:00:00+01:00"
)]
pub(crate) struct WhenError;

impl FromStr for When {
    type Err = WhenError;

    fn from_str(text: &str) -> Result<Self, WhenError> {
        let text = text.trim();
        if let Ok(moment) = text.parse() {
            return Ok(Self::Moment(moment));
        }
        local(text).map(Self::Local).ok_or(WhenError)
    }
}

/// A time without a zone.
pub(super) fn local(text: &str) -> Option<NaiveDateTime> {
    let text = text.replacen(' ', "T", 1);
    FORMS.iter().find_map(|form| NaiveDateTime::parse_from_str(&text, form).ok())
}

/// The instant at which clocks of this zone show a time. One that they leave out, or show twice, is nobody's to guess.
pub(crate) fn instant_in(zone: Tz, local: NaiveDateTime) -> Result<Timestamp> {
    let shown = local.format("%F %R");
    match zone.from_local_datetime(&local) {
        LocalResult::Single(at) => Ok(at.with_timezone(&Utc)),
        LocalResult::Ambiguous(first, second) => Err(CliError::Usage {
            message: format!("clocks in {zone} show {shown} twice: they are set back that day"),
            next: Some(format!("say which: --at {} or --at {}", first.to_rfc3339(), second.to_rfc3339())),
        }),
        LocalResult::None => Err(CliError::Usage {
            message: format!("clocks in {zone} never show {shown}: they are set forward over it that day"),
            next: Some(
                "give a time before or after the change, or one with its zone, such as 2026-11-22T11:00:00Z".to_owned(),
            ),
        }),
    }
}

#[cfg(test)]
mod tests {
    use chrono_tz::Europe::Copenhagen;

    use super::*;

    fn read(text: &str) -> NaiveDateTime {
        match text.parse() {
            Ok(When::Local(local)) => local,
            other => panic!("{text}: {other:?}"),
        }
    }

    fn instant(text: &str) -> Result<String> {
        instant_in(Copenhagen, read(text)).map(|at| at.to_rfc3339())
    }

    #[test]
    fn a_local_time_is_an_instant_of_its_zone() {
        for text in ["2099-01-01T00:00", "2099-01-01 00:00", "2099-01-01 00:00:00", " 2099-01-01T00:00:00 "] {
            assert_eq!(instant(text).unwrap(), "2098-12-31T23:00:00+00:00", "{text}");
        }
        assert_eq!(instant("2099-07-01 12:00:30").unwrap(), "2099-07-01T10:00:30+00:00");
    }

    #[test]
    fn a_time_that_clocks_show_twice_or_never_is_refused_with_what_to_give_instead() {
        let twice = instant("2026-10-25 02:30").unwrap_err();
        let CliError::Usage { message, next } = twice else { panic!() };
        assert_eq!(message, "clocks in Europe/Copenhagen show 2026-10-25 02:30 twice: they are set back that day");
        let next = next.unwrap();
        assert_eq!(next, "say which: --at 2026-10-25T02:30:00+02:00 or --at 2026-10-25T02:30:00+01:00");
        let CliError::Usage { message, .. } = instant("2026-03-29 02:30").unwrap_err() else { panic!() };
        assert!(message.contains("never show 2026-03-29 02:30"), "{message}");
    }

    #[test]
    fn a_time_with_a_zone_is_taken_as_before_and_anything_else_is_refused() {
        assert_eq!("now".parse(), Ok(When::Moment(Moment::Now)));
        assert!(matches!("2026-11-22T12:00:00+01:00".parse(), Ok(When::Moment(Moment::At(_)))));
        for text in ["", "tomorrow", "2026-11-22", "12:00", "2026-02-30 00:00", "22-11-2026 12:00"] {
            assert_eq!(text.parse::<When>(), Err(WhenError), "{text}");
        }
    }
}
