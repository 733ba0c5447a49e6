//! The heart: one loop that turns due triggers into jobs and hands waiting jobs to waiting workers, in one transaction.
//!
//! It sleeps until the next due instant and is woken by changes. Every server runs it; locks and unique keys in the
//! database keep two of them from doing the same thing twice.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use orchestrator_core::clock::Timestamp;
use orchestrator_core::id::{JobId, TriggerId};
use orchestrator_core::job::JobSnapshot;
use orchestrator_core::lease::LEASE;
use orchestrator_core::text::{QueueName, WorkerName};
use orchestrator_core::trigger::{ActiveJobs, Trigger, TriggerKind};
use orchestrator_db::{Assign, Candidate, DbError, Grant, Hint, NewJob, StoredTrigger, Tx, WorkerLoad};

use crate::claim::ClaimError;
use crate::decide::{Circumstances, Verdict, decide_due, decide_queue};
use crate::placement::{Ask, Placement, place};
use crate::scheduler::Scheduler;
use crate::transaction::in_transaction;
use crate::waiting::WaitingClaim;
use crate::wake::Marks;

/// Triggers that one transaction evaluates at most.
const BATCH: u32 = 500;

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

/// What a tick's transaction wrote, before anyone was told.
#[derive(Debug, Default)]
struct Written {
    summary: TickSummary,
    /// Per ask: its grants, or why it was refused.
    answers: Vec<(u64, Result<Vec<Grant>, ClaimError>)>,
}

impl Scheduler {
    /// Evaluates what is due and assigns what waits, once. Tests call it with a clock of their own.
    pub async fn tick(&self, now: Timestamp) -> Result<TickSummary, DbError> {
        self.tick_marked(now, &Marks { everything: true, ..Marks::default() }).await
    }

    pub(crate) async fn tick_marked(&self, now: Timestamp, marks: &Marks) -> Result<TickSummary, DbError> {
        let claims = self.waiting().take_stock();
        let written: Result<Written, DbError> =
            in_transaction!(self, |tx| { self.tick_in(tx, now, marks, &claims).await });
        let summary = written.map(|written| {
            for (key, answer) in written.answers {
                self.waiting().answer(key, answer);
            }
            written.summary
        });
        self.waiting().settle();
        summary
    }

    async fn tick_in(
        &self,
        tx: &mut Tx,
        now: Timestamp,
        marks: &Marks,
        claims: &[(u64, WaitingClaim)],
    ) -> Result<(Written, Vec<Hint>), DbError> {
        let workers: BTreeSet<WorkerName> = claims.iter().map(|(_, claim)| claim.worker.clone()).collect();
        let workers: Vec<WorkerName> = workers.into_iter().collect();
        let loads = if workers.is_empty() { Vec::new() } else { tx.worker_lock_loads(&workers).await? };
        let mut written = Written::default();
        let mut touched = BTreeSet::new();
        let created = self.evaluate(tx, now, marks, &mut written.summary, &mut touched).await?;
        let granted = self.assign(tx, now, claims, &loads, &mut written, &mut touched).await?;
        let touched: Vec<TriggerId> = touched.into_iter().collect();
        if !touched.is_empty() {
            tx.trigger_refresh_status(&touched).await?;
        }
        written.summary.next_due = earliest(tx.trigger_next_due().await?, tx.job_next_not_before(now).await?);
        let mut hints: Vec<Hint> = granted.iter().map(|id| Hint::Job { id: *id }).collect();
        if created.iter().any(|id| !granted.contains(id)) {
            hints.push(Hint::Jobs);
        }
        if !touched.is_empty() {
            hints.push(Hint::Triggers);
        }
        Ok((written, hints))
    }

    async fn evaluate(
        &self,
        tx: &mut Tx,
        now: Timestamp,
        marks: &Marks,
        summary: &mut TickSummary,
        touched: &mut BTreeSet<TriggerId>,
    ) -> Result<Vec<JobId>, DbError> {
        let due = tx.trigger_lock_due(now, BATCH).await?.rows;
        summary.more |= due.len() >= BATCH as usize;
        let watchers = self.watchers(tx, now, marks, &due, summary).await?;
        if due.is_empty() && watchers.is_empty() {
            return Ok(Vec::new());
        }
        let stored: Vec<&StoredTrigger> = due.iter().chain(&watchers).collect();
        let ids: Vec<TriggerId> = stored.iter().map(|stored| stored.trigger.id).collect();
        let active = tx.trigger_active_jobs(&ids).await?;
        let mut ready = HashMap::new();
        for stored in &stored {
            count_ready(tx, &stored.trigger, &mut ready).await?;
        }
        let verdicts: Vec<Verdict> = stored.iter().map(|stored| self.verdict(stored, now, &active, &ready)).collect();
        let created = write_verdicts(tx, &stored, &verdicts, now).await?;
        summary.created = created.len();
        summary.declined = verdicts.iter().map(|verdict| verdict.decisions.len()).sum();
        touched.extend(ids);
        Ok(created)
    }

    /// Queue triggers that see enough elements: of the queues that were named, or of all at a poll.
    async fn watchers(
        &self,
        tx: &mut Tx,
        now: Timestamp,
        marks: &Marks,
        due: &[StoredTrigger],
        summary: &mut TickSummary,
    ) -> Result<Vec<StoredTrigger>, DbError> {
        let queues: Vec<QueueName> = marks.queues.iter().cloned().collect();
        let named = match (marks.everything, queues.is_empty()) {
            (true, _) => None,
            (false, false) => Some(queues.as_slice()),
            (false, true) => return Ok(Vec::new()),
        };
        let mut watchers = tx.trigger_lock_queue_watchers(named, now, None, BATCH).await?.rows;
        summary.more |= watchers.len() >= BATCH as usize;
        watchers.retain(|watcher| !due.iter().any(|due| due.trigger.id == watcher.trigger.id));
        Ok(watchers)
    }

    fn verdict(
        &self,
        stored: &StoredTrigger,
        now: Timestamp,
        active: &HashMap<TriggerId, ActiveJobs>,
        ready: &HashMap<QueueName, u64>,
    ) -> Verdict {
        let active = active.get(&stored.trigger.id).copied().unwrap_or_default();
        let at = Circumstances { now, on_duty_since: self.on_duty_since(), active };
        match &stored.trigger.kind {
            TriggerKind::Queue { queue_name, .. } => {
                decide_queue(stored, ready.get(queue_name).copied().unwrap_or_default(), at)
            }
            TriggerKind::Single { .. } | TriggerKind::Scheduled { .. } => decide_due(stored, at),
        }
    }

    async fn assign(
        &self,
        tx: &mut Tx,
        now: Timestamp,
        claims: &[(u64, WaitingClaim)],
        loads: &[WorkerLoad],
        written: &mut Written,
        touched: &mut BTreeSet<TriggerId>,
    ) -> Result<BTreeSet<JobId>, DbError> {
        let (asking, over) = split_by_session(claims, loads);
        written.answers.extend(over.into_iter().map(|key| (key, Err(ClaimError::SessionOver))));
        if asking.is_empty() {
            return Ok(BTreeSet::new());
        }
        let asks: Vec<Ask> = asking
            .iter()
            .map(|(_, claim)| Ask { worker: claim.worker.clone(), free_slots: claim.free_slots })
            .collect();
        let (placement, candidates) = plan(tx, now, &asks, loads).await?;
        // A trigger that another transaction holds would make us wait, or worse, for each other: its jobs come next time.
        let triggers: BTreeSet<TriggerId> = candidates.values().copied().collect();
        let free = tx.trigger_try_lock(&triggers.into_iter().collect::<Vec<_>>()).await?;
        let assigns: Vec<Assign> = placement
            .assignments
            .iter()
            .filter(|(job, _)| candidates.get(job).is_some_and(|trigger| free.contains(trigger)))
            .map(|(job, ask)| Assign {
                job: *job,
                worker: asking[*ask].1.worker.clone(),
                session: asking[*ask].1.session,
                request: asking[*ask].1.request,
            })
            .collect();
        tx.job_reserve(&placement.reservations).await?;
        let grants = if assigns.is_empty() { Vec::new() } else { tx.job_assign(&assigns, now, now + LEASE).await? };
        written.summary.assigned = grants.len();
        written.summary.more |= grants.len() < placement.assignments.len();
        touched.extend(grants.iter().map(|grant| grant.job.trigger_id));
        let granted = grants.iter().map(|grant| grant.job.id).collect();
        written.answers.extend(share_out(&asking, &assigns, grants));
        Ok(granted)
    }
}

/// Reads candidates page by page until every slot is filled or there are no more, and places them.
async fn plan(
    tx: &mut Tx,
    now: Timestamp,
    asks: &[Ask],
    loads: &[WorkerLoad],
) -> Result<(Placement, BTreeMap<JobId, TriggerId>), DbError> {
    let wanted: u32 = asks.iter().map(|ask| ask.free_slots).fold(0, u32::saturating_add);
    let limit = wanted.saturating_mul(2).clamp(64, 1000);
    let mut candidates: Vec<Candidate> = Vec::new();
    let mut fleet = None;
    loop {
        let page = tx.job_candidates(now, candidates.last().map(|last| &last.rank), limit).await?;
        let last_page = page.len() < limit as usize;
        candidates.extend(page);
        if fleet.is_none() && candidates.iter().any(|job| job.is_blocking) {
            fleet = Some(tx.worker_loads().await?);
        }
        let placement = place(asks, loads, fleet.as_deref().unwrap_or_default(), &candidates);
        if last_page || placement.assignments.len() >= wanted as usize {
            let placed: BTreeSet<JobId> = placement.assignments.iter().map(|(job, _)| *job).collect();
            let triggers = candidates
                .into_iter()
                .filter(|job| placed.contains(&job.id))
                .map(|job| (job.id, job.trigger_id))
                .collect();
            return Ok((placement, triggers));
        }
    }
}

async fn count_ready(tx: &mut Tx, trigger: &Trigger, ready: &mut HashMap<QueueName, u64>) -> Result<(), DbError> {
    let TriggerKind::Queue { queue_name, min_batch_size, max_parallel } = &trigger.kind else { return Ok(()) };
    let most = u64::from(*min_batch_size) * u64::from(*max_parallel);
    let known = ready.get(queue_name).copied().unwrap_or_default();
    if known < most {
        ready.insert(queue_name.clone(), tx.queue_ready_count(queue_name, most).await?);
    }
    Ok(())
}

async fn write_verdicts(
    tx: &mut Tx,
    stored: &[&StoredTrigger],
    verdicts: &[Verdict],
    now: Timestamp,
) -> Result<Vec<JobId>, DbError> {
    let jobs: Vec<NewJob> = stored
        .iter()
        .zip(verdicts)
        .flat_map(|(stored, verdict)| verdict.run.iter().map(|instant| new_job(&stored.trigger, *instant)))
        .collect();
    let created = if jobs.is_empty() { Vec::new() } else { tx.job_insert(&jobs, now).await? };
    let progress: Vec<_> = verdicts.iter().map(|verdict| verdict.progress.clone()).collect();
    tx.trigger_save_progress(&progress).await?;
    let decisions: Vec<_> = verdicts.iter().flat_map(|verdict| verdict.decisions.iter().cloned()).collect();
    if !decisions.is_empty() {
        tx.decision_insert(&decisions).await?;
    }
    Ok(created)
}

/// The first attempt of a trigger's instant.
pub(crate) fn new_job(trigger: &Trigger, scheduled_at: Timestamp) -> NewJob {
    NewJob {
        id: JobId::generate(),
        trigger_id: trigger.id,
        scheduled_at,
        attempt: 1,
        not_before: None,
        origin_request: None,
        snapshot: JobSnapshot::of(trigger),
    }
}

type Asking<'a> = Vec<(u64, &'a WaitingClaim)>;

fn split_by_session<'a>(claims: &'a [(u64, WaitingClaim)], loads: &[WorkerLoad]) -> (Asking<'a>, Vec<u64>) {
    let current =
        |claim: &WaitingClaim| loads.iter().any(|load| load.name == claim.worker && load.session_id == claim.session);
    let (asking, over): (Vec<_>, Vec<_>) = claims.iter().partition(|(_, claim)| current(claim));
    (asking.into_iter().map(|(key, claim)| (*key, claim)).collect(), over.into_iter().map(|(key, _)| *key).collect())
}

/// Sorts grants by the ask that they answer. Asks that got nothing go on waiting.
fn share_out(
    asking: &Asking<'_>,
    assigns: &[Assign],
    grants: Vec<Grant>,
) -> Vec<(u64, Result<Vec<Grant>, ClaimError>)> {
    let mut by_request: BTreeMap<_, Vec<Grant>> = BTreeMap::new();
    for grant in grants {
        if let Some(assign) = assigns.iter().find(|assign| assign.job == grant.job.id) {
            by_request.entry(assign.request).or_default().push(grant);
        }
    }
    asking
        .iter()
        .filter_map(|(key, claim)| by_request.remove(&claim.request).map(|grants| (*key, Ok(grants))))
        .collect()
}

fn earliest(a: Option<Timestamp>, b: Option<Timestamp>) -> Option<Timestamp> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}
