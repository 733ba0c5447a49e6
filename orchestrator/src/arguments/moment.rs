//! Points in time.

use std::str::FromStr;

use chrono::{DateTime, Utc};
use orchestrator_core::clock::Timestamp;

/// A point in time: RFC 3339, or `now`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// When the server gets to it.
    Now,
    /// This instant.
    At(Timestamp),
}

/// A text that is no point in time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected `now` or a time with its zone as in 2026-11-22T12:00:00+01:00 or 2026-11-22T11:00:00Z")]
pub(crate) struct MomentError;

impl FromStr for Moment {
    type Err = MomentError;

    fn from_str(text: &str) -> Result<Self, MomentError> {
        let text = text.trim();
        if text.eq_ignore_ascii_case("now") {
            return Ok(Self::Now);
        }
        DateTime::parse_from_rfc3339(text).map(|at| Self::At(at.with_timezone(&Utc))).map_err(|_| MomentError)
    }
}

impl Moment {
    /// For fields that mean "now" when they are absent: so that the server's clock decides, not this machine's.
    pub(crate) fn or_server_now(self) -> Option<prost_types::Timestamp> {
        match self {
            Self::Now => None,
            Self::At(at) => Some(to_wire(at)),
        }
    }

    /// For fields that mean something else when they are absent.
    pub(crate) fn resolve(self, now: Timestamp) -> prost_types::Timestamp {
        match self {
            Self::Now => to_wire(now),
            Self::At(at) => to_wire(at),
        }
    }
}

/// An instant on the wire.
pub(crate) fn to_wire(at: Timestamp) -> prost_types::Timestamp {
    // A leap second counts past the end of its second; the wire knows none.
    let nanos = at.timestamp_subsec_nanos().min(999_999_999);
    prost_types::Timestamp { seconds: at.timestamp(), nanos: i32::try_from(nanos).unwrap_or_default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_time_with_a_zone_is_that_instant() {
        let expected = Moment::At(at("2026-11-22T11:00:00Z"));
        for text in ["2026-11-22T11:00:00Z", "2026-11-22T12:00:00+01:00", " 2026-11-22t12:00:00.000+01:00 "] {
            assert_eq!(text.parse(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn now_is_left_to_the_server() {
        assert_eq!("now".parse::<Moment>().unwrap().or_server_now(), None);
        assert_eq!("NOW".parse(), Ok(Moment::Now));
    }

    #[test]
    fn a_time_without_a_zone_is_refused_with_an_example() {
        for text in ["", "tomorrow", "2026-11-22", "2026-11-22T12:00:00", "12:00", "2026-02-30T00:00:00Z"] {
            let error = text.parse::<Moment>().unwrap_err();
            assert!(error.to_string().contains("2026-11-22T11:00:00Z"), "{text}");
        }
    }

    #[test]
    fn a_leap_second_stays_within_the_wires_range() {
        let Moment::At(leap) = "2016-12-31T23:59:60Z".parse().unwrap() else { panic!("not an instant") };
        assert_eq!(to_wire(leap).nanos, 999_999_999);
    }
}
