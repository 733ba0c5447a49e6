//! The heart: one loop that turns due triggers into jobs and hands waiting jobs to waiting workers, in one transaction.
//!
//! It sleeps until the next due instant and is woken by changes. Every server runs it; locks and unique keys in the
//! database keep two of them from doing the same thing twice.

use std::collections::BTreeSet;

use orchestrator_core::chain::Chain;
use orchestrator_core::clock::Timestamp;
use orchestrator_core::id::{JobId, TriggerId};
use orchestrator_core::text::{QueueName, WorkerName};
use orchestrator_db::{DbError, Grant, Hint, LockedLoads, Tx};

use crate::claim::ClaimError;
use crate::scheduler::Scheduler;
use crate::transaction::MOST_RERUNS;
use crate::waiting::{Stock, WaitingClaim, Wanted};
use crate::wake::Marks;

/// Where no more claims wait, all are looked at: placing knows them all, and locking them costs little.
const MOST_ASKING: usize = 256;

/// Claims that are looked at beside those that seem to be needed.
const SPARE_ASKS: usize = 32;

/// Due triggers and queued jobs that are counted to see how many claims are needed.
const MOST_PEEKED: u32 = 500;

/// What one tick did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TickSummary {
    /// Jobs that were made.
    pub created: usize,
    /// Jobs that were handed to workers.
    pub assigned: usize,
    /// Instants that were decided against.
    pub declined: usize,
    /// Workers were asked that take none of the jobs there are; others are still to be asked.
    pub asked_in_vain: bool,
    /// There is more to do at once.
    pub more: bool,
    /// When there is something to do by the clock.
    pub next_due: Option<Timestamp>,
}

impl TickSummary {
    /// Whether anything came of it. Two fruitless ticks in a row must not be followed by a third at once: what seems to
    /// be due may be locked by someone, or unreadable.
    pub(crate) fn is_fruitless(&self) -> bool {
        self.created == 0 && self.assigned == 0 && self.declined == 0 && !self.asked_in_vain
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
    /// Asks whose workers take only jobs that name them.
    pub(crate) particular: Vec<u64>,
    /// Triggers whose jobs were assigned.
    pub(crate) assigned_of: BTreeSet<TriggerId>,
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
pub(crate) struct Tick<'a, 's> {
    pub(crate) now: Timestamp,
    /// Triggers that are due until then are dealt with. Not before `now`.
    pub(crate) horizon: Timestamp,
    pub(crate) marks: &'a Marks,
    /// How often triggers had changed before it began.
    pub(crate) trigger_changes: u64,
    pub(crate) stock: &'a mut Stock<'s>,
    /// Set when it may take on one thing only.
    pub(crate) tried: Option<&'a mut Tried>,
}

impl Scheduler {
    /// Evaluates what is due and assigns what waits, once. Tests call it with a clock of their own.
    pub async fn tick(&self, now: Timestamp) -> Result<TickSummary, DbError> {
        self.tick_marked(now, now, &Marks { everything: true, ..Marks::default() }).await
    }

    /// As [`Scheduler::tick`], but on word only: what was to be due next is due by the horizon. This is what the loop does
    /// [`LEAD`](crate::LEAD) before that instant.
    pub async fn tick_due(&self, now: Timestamp, horizon: Timestamp) -> Result<TickSummary, DbError> {
        self.tick_marked(now, horizon, &Marks { due: true, ..Marks::default() }).await
    }

    /// As [`Scheduler::tick`], but on word only: these queues got elements.
    pub async fn tick_queues(&self, now: Timestamp, queues: BTreeSet<QueueName>) -> Result<TickSummary, DbError> {
        self.tick_marked(now, now, &Marks { queues, ..Marks::default() }).await
    }

    pub(crate) async fn tick_marked(
        &self,
        now: Timestamp,
        horizon: Timestamp,
        marks: &Marks,
    ) -> Result<TickSummary, DbError> {
        match self.tick_once(now, horizon, marks, None).await {
            Err(error) if !error.is_transient() => {
                tracing::error!(error = %Chain(&error), "triggers and jobs cannot be dealt with together; trying them one by one");
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
            match self.tick_once(now, now, marks, Some(&mut tried)).await {
                Ok(summary) => total.add(&summary),
                Err(error) if error.is_transient() => return Err(error),
                Err(error) => tracing::error!(error = %Chain(&error), "a trigger or job cannot be dealt with"),
            }
            if tried.count() == before {
                return Ok(total);
            }
        }
    }

    async fn tick_once(
        &self,
        now: Timestamp,
        horizon: Timestamp,
        marks: &Marks,
        mut tried: Option<&mut Tried>,
    ) -> Result<TickSummary, DbError> {
        if marks.workers {
            self.waiting().try_all_again();
        }
        let mut stock = self.waiting().take_stock();
        let mut reruns = 0;
        let mut written = loop {
            let trigger_changes = self.signals().trigger_changes();
            let mut tick =
                Tick { now, horizon, marks, trigger_changes, stock: &mut stock, tried: tried.as_deref_mut() };
            match self.run_tick(&mut tick).await {
                Err(error) if reruns < MOST_RERUNS && error.is_contention() => reruns += 1,
                result => break result?,
            }
        };
        for (key, answer) in written.answers {
            self.waiting().answer(key, answer);
        }
        if self.waiting().are_particular(&written.particular) && !written.nothing_queued && stock.has_others() {
            written.summary.asked_in_vain = true;
            written.summary.more = true;
        }
        if written.nothing_queued {
            self.signals().be_quiet();
        }
        Ok(written.summary)
    }

    async fn run_tick(&self, tick: &mut Tick<'_, '_>) -> Result<Written, DbError> {
        let mut tx = self.db().begin_hot().await?;
        match self.tick_in(&mut tx, tick).await {
            Ok((written, hints)) => {
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

    async fn tick_in(&self, tx: &mut Tx, tick: &mut Tick<'_, '_>) -> Result<(Written, Vec<Hint>), DbError> {
        let mut written = Written::default();
        let somebody_waits = tick.stock.count() > 0;
        let may_assign = somebody_waits && expects_jobs(tx, tick).await?;
        let loads = if may_assign { lock_workers(tx, tick).await? } else { LockedLoads::default() };
        let evaluated = self.evaluate(tx, tick, &mut written).await?;
        if may_assign && !loads.any_queued && tick.tried.is_none() {
            self.create_assigned(tx, tick, &loads, &evaluated, &mut written).await?;
        } else {
            written.created = tx.job_insert(&evaluated.jobs, tick.now).await?;
            if may_assign {
                self.assign(tx, tick, &loads, &mut written).await?;
            } else {
                // A poll found what no word had announced.
                written.summary.more |= somebody_waits && !written.created.is_empty();
            }
        }
        written.summary.created = written.created.len();
        evaluated.save(tx).await?;
        let touched: Vec<TriggerId> = written.assigned_of.difference(&evaluated.ids()).copied().collect();
        if !touched.is_empty() {
            tx.trigger_refresh_status(&touched).await?;
        }
        let hints = hints_of(&written, !touched.is_empty() || !evaluated.is_empty());
        let left = tx.glance_and_notify(tick.now, &hints).await?;
        written.summary.next_due = left.next();
        written.nothing_queued = !left.any_queued;
        Ok((written, hints))
    }
}

/// Whether there is likely to be something to hand out, so that workers are locked before triggers, as everyone does. Word
/// of it costs no statement; a poll looks.
async fn expects_jobs(tx: &mut Tx, tick: &Tick<'_, '_>) -> Result<bool, DbError> {
    if tick.marks.due || !tick.marks.queues.is_empty() {
        return Ok(true);
    }
    let glance = tx.glance(tick.now).await?;
    Ok(glance.any_queued || glance.next_due.is_some_and(|due| due <= tick.horizon))
}

/// Locks the workers of the claims that this transaction decides about, and reads what they carry. Where many wait, only
/// as many are locked as there may be jobs, and those that jobs name.
async fn lock_workers(tx: &mut Tx, tick: &mut Tick<'_, '_>) -> Result<LockedLoads, DbError> {
    if tick.stock.count() <= MOST_ASKING {
        tick.stock.pick_all();
    } else {
        let wanted = wanted(tx, tick).await?;
        tick.stock.pick(&wanted);
    }
    tx.worker_lock_loads(&workers_of(&tick.stock.claims())).await
}

/// Which claims are needed for what is due and what is queued, as it seems before anything is locked.
async fn wanted(tx: &mut Tx, tick: &Tick<'_, '_>) -> Result<Wanted, DbError> {
    // Jobs of queue triggers are few, and what is not placed now is placed in the next tick.
    let mut wanted = Wanted { any: SPARE_ASKS, ..Wanted::default() };
    let mut add = |whitelist: Vec<WorkerName>| {
        wanted.any += usize::from(whitelist.is_empty());
        wanted.named.extend(whitelist);
    };
    tx.trigger_due_whitelists(tick.horizon, MOST_PEEKED).await?.into_iter().for_each(&mut add);
    for job in tx.job_candidates(tick.now, None, MOST_PEEKED).await? {
        add(job.whitelist);
        add(job.reserved_worker.into_iter().collect());
    }
    Ok(wanted)
}

fn workers_of(claims: &[(u64, WaitingClaim)]) -> Vec<WorkerName> {
    let workers: BTreeSet<_> = claims.iter().map(|(_, claim)| claim.worker.clone()).collect();
    workers.into_iter().collect()
}

fn hints_of(written: &Written, triggers_changed: bool) -> Vec<Hint> {
    let mut hints: Vec<Hint> = written.granted.iter().map(|id| Hint::Job { id: *id }).collect();
    if written.created.iter().any(|id| !written.granted.contains(id)) {
        hints.push(Hint::Jobs);
    }
    if triggers_changed {
        hints.push(Hint::Triggers);
    }
    hints
}
