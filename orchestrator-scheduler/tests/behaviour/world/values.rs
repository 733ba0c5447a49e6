//! Triggers and names in one line each.

use chrono::{DateTime, TimeDelta};
use orchestrator_core::actor::{Actor, ActorKind};
use orchestrator_core::clock::Timestamp;
use orchestrator_core::cron::CronExpr;
use orchestrator_core::policy::Policies;
use orchestrator_core::text::{ActorName, ProcessArgs, ProcessName, ProcessPath, QueueName, TriggerName, WorkerName};
use orchestrator_core::trigger::{ProcessSpec, TriggerDraft, TriggerKind};

/// So many seconds after the beginning of a test, which is at a whole minute.
pub(crate) fn at(second: i64) -> Timestamp {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap() + TimeDelta::seconds(second)
}

pub(crate) fn admin() -> Actor {
    Actor::new(ActorKind::User, ActorName::parse("admin").unwrap())
}

pub(crate) fn worker_name(name: &str) -> WorkerName {
    WorkerName::parse(name).unwrap()
}

pub(crate) fn queue_name(name: &str) -> QueueName {
    QueueName::parse(name).unwrap()
}

pub(crate) fn draft(name: &str, kind: TriggerKind) -> TriggerDraft {
    TriggerDraft {
        name: TriggerName::parse(name).unwrap(),
        process: ProcessSpec {
            name: ProcessName::parse("process").unwrap(),
            path: ProcessPath::parse("/robots/robot.py").unwrap(),
            args: None,
            is_git_repo: false,
            git_branch: None,
            entry_point: None,
        },
        kind,
        is_blocking: false,
        priority: 0,
        worker_whitelist: Vec::new(),
        policies: Policies::default(),
    }
}

/// Fires at a second.
pub(crate) fn single(name: &str, second: i64) -> TriggerDraft {
    draft(name, TriggerKind::Single { next_run: Some(at(second)) })
}

/// Fires at 60, 120, …
pub(crate) fn every_minute(name: &str) -> TriggerDraft {
    let cron = CronExpr::parse("* * * * *").unwrap();
    draft(name, TriggerKind::Scheduled { cron, zone: chrono_tz::UTC, next_run: None })
}

/// Fires when its queue, of the same name, has an element.
pub(crate) fn queue(name: &str) -> TriggerDraft {
    draft(name, TriggerKind::Queue { queue_name: queue_name(name), min_batch_size: 1, max_parallel: 1 })
}

pub(crate) fn with(mut draft: TriggerDraft, policies: Policies) -> TriggerDraft {
    draft.policies = policies;
    draft
}

pub(crate) fn args(text: &str) -> ProcessArgs {
    ProcessArgs::parse(text, 100).unwrap()
}
