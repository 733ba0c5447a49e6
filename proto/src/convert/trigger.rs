use chrono_tz::Tz;
use orchestrator_core::cron::{CronExpr, parse_zone};
use orchestrator_core::policy::Policies;
use orchestrator_core::source::EntryPoint;
use orchestrator_core::text::{
    GitBranch, Limits, ProcessArgs, ProcessName, ProcessPath, QueueName, TextError, TriggerName, WorkerName,
};
use orchestrator_core::trigger::{ProcessSpec, Trigger, TriggerDraft, TriggerKind};

use super::value::{optional_instant, required, timestamp};
use super::{DecodeError, policies, read_policies};
use crate::v1;
use crate::v1::trigger::Kind;

/// What a draft takes from its surroundings.
#[derive(Debug, Clone, Copy)]
pub struct DraftContext<'a> {
    /// Limits of texts.
    pub limits: Limits,
    /// The zone of scheduled triggers that name none.
    pub zone: Tz,
    /// The trigger that an update is for: what the message leaves out stays as it is.
    pub existing: Option<&'a Trigger>,
}

/// A trigger as messages carry it.
pub fn trigger(trigger: &Trigger) -> v1::Trigger {
    let process = &trigger.process;
    v1::Trigger {
        id: trigger.id.to_string(),
        name: trigger.name.as_str().to_owned(),
        r#type: trigger.kind.trigger_type().to_string(),
        status: trigger.status.to_string(),
        hold: trigger.hold.to_string(),
        process_name: process.name.as_str().to_owned(),
        process_path: process.path.as_str().to_owned(),
        process_args: process.args.as_ref().map(|args| args.as_str().to_owned()),
        is_git_repo: process.is_git_repo,
        git_branch: process.git_branch.as_ref().map(|branch| branch.as_str().to_owned()),
        entry_point: process.entry_point.as_ref().map(|path| path.as_str().to_owned()),
        is_blocking: Some(trigger.is_blocking),
        priority: trigger.priority,
        worker_whitelist: trigger.worker_whitelist.iter().map(|name| name.as_str().to_owned()).collect(),
        policies: Some(policies(&trigger.policies)),
        kind: Some(kind(&trigger.kind)),
        next_run: trigger.kind.next_run().map(timestamp),
        last_run: trigger.last_run.map(timestamp),
        consecutive_failures: trigger.consecutive_failures,
        created_at: Some(timestamp(trigger.created_at)),
        updated_at: Some(timestamp(trigger.updated_at)),
        // Known to who looks at one trigger.
        queue_wait: None,
        hold_cause: None,
    }
}

fn kind(kind: &TriggerKind) -> Kind {
    match kind {
        TriggerKind::Single { next_run } => Kind::Single(v1::SingleKind { next_run: next_run.map(timestamp) }),
        TriggerKind::Scheduled { cron, zone, next_run } => Kind::Scheduled(v1::ScheduledKind {
            cron_expr: cron.to_string(),
            time_zone: zone.name().to_owned(),
            next_run: next_run.map(timestamp),
        }),
        TriggerKind::Queue { queue_name, min_batch_size, max_parallel } => Kind::Queue(v1::QueueKind {
            queue_name: queue_name.as_str().to_owned(),
            min_batch_size: *min_batch_size,
            max_parallel: *max_parallel,
        }),
    }
}

/// Reads what an administrator may set.
pub fn draft(message: v1::Trigger, context: DraftContext<'_>) -> Result<TriggerDraft, DecodeError> {
    let existing = context.existing;
    let policies = match (message.policies, existing) {
        (Some(given), _) => read_policies(&given)?,
        (None, Some(existing)) => existing.policies.clone(),
        (None, None) => Policies::default(),
    };
    let is_blocking = message.is_blocking.unwrap_or_else(|| existing.is_none_or(|trigger| trigger.is_blocking));
    let whitelist: Result<Vec<WorkerName>, TextError> =
        message.worker_whitelist.iter().map(|name| WorkerName::parse(name)).collect();
    Ok(TriggerDraft {
        name: TriggerName::parse(&message.name)?,
        process: ProcessSpec {
            name: ProcessName::parse(&message.process_name)?,
            path: ProcessPath::parse(&message.process_path)?,
            args: process_args(message.process_args, context.limits.process_args)?,
            is_git_repo: message.is_git_repo,
            git_branch: given(message.git_branch).map(|branch| GitBranch::parse(&branch)).transpose()?,
            entry_point: given(message.entry_point).map(|path| EntryPoint::parse(&path)).transpose()?,
        },
        kind: read_kind(required("kind", message.kind)?, context)?,
        is_blocking,
        priority: message.priority,
        worker_whitelist: whitelist?,
        policies,
    })
}

fn read_kind(kind: Kind, context: DraftContext<'_>) -> Result<TriggerKind, DecodeError> {
    match kind {
        Kind::Single(single) => {
            Ok(TriggerKind::Single { next_run: optional_instant("single.next_run", single.next_run)? })
        }
        Kind::Scheduled(scheduled) => Ok(TriggerKind::Scheduled {
            cron: CronExpr::parse(&scheduled.cron_expr)?,
            zone: zone(&scheduled.time_zone, context)?,
            next_run: optional_instant("scheduled.next_run", scheduled.next_run)?,
        }),
        Kind::Queue(queue) => Ok(TriggerKind::Queue {
            queue_name: QueueName::parse(&queue.queue_name)?,
            min_batch_size: queue.min_batch_size,
            max_parallel: queue.max_parallel.max(1),
        }),
    }
}

/// The zone that is named, else the one that the trigger has, else the server's.
fn zone(name: &str, context: DraftContext<'_>) -> Result<Tz, DecodeError> {
    if !name.is_empty() {
        return Ok(parse_zone(name)?);
    }
    match context.existing.map(|trigger| &trigger.kind) {
        Some(TriggerKind::Scheduled { zone, .. }) => Ok(*zone),
        Some(TriggerKind::Single { .. } | TriggerKind::Queue { .. }) | None => Ok(context.zone),
    }
}

/// Forms send empty texts for what was left out.
fn given(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

/// Reads what names a thing: an id, a name, or part of an id.
pub fn key(field: &'static str, text: &str) -> Result<String, DecodeError> {
    const MOST: usize = 250;
    let text = text.trim();
    if text.is_empty() {
        return Err(DecodeError::Missing { field });
    }
    // No name is longer, and what is asked for ends in the message that it was not found.
    let length = text.chars().count();
    if length > MOST {
        return Err(TextError::TooLong { field, limit: MOST, length }.into());
    }
    // No name has one, and PostgreSQL does not take NUL.
    if let Some((position, c)) = text.chars().enumerate().find(|(_, c)| c.is_control()) {
        return Err(TextError::ControlCharacter { field, code: u32::from(c), position }.into());
    }
    Ok(text.to_owned())
}

/// Reads arguments for a process. An empty text is given arguments, too.
pub fn process_args(text: Option<String>, limit: usize) -> Result<Option<ProcessArgs>, DecodeError> {
    Ok(text.map(|text| ProcessArgs::parse(&text, limit)).transpose()?)
}
