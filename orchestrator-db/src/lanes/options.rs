use std::sync::Arc;
use std::time::Duration;

use orchestrator_core::clock::Clock;
use tokio_util::task::TaskTracker;

use crate::connect::Db;
use crate::hint::Hint;

/// How lanes work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LaneOptions {
    /// Calls share transactions. Otherwise each has one of its own.
    pub is_on: bool,
    /// The most calls that wait in one lane.
    pub most_calls: usize,
    /// The most bytes that they hold.
    pub most_bytes: usize,
    /// The most rows of one transaction.
    pub most_rows: usize,
    /// How long the database may take for a transaction. After that it is not known what was done, as when a connection
    /// breaks: one that was cut without a word would keep every caller of the lane waiting.
    pub patience: Duration,
}

impl Default for LaneOptions {
    fn default() -> Self {
        Self {
            is_on: true,
            most_calls: 10_000,
            most_bytes: 64 << 20,
            most_rows: 2_000,
            patience: Duration::from_secs(30),
        }
    }
}

/// Who is told what was committed.
pub type Committed = Arc<dyn Fn(&[Hint]) + Send + Sync>;

/// What every lane works with.
#[derive(Clone)]
pub(super) struct LaneContext {
    pub(super) db: Db,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) committed: Committed,
    pub(super) tasks: TaskTracker,
}
