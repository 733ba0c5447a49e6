//! Jobs: one intended execution of a process, its attempts and its end.

mod output;
mod snapshot;
mod state;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::id::{JobId, TriggerId};
use crate::text::{ProcessName, Reason, TriggerName, WorkerName};

pub use output::{OutputChunk, OutputStream};
pub use snapshot::{JobOrigin, JobSnapshot};
pub use state::{JobEvent, JobState, JobStatus, Outcome, TransitionError};

/// One intended execution of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Its id.
    pub id: JobId,
    /// The trigger that made it.
    pub trigger_id: TriggerId,
    /// The trigger's name when the job was made.
    pub trigger_name: TriggerName,
    /// What runs, for lists.
    pub process_name: ProcessName,
    /// Who runs or ran it.
    pub worker_name: Option<WorkerName>,
    /// Where it stands.
    pub state: JobState,
    /// The instant it is for: the due time, not when that was noticed.
    pub scheduled_at: Timestamp,
    /// When it was queued.
    pub queued_at: Timestamp,
    /// When the robot was started.
    pub start_time: Option<Timestamp>,
    /// When it ended.
    pub end_time: Option<Timestamp>,
    /// The how-manieth try for its instant, from 1.
    pub attempt: u32,
    /// The attempt that took over from this lost one.
    pub superseded_by: Option<JobId>,
    /// Whether someone asked for its kill.
    pub kill_requested: bool,
    /// The robot's exit code, where it had one.
    pub exit_code: Option<i32>,
    /// The commit of a git checkout.
    pub commit: Option<String>,
    /// Why it ended as it did, or why it was handed back last.
    pub reason: Option<Reason>,
    /// What is run, as it stood when the job was made or last edited.
    pub snapshot: JobSnapshot,
}

/// The key of the rule "at most one job per trigger, scheduled instant and attempt".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct JobKey {
    /// The trigger.
    pub trigger_id: TriggerId,
    /// The instant.
    pub scheduled_at: Timestamp,
    /// The try, from 1.
    pub attempt: u32,
}
