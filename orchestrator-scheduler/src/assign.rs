//! Waiting jobs go to waiting workers.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use orchestrator_core::clock::Timestamp;
use orchestrator_core::id::{JobId, TriggerId};
use orchestrator_core::lease::LEASE;
use orchestrator_core::text::WorkerName;
use orchestrator_core::worker::WorkerState;
use orchestrator_db::{Assign, Candidate, DbError, Grant, LockedLoads, NewJob, Rank, Tx, WorkerLoad};

use crate::claim::ClaimError;
use crate::engine::{Tick, Written};
use crate::evaluate::Evaluated;
use crate::placement::{Ask, Placement, Placer};
use crate::scheduler::Scheduler;
use crate::waiting::WaitingClaim;

/// The most candidates of one page.
const LARGEST_PAGE: u32 = 1000;

type Answers = Vec<(u64, Result<Vec<Grant>, ClaimError>)>;
type Asking<'a> = Vec<(u64, &'a WaitingClaim)>;

impl Scheduler {
    /// Makes the jobs that were decided upon, where nothing else is queued: they are the only candidates, their triggers
    /// are locked already, and those that fit a worker that asks are its own from the beginning.
    pub(crate) async fn create_assigned(
        &self,
        tx: &mut Tx,
        tick: &mut Tick<'_, '_>,
        loads: &LockedLoads,
        evaluated: &Evaluated,
        written: &mut Written,
    ) -> Result<(), DbError> {
        let claims = tick.stock.claims();
        let asking = asking(tx, &claims, &loads.workers, written).await?;
        let asks = asks_of(&asking);
        let mut placer = Placer::new(&asks, &loads.workers);
        let mut candidates: Vec<Candidate> = evaluated.jobs.iter().map(candidate_of).collect();
        candidates.sort_unstable_by_key(|candidate| candidate.rank);
        // Where nobody is left to ask, nothing is placed or reserved.
        if asks.is_empty() {
            candidates.clear();
        }
        if candidates.iter().any(|job| job.is_blocking) {
            placer.know(&tx.worker_loads().await?);
        }
        for job in &candidates {
            placer.place(job);
        }
        let placement = placer.placement;
        let assigns: HashMap<JobId, Assign> =
            placement.assignments.iter().map(|(job, ask)| (*job, assign_to(*job, asking[*ask].1))).collect();
        let reserved = placement.reservations.into_iter().filter_map(|(job, worker)| Some((job, worker?))).collect();
        let (created, grants) =
            tx.job_insert_placed(&evaluated.jobs, &assigns, &reserved, tick.now, tick.now + LEASE).await?;
        written.created = created;
        let unplaced = evaluated.jobs.len() - assigns.len();
        written.summary.more |= grants.len() < assigns.len() || unplaced > 0 && tick.stock.has_others();
        note_grants(&asking, &assigns, grants, written);
        Ok(())
    }

    /// Places queued jobs under the locks of the workers that ask.
    pub(crate) async fn assign(
        &self,
        tx: &mut Tx,
        tick: &mut Tick<'_, '_>,
        loads: &LockedLoads,
        written: &mut Written,
    ) -> Result<(), DbError> {
        let claims = tick.stock.claims();
        let asking = asking(tx, &claims, &loads.workers, written).await?;
        if asking.is_empty() || tick.tried.as_ref().is_some_and(|tried| tried.chosen) {
            return Ok(());
        }
        let (mut placement, triggers) = plan(tx, tick.now, &asks_of(&asking), &loads.workers).await?;
        keep_one(tick, &mut placement);
        // A trigger that another transaction holds would make us wait, or worse, for each other: its jobs come next time.
        let wanted: BTreeSet<TriggerId> =
            placement.assignments.iter().filter_map(|(job, _)| triggers.get(job)).copied().collect();
        let free = tx.trigger_try_lock(&wanted.into_iter().collect::<Vec<_>>()).await?;
        let assigns: Vec<Assign> = placement
            .assignments
            .iter()
            .filter(|(job, _)| triggers.get(job).is_some_and(|trigger| free.contains(trigger)))
            .map(|(job, ask)| assign_to(*job, asking[*ask].1))
            .collect();
        tx.job_reserve(&placement.reservations).await?;
        let grants =
            if assigns.is_empty() { Vec::new() } else { tx.job_assign(&assigns, tick.now, tick.now + LEASE).await? };
        let hopeful = !placement.assignments.is_empty() || !placement.reservations.is_empty();
        written.summary.more |= grants.len() < placement.assignments.len() || hopeful && tick.stock.has_others();
        let assigns = assigns.into_iter().map(|assign| (assign.job, assign)).collect();
        note_grants(&asking, &assigns, grants, written);
        Ok(())
    }
}

/// Who asks, of those whose session stands and whose call is not a repetition that is answered already.
async fn asking<'a>(
    tx: &mut Tx,
    claims: &'a [(u64, WaitingClaim)],
    loads: &[WorkerLoad],
    written: &mut Written,
) -> Result<Asking<'a>, DbError> {
    let particular: BTreeSet<&WorkerName> =
        loads.iter().filter(|load| takes_no_other(load)).map(|load| &load.name).collect();
    let keys = claims.iter().filter(|(_, claim)| particular.contains(&claim.worker)).map(|(key, _)| *key);
    written.particular.extend(keys);
    let asking = split_by_session(claims, loads, &mut written.answers);
    answer_repeats(tx, asking, &mut written.answers).await
}

/// Whether a worker takes only jobs that name it, or none at all.
fn takes_no_other(load: &WorkerLoad) -> bool {
    load.exclusive || load.drain_requested || load.trouble.is_some() || load.state != WorkerState::Up
}

fn asks_of(asking: &Asking<'_>) -> Vec<Ask> {
    asking.iter().map(|(_, claim)| Ask { worker: claim.worker.clone(), free_slots: claim.free_slots }).collect()
}

fn assign_to(job: JobId, claim: &WaitingClaim) -> Assign {
    Assign { job, worker: claim.worker.clone(), session: claim.session, request: claim.request }
}

/// A job that is still to be made, as claims see it.
fn candidate_of(job: &NewJob) -> Candidate {
    Candidate {
        id: job.id,
        trigger_id: job.trigger_id,
        is_blocking: job.snapshot.is_blocking,
        whitelist: job.snapshot.worker_whitelist.clone(),
        reserved_worker: None,
        rank: Rank::of(job),
    }
}

fn note_grants(asking: &Asking<'_>, assigns: &HashMap<JobId, Assign>, grants: Vec<Grant>, written: &mut Written) {
    written.summary.assigned = grants.len();
    written.assigned_of = grants.iter().map(|grant| grant.job.trigger_id).collect();
    written.granted = grants.iter().map(|grant| grant.job.id).collect();
    written.answers.extend(share_out(asking, assigns, grants));
}

/// Claims of the workers' current sessions; the others are over.
fn split_by_session<'a>(claims: &'a [(u64, WaitingClaim)], loads: &[WorkerLoad], answers: &mut Answers) -> Asking<'a> {
    let current: HashMap<&WorkerName, _> = loads.iter().map(|load| (&load.name, load.session_id)).collect();
    let (asking, over): (Vec<_>, Vec<_>) =
        claims.iter().partition(|(_, claim)| current.get(&claim.worker) == Some(&claim.session));
    answers.extend(over.into_iter().map(|(key, _)| (*key, Err(ClaimError::SessionOver))));
    asking.into_iter().map(|(key, claim)| (*key, claim)).collect()
}

/// Under the worker's lock every earlier grant is seen: a repeated call gets it, and nothing beside it.
async fn answer_repeats<'a>(tx: &mut Tx, asking: Asking<'a>, answers: &mut Answers) -> Result<Asking<'a>, DbError> {
    let mut left = Vec::with_capacity(asking.len());
    for (key, claim) in asking {
        let granted =
            if claim.repeat { tx.job_grants_of_request(&claim.worker, claim.request).await? } else { Vec::new() };
        if granted.is_empty() {
            left.push((key, claim));
        } else {
            answers.push((key, Ok(granted)));
        }
    }
    Ok(left)
}

/// Reads candidates page by page until nobody who asks can take more, or there are no more.
async fn plan(
    tx: &mut Tx,
    now: Timestamp,
    asks: &[Ask],
    loads: &[WorkerLoad],
) -> Result<(Placement, BTreeMap<JobId, TriggerId>), DbError> {
    let wanted: u32 = asks.iter().map(|ask| ask.free_slots).fold(0, u32::saturating_add);
    let mut limit = wanted.saturating_mul(2).clamp(64, LARGEST_PAGE);
    let mut placer = Placer::new(asks, loads);
    let mut triggers = BTreeMap::new();
    let mut knows_fleet = false;
    let mut last: Option<Candidate> = None;
    while placer.is_open() {
        let page = tx.job_candidates(now, last.as_ref().map(|last| &last.rank), limit).await?;
        if !knows_fleet && page.iter().any(|job| job.is_blocking) {
            placer.know(&tx.worker_loads().await?);
            knows_fleet = true;
        }
        for job in &page {
            placer.place(job);
            triggers.insert(job.id, job.trigger_id);
        }
        if page.len() < limit as usize {
            break;
        }
        last = page.into_iter().next_back();
        // Whoever asks fits none of these: the more has to be looked through.
        limit = limit.saturating_mul(2).min(LARGEST_PAGE);
    }
    Ok((placer.placement, triggers))
}

/// Leaves the first placed job that was not tried, where only one thing may be taken on.
fn keep_one(tick: &mut Tick<'_, '_>, placement: &mut Placement) {
    let Some(tried) = tick.tried.as_deref_mut() else { return };
    placement.assignments.retain(|(job, _)| !tried.jobs.contains(job));
    placement.assignments.truncate(1);
    if let Some((job, _)) = placement.assignments.first() {
        tried.jobs.insert(*job);
    }
}

/// Sorts grants by the ask that they answer. Asks that got nothing go on waiting.
fn share_out(asking: &Asking<'_>, assigns: &HashMap<JobId, Assign>, grants: Vec<Grant>) -> Answers {
    let mut by_request: HashMap<_, Vec<Grant>> = HashMap::new();
    for grant in grants {
        if let Some(assign) = assigns.get(&grant.job.id) {
            by_request.entry(assign.request).or_default().push(grant);
        }
    }
    asking
        .iter()
        .filter_map(|(key, claim)| by_request.remove(&claim.request).map(|grants| (*key, Ok(grants))))
        .collect()
}
