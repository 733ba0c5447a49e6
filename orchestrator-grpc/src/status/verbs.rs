//! One function per enum of the scheduler's verbs.

use orchestrator_core::id::JobId;
use orchestrator_core::job::JobStatus;
use orchestrator_db::{AppendError, DbError};
use orchestrator_proto::convert::DecodeError;
use orchestrator_scheduler::{
    ClaimError, FinishError, HeartbeatError, JobError, OutputError, RegisterError, StartError, TriggerError,
};
use tonic::{Code, Status};

use super::{Refusal, db, decode, lane, reason};

/// Verbs on triggers.
pub(crate) fn trigger(error: TriggerError) -> Status {
    let message = error.to_string();
    match error {
        TriggerError::Draft(error) => decode(DecodeError::Draft(error)),
        TriggerError::NameExists(name) => Refusal::new(Code::AlreadyExists, reason::NAME_EXISTS, message)
            .in_field("name")
            .with("name", &name)
            .status(),
        TriggerError::KindChanged { from, to, .. } => {
            Refusal::new(Code::InvalidArgument, reason::INVALID_FIELD, message)
                .in_field("kind")
                .with("from", &from)
                .with("to", &to)
                .status()
        }
        TriggerError::NextRunOfOtherKind { kind, .. } => {
            Refusal::new(Code::InvalidArgument, reason::INVALID_FIELD, message)
                .in_field("next_run")
                .with("kind", &kind)
                .status()
        }
        TriggerError::ChangedMeanwhile { updated_at, .. } => {
            Refusal::new(Code::Aborted, reason::CHANGED_MEANWHILE, message)
                .with("updated_at", &updated_at.to_rfc3339())
                .status()
        }
        TriggerError::Deleted(name) => Refusal::new(Code::NotFound, "TRIGGER_NOT_FOUND", message)
            .with("what", "trigger")
            .with("key", &name)
            .status(),
        TriggerError::Db(error) => db(error),
    }
}

/// Verbs on jobs.
pub(crate) fn job(error: JobError) -> Status {
    let message = error.to_string();
    match error {
        JobError::AlreadyEnded { job, status }
        | JobError::StillActive { job, status }
        | JobError::NotLost { job, status } => illegal(message, job, status),
        JobError::TriggerDeleted(job) => {
            Refusal::new(Code::FailedPrecondition, "TRIGGER_NOT_FOUND", message).with("job", &job).status()
        }
        JobError::Db(error) => db(error),
    }
}

/// Registering.
pub(crate) fn register(error: RegisterError) -> Status {
    let message = error.to_string();
    match error {
        RegisterError::NameTaken { name, last_heartbeat } | RegisterError::Copied { name, last_heartbeat } => {
            Refusal::new(Code::FailedPrecondition, reason::WORKER_NAME_TAKEN, message)
                .with("name", &name)
                .with("last_heartbeat", &last_heartbeat.to_rfc3339())
                .status()
        }
        RegisterError::Db(error) => db(error),
    }
}

/// Claiming.
pub(crate) fn claim(error: ClaimError) -> Status {
    match error {
        ClaimError::SessionOver => session_over(ClaimError::SessionOver.to_string()),
        ClaimError::Db(error) => db(error),
    }
}

/// Heartbeats.
pub(crate) fn heartbeat(error: HeartbeatError) -> Status {
    match error {
        HeartbeatError::SessionOver => session_over(HeartbeatError::SessionOver.to_string()),
        HeartbeatError::Db(error) => db(error),
    }
}

/// Starting.
pub(crate) fn start(error: StartError) -> Status {
    let message = error.to_string();
    match error {
        StartError::LeaseLost(job) => lease_lost(message, job),
        StartError::Db(error) => db(error),
    }
}

/// Finishing.
pub(crate) fn finish(error: FinishError) -> Status {
    let message = error.to_string();
    match error {
        FinishError::LeaseLost(job) => lease_lost(message, job),
        FinishError::AlreadyEnded { job, status } => illegal(message, job, status),
        FinishError::Db(error) => db(error),
    }
}

/// Output.
pub(crate) fn output(error: OutputError) -> Status {
    let message = error.to_string();
    match error {
        OutputError::Refused(AppendError::LeaseLost(job)) => lease_lost(message, job),
        OutputError::Refused(AppendError::NotFound(job)) => db(DbError::not_found("job", job)),
        OutputError::Lane(error) => lane(error),
    }
}

fn illegal(message: String, job: JobId, status: JobStatus) -> Status {
    Refusal::new(Code::FailedPrecondition, reason::ILLEGAL_TRANSITION, message)
        .with("job", &job)
        .with("status", &status)
        .status()
}

fn lease_lost(message: String, job: JobId) -> Status {
    Refusal::new(Code::FailedPrecondition, reason::LEASE_LOST, message).with("job", &job).status()
}

fn session_over(message: String) -> Status {
    Refusal::new(Code::FailedPrecondition, reason::SESSION_OVER, message).status()
}
