//! Triggers survive the wire, and what is not one is refused by name.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::time::Duration;

use chrono::{DateTime, Utc};
use orchestrator_core::clock::Timestamp;
use orchestrator_core::cron::CronExpr;
use orchestrator_core::id::TriggerId;
use orchestrator_core::policy::{Missed, Overlap, Policies};
use orchestrator_core::source::EntryPoint;
use orchestrator_core::text::{
    GitBranch, Limits, ProcessArgs, ProcessName, ProcessPath, QueueName, TriggerName, WorkerName,
};
use orchestrator_core::trigger::{Hold, ProcessSpec, Trigger, TriggerDraft, TriggerKind, TriggerStatus};
use orchestrator_proto::convert::{DecodeError, DraftContext, draft, policies, read_policies, trigger};
use orchestrator_proto::v1;
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;

fn instant() -> impl Strategy<Value = Timestamp> {
    (0_i64..4_000_000_000, 0_u32..1_000_000)
        .prop_map(|(second, micro)| DateTime::<Utc>::from_timestamp(second, micro * 1000).unwrap())
}

fn millis(most: u64) -> impl Strategy<Value = Duration> {
    (1000..most).prop_map(Duration::from_millis)
}

fn some_policies() -> impl Strategy<Value = Policies> {
    let overlap = prop_oneof![
        Just(Overlap::Skip),
        Just(Overlap::BufferOne),
        (1_u32..=1000).prop_map(|most| Overlap::Allow { most })
    ];
    let missed =
        prop_oneof![Just(Missed::Once), Just(Missed::Skip), (1_u32..=1000).prop_map(|most| Missed::All { most })];
    let times = (of(millis(1 << 30)), millis(3_600_000), millis(3_600_000), millis(1 << 30), millis(1 << 30));
    let counts = (1_u32..=100, 1_u32..=1_000_000, overlap, missed, of(millis(1 << 30)));
    (times, counts, any::<bool>(), any::<bool>(), any::<bool>()).prop_map(
        |(times, counts, keep_children, stop_on_lost, retry)| {
            let (timeout, stop_grace, kill_grace, lost_after, retry_delay) = times;
            let (max_attempts, max_consecutive_failures, overlap, missed, max_lateness) = counts;
            Policies {
                timeout,
                stop_grace,
                kill_grace,
                keep_children,
                stop_on_lost,
                lost_after,
                max_attempts,
                retry_delay,
                retry_lost: retry && stop_on_lost,
                max_consecutive_failures,
                overlap,
                missed,
                max_lateness,
            }
        },
    )
}

fn kind() -> impl Strategy<Value = TriggerKind> {
    let zone = select(&[chrono_tz::UTC, chrono_tz::Europe::Copenhagen, chrono_tz::America::New_York][..]);
    let cron = select(&["0 6 * * *", "*/15 * * * 1-5", "0 0 LW * *", "0 12 * * 1#2"][..]);
    prop_oneof![
        of(instant()).prop_map(|next_run| TriggerKind::Single { next_run }),
        (cron, zone, of(instant())).prop_map(|(cron, zone, next_run)| TriggerKind::Scheduled {
            cron: CronExpr::parse(cron).unwrap(),
            zone,
            next_run
        }),
        ("[a-zæ ]{0,20}[a-z]", 1_u32..1000, 1_u32..1000).prop_map(|(name, min_batch_size, max_parallel)| {
            TriggerKind::Queue { queue_name: QueueName::parse(&name).unwrap(), min_batch_size, max_parallel }
        }),
    ]
}

fn process() -> impl Strategy<Value = ProcessSpec> {
    ("[A-Zæ]{1,30}", "/[a-z/.]{1,40}", of("\\PC{0,40}"), of("[a-z]{1,10}"), of("[a-z]{1,10}\\.py")).prop_map(
        |(name, path, args, branch, entry_point)| ProcessSpec {
            name: ProcessName::parse(&name).unwrap(),
            path: ProcessPath::parse(&path).unwrap(),
            args: args.map(|args| ProcessArgs::parse(&args, 1000).unwrap()),
            is_git_repo: branch.is_some(),
            git_branch: branch.map(|branch| GitBranch::parse(&branch).unwrap()),
            entry_point: entry_point.map(|path| EntryPoint::parse(&path).unwrap()),
        },
    )
}

fn some_trigger() -> impl Strategy<Value = Trigger> {
    let workers = vec("[a-z]{1,8}", 0..4)
        .prop_map(|names| names.iter().map(|name| WorkerName::parse(name).unwrap()).collect::<Vec<_>>());
    let rest = (any::<bool>(), any::<i32>(), workers, some_policies());
    let told = (of(instant()), any::<u32>(), instant(), instant());
    ("[A-Za-zæøå ]{0,50}[a-z]", process(), kind(), rest, told).prop_map(|(name, process, kind, rest, told)| {
        let (is_blocking, priority, worker_whitelist, policies) = rest;
        let (last_run, consecutive_failures, created_at, updated_at) = told;
        Trigger {
            id: TriggerId::generate(),
            name: TriggerName::parse(&name).unwrap(),
            process,
            kind,
            hold: Hold::None,
            status: TriggerStatus::Idle,
            is_blocking,
            priority,
            worker_whitelist,
            policies,
            last_run,
            consecutive_failures,
            created_at,
            updated_at,
        }
    })
}

fn draft_of(trigger: &Trigger) -> TriggerDraft {
    TriggerDraft {
        name: trigger.name.clone(),
        process: trigger.process.clone(),
        kind: trigger.kind.clone(),
        is_blocking: trigger.is_blocking,
        priority: trigger.priority,
        worker_whitelist: trigger.worker_whitelist.clone(),
        policies: trigger.policies.clone(),
    }
}

fn context(existing: Option<&Trigger>) -> DraftContext<'_> {
    DraftContext { limits: Limits::default(), zone: chrono_tz::Europe::Copenhagen, existing }
}

proptest! {
    #[test]
    fn what_is_read_is_what_was_shown(original in some_trigger()) {
        let read = draft(trigger(&original), context(None)).unwrap();
        prop_assert_eq!(read, draft_of(&original));
    }

    #[test]
    fn an_update_leaves_alone_what_it_leaves_out(original in some_trigger()) {
        let mut message = trigger(&original);
        (message.policies, message.is_blocking) = (None, None);
        if let Some(v1::trigger::Kind::Scheduled(kind)) = &mut message.kind {
            kind.time_zone.clear();
        }
        let read = draft(message, context(Some(&original))).unwrap();
        prop_assert_eq!(read, draft_of(&original));
    }

    #[test]
    fn policies_survive(original in some_policies()) {
        prop_assert_eq!(read_policies(&policies(&original)).unwrap(), original);
    }
}

fn valid() -> v1::Trigger {
    v1::Trigger {
        name: "night".to_owned(),
        process_name: "Invoices".to_owned(),
        process_path: "/robots/a.py".to_owned(),
        kind: Some(v1::trigger::Kind::Single(v1::SingleKind::default())),
        ..Default::default()
    }
}

#[test]
fn what_is_left_out_when_a_trigger_is_made_means_the_default() {
    let read = draft(valid(), context(None)).unwrap();
    assert!(read.is_blocking);
    assert_eq!(read.policies, Policies::default());
    let kind =
        v1::trigger::Kind::Scheduled(v1::ScheduledKind { cron_expr: "0 6 * * *".to_owned(), ..Default::default() });
    let read = draft(v1::Trigger { kind: Some(kind), ..valid() }, context(None)).unwrap();
    assert!(matches!(read.kind, TriggerKind::Scheduled { zone: chrono_tz::Europe::Copenhagen, .. }));
}

#[test]
fn each_bad_field_is_refused_by_name() {
    let scheduled = |cron: &str, zone: &str| {
        let kind = v1::ScheduledKind { cron_expr: cron.to_owned(), time_zone: zone.to_owned(), next_run: None };
        Some(v1::trigger::Kind::Scheduled(kind))
    };
    let of_policies = |policies| v1::Trigger { policies: Some(policies), ..valid() };
    let negative = Some(prost_types::Duration { seconds: -1, nanos: 0 });
    let cases = [
        (v1::Trigger { name: String::new(), ..valid() }, "trigger_name"),
        (v1::Trigger { process_name: "x".repeat(101), ..valid() }, "process_name"),
        (v1::Trigger { process_path: "a\nb".to_owned(), ..valid() }, "process_path"),
        (v1::Trigger { process_args: Some("x".repeat(1001)), ..valid() }, "process_args"),
        (v1::Trigger { entry_point: Some("../main.py".to_owned()), ..valid() }, "entry_point"),
        (v1::Trigger { worker_whitelist: vec![String::new()], ..valid() }, "worker_name"),
        (v1::Trigger { kind: None, ..valid() }, "kind"),
        (v1::Trigger { kind: scheduled("0 25 * * *", ""), ..valid() }, "cron_expr"),
        (v1::Trigger { kind: scheduled("0 6 30 2 *", ""), ..valid() }, "cron_expr"),
        (v1::Trigger { kind: scheduled("0 6 * * *", "Europe/Atlantis"), ..valid() }, "time_zone"),
        (of_policies(v1::Policies { timeout: negative, ..Default::default() }), "policies.timeout"),
        (of_policies(v1::Policies { overlap: "PERHAPS".to_owned(), ..Default::default() }), "policies.overlap"),
        (of_policies(v1::Policies { missed: "ALL".to_owned(), ..Default::default() }), "missed"),
        (of_policies(v1::Policies { retry_lost: true, ..Default::default() }), "retry_lost"),
        (of_policies(v1::Policies { max_attempts: 101, ..Default::default() }), "max_attempts"),
    ];
    for (message, field) in cases {
        let error: DecodeError = draft(message, context(None)).unwrap_err();
        assert_eq!(error.field(), field, "{error}");
    }
}
