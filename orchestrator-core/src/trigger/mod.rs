//! Triggers: rules that create jobs.
//!
//! A trigger stores one fact of its own, its [`Hold`]; what people see ([`TriggerStatus`]) is a total function of the
//! hold and its active jobs, see [`shown_status`].

mod draft;
mod status;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::cron::CronExpr;
use crate::id::TriggerId;
use crate::policy::Policies;
use crate::source::EntryPoint;
use crate::states::named_states;
use crate::text::{GitBranch, ProcessArgs, ProcessName, ProcessPath, QueueName, TriggerName, WorkerName};

pub use draft::{DraftError, TriggerDraft};
pub use status::{ActiveJobs, Hold, TriggerStatus, shown_status};

named_states!(
    /// The three kinds of triggers, as the contract's `type` column holds them.
    TriggerType, "trigger type" {
        /// Fires once.
        Single = "SINGLE",
        /// Fires by a cron expression.
        Scheduled = "SCHEDULED",
        /// Fires when a queue has enough new elements.
        Queue = "QUEUE",
    }
);

/// What makes a trigger fire, with what that kind needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TriggerKind {
    /// One instant, at or after `next_run`.
    Single {
        /// When to fire; `None` once it has fired.
        next_run: Option<Timestamp>,
    },
    /// A cron expression in a zone.
    Scheduled {
        /// The five-field expression.
        cron: CronExpr,
        /// The zone its fields mean.
        zone: chrono_tz::Tz,
        /// The next instant; `None` when the expression has no further one.
        next_run: Option<Timestamp>,
    },
    /// Enough new elements in a queue.
    Queue {
        /// The queue that is watched.
        queue_name: QueueName,
        /// New elements per job, at least 1.
        min_batch_size: u32,
        /// The most jobs of this trigger active at once, at least 1.
        max_parallel: u32,
    },
}

impl TriggerKind {
    /// The contract's name of the kind.
    pub fn trigger_type(&self) -> TriggerType {
        match self {
            Self::Single { .. } => TriggerType::Single,
            Self::Scheduled { .. } => TriggerType::Scheduled,
            Self::Queue { .. } => TriggerType::Queue,
        }
    }

    /// The next instant at which it fires by the clock, if it does.
    pub fn next_run(&self) -> Option<Timestamp> {
        match self {
            Self::Single { next_run } | Self::Scheduled { next_run, .. } => *next_run,
            Self::Queue { .. } => None,
        }
    }
}

/// What a robot machine is to execute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessSpec {
    /// The name people read in logs and jobs.
    pub name: ProcessName,
    /// A path on the worker, or a git URL.
    pub path: ProcessPath,
    /// Handed to the process as one value.
    pub args: Option<ProcessArgs>,
    /// Whether `path` is a git URL.
    pub is_git_repo: bool,
    /// Branch or tag; the remote's default branch when absent.
    pub git_branch: Option<GitBranch>,
    /// The file to run inside a checkout; `main.py` is looked for when absent.
    pub entry_point: Option<EntryPoint>,
}

/// A rule that creates jobs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trigger {
    /// Its id.
    pub id: TriggerId,
    /// Unique among live triggers.
    pub name: TriggerName,
    /// What runs.
    pub process: ProcessSpec,
    /// What makes it fire.
    pub kind: TriggerKind,
    /// What keeps it from firing.
    pub hold: Hold,
    /// What people see; written in the transaction that changes the hold or the jobs.
    pub status: TriggerStatus,
    /// Runs alone on its worker.
    pub is_blocking: bool,
    /// Higher goes first. 0 by default.
    pub priority: i32,
    /// Workers it may run on; any that is not exclusive when empty.
    pub worker_whitelist: Vec<WorkerName>,
    /// Choices about failure, time and overlap.
    pub policies: Policies,
    /// When its latest job started.
    pub last_run: Option<Timestamp>,
    /// Failures in a row, per instant.
    pub consecutive_failures: u32,
    /// When it was created.
    pub created_at: Timestamp,
    /// When an administrator last changed it.
    pub updated_at: Timestamp,
}
