//! What goes wrong with queue elements.

use orchestrator_db::{DbError, ElementClaimError, StatusError};
use tonic::{Code, Status};

use super::{Refusal, db, internal, reason};

/// A status that was not set, or a deletion that was refused.
pub(crate) fn element(error: StatusError) -> Status {
    let message = error.to_string();
    match error {
        StatusError::NotFound(id) => db(DbError::not_found("queue element", id)),
        StatusError::HeldByOther { id, job } | StatusError::DeletedUnderJob { id, job } => {
            Refusal::new(Code::FailedPrecondition, reason::ELEMENT_HELD, message)
                .with("element", &id)
                .with("job", &job)
                .status()
        }
        StatusError::LeaseLost(id) => {
            Refusal::new(Code::FailedPrecondition, reason::LEASE_LOST, message).with("element", &id).status()
        }
        StatusError::JobEnded(job) => job_ended(message, job),
        StatusError::Corrupt(corrupt) => internal(&corrupt),
    }
}

/// A claim that was refused.
#[expect(clippy::needless_pass_by_value, reason = "used as map_err(status::element_claim)")]
pub(crate) fn element_claim(error: ElementClaimError) -> Status {
    let message = error.to_string();
    match error {
        ElementClaimError::JobEnded(job) => job_ended(message, job),
        ElementClaimError::KnownCall(_) => known_call(),
    }
}

/// The id of a claim belongs to another one.
pub(crate) fn known_call() -> Status {
    let message = "an earlier claim was made under this request_id; give every claim an id of its own, and set repeat only to \
                   hear again what the same claim was answered";
    Refusal::new(Code::AlreadyExists, reason::CONFLICT, message).in_field("call.request_id").status()
}

fn job_ended(message: String, job: orchestrator_core::id::JobId) -> Status {
    Refusal::new(Code::FailedPrecondition, reason::JOB_ENDED, message).with("job", &job).status()
}
