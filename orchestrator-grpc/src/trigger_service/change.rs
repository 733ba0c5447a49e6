//! Who changed a trigger last: what the audit trail says, for everyone who may see the trigger.

use orchestrator_core::id::TriggerId;
use orchestrator_db::{AuditEntry, AuditFilter, DbError, PageRequest, Tx};
use orchestrator_proto::{convert, v1};

/// What changes a trigger; running it does not.
const CHANGES: [&str; 5] = ["trigger.create", "trigger.update", "trigger.enable", "trigger.disable", "trigger.kill"];

/// How many of the latest rows about a trigger are looked through.
const LOOKED_THROUGH: u32 = 50;

/// The latest rows about a trigger, newest first.
pub(super) async fn trail(tx: &mut Tx, trigger: TriggerId) -> Result<Vec<AuditEntry>, DbError> {
    let filter = AuditFilter {
        subject: Some(trigger.to_string()),
        action: Some("trigger".to_owned()),
        ..AuditFilter::default()
    };
    let (entries, _) = tx.audit_list(&filter, &PageRequest::first(LOOKED_THROUGH)).await?;
    Ok(entries.rows)
}

/// The latest change.
pub(super) fn latest(trail: &[AuditEntry]) -> Option<v1::Change> {
    let latest = trail.iter().find(|entry| CHANGES.contains(&entry.action.as_str()));
    latest.map(|entry| v1::Change {
        at: Some(convert::timestamp(entry.at)),
        actor: entry.actor.name.as_str().to_owned(),
        action: entry.action.clone(),
    })
}
