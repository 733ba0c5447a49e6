//! Values that many messages carry: instants, durations, ids, names of states, pages.

use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, Utc};
use orchestrator_core::clock::{Timestamp, truncate};
use orchestrator_core::id::{IdError, RequestId};
use orchestrator_core::states::UnknownName;

use super::DecodeError;
use crate::v1;

const NANOS_PER_SECOND: i32 = 1_000_000_000;

/// An instant as messages carry it.
pub fn timestamp(at: Timestamp) -> prost_types::Timestamp {
    prost_types::Timestamp {
        seconds: at.timestamp(),
        // Below 10⁹ outside leap seconds, which no clock of ours shows.
        nanos: i32::try_from(at.timestamp_subsec_nanos()).unwrap_or(NANOS_PER_SECOND - 1),
    }
}

/// A duration as messages carry it.
pub fn to_duration(duration: Duration) -> prost_types::Duration {
    prost_types::Duration {
        seconds: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        nanos: i32::try_from(duration.subsec_nanos()).unwrap_or(0),
    }
}

/// Reads an instant, cut to the microsecond.
pub fn instant(field: &'static str, at: prost_types::Timestamp) -> Result<Timestamp, DecodeError> {
    let invalid = DecodeError::Time { field, what: "instant" };
    // The years 0001 to 9999, as the message type promises.
    if !(-62_135_596_800..=253_402_300_799).contains(&at.seconds) {
        return Err(invalid);
    }
    let Ok(nanos) = u32::try_from(at.nanos) else { return Err(invalid) };
    DateTime::<Utc>::from_timestamp(at.seconds, nanos).map(truncate).ok_or(invalid)
}

/// Reads an instant that may be absent.
pub fn optional_instant(
    field: &'static str,
    at: Option<prost_types::Timestamp>,
) -> Result<Option<Timestamp>, DecodeError> {
    at.map(|at| instant(field, at)).transpose()
}

/// Reads a duration that must not be negative.
pub fn duration(field: &'static str, duration: prost_types::Duration) -> Result<Duration, DecodeError> {
    Duration::try_from(duration).map_err(|_| DecodeError::Time { field, what: "duration" })
}

/// Reads a duration that may be absent.
pub fn optional_duration(
    field: &'static str,
    given: Option<prost_types::Duration>,
) -> Result<Option<Duration>, DecodeError> {
    given.map(|given| duration(field, given)).transpose()
}

/// Takes a field that must be there.
pub fn required<T>(field: &'static str, value: Option<T>) -> Result<T, DecodeError> {
    value.ok_or(DecodeError::Missing { field })
}

/// Reads an id.
pub fn id<I: FromStr<Err = IdError>>(field: &'static str, text: &str) -> Result<I, DecodeError> {
    if text.is_empty() {
        return Err(DecodeError::Missing { field });
    }
    text.parse().map_err(|error: IdError| DecodeError::Id { field, value: error.value })
}

/// Reads an id that may be absent (empty).
pub fn optional_id<I: FromStr<Err = IdError>>(field: &'static str, text: &str) -> Result<Option<I>, DecodeError> {
    if text.is_empty() { Ok(None) } else { id(field, text).map(Some) }
}

/// Reads the upper-case name of a state or kind.
pub fn name<N: FromStr<Err = UnknownName>>(field: &'static str, text: &str) -> Result<N, DecodeError> {
    if text.is_empty() {
        return Err(DecodeError::Missing { field });
    }
    text.parse().map_err(|source| DecodeError::Name { field, source })
}

/// Which part of a list is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageRequest {
    /// The most items, 1 to 1000.
    pub limit: u32,
    /// Where the previous page ended.
    pub cursor: Option<String>,
}

/// Reads a page; an absent one is the first, of 100 items.
pub fn page(page: Option<v1::Page>) -> Result<PageRequest, DecodeError> {
    let v1::Page { limit: given, cursor } = page.unwrap_or_default();
    let limit = limit("page.limit", given, 100)?;
    Ok(PageRequest { limit, cursor: Some(cursor).filter(|cursor| !cursor.is_empty()) })
}

/// Reads how many items are wanted: 1 to 1000, or `default` when 0.
pub fn limit(field: &'static str, given: u32, default: u32) -> Result<u32, DecodeError> {
    match given {
        0 => Ok(default),
        1..=1000 => Ok(given),
        _ => Err(DecodeError::OutOfRange { field, value: given.into(), least: 1, most: 1000 }),
    }
}

/// Reads what identifies a call: its id, made up when the caller gave none, and whether it repeats one.
pub fn call(call: Option<v1::Call>) -> Result<(RequestId, bool), DecodeError> {
    let v1::Call { request_id, repeat } = call.unwrap_or_default();
    match optional_id("call.request_id", &request_id)? {
        Some(request) => Ok((request, repeat)),
        None if repeat => Err(DecodeError::Missing { field: "call.request_id" }),
        None => Ok((RequestId::generate(), false)),
    }
}

#[cfg(test)]
mod tests {
    use orchestrator_core::id::JobId;
    use orchestrator_core::job::JobStatus;

    use super::*;

    #[test]
    fn an_instant_survives_and_is_cut_to_the_microsecond() {
        let at = instant("at", prost_types::Timestamp { seconds: 1_800_000_000, nanos: 123_456_789 }).unwrap();
        assert_eq!(timestamp(at), prost_types::Timestamp { seconds: 1_800_000_000, nanos: 123_456_000 });
    }

    #[test]
    fn instants_that_do_not_exist_are_refused_by_name() {
        for (seconds, nanos) in [(i64::MAX, 0), (0, -1), (0, i32::MAX), (-62_135_596_801, 0)] {
            let error = instant("next_run", prost_types::Timestamp { seconds, nanos }).unwrap_err();
            assert_eq!(error.to_string(), "next_run is no valid instant");
        }
    }

    #[test]
    fn a_negative_duration_is_refused_by_name() {
        let error = duration("wait", prost_types::Duration { seconds: -1, nanos: 0 }).unwrap_err();
        assert_eq!((error.field(), error.to_string().as_str()), ("wait", "wait is no valid duration"));
    }

    #[test]
    fn an_id_says_which_field_it_is_of() {
        assert_eq!(id::<JobId>("job", "").unwrap_err().to_string(), "job is missing");
        assert_eq!(id::<JobId>("job", "7").unwrap_err().to_string(), "job '7' is not a UUID");
        assert_eq!(optional_id::<JobId>("job", "").unwrap(), None);
    }

    #[test]
    fn an_unknown_name_says_what_would_do() {
        let error = name::<JobStatus>("status", "GONE").unwrap_err();
        assert!(error.to_string().starts_with("status: 'GONE' is not a job status; one of QUEUED"), "{error}");
    }

    #[test]
    fn a_page_has_a_hundred_items_unless_told_and_never_more_than_a_thousand() {
        assert_eq!(page(None).unwrap(), PageRequest { limit: 100, cursor: None });
        let big = v1::Page { limit: 1001, cursor: String::new() };
        assert_eq!(page(Some(big)).unwrap_err().to_string(), "page.limit is 1001; it must be from 1 to 1000");
    }
}
