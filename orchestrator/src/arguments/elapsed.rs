//! Durations such as `90s` or `1h 30m`.

use std::time::Duration;

/// A text that is no duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a duration such as 90s, 15m or '1h 30m' ({reason})")]
pub(crate) struct DurationError {
    reason: String,
}

/// Reads a duration.
pub(crate) fn parse(text: &str) -> Result<Duration, DurationError> {
    humantime::parse_duration(text.trim()).map_err(|error| DurationError { reason: error.to_string() })
}

/// A duration on the wire. What is longer than the wire can say is as good as the longest.
pub(crate) fn to_wire(duration: Duration) -> prost_types::Duration {
    const LONGEST: i64 = 315_576_000_000;
    let seconds = i64::try_from(duration.as_secs()).unwrap_or(LONGEST).min(LONGEST);
    prost_types::Duration { seconds, nanos: i32::try_from(duration.subsec_nanos()).unwrap_or_default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_people_write_them() {
        for (text, seconds) in
            [("90s", 90), ("15m", 900), ("1h 30m", 5400), ("1h30m", 5400), ("2days", 172_800), ("0s", 0)]
        {
            assert_eq!(parse(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        assert_eq!(parse("250ms"), Ok(Duration::from_millis(250)));
    }

    #[test]
    fn a_number_without_a_unit_is_refused_with_examples() {
        for text in ["90", "", "-5s", "soon", "1x"] {
            assert!(parse(text).unwrap_err().to_string().contains("90s"), "{text}");
        }
    }

    #[test]
    fn durations_survive_the_wire() {
        assert_eq!(to_wire(Duration::from_millis(1500)), prost_types::Duration { seconds: 1, nanos: 500_000_000 });
        assert_eq!(to_wire(Duration::MAX).seconds, 315_576_000_000);
    }
}
