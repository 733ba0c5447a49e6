//! The heart: one loop that turns due triggers into jobs and hands waiting jobs to waiting workers, in one transaction.
//!
//! It sleeps until the next due instant and is woken by changes. Every server runs it; locks and unique keys in the
//! database keep two of them from doing the same thing twice.

use std::collections::BTreeSet;

use orchestrator_core::clock::Timestamp;
use orchestrator_core::id::{JobId, TriggerId};
use orchestrator_db::{DbError, Grant, Hint, Tx};

use crate::claim::ClaimError;
use crate::scheduler::Scheduler;
use crate::transaction::MOST_RERUNS;
use crate::waiting::WaitingClaim;
use crate::wake::Marks;

/// What one tick did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TickSummary {
    /// Jobs that were made.
    pub created: usize,
    /// Jobs that were handed to workers.
    pub assigned: usize,
    /// Instants that were decided against.
    pub declined: usize,
    /// There is more to do at once.
    pub more: bool,
    /// When there is something to do by the clock.
    pub next_due: Option<Timestamp>,
}

impl TickSummary {
    /// Whether anything came of it. Two fruitless ticks in a row must not be followed by a third at once: what seems to
    /// be due may be locked by someone, or unreadable.
    pub(crate) fn is_fruitless(&self) -> bool {
        self.created == 0 && self.assigned == 0 && self.declined == 0
    }

    fn add(&mut self, other: &Self) {
        self.created += other.created;
        self.assigned += other.assigned;
        self.declined += other.declined;
        self.next_due = other.next_due;
    }
}

/// What a tick's transaction wrote, before anyone was told.
#[derive(Debug, Default)]
pub(crate) struct Written {
    pub(crate) summary: TickSummary,
    /// Per ask: its grants, or why it was refused.
    pub(crate) answers: Vec<(u64, Result<Vec<Grant>, ClaimError>)>,
    /// Triggers whose jobs or standing changed.
    pub(crate) touched: BTreeSet<TriggerId>,
    pub(crate) created: Vec<JobId>,
    pub(crate) granted: BTreeSet<JobId>,
    nothing_queued: bool,
}

/// What transactions that take on one thing each have tried, after one that took on everything failed.
#[derive(Debug, Default)]
pub(crate) struct Tried {
    pub(crate) triggers: BTreeSet<TriggerId>,
    pub(crate) jobs: BTreeSet<JobId>,
    /// The transaction has its one thing already.
    pub(crate) chosen: bool,
}

impl Tried {
    fn count(&self) -> usize {
        self.triggers.len() + self.jobs.len()
    }
}

/// What one transaction is about.
#[derive(Debug)]
pub(crate) struct Tick<'a> {
    pub(crate) now: Timestamp,
    pub(crate) marks: &'a Marks,
    pub(crate) claims: &'a [(u64, WaitingClaim)],
    /// Set when it may take on one thing only.
    pub(crate) tried: Option<&'a mut Tried>,
}

impl Scheduler {
    /// Evaluates what is due and assigns what waits, once. Tests call it with a clock of their own.
    pub async fn tick(&self, now: Timestamp) -> Result<TickSummary, DbError> {
        self.tick_marked(now, &Marks { everything: true, ..Marks::default() }).await
    }

    pub(crate) async fn tick_marked(&self, now: Timestamp, marks: &Marks) -> Result<TickSummary, DbError> {
        match self.tick_once(now, marks, None).await {
            Err(error) if !error.is_transient() => {
                tracing::error!(%error, "triggers and jobs cannot be dealt with together; trying them one by one");
                self.tick_one_by_one(now, marks).await
            }
            result => result,
        }
    }

    /// One bad row must not keep all others from running.
    async fn tick_one_by_one(&self, now: Timestamp, marks: &Marks) -> Result<TickSummary, DbError> {
        let mut total = TickSummary::default();
        let mut tried = Tried::default();
        loop {
            let before = tried.count();
            tried.chosen = false;
            match self.tick_once(now, marks, Some(&mut tried)).await {
                Ok(summary) => total.add(&summary),
                Err(error) if error.is_transient() => return Err(error),
                Err(error) => tracing::error!(%error, "a trigger or job cannot be dealt with"),
            }
            if tried.count() == before {
                return Ok(total);
            }
        }
    }

    async fn tick_once(
        &self,
        now: Timestamp,
        marks: &Marks,
        mut tried: Option<&mut Tried>,
    ) -> Result<TickSummary, DbError> {
        let stock = self.waiting().take_stock();
        let mut reruns = 0;
        let written = loop {
            let mut tick = Tick { now, marks, claims: stock.claims(), tried: tried.as_deref_mut() };
            match self.run_tick(&mut tick).await {
                Err(error) if reruns < MOST_RERUNS && error.is_contention() => reruns += 1,
                result => break result?,
            }
        };
        for (key, answer) in written.answers {
            self.waiting().answer(key, answer);
        }
        if written.nothing_queued {
            self.signals().be_quiet();
        }
        Ok(written.summary)
    }

    async fn run_tick(&self, tick: &mut Tick<'_>) -> Result<Written, DbError> {
        let mut tx = self.db().begin_write().await?;
        match self.tick_in(&mut tx, tick).await {
            Ok((written, hints)) => {
                tx.notify(&hints).await?;
                tx.commit().await?;
                // This engine has just seen to it.
                self.signals().tell(&hints);
                Ok(written)
            }
            Err(error) => {
                // A failed rollback leaves a dead connection, which the pool throws away.
                let _ = tx.rollback().await;
                Err(error)
            }
        }
    }

    async fn tick_in(&self, tx: &mut Tx, tick: &mut Tick<'_>) -> Result<(Written, Vec<Hint>), DbError> {
        let mut written = Written::default();
        let any_queued = tx.job_any_queued().await?;
        let may_assign = !tick.claims.is_empty() && (any_queued || will_create(tx, tick).await?);
        let loads = if may_assign { tx.worker_lock_loads(&workers_of(tick.claims)).await? } else { Vec::new() };
        self.evaluate(tx, tick, &mut written).await?;
        if may_assign {
            self.assign(tx, tick, &loads, &mut written).await?;
        } else {
            // A poll found what no word had announced.
            written.summary.more |= !tick.claims.is_empty() && !written.created.is_empty();
        }
        let touched: Vec<TriggerId> = written.touched.iter().copied().collect();
        if !touched.is_empty() {
            tx.trigger_refresh_status(&touched).await?;
        }
        written.summary.next_due = earliest(tx.trigger_next_due().await?, tx.job_next_not_before(tick.now).await?);
        written.nothing_queued = !any_queued && written.created.is_empty();
        let hints = hints_of(&written);
        Ok((written, hints))
    }
}

/// Whether the evaluation is likely to make jobs, so that workers are locked before triggers, as everyone does.
async fn will_create(tx: &mut Tx, tick: &Tick<'_>) -> Result<bool, DbError> {
    if !tick.marks.queues.is_empty() {
        return Ok(true);
    }
    Ok(tx.trigger_next_due().await?.is_some_and(|due| due <= tick.now))
}

fn workers_of(claims: &[(u64, WaitingClaim)]) -> Vec<orchestrator_core::text::WorkerName> {
    let workers: BTreeSet<_> = claims.iter().map(|(_, claim)| claim.worker.clone()).collect();
    workers.into_iter().collect()
}

fn hints_of(written: &Written) -> Vec<Hint> {
    let mut hints: Vec<Hint> = written.granted.iter().map(|id| Hint::Job { id: *id }).collect();
    if written.created.iter().any(|id| !written.granted.contains(id)) {
        hints.push(Hint::Jobs);
    }
    if !written.touched.is_empty() {
        hints.push(Hint::Triggers);
    }
    hints
}

fn earliest(a: Option<Timestamp>, b: Option<Timestamp>) -> Option<Timestamp> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}
