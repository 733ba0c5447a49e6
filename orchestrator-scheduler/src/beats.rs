//! Heartbeats of workers that hold no job, in memory: one coalesced write a second carries them to the database.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use orchestrator_core::clock::Timestamp;
use orchestrator_core::id::SessionId;
use orchestrator_core::text::{Reason, WorkerName};

/// A beat that is still to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Beat {
    pub(crate) session: SessionId,
    pub(crate) at: Timestamp,
    pub(crate) draining: bool,
    /// Why its machine can start nothing for now.
    pub(crate) trouble: Option<Reason>,
}

/// What workers said since the last write, and what the last writes found out.
#[derive(Debug, Default)]
pub(crate) struct Beats {
    pending: Mutex<BTreeMap<WorkerName, Beat>>,
    over: Mutex<BTreeSet<SessionId>>,
    drain: Mutex<BTreeSet<WorkerName>>,
    /// Sessions whose machines could start nothing, as they said last.
    troubled: Mutex<BTreeSet<SessionId>>,
}

impl Beats {
    /// Notes a beat; the latest one of a worker counts.
    pub(crate) fn note(&self, worker: WorkerName, beat: Beat) {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner).insert(worker, beat);
    }

    /// Notes whether a session's machine can start nothing. Whether that is news.
    pub(crate) fn is_news(&self, session: SessionId, is_troubled: bool) -> bool {
        let mut troubled = self.troubled.lock().unwrap_or_else(PoisonError::into_inner);
        if is_troubled { troubled.insert(session) } else { troubled.remove(&session) }
    }

    /// Takes what is to be written.
    pub(crate) fn take(&self) -> Vec<(WorkerName, Beat)> {
        std::mem::take(&mut *self.pending.lock().unwrap_or_else(PoisonError::into_inner)).into_iter().collect()
    }

    /// Remembers sessions that another registration has ended.
    pub(crate) fn end_sessions(&self, sessions: impl IntoIterator<Item = SessionId>) {
        let mut troubled = self.troubled.lock().unwrap_or_else(PoisonError::into_inner);
        let sessions = sessions.into_iter().inspect(|session| {
            troubled.remove(session);
        });
        self.over.lock().unwrap_or_else(PoisonError::into_inner).extend(sessions);
    }

    /// Whether a session is known to be over.
    pub(crate) fn is_over(&self, session: SessionId) -> bool {
        self.over.lock().unwrap_or_else(PoisonError::into_inner).contains(&session)
    }

    /// Remembers which workers were asked to drain.
    pub(crate) fn set_draining(&self, workers: BTreeSet<WorkerName>) {
        *self.drain.lock().unwrap_or_else(PoisonError::into_inner) = workers;
    }

    /// Whether a worker was asked to drain.
    pub(crate) fn is_draining(&self, worker: &WorkerName) -> bool {
        self.drain.lock().unwrap_or_else(PoisonError::into_inner).contains(worker)
    }
}
