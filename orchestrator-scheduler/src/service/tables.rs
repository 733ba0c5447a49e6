//! The loops that keep tables small, and counts short to read.

use std::time::Duration;

use orchestrator_core::chain::Chain;
use orchestrator_core::clock::Timestamp;
use orchestrator_db::{DbError, Dialect};
use tokio::time::Instant;

use super::{LONG_PATIENCE, PATIENCE, POLL, within};
use crate::prune::{PruneSummary, Retention};
use crate::sample::until_next_minute;
use crate::scheduler::Scheduler;

/// How often decisions are pruned.
const UPKEEP: Duration = Duration::from_mins(1);

/// How often counts are folded: a busy server adds hundreds of rows a second to them.
const FOLD: Duration = Duration::from_secs(5);

/// Folding takes one part in so many of the time at most: while a report keeps what was folded from being cleaned away, each
/// fold reads all of it again.
const FOLD_SHARE: u32 = 20;

/// Counts that are folded together on PostgreSQL, which reads all of them for each batch. On SQLite all writers would wait for
/// so many.
const FOLD_BATCH: u32 = 20_000;

/// How often what is older than it has to be kept is deleted.
const PRUNE: Duration = Duration::from_mins(5);

/// Deleting takes one part in so many of the time while more is too old than a round takes on: what is written faster than a
/// round every five minutes could delete would gather for ever.
const PRUNE_SHARE: u32 = 9;

/// How long decisions not to run are kept.
const DECISIONS_KEPT: chrono::Duration = chrono::Duration::days(30);

/// How often SQLite's log is moved into its file.
const CHECKPOINT: Duration = Duration::from_secs(2);

/// Rows that one transaction of upkeep takes on.
const UPKEEP_BATCH: u32 = 5_000;

/// Keeps SQLite's log short, so that no commit has to.
pub(super) async fn checkpoint(scheduler: Scheduler) {
    loop {
        tokio::time::sleep(CHECKPOINT).await;
        if let Err(error) = scheduler.db().checkpoint().await {
            tracing::debug!(error = %Chain(&error), "the log could not be moved");
        }
    }
}

/// Keeps tables small.
pub(super) async fn upkeep(scheduler: Scheduler) {
    loop {
        tokio::time::sleep(UPKEEP).await;
        if let Err(error) = within(LONG_PATIENCE, scheduler.upkeep(scheduler.now())).await {
            tracing::debug!(error = %Chain(&error), "upkeep failed");
        }
    }
}

/// Finds elements that claims would pass over.
pub(super) async fn look_behind(scheduler: Scheduler) {
    loop {
        tokio::time::sleep(POLL).await;
        if let Err(error) = within(PATIENCE, scheduler.db().queues_look_behind()).await {
            tracing::debug!(error = %Chain(&error), "what lies behind the marks of claims could not be looked at");
        }
    }
}

/// Keeps counts per queue a few rows each.
pub(super) async fn fold(scheduler: Scheduler) {
    let mut took = Duration::ZERO;
    loop {
        tokio::time::sleep(until_next_fold(took)).await;
        took = within(LONG_PATIENCE, scheduler.fold_counts()).await.unwrap_or_else(|error| {
            tracing::debug!(error = %Chain(&error), "folding counts failed");
            Duration::ZERO
        });
    }
}

/// How long to wait after a fold that took so long.
fn until_next_fold(took: Duration) -> Duration {
    FOLD.max(took * FOLD_SHARE)
}

/// Keeps how queues stand, at once and then at every full minute.
pub(super) async fn sample(scheduler: Scheduler) {
    loop {
        let now = scheduler.now();
        if let Err(error) = within(PATIENCE, scheduler.sample_queues(now)).await {
            tracing::debug!(error = %Chain(&error), "how queues stand could not be kept");
        }
        tokio::time::sleep(until_next_minute(scheduler.now())).await;
    }
}

/// Deletes what is older than it has to be kept.
pub(super) async fn prune(scheduler: Scheduler) {
    if *scheduler.retention() == Retention::default() {
        return;
    }
    let mut wait = PRUNE;
    loop {
        tokio::time::sleep(wait).await;
        let began = Instant::now();
        let round = within(LONG_PATIENCE, scheduler.prune(scheduler.retention(), scheduler.now())).await;
        wait = match round {
            Ok(summary) => {
                if summary != PruneSummary::default() {
                    tracing::info!(?summary, "deleted what is too old");
                }
                until_next_prune(&summary, began.elapsed())
            }
            Err(error) => {
                tracing::warn!(error = %Chain(&error), "deleting what is too old failed");
                PRUNE
            }
        };
    }
}

/// How long to wait after a round of deletions that took so long.
fn until_next_prune(summary: &PruneSummary, took: Duration) -> Duration {
    if summary.may_have_left_some() { (took * PRUNE_SHARE).min(PRUNE) } else { PRUNE }
}

impl Scheduler {
    /// Folds the counts per queue, a batch a transaction, and tells how long the database took for it.
    async fn fold_counts(&self) -> Result<Duration, DbError> {
        let batch = if self.db().dialect() == Dialect::Sqlite { UPKEEP_BATCH } else { FOLD_BATCH };
        let mut took = Duration::ZERO;
        loop {
            let mut tx = self.db().begin_write().await?;
            let began = Instant::now();
            let folded = tx.queue_counts_fold(batch).await?;
            tx.commit().await?;
            took += began.elapsed();
            if folded < batch as usize {
                return Ok(took);
            }
        }
    }

    /// One round of upkeep: old decisions go, a batch a transaction.
    pub async fn upkeep(&self, now: Timestamp) -> Result<(), DbError> {
        loop {
            let mut tx = self.db().begin_write().await?;
            let gone = tx.decision_prune(now - DECISIONS_KEPT, UPKEEP_BATCH).await?;
            tx.commit().await?;
            if gone < u64::from(UPKEEP_BATCH) {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folding_that_takes_long_is_done_less_often() {
        assert_eq!(until_next_fold(Duration::from_millis(10)), FOLD);
        assert_eq!(until_next_fold(Duration::from_secs(1)), Duration::from_secs(20));
    }

    #[test]
    fn while_more_is_too_old_than_a_round_deletes_the_next_one_follows_after_nine_times_what_it_took() {
        let little = PruneSummary { logs: 49_999, ..PruneSummary::default() };
        assert_eq!(until_next_prune(&little, Duration::from_secs(2)), PRUNE);
        let full = PruneSummary { logs: 50_000, ..PruneSummary::default() };
        assert_eq!(until_next_prune(&full, Duration::from_secs(2)), Duration::from_secs(18));
        assert_eq!(until_next_prune(&full, Duration::from_mins(2)), PRUNE);
    }
}
