//! Audit rows of the calls that go past the scheduler.

use orchestrator_core::actor::Actor;
use orchestrator_core::queue::QueueElement;
use orchestrator_db::AuditRow;
use serde_json::{Value, json};

use crate::auth::JobIdentity;

/// What kind of thing a row is about, with the name that rows have for it.
pub(crate) const ELEMENT: &str = "element";
/// The same.
pub(crate) const QUEUE: &str = "queue";
/// The same.
pub(crate) const USER: &str = "user";

/// A row.
pub(crate) fn row(
    actor: &Actor,
    action: &'static str,
    subject_kind: &'static str,
    subject: &(impl ToString + ?Sized),
    (before, after): (Option<Value>, Option<Value>),
) -> AuditRow {
    AuditRow { actor: actor.clone(), action, subject_kind, subject: subject.to_string(), before, after }
}

/// Which robot it was, besides the name of its process.
pub(crate) fn robot(job: &JobIdentity) -> Value {
    json!({ "job": job.job_id, "process": job.process_name, "worker": job.worker_name })
}

/// An element as the audit keeps it.
pub(crate) fn element(element: &QueueElement) -> Value {
    json!({
        "queue": element.queue_name,
        "status": element.status,
        "reference": element.reference,
        "data": element.data,
        "message": element.message,
    })
}
