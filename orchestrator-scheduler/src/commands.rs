//! What a worker is told at once: kills, drains, the end of its session. The next heartbeat tells the same, so nothing
//! depends on this stream.

use std::collections::BTreeSet;
use std::sync::Arc;

use orchestrator_core::id::{JobId, SessionId};
use orchestrator_core::lease::LeaseToken;
use orchestrator_core::text::WorkerName;
use orchestrator_db::DbError;
use tokio::sync::{Notify, watch};

use crate::scheduler::Scheduler;

/// An order to a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// Kill a job's whole tree.
    Kill(JobId, LeaseToken),
    /// Another registration took this session's place.
    SessionOver,
    /// Take nothing new.
    Drain,
    /// Take jobs again.
    Resume,
}

/// A worker's orders as they come up.
#[derive(Debug)]
pub struct Commands {
    scheduler: Scheduler,
    worker: WorkerName,
    session: SessionId,
    word: Arc<Notify>,
    losses: watch::Receiver<u64>,
    told: BTreeSet<(JobId, LeaseToken)>,
    draining: bool,
    first: bool,
}

impl Scheduler {
    /// Orders for a worker's session, from those that stand now on.
    pub fn commands(&self, worker: WorkerName, session: SessionId) -> Commands {
        Commands {
            scheduler: self.clone(),
            word: self.signals().subscribe_to_worker(&worker),
            worker,
            session,
            losses: self.signals().subscribe_to_losses(),
            told: BTreeSet::new(),
            draining: false,
            first: true,
        }
    }
}

impl Commands {
    /// Waits for the next orders; at least one, unless the server is shutting down (`None`).
    pub async fn next(&mut self) -> Result<Option<Vec<Command>>, DbError> {
        loop {
            if !self.first && !self.word_for_us().await {
                return Ok(None);
            }
            self.first = false;
            // In a box: an idle worker would keep room for it.
            let orders = Box::pin(self.look()).await?;
            if !orders.is_empty() {
                return Ok(Some(orders));
            }
        }
    }

    /// Waits until something about this worker may have changed; false when there will be no more word.
    async fn word_for_us(&mut self) -> bool {
        tokio::select! {
            () = self.word.notified() => true,
            // Word was lost: look.
            lost = self.losses.changed() => lost.is_ok(),
        }
    }

    async fn look(&mut self) -> Result<Vec<Command>, DbError> {
        let mut tx = self.scheduler.db().begin_read().await?;
        let Some(known) = tx.worker_standing(&self.worker).await? else { return Ok(vec![Command::SessionOver]) };
        if known.session_id != self.session {
            return Ok(vec![Command::SessionOver]);
        }
        let mut orders: Vec<Command> = Vec::new();
        for (job, token) in tx.job_kills_of(&self.worker).await? {
            if self.told.insert((job, token)) {
                orders.push(Command::Kill(job, token));
            }
        }
        if known.drain_requested != self.draining {
            self.draining = known.drain_requested;
            orders.push(if self.draining { Command::Drain } else { Command::Resume });
        }
        Ok(orders)
    }
}
