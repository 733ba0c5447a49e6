//! What runs on this machine, at one moment.

use std::collections::HashMap;
use std::ffi::OsString;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use serde::{Deserialize, Serialize};
use sysinfo::{Pid, Process, ProcessRefreshKind, ProcessStatus, ProcessesToUpdate, System, UpdateKind};

use super::JobCookie;

/// A process id and when that process started: together they name one process, not its successors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Identity {
    /// The process id.
    pub pid: u32,
    /// Seconds since the epoch by the kernel's account; comparable with other values of this kind only.
    pub started: u64,
}

/// One process as it was seen.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) identity: Identity,
    pub(crate) parent: Option<u32>,
    pub(crate) name: String,
    pub(crate) cookie: Option<JobCookie>,
    /// Has ended, but its parent has not asked for its exit status yet.
    pub(crate) is_dead: bool,
}

/// All processes at one moment, by process id.
#[derive(Debug, Default)]
pub(crate) struct Snapshot(HashMap<u32, Seen>);

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
        let snapshot = Arc::new(Self::look(ProcessesToUpdate::All));
        *last = Some((began_at, Arc::clone(&snapshot)));
        snapshot
    }

    /// One process, now.
    pub(crate) fn of(pid: u32) -> Option<Seen> {
        Self::look(ProcessesToUpdate::Some(&[Pid::from_u32(pid)])).0.remove(&pid)
    }

    pub(crate) fn processes(&self) -> impl Iterator<Item = &Seen> {
        self.0.values()
    }

    fn look(which: ProcessesToUpdate<'_>) -> Self {
        // The only cause of an error is a system that sysinfo does not know.
        let Ok(mut system) = System::new() else {
            tracing::error!("failed to look at the processes of this machine: unsupported system");
            return Self::default();
        };
        let kind = ProcessRefreshKind::nothing().with_environ(UpdateKind::Always).without_tasks();
        system.refresh_processes_specifics(which, true, kind);
        Self(system.processes().values().map(seen).map(|seen| (seen.identity.pid, seen)).collect())
    }

    #[cfg(test)]
    pub(crate) fn from_seen(seen: impl IntoIterator<Item = Seen>) -> Self {
        Self(seen.into_iter().map(|seen| (seen.identity.pid, seen)).collect())
    }
}

fn seen(process: &Process) -> Seen {
    Seen {
        identity: Identity { pid: process.pid().as_u32(), started: process.start_time() },
        parent: process.parent().map(Pid::as_u32),
        name: process.name().to_string_lossy().into_owned(),
        cookie: process.environ().iter().map(OsString::as_os_str).find_map(JobCookie::from_entry),
        is_dead: matches!(process.status(), ProcessStatus::Zombie | ProcessStatus::Dead),
    }
}

/// The present by the clock that [`Identity::started`] is counted on.
pub(crate) fn kernel_now() -> u64 {
    let (boot, uptime) = (System::boot_time().unwrap_or_default(), System::uptime().unwrap_or_default());
    boot.saturating_add(uptime)
}
