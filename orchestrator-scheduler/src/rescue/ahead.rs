//! What was written by a clock that was ahead. A worker that was heard of "in an hour" would count as alive for that hour
//! after the clock was set right, and its jobs would not be lost.

use orchestrator_core::clock::Timestamp;
use orchestrator_core::lease::LEASE;
use orchestrator_db::{DbError, Lowering};

use crate::development::DEVELOPMENT_TRIGGER;
use crate::scheduler::Scheduler;
use crate::transaction::in_transaction;

/// How far ahead of this server's clock an instant may lie that was written as "now": another server's clock, corrected by
/// the database's, is off by much less. What lies further ahead is taken for now.
pub(crate) const MOST_AHEAD: chrono::Duration = chrono::Duration::seconds(15);

impl Scheduler {
    /// Lowers what cannot have happened yet: a worker was heard of now at the latest, and a lease that was renewed now ends in
    /// one lease. Workers that are there say so again before that.
    pub(super) async fn lower_what_is_ahead(&self, now: Timestamp) -> Result<(), DbError> {
        let instants = Lowering { ahead: now + MOST_AHEAD, to: now };
        let leases = Lowering { ahead: now + LEASE + MOST_AHEAD, to: now + LEASE };
        let lowered: (u64, u64) = in_transaction!(self, |tx| {
            let workers = tx.worker_lower_heartbeats(instants.ahead, instants.to).await?;
            // Development jobs live for an hour without a word.
            let jobs = tx.job_lower_leases(leases, instants, DEVELOPMENT_TRIGGER).await?;
            Ok::<_, DbError>(((workers, jobs), Vec::new()))
        })?;
        if lowered != (0, 0) {
            let (workers, jobs) = lowered;
            tracing::warn!(
                workers,
                jobs,
                "a clock was ahead when these were heard of last; they were heard of now instead"
            );
        }
        Ok(())
    }
}
