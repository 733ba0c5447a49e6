//! The life of a job as a state machine whose transition consumes the old state.

use crate::clock::Timestamp;
use crate::lease::{Lease, LeaseToken};
use crate::states::named_states;

named_states!(
    /// A job's status as it is stored and shown.
    JobStatus, "job status" {
        /// Waits for a worker.
        Queued = "QUEUED",
        /// Claimed by a worker that prepares it.
        Assigned = "ASSIGNED",
        /// The robot may have started.
        Running = "RUNNING",
        /// Its lease is gone; the robot may or may not be alive. Not an end.
        Lost = "LOST",
        /// Ended well.
        Done = "DONE",
        /// Ended badly.
        Failed = "FAILED",
        /// Ended by a kill.
        Killed = "KILLED",
        /// Stopped because it ran too long.
        TimedOut = "TIMED_OUT",
        /// Never started: its trigger was disabled, killed or deleted.
        Cancelled = "CANCELLED",
    }
);

impl JobStatus {
    /// Whether a job of this status is still to end.
    pub fn is_active(self) -> bool {
        matches!(self, Self::Queued | Self::Assigned | Self::Running | Self::Lost)
    }
}

/// How a job ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Exit code 0.
    Done,
    /// Any other exit, or the robot could not be started.
    Failed,
    /// Killed on request.
    Killed,
    /// Ran longer than its time-out.
    TimedOut,
    /// Never started.
    Cancelled,
}

impl Outcome {
    /// The status of a job that ended so.
    pub fn status(self) -> JobStatus {
        match self {
            Self::Done => JobStatus::Done,
            Self::Failed => JobStatus::Failed,
            Self::Killed => JobStatus::Killed,
            Self::TimedOut => JobStatus::TimedOut,
            Self::Cancelled => JobStatus::Cancelled,
        }
    }

    /// Whether it counts against the trigger's failure policy.
    pub fn is_failure(self) -> bool {
        matches!(self, Self::Failed | Self::TimedOut)
    }
}

/// Where a job stands, with what is only true there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobState {
    /// Waits for a worker, not before the given instant.
    Queued {
        /// The next attempt waits until here.
        not_before: Option<Timestamp>,
    },
    /// Claimed; nothing was started yet.
    Assigned {
        /// The worker's claim.
        lease: Lease,
    },
    /// The worker was told to start it.
    Running {
        /// The worker's claim.
        lease: Lease,
        /// When it started.
        started_at: Timestamp,
    },
    /// The lease ran out while it ran.
    Lost {
        /// The token the worker still may answer with.
        token: LeaseToken,
        /// When it started.
        started_at: Timestamp,
        /// Since when it is lost.
        since: Timestamp,
    },
    /// Over, once and for all.
    Ended {
        /// How.
        outcome: Outcome,
        /// When.
        at: Timestamp,
    },
}

/// What can happen to a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobEvent {
    /// A worker took it.
    Claimed {
        /// The grant.
        lease: Lease,
    },
    /// The worker asked to start the robot.
    Started {
        /// When.
        at: Timestamp,
    },
    /// A heartbeat renewed the lease, or a lost job's worker answered.
    Renewed {
        /// The lease as it stands now.
        lease: Lease,
    },
    /// The lease ran out.
    LeaseExpired {
        /// When it was noticed.
        at: Timestamp,
    },
    /// The worker gave it back without having started it.
    HandedBack {
        /// It is claimed again from here on.
        not_before: Option<Timestamp>,
    },
    /// The worker told the end.
    Finished {
        /// How it ended.
        outcome: Outcome,
        /// When.
        at: Timestamp,
    },
    /// It is not to run any more, and nobody holds it.
    Cancelled {
        /// When.
        at: Timestamp,
    },
    /// An operator, a new registration or the passing of time ended a lost job.
    Dismissed {
        /// FAILED, or KILLED when its kill was requested.
        outcome: Outcome,
        /// When.
        at: Timestamp,
    },
}

impl JobEvent {
    /// The event's name, for errors.
    pub fn name(self) -> &'static str {
        match self {
            Self::Claimed { .. } => "claim",
            Self::Started { .. } => "start",
            Self::Renewed { .. } => "renewal",
            Self::LeaseExpired { .. } => "lease expiry",
            Self::HandedBack { .. } => "hand-back",
            Self::Finished { .. } => "finish",
            Self::Cancelled { .. } => "cancellation",
            Self::Dismissed { .. } => "dismissal",
        }
    }
}

/// An event that the state does not allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a {event} is not possible while the job is {from}")]
pub struct TransitionError {
    /// Where the job stands.
    pub from: JobStatus,
    /// What was to happen.
    pub event: &'static str,
}

impl JobState {
    /// The status that is stored and shown for this state.
    pub fn status(&self) -> JobStatus {
        match self {
            Self::Queued { .. } => JobStatus::Queued,
            Self::Assigned { .. } => JobStatus::Assigned,
            Self::Running { .. } => JobStatus::Running,
            Self::Lost { .. } => JobStatus::Lost,
            Self::Ended { outcome, .. } => outcome.status(),
        }
    }

    /// The state after `event`, or why that cannot happen here. Every legal pair is one line; nothing is implied.
    pub fn apply(self, event: JobEvent) -> Result<Self, TransitionError> {
        match (self, event) {
            (Self::Queued { .. }, JobEvent::Claimed { lease })
            | (Self::Assigned { .. }, JobEvent::Renewed { lease }) => Ok(Self::Assigned { lease }),
            (Self::Queued { .. }, JobEvent::Cancelled { at }) => Ok(Self::Ended { outcome: Outcome::Cancelled, at }),
            (Self::Assigned { lease }, JobEvent::Started { at }) => Ok(Self::Running { lease, started_at: at }),
            (Self::Assigned { .. }, JobEvent::LeaseExpired { .. }) => Ok(Self::Queued { not_before: None }),
            // From RUNNING and LOST: the worker never spawned after its StartJob and says so; nothing has run.
            (Self::Assigned { .. } | Self::Running { .. } | Self::Lost { .. }, JobEvent::HandedBack { not_before }) => {
                Ok(Self::Queued { not_before })
            }
            (Self::Running { started_at, .. } | Self::Lost { started_at, .. }, JobEvent::Renewed { lease }) => {
                Ok(Self::Running { lease, started_at })
            }
            (Self::Running { lease, started_at }, JobEvent::LeaseExpired { at }) => {
                Ok(Self::Lost { token: lease.token, started_at, since: at })
            }
            // From ASSIGNED: a checkout that fails for good ends the job before it started; a kill may land there, too.
            (Self::Assigned { .. } | Self::Running { .. } | Self::Lost { .. }, JobEvent::Finished { outcome, at })
            | (Self::Lost { .. }, JobEvent::Dismissed { outcome, at }) => Ok(Self::Ended { outcome, at }),
            (from, event) => Err(TransitionError { from: from.status(), event: event.name() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::{Duration, TimeZone, Utc};

    use super::*;

    fn at(second: i64) -> Timestamp {
        Utc.timestamp_opt(1_800_000_000, 0).unwrap() + Duration::seconds(second)
    }

    fn lease() -> Lease {
        Lease { token: LeaseToken::new(7), expires_at: at(15) }
    }

    fn states() -> Vec<JobState> {
        vec![
            JobState::Queued { not_before: None },
            JobState::Assigned { lease: lease() },
            JobState::Running { lease: lease(), started_at: at(1) },
            JobState::Lost { token: LeaseToken::new(7), started_at: at(1), since: at(20) },
            JobState::Ended { outcome: Outcome::Done, at: at(30) },
        ]
    }

    fn events() -> Vec<JobEvent> {
        vec![
            JobEvent::Claimed { lease: lease() },
            JobEvent::Started { at: at(2) },
            JobEvent::Renewed { lease: lease() },
            JobEvent::LeaseExpired { at: at(16) },
            JobEvent::HandedBack { not_before: None },
            JobEvent::Finished { outcome: Outcome::Failed, at: at(3) },
            JobEvent::Cancelled { at: at(3) },
            JobEvent::Dismissed { outcome: Outcome::Failed, at: at(3) },
        ]
    }

    /// Rows: queued, assigned, running, lost, ended; columns in the order of `events()`.
    #[test]
    fn every_pair_of_state_and_event_is_decided() {
        use JobStatus::{Assigned, Cancelled, Failed, Lost, Queued, Running};
        let table: [[Option<JobStatus>; 8]; 5] = [
            [Some(Assigned), None, None, None, None, None, Some(Cancelled), None],
            [None, Some(Running), Some(Assigned), Some(Queued), Some(Queued), Some(Failed), None, None],
            [None, None, Some(Running), Some(Lost), Some(Queued), Some(Failed), None, None],
            [None, None, Some(Running), None, Some(Queued), Some(Failed), None, Some(Failed)],
            [None; 8],
        ];
        for (state, row) in states().into_iter().zip(table) {
            for (event, expected) in events().into_iter().zip(row) {
                let got = state.apply(event).ok().map(|next| next.status());
                assert_eq!(got, expected, "{} + {}", state.status(), event.name());
            }
        }
    }

    #[test]
    fn a_lost_job_keeps_the_token_its_worker_may_answer_with() {
        let lost = states()[2].apply(JobEvent::LeaseExpired { at: at(16) }).unwrap();
        assert_eq!(lost, JobState::Lost { token: LeaseToken::new(7), started_at: at(1), since: at(16) });
    }

    #[test]
    fn a_refused_event_says_what_and_where() {
        let error = states()[4].apply(JobEvent::Started { at: at(1) }).unwrap_err();
        assert_eq!(error.to_string(), "a start is not possible while the job is DONE");
    }
}
