//! Audit rows of the verbs.

use orchestrator_core::actor::Actor;
use orchestrator_core::id::{JobId, TriggerId};
use orchestrator_core::source::mask_credentials;
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
        "process": without_credentials(json!(trigger.process)),
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
        "process": without_credentials(json!(draft.process)),
        "kind": kind_document(&draft.kind),
        "is_blocking": draft.is_blocking,
        "priority": draft.priority,
        "worker_whitelist": draft.worker_whitelist,
        "policies": draft.policies,
    })
}

/// Without what gives access to a repository: the trail is kept for ever, whatever becomes of the password.
fn without_credentials(mut process: Value) -> Value {
    if let Value::Object(fields) = &mut process {
        for (_, value) in fields.iter_mut().filter(|(name, _)| *name != "args") {
            match value {
                Value::String(text) => *text = mask_credentials(text),
                Value::Object(_) => *value = without_credentials(std::mem::take(value)),
                _ => {}
            }
        }
    }
    process
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_of_a_repository_is_in_no_row() {
        let process = json!({ "path": "https://bob:hunter2@git.example.org/x.git", "args": "a@b", "git": { "url": "https://t@h/x" } });
        let kept =
            json!({ "path": "https://***@git.example.org/x.git", "args": "a@b", "git": { "url": "https://***@h/x" } });
        assert_eq!(without_credentials(process), kept);
    }
}
