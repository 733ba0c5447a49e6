//! Times and durations in tables.

use chrono::{DateTime, SecondsFormat, Utc};
use orchestrator_core::clock::Timestamp;

use super::choice::TimeStyle;
use super::look::Look;

/// The instant of a message's field, where it has one that exists.
pub(crate) fn instant(wire: Option<&prost_types::Timestamp>) -> Option<Timestamp> {
    let wire = wire?;
    DateTime::<Utc>::from_timestamp(wire.seconds, u32::try_from(wire.nanos).ok()?)
}

/// A time in the style that was asked for; nothing when there is none.
pub(crate) fn time(look: &Look, wire: Option<&prost_types::Timestamp>) -> String {
    let Some(at) = instant(wire) else { return String::new() };
    match look.time {
        TimeStyle::Relative => relative(look.now, at),
        TimeStyle::Iso => (look.local)(at).to_rfc3339_opts(SecondsFormat::Secs, false),
        TimeStyle::Utc => at.to_rfc3339_opts(SecondsFormat::Secs, true),
    }
}

/// As [`time`], to the millisecond and never relative: for log lines.
pub(crate) fn exact(look: &Look, wire: Option<&prost_types::Timestamp>) -> String {
    let Some(at) = instant(wire) else { return String::new() };
    match look.time {
        TimeStyle::Utc => at.to_rfc3339_opts(SecondsFormat::Millis, true),
        TimeStyle::Relative | TimeStyle::Iso => (look.local)(at).to_rfc3339_opts(SecondsFormat::Millis, false),
    }
}

fn relative(now: Timestamp, at: Timestamp) -> String {
    let seconds = (at - now).num_seconds();
    match seconds {
        0 => "now".to_owned(),
        ..0 => format!("{} ago", rough(seconds.unsigned_abs())),
        1.. => format!("in {}", rough(seconds.unsigned_abs())),
    }
}

/// One unit is enough: who wants to know exactly asks for `--time iso`.
fn rough(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// How long something took, or has taken until now.
pub(crate) fn elapsed(
    look: &Look,
    from: Option<&prost_types::Timestamp>,
    to: Option<&prost_types::Timestamp>,
) -> String {
    let Some(from) = instant(from) else { return String::new() };
    let millis = (instant(to).unwrap_or(look.now) - from).num_milliseconds().max(0);
    let (seconds, tenths) = (millis / 1000, millis % 1000 / 100);
    match seconds {
        0..60 => format!("{seconds}.{tenths} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

/// A duration of a message, such as `1h 30m`.
pub(crate) fn duration(wire: Option<&prost_types::Duration>) -> String {
    let Some(wire) = wire else { return String::new() };
    match std::time::Duration::try_from(*wire) {
        Ok(positive) => humantime::format_duration(positive).to_string(),
        Err(error) => format!("-{}", humantime::format_duration(error_duration(&error, wire))),
    }
}

/// The size of a negative duration.
fn error_duration(_: &prost_types::DurationError, wire: &prost_types::Duration) -> std::time::Duration {
    std::time::Duration::new(wire.seconds.unsigned_abs(), wire.nanos.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wire(text: &str) -> prost_types::Timestamp {
        crate::arguments::time_to_wire(text.parse().unwrap())
    }

    fn show(style: TimeStyle, text: &str) -> String {
        time(&Look { time: style, ..Look::of_tests() }, Some(&wire(text)))
    }

    #[test]
    fn relative_times_have_one_unit() {
        for (text, expected) in [
            ("2026-11-22T12:00:00Z", "now"),
            ("2026-11-22T11:59:57Z", "3 s ago"),
            ("2026-11-22T11:30:00Z", "30 min ago"),
            ("2026-11-22T15:00:01Z", "in 3 h"),
            ("2026-12-02T12:00:00Z", "in 10 d"),
        ] {
            assert_eq!(show(TimeStyle::Relative, text), expected, "{text}");
        }
    }

    #[test]
    fn other_styles_are_exact_and_have_a_zone() {
        assert_eq!(show(TimeStyle::Utc, "2026-11-22T15:00:01Z"), "2026-11-22T15:00:01Z");
        assert_eq!(show(TimeStyle::Iso, "2026-11-22T15:00:01Z"), "2026-11-22T15:00:01+00:00");
    }

    #[test]
    fn what_is_not_there_is_blank() {
        assert_eq!(time(&Look::of_tests(), None), "");
        assert_eq!(duration(None), "");
    }

    #[test]
    fn a_duration_may_be_negative() {
        let millis =
            |n: i64| prost_types::Duration { seconds: n / 1000, nanos: i32::try_from(n % 1000).unwrap() * 1_000_000 };
        assert_eq!(duration(Some(&millis(5_400_000))), "1h 30m");
        assert_eq!(duration(Some(&millis(-3))), "-3ms");
    }

    #[test]
    fn what_still_runs_has_taken_until_now() {
        let look = Look::of_tests();
        assert_eq!(elapsed(&look, Some(&wire("2026-11-22T11:59:58.500Z")), None), "1.5 s");
        assert_eq!(
            elapsed(&look, Some(&wire("2026-11-22T10:00:00Z")), Some(&wire("2026-11-22T11:30:00Z"))),
            "1 h 30 min"
        );
    }
}
