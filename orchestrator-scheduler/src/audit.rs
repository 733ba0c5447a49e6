//! Audit rows of the verbs.

use orchestrator_core::actor::Actor;
use orchestrator_core::id::{JobId, TriggerId};
use orchestrator_core::trigger::{Trigger, TriggerDraft, TriggerKind};
use orchestrator_db::AuditRow;
use serde_json::{Value, json};

/// A row about a trigger.
pub(crate) fn of_trigger(
    actor: &Actor,
    action: &'static str,
    trigger: TriggerId,
    before: Option<Value>,
    after: Option<Value>,
) -> AuditRow {
    AuditRow { actor: actor.clone(), action, subject_kind: "trigger", subject: trigger.to_string(), before, after }
}

/// A row about a job.
pub(crate) fn of_job(
    actor: &Actor,
    action: &'static str,
    job: JobId,
    before: Option<Value>,
    after: Option<Value>,
) -> AuditRow {
    AuditRow { actor: actor.clone(), action, subject_kind: "job", subject: job.to_string(), before, after }
}

/// A trigger as the audit keeps it.
pub(crate) fn trigger_document(trigger: &Trigger) -> Value {
    json!({
        "name": trigger.name,
        "process": trigger.process,
        "kind": kind_document(&trigger.kind),
        "hold": trigger.hold,
        "is_blocking": trigger.is_blocking,
        "priority": trigger.priority,
        "worker_whitelist": trigger.worker_whitelist,
        "policies": trigger.policies,
    })
}

/// A draft as the audit keeps it.
pub(crate) fn draft_document(draft: &TriggerDraft) -> Value {
    json!({
        "name": draft.name,
        "process": draft.process,
        "kind": kind_document(&draft.kind),
        "is_blocking": draft.is_blocking,
        "priority": draft.priority,
        "worker_whitelist": draft.worker_whitelist,
        "policies": draft.policies,
    })
}

fn kind_document(kind: &TriggerKind) -> Value {
    match kind {
        TriggerKind::Single { next_run } => json!({ "type": "SINGLE", "next_run": next_run }),
        TriggerKind::Scheduled { cron, zone, next_run } => {
            json!({ "type": "SCHEDULED", "cron_expr": cron.to_string(), "time_zone": zone.name(), "next_run": next_run })
        }
        TriggerKind::Queue { queue_name, min_batch_size, max_parallel } => json!({
            "type": "QUEUE",
            "queue_name": queue_name,
            "min_batch_size": min_batch_size,
            "max_parallel": max_parallel,
        }),
    }
}
