//! Due triggers become jobs, or decisions not to run.

use std::collections::{BTreeSet, HashMap};

use orchestrator_core::clock::Timestamp;
use orchestrator_core::id::{JobId, TriggerId};
use orchestrator_core::job::JobSnapshot;
use orchestrator_core::text::QueueName;
use orchestrator_core::trigger::{ActiveJobs, Trigger, TriggerKind};
use orchestrator_db::{DbError, Look, NewJob, StoredTrigger, Tx};

use crate::decide::{Circumstances, Verdict, decide_due, decide_queue, progress_of};
use crate::engine::{Tick, Written};
use crate::scheduler::Scheduler;

/// Triggers that one transaction evaluates at most.
const BATCH: u32 = 500;

/// What an evaluation came to: decided under the triggers' locks, and still to be written.
#[derive(Debug, Default)]
pub(crate) struct Evaluated {
    verdicts: Vec<Verdict>,
    /// What is to be made.
    pub(crate) jobs: Vec<NewJob>,
}

impl Evaluated {
    pub(crate) fn is_empty(&self) -> bool {
        self.verdicts.is_empty()
    }

    /// The triggers that are written.
    pub(crate) fn ids(&self) -> BTreeSet<TriggerId> {
        self.verdicts.iter().map(|verdict| verdict.progress.id).collect()
    }

    /// Writes where the triggers stand, after their jobs were written.
    pub(crate) async fn save(&self, tx: &mut Tx) -> Result<(), DbError> {
        let progress: Vec<_> = self.verdicts.iter().map(|verdict| verdict.progress.clone()).collect();
        tx.trigger_save_progress(&progress).await?;
        let decisions: Vec<_> = self.verdicts.iter().flat_map(|verdict| verdict.decisions.iter().cloned()).collect();
        if decisions.is_empty() { Ok(()) } else { tx.decision_insert(&decisions).await }
    }
}

impl Scheduler {
    /// Locks what is due and decides about it. Nothing is written yet.
    pub(crate) async fn evaluate(
        &self,
        tx: &mut Tx,
        tick: &mut Tick<'_, '_>,
        written: &mut Written,
    ) -> Result<Evaluated, DbError> {
        // A round trip less between an element and its job.
        let mut stored = if tick.marks.are_of_queues_only() {
            Vec::new()
        } else {
            tx.trigger_lock_due(tick.horizon, BATCH).await?.rows
        };
        let is_whole_batch = stored.len() >= BATCH as usize;
        let watchers = watchers(tx, tick, &stored).await?;
        if watchers.is_empty() && tick.marks.are_of_queues_only() {
            self.note_unwatched(tx, tick).await?;
        }
        let mut ready = seen_ready(&watchers);
        stored.extend(watchers);
        keep_one(tick, &mut stored);
        if stored.is_empty() {
            return Ok(Evaluated::default());
        }
        let ids: Vec<TriggerId> = stored.iter().map(|stored| stored.trigger.id).collect();
        let active = tx.trigger_active_jobs(&ids).await?;
        let locked = stored.len();
        stored.retain(|stored| is_ripe(stored, tick, &active));
        // What is left for its instant is not to be looked at again and again until then.
        written.summary.more |= is_whole_batch && stored.len() == locked;
        // A poll misses nothing.
        let look = if tick.marks.everything { Look::Everywhere } else { Look::FromMark };
        for stored in &stored {
            count_ready(tx, &stored.trigger, look, &mut ready).await?;
        }
        // A queue trigger that has as many jobs as it may have is looked at again and again: nothing of it is written.
        let verdicts: Vec<(StoredTrigger, Verdict)> = stored
            .into_iter()
            .map(|stored| {
                let verdict = self.verdict(&stored, tick.now, &active, &ready);
                (stored, verdict)
            })
            .filter(|(stored, verdict)| changes(stored, verdict))
            .collect();
        written.summary.declined = verdicts.iter().map(|(_, verdict)| verdict.decisions.len()).sum();
        let jobs = verdicts
            .iter()
            .flat_map(|(stored, verdict)| verdict.run.iter().map(|instant| new_job(&stored.trigger, *instant)))
            .collect();
        Ok(Evaluated { verdicts: verdicts.into_iter().map(|(_, verdict)| verdict).collect(), jobs })
    }

    /// Notes which of the queues that got elements nobody watches, so that the next elements wake nobody.
    async fn note_unwatched(&self, tx: &mut Tx, tick: &Tick<'_, '_>) -> Result<(), DbError> {
        let queues: Vec<QueueName> = tick.marks.queues.iter().cloned().collect();
        let watched = tx.queues_watched(&queues).await?;
        let unwatched = queues.into_iter().filter(|queue| !watched.contains(queue.as_str()));
        self.signals().are_unwatched(unwatched, tick.trigger_changes);
        Ok(())
    }

    fn verdict(
        &self,
        stored: &StoredTrigger,
        now: Timestamp,
        active: &HashMap<TriggerId, ActiveJobs>,
        ready: &HashMap<QueueName, u64>,
    ) -> Verdict {
        let active = active.get(&stored.trigger.id).copied().unwrap_or_default();
        // What is prepared before its instant is decided as of its instant.
        let now = stored.due_at.map_or(now, |due| now.max(due));
        let at = Circumstances { now, on_duty_since: self.on_duty_since(), active };
        match &stored.trigger.kind {
            TriggerKind::Queue { queue_name, .. } => {
                decide_queue(stored, ready.get(queue_name).copied().unwrap_or_default(), at)
            }
            TriggerKind::Single { .. } | TriggerKind::Scheduled { .. } => decide_due(stored, at),
        }
    }
}

/// Whether a trigger may be decided about now. Before its instant only one whose job cannot be in the way of another: what
/// becomes of an instant while a job is active depends on whether it is at that instant.
fn is_ripe(stored: &StoredTrigger, tick: &Tick<'_, '_>, active: &HashMap<TriggerId, ActiveJobs>) -> bool {
    let is_due = stored.due_at.is_none_or(|due| due <= tick.now);
    is_due || active.get(&stored.trigger.id).is_none_or(|active| active.total() == 0)
}

fn changes(stored: &StoredTrigger, verdict: &Verdict) -> bool {
    !verdict.run.is_empty() || !verdict.decisions.is_empty() || verdict.progress != progress_of(stored)
}

/// Queue triggers that see enough elements: of the queues that were named, or of all at a poll.
async fn watchers(tx: &mut Tx, tick: &Tick<'_, '_>, due: &[StoredTrigger]) -> Result<Vec<StoredTrigger>, DbError> {
    let queues: Vec<QueueName> = tick.marks.queues.iter().cloned().collect();
    let named = match (tick.marks.everything, queues.is_empty()) {
        (true, _) => None,
        (false, false) => Some(queues.as_slice()),
        (false, true) => return Ok(Vec::new()),
    };
    let mut watchers = Vec::new();
    loop {
        // Those that have all their jobs stay what they are: without going on behind them they would hide the others.
        let after = watchers.last().map(|last: &StoredTrigger| last.trigger.id);
        let page = tx.trigger_lock_queue_watchers(named, tick.now, after, BATCH).await?.rows;
        let is_last = page.len() < BATCH as usize;
        watchers.extend(page);
        if is_last {
            break;
        }
    }
    watchers.retain(|watcher| !due.iter().any(|due| due.trigger.id == watcher.trigger.id));
    Ok(watchers)
}

/// What the look at watchers knows of their queues: that they have a batch.
fn seen_ready(watchers: &[StoredTrigger]) -> HashMap<QueueName, u64> {
    let mut ready = HashMap::new();
    for stored in watchers {
        if let TriggerKind::Queue { queue_name, min_batch_size, .. } = &stored.trigger.kind {
            let known: &mut u64 = ready.entry(queue_name.clone()).or_default();
            *known = u64::from(*min_batch_size).max(*known);
        }
    }
    ready
}

/// Leaves the first trigger that was not tried, where only one thing may be taken on.
fn keep_one(tick: &mut Tick<'_, '_>, stored: &mut Vec<StoredTrigger>) {
    let Some(tried) = tick.tried.as_deref_mut() else { return };
    stored.retain(|stored| !tried.triggers.contains(&stored.trigger.id));
    stored.truncate(1);
    if let Some(chosen) = stored.first() {
        tried.triggers.insert(chosen.trigger.id);
        tried.chosen = true;
    }
}

async fn count_ready(
    tx: &mut Tx,
    trigger: &Trigger,
    look: Look,
    ready: &mut HashMap<QueueName, u64>,
) -> Result<(), DbError> {
    let TriggerKind::Queue { queue_name, min_batch_size, max_parallel } = &trigger.kind else { return Ok(()) };
    let most = u64::from(*min_batch_size) * u64::from(*max_parallel);
    let known = ready.get(queue_name).copied().unwrap_or_default();
    if known < most {
        ready.insert(queue_name.clone(), tx.queue_ready_count(queue_name, most, look).await?);
    }
    Ok(())
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;

    use orchestrator_core::actor::{Actor, ActorKind};
    use orchestrator_core::clock::ManualClock;
    use orchestrator_core::policy::Policies;
    use orchestrator_core::secret::KeyRing;
    use orchestrator_core::text::{ActorName, Limits, ProcessName, ProcessPath, TriggerName};
    use orchestrator_core::trigger::{ProcessSpec, TriggerDraft};
    use orchestrator_db::{Db, DbOptions, Hint, LaneOptions};

    use super::*;
    use crate::{Retention, SchedulerClock, SchedulerOptions};

    fn queue(name: &str) -> QueueName {
        QueueName::parse(name).unwrap()
    }

    fn watching(queue_name: QueueName) -> TriggerDraft {
        TriggerDraft {
            name: TriggerName::parse("t").unwrap(),
            process: ProcessSpec {
                name: ProcessName::parse("p").unwrap(),
                path: ProcessPath::parse("/robots/robot.py").unwrap(),
                args: None,
                is_git_repo: false,
                git_branch: None,
                entry_point: None,
            },
            kind: TriggerKind::Queue { queue_name, min_batch_size: 2, max_parallel: 1 },
            is_blocking: false,
            priority: 0,
            worker_whitelist: Vec::new(),
            policies: Policies::default(),
        }
    }

    #[tokio::test]
    async fn only_elements_of_queues_that_nobody_watches_wake_nobody_afterwards() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("orchestrator.db").display());
        let clock = ManualClock::at(Timestamp::UNIX_EPOCH);
        let server = Scheduler::new(SchedulerOptions {
            db: Db::open(&DbOptions::new(&url)).await.unwrap(),
            clock: SchedulerClock::Given(Arc::new(clock)),
            keys: KeyRing::generate().unwrap(),
            limits: Limits::default(),
            zone: chrono_tz::UTC,
            lanes: LaneOptions::default(),
            retention: Retention::default(),
        });
        let actor = Actor::new(ActorKind::User, ActorName::parse("admin").unwrap());
        // It has no batch yet: its queue is watched all the same.
        server.create_trigger(&actor, TriggerId::generate(), watching(queue("watched")), false).await.unwrap();
        let queues = BTreeSet::from([queue("watched"), queue("unwatched")]);
        server.tick_queues(server.now(), queues.clone()).await.unwrap();
        server.signals().take();
        let hints: Vec<Hint> = queues.iter().map(|name| Hint::Queue { name: name.as_str().to_owned() }).collect();
        server.wake(&hints);
        assert_eq!(server.signals().take().queues, BTreeSet::from([queue("watched")]));
    }
}
