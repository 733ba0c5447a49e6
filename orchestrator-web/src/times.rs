//! Instants and spans as people read them. The page's script goes on counting with the same words; see `assets/app.js`.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use chrono_tz::Tz;
use orchestrator_core::clock::Timestamp;

/// An instant of a message.
pub(crate) fn instant(at: Option<prost_types::Timestamp>) -> Option<Timestamp> {
    let at = at?;
    DateTime::<Utc>::from_timestamp(at.seconds, u32::try_from(at.nanos).ok()?)
}

/// An instant as one person sees it now.
#[derive(Debug, Clone)]
pub(crate) struct Stamp {
    at: Option<Timestamp>,
    now: Timestamp,
    zone: Tz,
}

impl Stamp {
    pub(crate) fn new(at: Option<prost_types::Timestamp>, now: Timestamp, zone: Tz) -> Self {
        Self { at: instant(at), now, zone }
    }

    pub(crate) fn is_some(&self) -> bool {
        self.at.is_some()
    }

    /// For programs.
    pub(crate) fn iso(&self) -> String {
        self.at.map(|at| at.to_rfc3339_opts(SecondsFormat::Millis, true)).unwrap_or_default()
    }

    /// To the second, in the person's zone, with its name.
    pub(crate) fn exact(&self) -> String {
        self.local("%a %-d %b %Y %H:%M:%S %Z")
    }

    /// Day and time of day.
    pub(crate) fn short(&self) -> String {
        self.local("%a %-d %b %H:%M")
    }

    /// "3 min ago", "in 2 h".
    pub(crate) fn relative(&self) -> String {
        self.at.map(|at| relative(at - self.now)).unwrap_or_default()
    }

    /// Whether it is over by more than `seconds`.
    pub(crate) fn is_past_by(&self, seconds: i64) -> bool {
        self.at.is_some_and(|at| self.now - at > TimeDelta::seconds(seconds))
    }

    fn local(&self, format: &str) -> String {
        self.at.map(|at| at.with_timezone(&self.zone).format(format).to_string()).unwrap_or_default()
    }
}

/// A distance from now.
fn relative(distance: TimeDelta) -> String {
    let seconds = distance.num_seconds();
    if seconds.abs() < 5 {
        return "now".to_owned();
    }
    let words = rounded(seconds.abs());
    if seconds < 0 { format!("{words} ago") } else { format!("in {words}") }
}

fn rounded(seconds: i64) -> String {
    match seconds {
        ..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        3600..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// How long something took, or takes.
#[derive(Debug, Clone)]
pub(crate) struct Span {
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    now: Timestamp,
}

impl Span {
    pub(crate) fn new(
        from: Option<prost_types::Timestamp>,
        to: Option<prost_types::Timestamp>,
        now: Timestamp,
    ) -> Self {
        Self { from: instant(from), to: instant(to), now }
    }

    /// Whether it has begun and not ended.
    pub(crate) fn is_running(&self) -> bool {
        self.from.is_some() && self.to.is_none()
    }

    /// When it began, for the page's script.
    pub(crate) fn since(&self) -> String {
        self.from.map(|at| at.to_rfc3339_opts(SecondsFormat::Millis, true)).unwrap_or_default()
    }

    /// In words, such as "1 min 05 s".
    pub(crate) fn words(&self) -> String {
        let Some(from) = self.from else { return String::new() };
        duration(self.to.unwrap_or(self.now) - from)
    }
}

/// A duration in words: two units at most.
pub(crate) fn duration(span: TimeDelta) -> String {
    let millis = span.num_milliseconds().max(0);
    let seconds = millis / 1000;
    match seconds {
        ..10 => format!("{}.{} s", seconds, millis % 1000 / 100),
        10..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{} h {:02} min", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{} d {:02} h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

/// A duration as people type it: "90", "90 s", "5 min", "1h 30m", "2 d". In seconds.
pub(crate) fn parse_duration(text: &str) -> Option<i64> {
    let mut rest = text.trim();
    let mut sum: i64 = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (number, tail) = rest.split_at(digits);
        let tail = tail.trim_start();
        let letters = tail.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(letters);
        let seconds = match unit.to_ascii_lowercase().as_str() {
            "" | "s" | "sec" | "second" | "seconds" => 1,
            "m" | "min" | "minute" | "minutes" => 60,
            "h" | "hour" | "hours" => 3600,
            "d" | "day" | "days" => 86_400,
            _ => return None,
        };
        sum = sum.checked_add(number.parse::<i64>().ok()?.checked_mul(seconds)?)?;
        rest = tail.trim_start();
    }
    (!text.trim().is_empty()).then_some(sum)
}

/// A duration as it is typed: whole units, the largest that fit.
pub(crate) fn plain_duration(seconds: i64) -> String {
    if seconds == 0 {
        return "0 s".to_owned();
    }
    let mut rest = seconds;
    let mut words = Vec::new();
    for (unit, length) in [("d", 86_400), ("h", 3600), ("min", 60), ("s", 1)] {
        if rest / length > 0 {
            words.push(format!("{} {unit}", rest / length));
            rest %= length;
        }
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn instants_are_told_by_their_distance_and_exactly_in_the_viewers_zone() {
        let now = at("2026-07-01T12:00:00Z");
        let stamp = |text: &str| Stamp { at: Some(at(text)), now, zone: chrono_tz::Europe::Copenhagen };
        assert_eq!(stamp("2026-07-01T11:59:58Z").relative(), "now");
        assert_eq!(stamp("2026-07-01T11:57:00Z").relative(), "3 min ago");
        assert_eq!(stamp("2026-07-01T14:00:00Z").relative(), "in 2 h");
        assert_eq!(stamp("2026-06-01T12:00:00Z").relative(), "30 d ago");
        assert_eq!(stamp("2026-07-01T11:57:00Z").exact(), "Wed 1 Jul 2026 13:57:00 CEST");
        assert!(stamp("2026-07-01T11:59:49Z").is_past_by(10));
        assert!(!stamp("2026-07-01T11:59:51Z").is_past_by(10));
    }

    #[test]
    fn durations_are_read_as_people_write_them() {
        for (text, seconds) in [
            ("90", 90),
            ("90 s", 90),
            ("5 min", 300),
            ("1h30m", 5400),
            ("1 h 30 min", 5400),
            ("2 d", 172_800),
            ("0 s", 0),
        ] {
            assert_eq!(parse_duration(text), Some(seconds), "{text}");
            assert_eq!(parse_duration(&plain_duration(seconds)), Some(seconds), "{text}");
        }
        for text in ["", "soon", "5 parsecs", "-5", "h", "1.5 h", "99999999999999999999 s"] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
    }

    #[test]
    fn durations_have_two_units_at_most() {
        for (millis, words) in [
            (420, "0.4 s"),
            (9_999, "9.9 s"),
            (42_000, "42 s"),
            (65_000, "1 min 05 s"),
            (3_660_000, "1 h 01 min"),
            (90_000_000, "1 d 01 h"),
            (-5, "0.0 s"),
        ] {
            assert_eq!(duration(TimeDelta::milliseconds(millis)), words);
        }
    }
}
