//! What runs on this machine, at one moment.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::cookie::Mark;
use super::platform;

/// A process id and when that process started: together they name one process of one [`Era`], not its successors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Identity {
    /// The process id.
    pub pid: u32,
    /// When it started, as the kernel counts it: on Linux clock ticks since the machine started, which no setting of the clock
    /// changes; elsewhere seconds since the epoch, written down by the kernel when the process began.
    pub started: u64,
}

/// The time in which process ids and start times mean the same: on Linux from one start of the machine, or of the container
/// that the agent is in, to the next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Era(String);

impl Era {
    /// The present one.
    pub fn current() -> Self {
        Self(platform::era())
    }
}

/// One process as it was seen.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) identity: Identity,
    pub(crate) parent: Option<u32>,
    /// None of kernel threads, of groups of other pid namespaces, and on systems without groups.
    pub(crate) group: Option<u32>,
    pub(crate) name: String,
    pub(crate) mark: Option<Mark>,
    /// Has ended, but its parent has not asked for its exit status yet.
    pub(crate) is_dead: bool,
}

/// All processes at one moment, by process id.
#[derive(Debug, Default)]
pub(crate) struct Snapshot {
    by_pid: HashMap<u32, Seen>,
    /// The system did not let itself be looked at: who is missing may be there.
    pub(crate) is_blind: bool,
}

impl Snapshot {
    /// All processes, seen after this call began. Blocks for some milliseconds; callers that ask at the same time share
    /// one look.
    pub(crate) fn take() -> Arc<Self> {
        static LAST: Mutex<Option<(Instant, Arc<Snapshot>)>> = Mutex::new(None);
        let asked_at = Instant::now();
        let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((began_at, snapshot)) = last.as_ref()
            && *began_at >= asked_at
        {
            return Arc::clone(snapshot);
        }
        let began_at = Instant::now();
        let snapshot = Arc::new(platform::look_at_all().map_or_else(|error| Self::blind(&error), Self::of_all));
        *last = Some((began_at, Arc::clone(&snapshot)));
        snapshot
    }

    fn blind(error: &std::io::Error) -> Self {
        tracing::error!(%error, "failed to look at the processes of this machine");
        Self { by_pid: HashMap::new(), is_blind: true }
    }

    /// One process, now; none when it is gone or cannot be looked at.
    pub(crate) fn of(pid: u32) -> Option<Seen> {
        platform::look_at(pid).ok().flatten()
    }

    pub(crate) fn processes(&self) -> impl Iterator<Item = &Seen> {
        self.by_pid.values()
    }

    pub(crate) fn get(&self, pid: u32) -> Option<&Seen> {
        self.by_pid.get(&pid)
    }

    /// Whether this very process is there, ended or not.
    pub(crate) fn has(&self, identity: Identity) -> bool {
        self.get(identity.pid).is_some_and(|seen| seen.identity == identity)
    }

    pub(crate) fn of_all(seen: impl IntoIterator<Item = Seen>) -> Self {
        Self { by_pid: seen.into_iter().map(|seen| (seen.identity.pid, seen)).collect(), is_blind: false }
    }
}
