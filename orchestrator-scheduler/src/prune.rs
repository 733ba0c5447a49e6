//! Retention: what is older than it has to be kept goes, in small transactions, oldest first.

use std::sync::Mutex;
use std::time::Duration;

use chrono::{DateTime, TimeDelta};
use orchestrator_core::actor::Actor;
use orchestrator_core::clock::Timestamp;
use orchestrator_db::{AuditRow, DbError, Prunable, Tx};
use serde_json::json;

use crate::scheduler::Scheduler;

/// Rows of one transaction.
const BATCH: u32 = 1_000;

/// Transactions a kind and round: what is left waits for the next round, so that deleting never keeps the server busy.
const BATCHES: u32 = 50;

/// How long things are kept; for ever where nothing is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Retention {
    /// Log lines, from when they were written.
    pub logs: Option<Duration>,
    /// What robots print, from the end of their job.
    pub output: Option<Duration>,
    /// Jobs with their output, from their end.
    pub jobs: Option<Duration>,
    /// Queue elements, from their end.
    pub elements: Option<Duration>,
    /// The audit.
    pub audit: Option<Duration>,
}

/// How many of each were deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PruneSummary {
    /// Log lines.
    pub logs: u64,
    /// Chunks of output, besides those of jobs that went.
    pub output: u64,
    /// Jobs.
    pub jobs: u64,
    /// Queue elements.
    pub elements: u64,
    /// Audit rows.
    pub audit: u64,
}

impl PruneSummary {
    /// Whether a kind may have had more than a round deletes.
    pub(crate) fn may_have_left_some(&self) -> bool {
        let Self { logs, output, jobs, elements, audit } = *self;
        [logs, output, jobs, elements, audit].into_iter().any(|deleted| deleted >= u64::from(BATCH * BATCHES))
    }
}

/// Up to which end of a job this server has deleted output.
#[derive(Debug, Default)]
pub(crate) struct OutputPruned(Mutex<Option<Timestamp>>);

/// A kind of rows.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Logs,
    Jobs,
    Audit,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Logs => "logs",
            Self::Jobs => "jobs",
            Self::Audit => "audit",
        }
    }
}

impl Scheduler {
    /// One round: a bounded number of rows of each kind.
    pub async fn prune(&self, retention: &Retention, now: Timestamp) -> Result<PruneSummary, DbError> {
        let mut summary = PruneSummary::default();
        if let Some(before) = before(retention.logs, now) {
            summary.logs = self.prune_kind(Kind::Logs, before, now).await?;
        }
        if let Some(before) = before(retention.output, now) {
            summary.output = self.prune_output(before).await?;
        }
        if let Some(before) = before(retention.jobs, now) {
            summary.jobs = self.prune_kind(Kind::Jobs, before, now).await?;
        }
        if let Some(before) = before(retention.elements, now) {
            summary.elements = self.prune_elements(before, now).await?;
        }
        if let Some(before) = before(retention.audit, now) {
            summary.audit = self.prune_kind(Kind::Audit, before, now).await?;
        }
        Ok(summary)
    }

    /// What [`Self::prune`] would delete, however many rounds it took. Changes nothing.
    pub async fn prunable(&self, retention: &Retention, now: Timestamp) -> Result<PruneSummary, DbError> {
        let mut tx = self.db().begin_read().await?;
        let mut summary = PruneSummary::default();
        for (kept, kind, count) in [
            (retention.logs, Prunable::Logs, &mut summary.logs),
            (retention.output, Prunable::Output, &mut summary.output),
            (retention.jobs, Prunable::Jobs, &mut summary.jobs),
            (retention.audit, Prunable::Audit, &mut summary.audit),
        ] {
            if let Some(before) = before(kept, now) {
                *count = tx.prunable_count(kind, before).await?;
            }
        }
        if let Some(before) = before(retention.elements, now) {
            for queue in tx.queue_list().await? {
                summary.elements += tx.prunable_element_count(&queue.name, before).await?;
            }
        }
        Ok(summary)
    }

    async fn prune_kind(&self, kind: Kind, before: Timestamp, now: Timestamp) -> Result<u64, DbError> {
        let mut deleted = 0;
        for _ in 0..BATCHES {
            let mut tx = self.db().begin_write().await?;
            let batch = match kind {
                Kind::Logs => tx.log_prune(before, BATCH).await?,
                Kind::Jobs => tx.job_prune(before, BATCH).await?,
                Kind::Audit => tx.audit_prune(before, BATCH, now).await?,
            };
            note(&mut tx, kind.name(), batch, before, now).await?;
            tx.commit().await?;
            deleted += batch;
            if batch < u64::from(BATCH) {
                break;
            }
        }
        Ok(deleted)
    }

    async fn prune_elements(&self, before: Timestamp, now: Timestamp) -> Result<u64, DbError> {
        let queues = self.db().begin_read().await?.queue_list().await?;
        let ended =
            queues.into_iter().filter(|queue| queue.counts.done + queue.counts.failed + queue.counts.abandoned > 0);
        let mut deleted = 0;
        for queue in ended {
            for _ in 0..BATCHES {
                let mut tx = self.db().begin_write().await?;
                let batch = tx.element_prune(&queue.name, before, BATCH).await? as u64;
                note(&mut tx, queue.name.as_str(), batch, before, now).await?;
                tx.commit().await?;
                deleted += batch;
                if batch < u64::from(BATCH) {
                    break;
                }
            }
        }
        Ok(deleted)
    }

    /// Output has no row in the audit: the jobs that printed it are still there.
    async fn prune_output(&self, before: Timestamp) -> Result<u64, DbError> {
        let mut deleted = 0;
        for _ in 0..BATCHES {
            let mut tx = self.db().begin_write().await?;
            let (next, chunks) = tx.output_prune(self.output_pruned().get(), before, BATCH).await?;
            tx.commit().await?;
            deleted += chunks;
            self.output_pruned().set(next.unwrap_or(before));
            if next.is_none() {
                break;
            }
        }
        Ok(deleted)
    }
}

impl OutputPruned {
    fn get(&self) -> Timestamp {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).unwrap_or(DateTime::UNIX_EPOCH)
    }

    fn set(&self, until: Timestamp) {
        *self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(until);
    }
}

/// Before which instant things go.
fn before(kept: Option<Duration>, now: Timestamp) -> Option<Timestamp> {
    let kept = TimeDelta::from_std(kept?).ok()?;
    now.checked_sub_signed(kept)
}

/// Writes down that rows were deleted, in the transaction that deletes them.
async fn note(tx: &mut Tx, subject: &str, deleted: u64, before: Timestamp, now: Timestamp) -> Result<(), DbError> {
    if deleted == 0 {
        return Ok(());
    }
    let row = AuditRow {
        actor: Actor::system(),
        action: "retention.prune",
        subject_kind: "retention",
        subject: subject.to_owned(),
        before: None,
        after: Some(json!({ "deleted": deleted, "older_than": before })),
    };
    tx.audit_insert(&[row], now).await
}
