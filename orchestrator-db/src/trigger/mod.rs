//! Triggers: rows, locks and the columns that the scheduler advances.

mod ahead;
mod counts;
mod due;
mod find;
mod list;
mod planned;
mod progress;
mod queue_watch;
mod row;
mod status;
mod write;

use orchestrator_core::clock::Timestamp;
use orchestrator_core::trigger::Trigger;

pub use counts::{OVERDUE_AFTER, TriggerCounts};
pub use list::{TriggerFilter, TriggerSort};
pub use progress::{StoredNextRun, TriggerProgress};

/// A trigger with what only the scheduler knows of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredTrigger {
    /// The trigger.
    pub trigger: Trigger,
    /// When the evaluator looks at it next: its next run, the end of a back-off, or never.
    pub due_at: Option<Timestamp>,
    /// The instant that waits for the end of the active job.
    pub buffered_at: Option<Timestamp>,
    /// The latest instant that became a job.
    pub last_scheduled_at: Option<Timestamp>,
    /// Whether it was deleted.
    pub deleted: bool,
}

#[cfg(test)]
crate::statements::statements![; ahead, counts, due, find, list, planned, progress, queue_watch, status, write];
