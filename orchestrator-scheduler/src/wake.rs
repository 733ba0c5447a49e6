//! Word within this server that something changed.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use orchestrator_core::text::{QueueName, WorkerName};
use orchestrator_db::Hint;
use tokio::sync::{Notify, broadcast, watch};

use crate::element_changes::ElementChanges;

/// What the engine is to look at, gathered until it does.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Marks {
    /// Something may be due or claimable, other than by elements.
    pub(crate) changed: bool,
    /// What was to be due next is due.
    pub(crate) due: bool,
    /// Queues that got elements.
    pub(crate) queues: BTreeSet<QueueName>,
    /// Something about a worker changed: one that took nothing may take jobs again.
    pub(crate) workers: bool,
    /// Look at everything: a poll, or word that was lost.
    pub(crate) everything: bool,
}

impl Marks {
    /// Whether all that is known is that queues got elements: no instant has come, and no trigger was changed.
    pub(crate) fn are_of_queues_only(&self) -> bool {
        !self.queues.is_empty() && !self.changed && !self.due && !self.everything
    }
}

/// So many queues are known to be watched by nobody.
const MOST_UNWATCHED: usize = 10_000;

#[derive(Debug, Default)]
struct State {
    marks: Marks,
    /// The engine has seen that nothing is queued, and has heard of no change since: a claim need not wake it.
    quiet: bool,
    /// Queues that no trigger watches, as far as is known: their elements need not wake the engine.
    unwatched: HashSet<String>,
    /// Counts what may have made that wrong.
    trigger_changes: u64,
}

impl State {
    fn triggers_changed(&mut self) {
        self.unwatched.clear();
        self.trigger_changes += 1;
    }
}

/// Gathers hints for the engine and hands them on to streams.
#[derive(Debug)]
pub(crate) struct Wake {
    state: Mutex<State>,
    engine: Notify,
    changes: broadcast::Sender<Hint>,
    elements: Arc<ElementChanges>,
    /// Who waits for word about one worker. There may be very many, and most word is about none of them.
    orders: Mutex<HashMap<String, Vec<Weak<Notify>>>>,
    /// Counts how often word was lost.
    lost: watch::Sender<u64>,
    /// Counts what may have ended a token or a session.
    token_changes: Arc<AtomicU64>,
}

impl Wake {
    pub(crate) fn new() -> Self {
        let (changes, _) = broadcast::channel(4096);
        let (lost, _) = watch::channel(0);
        Self {
            state: Mutex::default(),
            engine: Notify::new(),
            changes,
            elements: Arc::default(),
            orders: Mutex::default(),
            lost,
            token_changes: Arc::default(),
        }
    }

    /// A count that has grown before the call is answered that ended a token.
    pub(crate) fn token_changes(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.token_changes)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Marks what changed, wakes the engine where it matters to it, and tells the streams.
    pub(crate) fn wake(&self, hints: &[Hint]) {
        let mut for_engine = false;
        {
            let mut state = self.state();
            for hint in hints {
                for_engine |= match hint {
                    Hint::Triggers => {
                        state.marks.changed = true;
                        state.triggers_changed();
                        true
                    }
                    Hint::Jobs => {
                        state.marks.changed = true;
                        true
                    }
                    Hint::Queue { name } if state.unwatched.contains(name) => false,
                    Hint::Queue { name } => {
                        state.marks.queues.insert(QueueName::from_stored(name.clone()));
                        true
                    }
                    Hint::Worker { .. } => {
                        state.marks.workers = true;
                        false
                    }
                    Hint::Reopened { .. }
                    | Hint::Job { .. }
                    | Hint::Logs
                    | Hint::Tokens
                    | Hint::Elements
                    | Hint::Access => false,
                };
            }
            state.quiet &= !for_engine;
        }
        if for_engine {
            self.engine.notify_one();
        }
        self.tell(hints);
    }

    /// Tells the streams only.
    pub(crate) fn tell(&self, hints: &[Hint]) {
        for hint in hints {
            if *hint == Hint::Elements {
                self.elements.tell();
                continue;
            }
            if *hint == Hint::Tokens {
                self.token_changes.fetch_add(1, Ordering::Release);
            }
            if let Hint::Worker { name } = hint {
                let orders = self.orders();
                orders.get(name).into_iter().flatten().filter_map(Weak::upgrade).for_each(|waiter| waiter.notify_one());
            }
            // Nobody listening is fine.
            let _ = self.changes.send(hint.clone());
        }
    }

    fn orders(&self) -> MutexGuard<'_, HashMap<String, Vec<Weak<Notify>>>> {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hears of one worker from now on, until it is dropped.
    pub(crate) fn subscribe_to_worker(&self, worker: &WorkerName) -> Arc<Notify> {
        let waiter = Arc::new(Notify::new());
        let mut orders = self.orders();
        let waiters = orders.entry(worker.as_str().to_owned()).or_default();
        waiters.retain(|waiter| waiter.strong_count() > 0);
        waiters.push(Arc::downgrade(&waiter));
        waiter
    }

    /// Wakes the engine for a new claim, unless it is known that there is nothing to claim.
    pub(crate) fn claim_came(&self) {
        {
            let mut state = self.state();
            if state.quiet {
                return;
            }
            state.marks.changed = true;
        }
        self.engine.notify_one();
    }

    /// Notes that the engine saw nothing queued, unless word came while it looked.
    pub(crate) fn be_quiet(&self) {
        let mut state = self.state();
        state.quiet = state.marks == Marks::default();
    }

    /// Marks everything, after lost word, for the engine and for the streams.
    pub(crate) fn wake_all(&self) {
        {
            let mut state = self.state();
            state.marks.everything = true;
            state.quiet = false;
            state.triggers_changed();
        }
        self.engine.notify_one();
        self.token_changes.fetch_add(1, Ordering::Release);
        self.lost.send_modify(|count| *count += 1);
    }

    /// To be asked before the engine looks which queues are watched.
    pub(crate) fn trigger_changes(&self) -> u64 {
        self.state().trigger_changes
    }

    /// Notes that no trigger watches these queues, unless a trigger was changed since so many changes.
    pub(crate) fn are_unwatched(&self, queues: impl IntoIterator<Item = QueueName>, changes: u64) {
        let mut state = self.state();
        if state.trigger_changes == changes {
            let room = MOST_UNWATCHED.saturating_sub(state.unwatched.len());
            state.unwatched.extend(queues.into_iter().take(room).map(|queue| queue.as_str().to_owned()));
        }
    }

    /// A poll believes nothing.
    pub(crate) fn forget_unwatched(&self) {
        self.state().triggers_changed();
    }

    /// Takes the marks, leaving none.
    pub(crate) fn take(&self) -> Marks {
        let mut state = self.state();
        state.quiet = false;
        std::mem::take(&mut state.marks)
    }

    /// Waits for the next wake-up of the engine. A wake-up before the call is not lost.
    pub(crate) async fn for_engine(&self) {
        self.engine.notified().await;
    }

    /// Word that elements changed.
    pub(crate) fn element_changes(&self) -> Arc<ElementChanges> {
        self.elements.clone()
    }

    /// Hears every hint from now on, but for those of elements.
    pub(crate) fn subscribe(&self) -> broadcast::Receiver<Hint> {
        self.changes.subscribe()
    }

    /// Hears when word was lost from now on.
    pub(crate) fn subscribe_to_losses(&self) -> watch::Receiver<u64> {
        self.lost.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_wakes_nobody_while_nothing_is_queued_and_nothing_changed() {
        let wake = Wake::new();
        wake.take();
        wake.be_quiet();
        wake.claim_came();
        assert_eq!(wake.take(), Marks::default());
    }

    #[test]
    fn any_word_ends_the_quiet() {
        for hint in [Hint::Jobs, Hint::Triggers, Hint::Queue { name: "q".to_owned() }] {
            let wake = Wake::new();
            wake.be_quiet();
            wake.wake(&[hint]);
            wake.take();
            wake.claim_came();
            assert!(wake.take().changed);
        }
        let wake = Wake::new();
        wake.be_quiet();
        wake.wake_all();
        wake.claim_came();
        assert!(wake.take().changed);
    }

    #[test]
    fn word_that_came_while_the_engine_looked_forbids_the_quiet() {
        let wake = Wake::new();
        wake.wake(&[Hint::Jobs]);
        wake.be_quiet();
        wake.claim_came();
        assert!(wake.take().changed);
    }

    fn queue(name: &str) -> Hint {
        Hint::Queue { name: name.to_owned() }
    }

    #[test]
    fn elements_of_a_queue_that_nobody_watches_wake_nobody_until_a_trigger_changes() {
        for change in [Wake::forget_unwatched, Wake::wake_all, |wake: &Wake| wake.wake(&[Hint::Triggers])] {
            let wake = Wake::new();
            wake.are_unwatched([QueueName::from_stored("q".to_owned())], wake.trigger_changes());
            wake.wake(&[queue("q"), queue("other")]);
            assert_eq!(wake.take().queues.len(), 1);
            change(&wake);
            wake.wake(&[queue("q")]);
            assert_eq!(wake.take().queues.len(), 1);
        }
    }

    #[test]
    fn what_was_seen_before_a_trigger_changed_is_not_believed() {
        let wake = Wake::new();
        let before = wake.trigger_changes();
        wake.wake(&[Hint::Triggers]);
        wake.are_unwatched([QueueName::from_stored("q".to_owned())], before);
        wake.take();
        wake.wake(&[queue("q")]);
        assert_eq!(wake.take().queues.len(), 1);
    }

    #[test]
    fn a_claim_that_came_while_the_engine_looked_is_looked_at() {
        let wake = Wake::new();
        wake.take();
        wake.claim_came();
        wake.be_quiet();
        assert!(wake.take().changed);
    }
}
