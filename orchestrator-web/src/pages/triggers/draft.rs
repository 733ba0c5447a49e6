//! A trigger as fields of a form, and back.

use chrono::{NaiveDateTime, TimeDelta, TimeZone as _};
use chrono_tz::Tz;
use orchestrator_core::clock::Timestamp;
use orchestrator_proto::v1;
use orchestrator_proto::v1::trigger::Kind;

use crate::form::Fields;
use crate::input::Faults;
use crate::times::{instant, parse_duration, plain_duration};

/// The three kinds, as addresses name them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Single,
    Scheduled,
    Queue,
}

impl Shape {
    pub(super) fn named(name: &str) -> Option<Self> {
        match name {
            "single" => Some(Self::Single),
            "scheduled" => Some(Self::Scheduled),
            "queue" => Some(Self::Queue),
            _ => None,
        }
    }

    pub(super) fn of(trigger: &v1::Trigger) -> Self {
        match trigger.kind {
            Some(Kind::Scheduled(_)) => Self::Scheduled,
            Some(Kind::Queue(_)) => Self::Queue,
            Some(Kind::Single(_)) | None => Self::Single,
        }
    }

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Single => "single",
            Self::Scheduled => "scheduled",
            Self::Queue => "queue",
        }
    }
}

/// Every field that a refusal may name.
pub(super) const FIELDS: &[&str] = &[
    "trigger_name",
    "process_name",
    "process_path",
    "process_args",
    "git_branch",
    "entry_point",
    "priority",
    "worker_name",
    "next_run",
    "cron_expr",
    "time_zone",
    "queue_name",
    "min_batch_size",
    "max_parallel",
    "timeout",
    "stop_grace",
    "kill_grace",
    "lost_after",
    "retry_delay",
    "retry_lost",
    "max_attempts",
    "max_consecutive_failures",
    "overlap",
    "overlap_most",
    "missed",
    "missed_most",
    "max_lateness",
];

/// The form of a trigger that does not exist yet.
pub(super) fn empty() -> Fields {
    let mut fields = Fields::default();
    for (name, value) in [
        ("is_blocking", "on"),
        ("priority", "0"),
        ("min_batch_size", "1"),
        ("max_parallel", "1"),
        ("max_attempts", "1"),
        ("max_consecutive_failures", "3"),
        ("overlap", "BUFFER_ONE"),
        ("missed", "ONCE"),
        ("stop_grace", "10 s"),
        ("kill_grace", "0 s"),
        ("lost_after", "1 h"),
        ("retry_delay", "0 s"),
    ] {
        fields.set(name, value);
    }
    fields
}

/// The form of a trigger as it is. Its one instant is shown in `zone`.
pub(super) fn of(trigger: &v1::Trigger, zone: Tz) -> Fields {
    let mut fields = Fields::default();
    fields.set("trigger_name", &trigger.name);
    fields.set("process_name", &trigger.process_name);
    fields.set("process_path", &trigger.process_path);
    fields.set("process_args", trigger.process_args.as_deref().unwrap_or_default());
    fields.set("git_branch", trigger.git_branch.as_deref().unwrap_or_default());
    fields.set("entry_point", trigger.entry_point.as_deref().unwrap_or_default());
    fields.set("priority", &trigger.priority.to_string());
    fields.tick("is_git_repo", trigger.is_git_repo);
    fields.tick("is_blocking", trigger.is_blocking.unwrap_or(true));
    for worker in &trigger.worker_whitelist {
        fields.add("worker", worker);
    }
    match &trigger.kind {
        Some(Kind::Single(kind)) => fields.set("next_run", &local(instant(kind.next_run), zone)),
        Some(Kind::Scheduled(kind)) => {
            fields.set("cron_expr", &kind.cron_expr);
            fields.set("time_zone", &kind.time_zone);
        }
        Some(Kind::Queue(kind)) => {
            fields.set("queue_name", &kind.queue_name);
            fields.set("min_batch_size", &kind.min_batch_size.to_string());
            fields.set("max_parallel", &kind.max_parallel.to_string());
        }
        None => {}
    }
    let updated_at = instant(trigger.updated_at).map(|at| at.to_rfc3339()).unwrap_or_default();
    fields.set("updated_at", &updated_at);
    policies_of(&trigger.policies.clone().unwrap_or_default(), &mut fields);
    fields
}

fn policies_of(policies: &v1::Policies, fields: &mut Fields) {
    let mut duration = |name, given: Option<prost_types::Duration>| {
        fields.set(name, &given.map(|given| plain_duration(given.seconds)).unwrap_or_default());
    };
    duration("timeout", policies.timeout);
    duration("stop_grace", policies.stop_grace);
    duration("kill_grace", policies.kill_grace);
    duration("lost_after", policies.lost_after);
    duration("retry_delay", policies.retry_delay);
    duration("max_lateness", policies.max_lateness);
    let number = |number: u32| if number == 0 { String::new() } else { number.to_string() };
    fields.set("max_attempts", &number(policies.max_attempts));
    fields.set("max_consecutive_failures", &number(policies.max_consecutive_failures));
    fields.set("overlap", &policies.overlap);
    fields.set("overlap_most", &number(policies.overlap_most));
    fields.set("missed", &policies.missed);
    fields.set("missed_most", &number(policies.missed_most));
    fields.tick("keep_children", policies.keep_children);
    fields.tick("stop_on_lost", policies.stop_on_lost);
    fields.tick("retry_lost", policies.retry_lost);
}

/// An instant as a `datetime-local` field has it.
fn local(at: Option<Timestamp>, zone: Tz) -> String {
    at.map(|at| at.with_timezone(&zone).format("%Y-%m-%dT%H:%M:%S").to_string()).unwrap_or_default()
}

/// The trigger that was typed. What can be seen to be wrong here is among the faults; the service looks at the rest.
pub(super) fn read(fields: &Fields, shape: Shape, zone: Tz, faults: &mut Faults) -> v1::Trigger {
    let given = |name| Some(fields.trimmed(name).to_owned()).filter(|text| !text.is_empty());
    let mut workers: Vec<String> = fields.all("worker").map(str::to_owned).collect();
    let others = fields.text("other_workers").split([',', '\n']).map(str::trim).filter(|name| !name.is_empty());
    workers.extend(others.map(str::to_owned));
    let mut seen = std::collections::HashSet::new();
    workers.retain(|name| seen.insert(name.clone()));
    v1::Trigger {
        name: fields.trimmed("trigger_name").to_owned(),
        process_name: fields.trimmed("process_name").to_owned(),
        process_path: fields.trimmed("process_path").to_owned(),
        // Blanks may mean something to the process.
        process_args: Some(fields.text("process_args").to_owned()).filter(|text| !text.is_empty()),
        is_git_repo: fields.is_ticked("is_git_repo"),
        git_branch: given("git_branch"),
        entry_point: given("entry_point"),
        is_blocking: Some(fields.is_ticked("is_blocking")),
        priority: number(fields, "priority", faults),
        worker_whitelist: workers,
        policies: Some(policies(fields, faults)),
        kind: Some(match shape {
            Shape::Single => Kind::Single(v1::SingleKind { next_run: moment(fields, zone, faults) }),
            Shape::Scheduled => Kind::Scheduled(v1::ScheduledKind {
                cron_expr: fields.trimmed("cron_expr").to_owned(),
                time_zone: fields.trimmed("time_zone").to_owned(),
                next_run: None,
            }),
            Shape::Queue => Kind::Queue(v1::QueueKind {
                queue_name: fields.trimmed("queue_name").to_owned(),
                min_batch_size: number(fields, "min_batch_size", faults),
                max_parallel: number(fields, "max_parallel", faults),
            }),
        }),
        updated_at: fields.text("updated_at").parse::<Timestamp>().ok().map(to_timestamp),
        ..v1::Trigger::default()
    }
}

fn policies(fields: &Fields, faults: &mut Faults) -> v1::Policies {
    v1::Policies {
        timeout: duration(fields, "timeout", faults),
        stop_grace: duration(fields, "stop_grace", faults),
        kill_grace: duration(fields, "kill_grace", faults),
        keep_children: fields.is_ticked("keep_children"),
        stop_on_lost: fields.is_ticked("stop_on_lost"),
        lost_after: duration(fields, "lost_after", faults),
        max_attempts: number(fields, "max_attempts", faults),
        retry_delay: duration(fields, "retry_delay", faults),
        retry_lost: fields.is_ticked("retry_lost"),
        max_consecutive_failures: number(fields, "max_consecutive_failures", faults),
        overlap: fields.text("overlap").to_owned(),
        overlap_most: number(fields, "overlap_most", faults),
        missed: fields.text("missed").to_owned(),
        missed_most: number(fields, "missed_most", faults),
        max_lateness: duration(fields, "max_lateness", faults),
    }
}

/// A whole number; nothing is zero.
fn number<N: std::str::FromStr + Default>(fields: &Fields, name: &'static str, faults: &mut Faults) -> N {
    let text = fields.trimmed(name);
    if text.is_empty() {
        return N::default();
    }
    text.parse().unwrap_or_else(|_| {
        faults.add(name, format!("\u{201c}{text}\u{201d} is no whole number in range"));
        N::default()
    })
}

fn duration(fields: &Fields, name: &'static str, faults: &mut Faults) -> Option<prost_types::Duration> {
    let text = fields.trimmed(name);
    if text.is_empty() {
        return None;
    }
    let seconds = parse_duration(text);
    if seconds.is_none() {
        faults.add(name, format!("\u{201c}{text}\u{201d} is no duration; write 90 s, 5 min, 2 h or 1 d"));
    }
    seconds.map(|seconds| prost_types::Duration { seconds, nanos: 0 })
}

/// The instant of a `datetime-local` field, in a zone.
fn moment(fields: &Fields, zone: Tz, faults: &mut Faults) -> Option<prost_types::Timestamp> {
    let text = fields.trimmed("next_run");
    if text.is_empty() {
        return None;
    }
    let formats = ["%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M"];
    let naive = formats.iter().find_map(|format| NaiveDateTime::parse_from_str(text, format).ok());
    let Some(naive) = naive else {
        faults.add("next_run", format!("\u{201c}{text}\u{201d} is no day and time; write 2026-12-31 06:00"));
        return None;
    };
    // A time that the clocks skip in spring is the one an hour later; one they pass twice is the first.
    let at = zone.from_local_datetime(&naive).earliest();
    let at = at.or_else(|| zone.from_local_datetime(&(naive + TimeDelta::hours(1))).earliest());
    at.map(|at| to_timestamp(at.to_utc()))
}

fn to_timestamp(at: Timestamp) -> prost_types::Timestamp {
    let nanos = i32::try_from(at.timestamp_subsec_nanos()).unwrap_or_default();
    prost_types::Timestamp { seconds: at.timestamp(), nanos }
}

#[cfg(test)]
mod tests {
    use chrono_tz::Europe::Copenhagen;

    use super::*;

    fn scheduled() -> v1::Trigger {
        v1::Trigger {
            name: "Invoices".to_owned(),
            process_name: "Invoice robot".to_owned(),
            process_path: "https://example.org/robot.git".to_owned(),
            process_args: Some(" {\"a\": 1}\n".to_owned()),
            is_git_repo: true,
            git_branch: Some("main".to_owned()),
            is_blocking: Some(false),
            priority: -3,
            worker_whitelist: vec!["PC1".to_owned(), "PC2".to_owned()],
            policies: Some(v1::Policies {
                timeout: Some(prost_types::Duration { seconds: 5400, nanos: 0 }),
                stop_grace: Some(prost_types::Duration { seconds: 10, nanos: 0 }),
                kill_grace: Some(prost_types::Duration { seconds: 0, nanos: 0 }),
                lost_after: Some(prost_types::Duration { seconds: 3600, nanos: 0 }),
                retry_delay: Some(prost_types::Duration { seconds: 0, nanos: 0 }),
                max_attempts: 2,
                max_consecutive_failures: 3,
                overlap: "ALLOW".to_owned(),
                overlap_most: 4,
                missed: "ONCE".to_owned(),
                stop_on_lost: true,
                ..v1::Policies::default()
            }),
            kind: Some(Kind::Scheduled(v1::ScheduledKind {
                cron_expr: "0 6 * * 1-5".to_owned(),
                time_zone: "Europe/Copenhagen".to_owned(),
                next_run: None,
            })),
            updated_at: Some(prost_types::Timestamp { seconds: 1_700_000_000, nanos: 123_456_000 }),
            ..v1::Trigger::default()
        }
    }

    #[test]
    fn a_form_that_nobody_touched_changes_nothing() {
        let mut faults = Faults::default();
        let fields = of(&scheduled(), Copenhagen);
        assert_eq!(read(&fields, Shape::Scheduled, Copenhagen, &mut faults), scheduled());
        assert!(faults.is_empty(), "{faults:?}");
    }

    #[test]
    fn what_cannot_be_read_is_named_beside_its_field() {
        let mut fields = empty();
        fields.set("priority", "high");
        fields.set("timeout", "soon");
        fields.set("next_run", "tomorrow");
        let mut faults = Faults::default();
        read(&fields, Shape::Single, Copenhagen, &mut faults);
        for field in ["priority", "timeout", "next_run"] {
            assert!(faults.of(field).is_some(), "{field}");
        }
    }

    #[test]
    fn a_time_is_meant_in_the_viewers_zone_also_in_the_night_when_the_clock_jumps() {
        let read_at = |text: &str| {
            let mut fields = Fields::default();
            fields.set("next_run", text);
            let at = moment(&fields, Copenhagen, &mut Faults::default());
            instant(at).map(|at| at.to_rfc3339()).unwrap_or_default()
        };
        assert_eq!(read_at("2026-07-01T08:00"), "2026-07-01T06:00:00+00:00");
        assert_eq!(read_at("2026-03-29T02:30"), "2026-03-29T01:30:00+00:00");
        assert_eq!(read_at("2026-10-25T02:30:00"), "2026-10-25T00:30:00+00:00");
    }
}
