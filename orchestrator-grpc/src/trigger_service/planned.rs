//! What all schedules together will start.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use orchestrator_core::clock::Timestamp;
use orchestrator_core::id::TriggerId;
use orchestrator_core::text::WorkerName;
use orchestrator_core::trigger::{Trigger, TriggerKind};
use orchestrator_db::{DbError, Tx};
use orchestrator_proto::convert::{self, DecodeError};
use orchestrator_proto::v1;

/// How many triggers are looked at: more than anyone has.
const MOST_TRIGGERS: u32 = 10_000;

/// Which runs are asked for.
#[derive(Debug)]
pub(super) struct Wanted {
    from: Timestamp,
    to: Option<Timestamp>,
    limit: usize,
    each_most: usize,
    worker: Option<WorkerName>,
}

impl Wanted {
    pub(super) fn read(message: &v1::ListPlannedRunsRequest, now: Timestamp) -> Result<Self, DecodeError> {
        let worker = Some(message.worker_name.as_str()).filter(|name| !name.is_empty());
        let limit = convert::limit("limit", message.limit, 100)?;
        let each_most = if message.each_most == 0 { limit } else { message.each_most };
        Ok(Self {
            // What was due is started now, if at all.
            from: convert::optional_instant("from", message.from)?.unwrap_or(now),
            to: convert::optional_instant("to", message.to)?,
            limit: usize::try_from(limit).unwrap_or(usize::MAX),
            each_most: usize::try_from(each_most).unwrap_or(usize::MAX),
            worker: worker.map(WorkerName::parse).transpose()?,
        })
    }

    fn fits(&self, trigger: &Trigger) -> bool {
        let whitelist = &trigger.worker_whitelist;
        self.worker.as_ref().is_none_or(|worker| whitelist.is_empty() || whitelist.contains(worker))
    }
}

/// The runs, in order of time.
pub(super) async fn list(tx: &mut Tx, wanted: &Wanted) -> Result<v1::ListPlannedRunsResponse, DbError> {
    // Without an end, the runs that come first are those of the triggers that come first.
    let bounded = wanted.to.is_some() || wanted.worker.is_some() || wanted.each_most < wanted.limit;
    let most = u32::try_from(wanted.limit + 1).unwrap_or(MOST_TRIGGERS);
    let most = if bounded { MOST_TRIGGERS } else { most };
    let far = wanted.to.unwrap_or(Timestamp::MAX_UTC).min(last());
    let mut triggers = tx.trigger_list_planned(far, most).await?.rows;
    triggers.retain(|trigger| wanted.fits(trigger));
    let (planned, more) = merge(&triggers, wanted);
    let mut ids: Vec<TriggerId> = planned.iter().map(|run| triggers[run.place].id).collect();
    ids.sort_unstable();
    ids.dedup();
    let typical: HashMap<TriggerId, f64> = tx.trigger_typical_seconds(&ids).await?.into_iter().collect();
    let runs = planned.into_iter().map(|run| show(run, &triggers[run.place], &typical)).collect();
    Ok(v1::ListPlannedRunsResponse { runs, more })
}

/// The last instant that messages and databases know.
fn last() -> Timestamp {
    Timestamp::UNIX_EPOCH + chrono::TimeDelta::seconds(253_402_300_799)
}

/// One run of the trigger at `place`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Planned {
    at: Timestamp,
    place: usize,
    is_cut: bool,
}

/// The schedules, merged: only what is listed is computed.
fn merge(triggers: &[Trigger], wanted: &Wanted) -> (Vec<Planned>, bool) {
    let fits = |at: &Timestamp| wanted.to.is_none_or(|to| *at < to);
    let mut heads: BinaryHeap<Reverse<(Timestamp, usize)>> = triggers
        .iter()
        .enumerate()
        .filter_map(|(place, trigger)| Some(Reverse((first(trigger, wanted.from).filter(fits)?, place))))
        .collect();
    let mut listed = vec![0_usize; triggers.len()];
    let mut runs: Vec<Planned> = Vec::new();
    while let Some(Reverse((at, place))) = heads.pop() {
        if runs.len() == wanted.limit {
            return (runs, true);
        }
        listed[place] += 1;
        let next = next(&triggers[place], at).filter(fits);
        let is_cut = next.is_some() && listed[place] >= wanted.each_most;
        runs.push(Planned { at, place, is_cut });
        if let Some(next) = next.filter(|_| !is_cut) {
            heads.push(Reverse((next, place)));
        }
    }
    (runs, false)
}

/// The first run at or after an instant.
fn first(trigger: &Trigger, from: Timestamp) -> Option<Timestamp> {
    match &trigger.kind {
        TriggerKind::Single { next_run } => next_run.map(|at| at.max(from)),
        TriggerKind::Scheduled { next_run, .. } => {
            let at = (*next_run)?;
            if at >= from { Some(at) } else { next(trigger, from - chrono::TimeDelta::microseconds(1)) }
        }
        TriggerKind::Queue { .. } => None,
    }
}

fn next(trigger: &Trigger, after: Timestamp) -> Option<Timestamp> {
    match &trigger.kind {
        TriggerKind::Scheduled { cron, zone, .. } => cron.next_after(after, *zone),
        TriggerKind::Single { .. } | TriggerKind::Queue { .. } => None,
    }
}

fn show(run: Planned, trigger: &Trigger, typical: &HashMap<TriggerId, f64>) -> v1::PlannedRun {
    v1::PlannedRun {
        at: Some(convert::timestamp(run.at)),
        trigger_id: trigger.id.to_string(),
        trigger_name: trigger.name.as_str().to_owned(),
        process_name: trigger.process.name.as_str().to_owned(),
        is_blocking: trigger.is_blocking,
        worker_whitelist: trigger.worker_whitelist.iter().map(|name| name.as_str().to_owned()).collect(),
        is_cut: run.is_cut,
        typical_duration: typical.get(&trigger.id).and_then(|seconds| {
            let duration = std::time::Duration::try_from_secs_f64(*seconds).ok()?;
            prost_types::Duration::try_from(duration).ok()
        }),
    }
}
