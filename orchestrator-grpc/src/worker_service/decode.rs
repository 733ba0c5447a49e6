//! Between messages of workers and the scheduler's verbs.

use orchestrator_core::clock::Timestamp;
use orchestrator_core::id::SessionId;
use orchestrator_core::lease::LEASE;
use orchestrator_core::text::{Reason, WorkerName};
use orchestrator_db::Grant;
use orchestrator_proto::convert::{self, DecodeError, HeldJob, Report};
use orchestrator_proto::v1;
use orchestrator_scheduler::{Claim, FinishReport, FinishRequest, LEAD, Registration};

use crate::page::at_most;

/// The most characters of a version, a commit, or a label's name or value.
const SHORT: usize = 200;
/// The most labels.
const MOST_LABELS: usize = 50;
/// The most jobs that a worker says it holds: it may have more than its slots when those were made fewer.
const MOST_HELD: usize = 2000;
/// How long a claim waits when it does not say.
const USUAL_WAIT: std::time::Duration = std::time::Duration::from_secs(25);

fn short(field: &'static str, text: String) -> Result<String, DecodeError> {
    if text.contains('\0') || text.chars().count() > SHORT {
        return Err(DecodeError::Form { field, expected: "at most 200 characters without NUL" });
    }
    Ok(text)
}

fn slots(field: &'static str, given: u32) -> Result<u32, DecodeError> {
    if (1..=1000).contains(&given) {
        return Ok(given);
    }
    Err(DecodeError::OutOfRange { field, value: given.into(), least: 1, most: 1000 })
}

pub(super) fn all_held(held: &[v1::HeldJob]) -> Result<Vec<HeldJob>, DecodeError> {
    at_most("held", held.len(), MOST_HELD)?;
    held.iter().map(convert::held).collect()
}

pub(super) fn registration(worker: WorkerName, message: v1::RegisterRequest) -> Result<Registration, DecodeError> {
    if message.labels.len() > MOST_LABELS {
        return Err(DecodeError::Form { field: "labels", expected: "at most 50 labels" });
    }
    let labels: Result<_, DecodeError> =
        message.labels.into_iter().map(|(name, value)| Ok((short("labels", name)?, short("labels", value)?))).collect();
    Ok(Registration {
        worker,
        instance: convert::id("instance_id", &message.instance_id)?,
        slots: slots("slots", message.slots)?,
        exclusive: message.exclusive,
        version: short("version", message.version)?,
        labels: labels?,
        held: all_held(&message.held)?,
    })
}

pub(super) fn claim(worker: WorkerName, message: v1::ClaimJobsRequest) -> Result<Claim, DecodeError> {
    let (request, repeat) = convert::call(message.call)?;
    Ok(Claim {
        worker,
        session: convert::id("session_id", &message.session_id)?,
        free_slots: slots("free_slots", message.free_slots)?,
        wait: convert::optional_duration("wait", message.wait)?.unwrap_or(USUAL_WAIT),
        request,
        repeat,
    })
}

pub(super) fn assignment(grant: &Grant, now: Timestamp) -> v1::Assignment {
    let job = &grant.job;
    let start_after = (job.scheduled_at - now).to_std().ok().filter(|left| !left.is_zero());
    let process = &job.snapshot.process;
    v1::Assignment {
        job_id: job.id.to_string(),
        lease_token: grant.lease.token.value(),
        lease: Some(convert::to_duration(LEASE)),
        trigger_id: job.trigger_id.to_string(),
        trigger_name: job.trigger_name.as_str().to_owned(),
        process_name: process.name.as_str().to_owned(),
        process_path: process.path.as_str().to_owned(),
        process_args: process.args.as_ref().map(|args| args.as_str().to_owned()).unwrap_or_default(),
        is_git_repo: process.is_git_repo,
        git_branch: process.git_branch.as_ref().map(|branch| branch.as_str().to_owned()),
        entry_point: process.entry_point.as_ref().map(|path| path.as_str().to_owned()),
        policies: Some(convert::policies(&job.snapshot.policies)),
        attempt: job.attempt,
        scheduled_at: Some(convert::timestamp(job.scheduled_at)),
        start_after: start_after.map(|left| convert::to_duration(left.min(LEAD))),
        trigger_type: job.snapshot.trigger_type.as_str().to_owned(),
    }
}

/// A job that is about to start.
pub(super) struct Start {
    pub(super) session: SessionId,
    pub(super) held: HeldJob,
    pub(super) token_hash: [u8; 32],
    pub(super) commit: Option<String>,
}

impl Start {
    pub(super) fn read(message: v1::StartJobRequest) -> Result<Self, DecodeError> {
        let held = v1::HeldJob { job_id: message.job_id, lease_token: message.lease_token };
        Ok(Self {
            session: convert::id("session_id", &message.session_id)?,
            held: convert::held(&held)?,
            token_hash: convert::token_hash(&message.job_token_hash)?,
            commit: Some(short("commit", message.commit)?).filter(|commit| !commit.is_empty()),
        })
    }
}

pub(super) fn finish(worker: WorkerName, message: v1::FinishJobRequest) -> Result<FinishRequest, DecodeError> {
    let held = v1::HeldJob { job_id: message.job_id, lease_token: message.lease_token };
    let (job, token) = convert::held(&held)?;
    Ok(FinishRequest {
        worker,
        job,
        token,
        report: match convert::outcome(&message.outcome)? {
            Report::Ended(outcome) => FinishReport::Ended(outcome),
            Report::NeverStarted => FinishReport::NeverStarted,
        },
        exit_code: message.exit_code,
        reason: Some(message.reason).filter(|reason| !reason.is_empty()).map(|reason| Reason::cut(&reason)),
        ended_at: convert::optional_instant("ended_at", message.ended_at)?,
    })
}
