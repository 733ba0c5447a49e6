use std::error::Error;
use std::time::{Duration, Instant};

use orchestrator_core::chain::Chain;
use orchestrator_core::id::RequestId;
use orchestrator_db::DbError;
use tonic::{Code, Status};

use super::elements::known_call;
use super::seldom::Seldom;
use super::{Refusal, reason};

/// What a failed storage call tells its caller.
#[expect(clippy::needless_pass_by_value, reason = "used as map_err(status::db)")]
pub fn db(error: DbError) -> Status {
    failed(&error)
}

/// The same for an error that several callers are told.
pub(super) fn failed(error: &DbError) -> Status {
    if error.is_disk_full() {
        static FULL: Seldom = Seldom::new();
        if let Some(untold) = FULL.tell(Instant::now()) {
            tracing::error!(error = %Chain(error), calls.untold = untold, "the database's disk is full: calls are refused");
        }
        return Refusal::new(
            Code::ResourceExhausted,
            reason::DATABASE_FULL,
            "the database's disk is full or cannot be written to; nothing was changed; make room, then try again",
        )
        .status();
    }
    if error.is_transient() {
        static AWAY: Seldom = Seldom::new();
        if let Some(untold) = AWAY.tell(Instant::now()) {
            tracing::warn!(error = %Chain(error), calls.untold = untold, "the database is not available: calls are refused");
        }
        return Refusal::new(
            Code::Unavailable,
            reason::DATABASE_UNAVAILABLE,
            "the database is not available right now; try again",
        )
        .retry_after(Duration::from_secs(1))
        .status();
    }
    let message = error.to_string();
    match error {
        DbError::NotFound { what, key } => not_found(what, key),
        DbError::Ambiguous { what, key } => {
            Refusal::new(Code::InvalidArgument, reason::AMBIGUOUS, message).with("what", what).with("key", key).status()
        }
        DbError::AmbiguousName { what, key, names } => {
            let refusal = Refusal::new(Code::InvalidArgument, reason::AMBIGUOUS, message).with("what", what);
            refusal.with("key", key).with("names", &names.join(", ")).status()
        }
        DbError::InvalidCursor { .. } => {
            Refusal::new(Code::InvalidArgument, reason::INVALID_FIELD, message).in_field("page.cursor").status()
        }
        // The constraint's name is for developers; callers that can tell more map the conflict before it gets here.
        DbError::Conflict { .. } if error.is_of_a_known_call() => known_call(),
        DbError::Conflict { constraint } => conflict(constraint),
        DbError::NotUpdated { what, key } => {
            Refusal::new(Code::FailedPrecondition, reason::ILLEGAL_TRANSITION, message)
                .with("what", what)
                .with("key", key)
                .status()
        }
        DbError::Corrupt(source) => internal(source),
        source @ DbError::Driver { .. } => internal(source),
    }
}

/// Something that does not exist, with a code made from what was looked for.
fn not_found(what: &str, key: &str) -> Status {
    let code = format!("{}_NOT_FOUND", what.to_uppercase().replace([' ', '-'], "_"));
    Refusal::new(Code::NotFound, code, format!("{what} '{key}' does not exist"))
        .with("what", &what)
        .with("key", &key)
        .status()
}

fn conflict(constraint: &str) -> Status {
    if constraint.contains("name") {
        return Refusal::new(Code::AlreadyExists, reason::NAME_EXISTS, "the name is taken").status();
    }
    Refusal::new(Code::AlreadyExists, reason::CONFLICT, "something with this key exists").status()
}

/// A mistake of ours: logged with an id, and only the id leaves.
pub fn internal(error: &(dyn Error + 'static)) -> Status {
    let id = RequestId::generate().short();
    tracing::error!(error.id = id, error = %Chain(error), "a call failed inside the server");
    Refusal::new(Code::Internal, reason::INTERNAL, format!("the server failed; its log says more under error id {id}"))
        .with("error_id", &id)
        .status()
}

#[cfg(test)]
mod tests {
    use tonic_types::StatusExt as _;

    use super::*;

    fn reason_of(status: &Status) -> String {
        status.get_error_details().error_info().unwrap().reason.clone()
    }

    #[test]
    fn each_kind_of_storage_error_has_its_code() {
        let cases = [
            (DbError::not_found("trigger", "night"), Code::NotFound, "TRIGGER_NOT_FOUND"),
            (DbError::not_found("queue element", "7"), Code::NotFound, "QUEUE_ELEMENT_NOT_FOUND"),
            (DbError::Ambiguous { what: "job", key: "0af1".to_owned() }, Code::InvalidArgument, "AMBIGUOUS"),
            (
                DbError::AmbiguousName { what: "constant", key: "jadt".to_owned(), names: vec!["JADT".to_owned()] },
                Code::InvalidArgument,
                "AMBIGUOUS",
            ),
            (
                DbError::Conflict { constraint: "UNIQUE constraint failed: triggers.trigger_name".to_owned() },
                Code::AlreadyExists,
                "NAME_EXISTS",
            ),
            (DbError::Conflict { constraint: "jobs_pkey".to_owned() }, Code::AlreadyExists, "CONFLICT"),
            (DbError::not_updated("job", "7"), Code::FailedPrecondition, "ILLEGAL_TRANSITION"),
        ];
        for (error, code, reason) in cases {
            let status = db(error);
            assert_eq!((status.code(), reason_of(&status).as_str()), (code, reason));
        }
    }

    #[test]
    fn what_happened_inside_stays_inside() {
        #[derive(Debug, thiserror::Error)]
        #[error("password is hunter2")]
        struct Inner;
        let status = internal(&Inner);
        assert_eq!((status.code(), reason_of(&status).as_str()), (Code::Internal, "INTERNAL"));
        assert!(!status.message().contains("hunter2"));
        let id = status.get_error_details().error_info().unwrap().metadata["error_id"].clone();
        assert!(status.message().contains(&id));
    }
}
