//! What an earlier agent left behind.

use std::time::Duration;

use orchestrator_core::id::JobId;

use super::registry::Registry;
use super::scan::Snapshot;
use super::sweep::{Quarry, SWEEP_LIMIT, Sweep, SweptProcess};
use super::{Grant, Identity, Launcher};

/// A job that an earlier agent ran, and what it had noted of the job's processes. Identities are of the present era.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leftover {
    /// The job.
    pub job: JobId,
    /// The grant that its processes bear; absent when a version noted it whose processes bore the job's id alone.
    pub grant: Option<Grant>,
    /// Whether a robot was started. The server then gives the job to nobody else, so that what bears its id is this grant's.
    pub is_started: bool,
    /// Its main process, if that can still be named.
    pub main: Option<Identity>,
    /// Processes that were seen to belong to it, whatever they bear.
    pub strays: Vec<Identity>,
}

impl Leftover {
    /// Keeps in mind what was found by its parents, which may be gone at the next look.
    pub fn remember(&mut self, survivors: &[SweptProcess]) {
        for survivor in survivors {
            if !self.strays.contains(&survivor.identity) {
                self.strays.push(survivor.identity);
            }
        }
    }

    /// What lives of it now, in the order of the process ids. Blocks for some milliseconds.
    pub(crate) fn living(&self) -> Vec<u32> {
        let mut pids: Vec<u32> =
            Quarry::left(self).living(&Snapshot::take()).into_iter().map(|process| process.pid).collect();
        pids.sort_unstable();
        pids
    }

    async fn sweep(&self, limit: Duration) -> Sweep {
        Quarry::left(self).sweep(Registry::of_this_process(), limit).await
    }
}

/// Kills every process that is known to be of the job, and what those processes started. To be called when an agent starts,
/// with the jobs of its state file, before it registers. Reports what it killed, and what it could not.
///
/// The launcher is asked for because there must be one: only a process that adopts orphans sees all of them.
pub async fn kill_leftovers(_launcher: &Launcher, left: &Leftover) -> Sweep {
    left.sweep(SWEEP_LIMIT).await
}

/// As [`kill_leftovers`], of what did not end then: one KILL to each. What a later call still finds has survived it.
pub async fn kill_survivors(_launcher: &Launcher, left: &Leftover) -> Sweep {
    left.sweep(Duration::ZERO).await
}
