//! Word within this server that something changed.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use orchestrator_core::text::QueueName;
use orchestrator_db::Hint;
use tokio::sync::{Notify, broadcast};

/// What the engine is to look at, gathered until it does.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Marks {
    /// Triggers may be due earlier than thought.
    pub(crate) triggers: bool,
    /// Jobs may be claimable.
    pub(crate) jobs: bool,
    /// Queues that got elements.
    pub(crate) queues: BTreeSet<QueueName>,
    /// Look at everything: a poll, or word that was lost.
    pub(crate) everything: bool,
}

/// Gathers hints for the engine and hands them on to streams.
#[derive(Debug)]
pub(crate) struct Wake {
    marks: Mutex<Marks>,
    engine: Notify,
    changes: broadcast::Sender<Hint>,
}

impl Wake {
    pub(crate) fn new() -> Self {
        let (changes, _) = broadcast::channel(4096);
        Self { marks: Mutex::default(), engine: Notify::new(), changes }
    }

    /// Marks what changed, wakes the engine where it matters to it, and tells the streams.
    pub(crate) fn wake(&self, hints: &[Hint]) {
        let mut for_engine = false;
        {
            let mut marks = self.marks.lock().unwrap_or_else(PoisonError::into_inner);
            for hint in hints {
                for_engine |= match hint {
                    Hint::Triggers => {
                        marks.triggers = true;
                        true
                    }
                    Hint::Jobs => {
                        marks.jobs = true;
                        true
                    }
                    Hint::Queue { name } => {
                        marks.queues.insert(QueueName::from_stored(name.clone()));
                        true
                    }
                    Hint::Worker { .. } | Hint::Job { .. } | Hint::Logs | Hint::Tokens => false,
                };
            }
        }
        if for_engine {
            self.engine.notify_one();
        }
        for hint in hints {
            // Nobody listening is fine.
            let _ = self.changes.send(hint.clone());
        }
    }

    /// Marks everything, for polls and after lost word.
    pub(crate) fn wake_all(&self) {
        self.marks.lock().unwrap_or_else(PoisonError::into_inner).everything = true;
        self.engine.notify_one();
    }

    /// Takes the marks, leaving none.
    pub(crate) fn take(&self) -> Marks {
        std::mem::take(&mut *self.marks.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits for the next wake-up of the engine. A wake-up before the call is not lost.
    pub(crate) async fn for_engine(&self) {
        self.engine.notified().await;
    }

    /// Hears every hint from now on.
    pub(crate) fn subscribe(&self) -> broadcast::Receiver<Hint> {
        self.changes.subscribe()
    }
}
