//! Looking after trees that run: once parents are gone, descent cannot be seen any more.

use super::registry::Registry;
use super::scan::Snapshot;
use super::sweep::Quarry;
use super::{Identity, JobCookie, Launcher};

/// Descendants of a job's main process that bear no mark: if their parents end, nothing but this tells whose they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Strays {
    /// The job, and the grant under which it runs.
    pub cookie: JobCookie,
    /// The processes, in the order of their ids.
    pub processes: Vec<Identity>,
}

impl Launcher {
    /// Looks who belongs to which of the running trees. To be called every few seconds. Blocks for some milliseconds when
    /// there are any.
    pub fn observe(&self) -> Vec<Strays> {
        let quarries = self.registry().quarries();
        if quarries.is_empty() {
            return Vec::new();
        }
        let snapshot = Snapshot::take();
        quarries.into_iter().map(|(cookie, quarry)| observe(self.registry(), cookie, quarry, &snapshot)).collect()
    }
}

fn observe(registry: &Registry, cookie: JobCookie, mut quarry: Quarry, snapshot: &Snapshot) -> Strays {
    quarry.observe(snapshot);
    quarry.known.retain(|identity| snapshot.has(*identity));
    let bears_mark = |identity: &Identity| snapshot.get(identity.pid).is_some_and(|seen| quarry.is_marked(seen));
    let is_main = |identity: &Identity| quarry.main == Some(identity.pid);
    let mut processes: Vec<Identity> =
        quarry.known.iter().copied().filter(|identity| !is_main(identity) && !bears_mark(identity)).collect();
    processes.sort_unstable_by_key(|identity| identity.pid);
    registry.note_known(quarry);
    Strays { cookie, processes }
}
