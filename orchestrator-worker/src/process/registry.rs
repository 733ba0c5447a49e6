//! Which children this process started itself, and which jobs can have started the orphans it adopted.
//!
//! There is one registry for each operating system process, because adopting orphans is a property of the process.
//!
//! An orphan that has shed its group and its cookie says nothing about its origin except when it started. It can only
//! come from a tree that was alive at that time. Once all trees that were are over, and none of them was to keep its
//! children, it is a leftover; until then it is reported and left alone.
//!
//! That holds as long as orphans come from trees at all. The first process of a container is given those of whatever else is
//! started in there, and a process that had children before it began to supervise is given theirs: there such an orphan is
//! reported and left alone for good, unless it was seen to descend from a tree.

use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError, RwLock};

use super::platform::{self, kernel_now};
use super::scan::{Seen, Snapshot};
use super::sweep::Quarry;
use super::{Identity, JobCookie};

/// Names one tree in the registry.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(crate) struct TreeId(u64);

#[derive(Debug)]
struct Tree {
    cookie: JobCookie,
    main: u32,
    /// Processes that were seen to descend from it.
    known: HashSet<Identity>,
    started: u64,
    ended: Option<u64>,
    keeps_children: bool,
    /// Nobody asks for it any more.
    is_released: bool,
}

impl Tree {
    fn quarry(&self, id: TreeId) -> Quarry {
        Quarry::running(self.cookie, id, self.main, self.known.clone())
    }

    fn was_alive_at(&self, instant: u64) -> bool {
        self.started <= instant && self.ended.is_none_or(|ended| instant <= ended)
    }
}

#[derive(Debug, Default)]
struct State {
    next_tree: u64,
    trees: HashMap<TreeId, Tree>,
    /// Children whose exit status tokio will ask for.
    own_children: HashSet<u32>,
    /// Ended children that were unknown at the last look.
    unknown_dead: HashSet<Identity>,
}

/// What is to be done with the adopted orphans.
#[derive(Debug, Default)]
pub(crate) struct Adopted {
    /// Leftovers of trees that are over.
    pub(crate) leftovers: Vec<Identity>,
    /// Orphans that may be of the tree that asks, but also of a living one or of none.
    pub(crate) undecided: Vec<Seen>,
}

#[derive(Debug, Default)]
pub(crate) struct Registry {
    state: Mutex<State>,
    /// Held for reading while a child is started but not yet in `own_children`.
    spawning: RwLock<()>,
    /// Whether this process adopts orphans that were never below it, or below what it did not start.
    adopts_strangers: bool,
}

impl Registry {
    pub(crate) fn of_this_process() -> &'static Self {
        static REGISTRY: OnceLock<Registry> = OnceLock::new();
        REGISTRY.get_or_init(|| {
            let adopts_strangers = platform::adopts_strangers();
            if adopts_strangers {
                tracing::warn!(
                    "this process adopts what others start, as the first process of a container does: orphans of robots \
                     that have shed every mark are reported, not killed. A small init in front (docker run --init) helps"
                );
            }
            Self { adopts_strangers, ..Self::default() }
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a child and enters it, so that no look in between takes it for an orphan.
    pub(crate) fn track<C>(
        &self,
        cookie: JobCookie,
        spawn: impl FnOnce() -> io::Result<(C, Identity)>,
    ) -> io::Result<(C, Identity, TreeId)> {
        let _spawning = self.spawning.read().unwrap_or_else(PoisonError::into_inner);
        let (child, identity) = spawn()?;
        let mut state = self.state();
        state.next_tree += 1;
        let id = TreeId(state.next_tree);
        let tree = Tree {
            cookie,
            main: identity.pid,
            known: HashSet::new(),
            started: identity.started,
            ended: None,
            keeps_children: false,
            is_released: false,
        };
        state.trees.insert(id, tree);
        state.own_children.insert(identity.pid);
        Ok((child, identity, id))
    }

    /// Starts a child that is of no job, and enters it.
    pub(crate) fn track_companion<C>(&self, spawn: impl FnOnce() -> io::Result<(C, u32)>) -> io::Result<(C, u32)> {
        let _spawning = self.spawning.read().unwrap_or_else(PoisonError::into_inner);
        let (child, pid) = spawn()?;
        self.state().own_children.insert(pid);
        Ok((child, pid))
    }

    /// Such a child has ended, and its exit status has been collected.
    pub(crate) fn companion_ended(&self, pid: u32) {
        self.state().own_children.remove(&pid);
    }

    /// What is known of a tree.
    pub(crate) fn quarry(&self, id: TreeId) -> Option<Quarry> {
        self.state().trees.get(&id).map(|tree| tree.quarry(id))
    }

    /// What is known of each running tree.
    pub(crate) fn quarries(&self) -> Vec<(JobCookie, Quarry)> {
        let state = self.state();
        let running = state.trees.iter().filter(|(_, tree)| tree.ended.is_none());
        running.map(|(id, tree)| (tree.cookie, tree.quarry(*id))).collect()
    }

    /// Remembers who was seen to belong to a tree.
    pub(crate) fn note_known(&self, quarry: Quarry) {
        let mut state = self.state();
        if let Some(tree) = quarry.tree.and_then(|tree| state.trees.get_mut(&tree)) {
            tree.known = quarry.known;
        }
    }

    /// The tree's main process has ended, or is about to be killed.
    pub(crate) fn tree_ended(&self, tree: TreeId, keeps_children: bool) {
        if let Some(tree) = self.state().trees.get_mut(&tree) {
            tree.ended.get_or_insert_with(kernel_now);
            tree.keeps_children = keeps_children;
        }
    }

    /// The exit status of the tree's main process has been collected.
    pub(crate) fn main_reaped(&self, tree: TreeId) {
        let mut state = self.state();
        if let Some(tree) = state.trees.get_mut(&tree) {
            tree.is_released = true;
            let main = tree.main;
            state.own_children.remove(&main);
        }
    }

    /// Judges the orphans in `snapshot` for one tree, and forgets the trees that matter to none of them.
    pub(crate) fn judge_adopted(&self, snapshot: &Snapshot, asking: TreeId) -> Adopted {
        // Children started before the look began are entered once this lock was ours.
        drop(self.spawning.write().unwrap_or_else(PoisonError::into_inner));
        let mut state = self.state();
        let orphans: Vec<&Seen> = snapshot.processes().filter(|seen| is_orphan(seen, &state.own_children)).collect();
        let mut adopted = Adopted::default();
        for orphan in &orphans {
            let started = orphan.identity.started;
            let mut origins = state.trees.values().filter(|tree| tree.was_alive_at(started)).peekable();
            if origins.peek().is_none() {
                continue;
            }
            if !self.adopts_strangers && origins.all(|tree| tree.ended.is_some() && !tree.keeps_children) {
                adopted.leftovers.push(orphan.identity);
            } else if state.trees.get(&asking).is_some_and(|tree| tree.was_alive_at(started)) {
                adopted.undecided.push((*orphan).clone());
            }
        }
        let is_needed = |tree: &Tree| orphans.iter().any(|orphan| tree.was_alive_at(orphan.identity.started));
        state.trees.retain(|_, tree| !tree.is_released || is_needed(tree));
        adopted
    }

    /// Collects the exit status of an adopted orphan that has ended.
    pub(crate) fn reap(&self, dead: &Seen) {
        if is_foreign_child(dead) && !self.state().own_children.contains(&dead.identity.pid) {
            platform::reap(dead.identity.pid);
        }
    }

    /// Collects the exit status of ended orphans that were already there at the last call: other code in this process that
    /// had started them would have asked by now.
    pub(crate) fn reap_unknown(&self, snapshot: &Snapshot) {
        drop(self.spawning.write().unwrap_or_else(PoisonError::into_inner));
        let mut state = self.state();
        let is_unknown =
            |seen: &&Seen| seen.is_dead && is_foreign_child(seen) && !state.own_children.contains(&seen.identity.pid);
        let (old, new): (Vec<_>, Vec<_>) = snapshot
            .processes()
            .filter(is_unknown)
            .map(|seen| seen.identity)
            .partition(|identity| state.unknown_dead.contains(identity));
        for identity in old {
            platform::reap(identity.pid);
        }
        state.unknown_dead = new.into_iter().collect();
    }
}

/// A child in another group than this process. One in the same group was started by other code in this process, which
/// will ask for its exit status: what a robot leaves behind is in another group.
fn is_foreign_child(seen: &Seen) -> bool {
    seen.parent == Some(std::process::id()) && platform::is_in_other_group(seen)
}

/// A living child that was neither started here nor bears a mark.
fn is_orphan(seen: &Seen, own_children: &HashSet<u32>) -> bool {
    !seen.is_dead && seen.mark.is_none() && !own_children.contains(&seen.identity.pid) && is_foreign_child(seen)
}

#[cfg(test)]
mod tests {
    use orchestrator_core::id::{InstanceId, JobId};
    use orchestrator_core::lease::LeaseToken;

    use super::super::Grant;
    use super::*;

    /// Greater than any process id that a system hands out.
    const BASE: u32 = 1 << 30;

    /// A registry whose one tree has ended, and the tree.
    fn after_a_job(adopts_strangers: bool) -> (Registry, TreeId) {
        let registry = Registry { adopts_strangers, ..Registry::default() };
        let grant = Grant { installation: InstanceId::generate(), lease_token: LeaseToken::new(1) };
        let cookie = JobCookie::new(JobId::generate(), grant);
        let main = Identity { pid: BASE, started: 100 };
        let (.., tree) = registry.track(cookie, || Ok(((), main))).unwrap();
        registry.tree_ended(tree, false);
        (registry, tree)
    }

    /// A child of this process that bears no mark, in a group of its own.
    fn orphan(started: u64) -> Seen {
        let identity = Identity { pid: BASE + 1, started };
        Seen {
            identity,
            parent: Some(std::process::id()),
            group: Some(identity.pid),
            name: "orphan".to_owned(),
            mark: None,
            is_dead: false,
        }
    }

    fn judged(registry: &Registry, tree: TreeId, orphan: Seen) -> (usize, usize) {
        let adopted = registry.judge_adopted(&Snapshot::of_all([orphan]), tree);
        (adopted.leftovers.len(), adopted.undecided.len())
    }

    #[test]
    fn an_orphan_of_the_time_of_a_tree_is_its_leftover() {
        let (registry, tree) = after_a_job(false);
        assert_eq!(judged(&registry, tree, orphan(100)), (1, 0));
        assert_eq!(judged(&registry, tree, orphan(99)), (0, 0), "it was there before");
    }

    #[test]
    fn an_orphan_that_may_be_a_strangers_is_reported_and_left_alone() {
        let (registry, tree) = after_a_job(true);
        assert_eq!(judged(&registry, tree, orphan(100)), (0, 1));
        assert_eq!(judged(&registry, tree, orphan(99)), (0, 0), "no word of what has nothing to do with it");
    }
}
