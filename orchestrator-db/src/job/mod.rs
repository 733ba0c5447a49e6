//! Jobs: making, placing, starting, renewing, ending and rescuing them.
//!
//! Every change is one conditional update: the state it requires is in its `WHERE`, the lease token is its fence, and
//! what comes back are the jobs it changed.

mod ahead;
mod assign;
mod candidates;
mod counts;
mod end;
mod find;
mod history;
mod insert;
mod life;
mod list;
mod lock;
mod lost;
mod overtime;
mod row;
mod snapshot;
mod start;
mod stop;

use std::cmp::Reverse;

use orchestrator_core::clock::Timestamp;
use orchestrator_core::id::{JobId, RequestId, SessionId, TriggerId};
use orchestrator_core::job::{Job, JobSnapshot};
use orchestrator_core::lease::{Lease, LeaseToken};
use orchestrator_core::text::WorkerName;
use orchestrator_core::trigger::TriggerType;

pub use ahead::Lowering;
pub use counts::JobCounts;
pub use life::{Holder, Renewed};
pub use list::JobFilter;
pub use start::{JobStart, StartedJob};
pub use stop::CancelBy;

/// A job to be queued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewJob {
    /// Its id.
    pub id: JobId,
    /// The trigger that makes it.
    pub trigger_id: TriggerId,
    /// The instant it is for.
    pub scheduled_at: Timestamp,
    /// The how-manieth try for its instant, from 1.
    pub attempt: u32,
    /// It is not claimed before.
    pub not_before: Option<Timestamp>,
    /// The call that makes it (run now, retry), so that a repetition makes no second one.
    pub origin_request: Option<RequestId>,
    /// What runs. Arguments that differ from the trigger's are the job's own: an edit of the trigger leaves them alone.
    pub snapshot: JobSnapshot,
}

/// A job with what only the scheduler knows of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockedJob {
    /// The job.
    pub job: Job,
    /// The registration of the worker that holds it.
    pub session_id: Option<SessionId>,
    /// The counter of its grants.
    pub lease_token: LeaseToken,
    /// Until when its latest lease holds or held.
    pub lease_expires_at: Option<Timestamp>,
    /// The claim that granted it.
    pub request_id: Option<RequestId>,
    /// How often it came back without having been started.
    pub hand_back_count: u32,
    /// The hash of the token that its robot holds.
    pub job_token_hash: Option<Vec<u8>>,
    /// The worker that takes nothing else until it starts.
    pub reserved_worker: Option<WorkerName>,
    /// Since when it is, or was last, lost.
    pub lost_since: Option<Timestamp>,
    /// The kind of its trigger.
    pub trigger_type: TriggerType,
}

/// A job's place in the order of claims: priority, then single before scheduled before queue, then instant, then id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rank {
    /// Higher goes first.
    pub priority: i32,
    /// 0 single, 1 scheduled, 2 queue.
    pub type_rank: i64,
    /// Earlier goes first.
    pub scheduled_at: Timestamp,
    /// Decides what is left.
    pub id: JobId,
}

impl Rank {
    /// The place of a job that is still to be made.
    pub fn of(job: &NewJob) -> Self {
        Self {
            priority: job.snapshot.priority,
            type_rank: type_rank(job.snapshot.trigger_type),
            scheduled_at: job.scheduled_at,
            id: job.id,
        }
    }
}

impl Ord for Rank {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let key = |rank: &Self| (Reverse(rank.priority), rank.type_rank, rank.scheduled_at, rank.id);
        key(self).cmp(&key(other))
    }
}

impl PartialOrd for Rank {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// A queued job that may be claimed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The job.
    pub id: JobId,
    /// Its trigger.
    pub trigger_id: TriggerId,
    /// Runs alone on its worker.
    pub is_blocking: bool,
    /// The workers it may run on; any that is not exclusive when empty.
    pub whitelist: Vec<WorkerName>,
    /// The worker that is kept free for it.
    pub reserved_worker: Option<WorkerName>,
    /// Its place in the order of claims.
    pub rank: Rank,
}

/// A job for a worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assign {
    /// The job.
    pub job: JobId,
    /// Who gets it.
    pub worker: WorkerName,
    /// The worker's registration.
    pub session: SessionId,
    /// The claim that gets it.
    pub request: RequestId,
}

/// A job that a worker got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The job.
    pub job: Job,
    /// The claim on it.
    pub lease: Lease,
}

/// The order of kinds in claims.
pub(crate) const fn type_rank(kind: TriggerType) -> i64 {
    match kind {
        TriggerType::Single => 0,
        TriggerType::Scheduled => 1,
        TriggerType::Queue => 2,
    }
}

#[cfg(test)]
crate::statements::statements![; ahead, assign, candidates, counts, end, find, history, insert, life, lock, lost, overtime, snapshot, start, stop];
