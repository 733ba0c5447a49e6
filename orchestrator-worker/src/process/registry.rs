//! Which children this process started itself, and which jobs can have started the orphans it adopted.
//!
//! There is one registry for each operating system process, because adopting orphans is a property of the process.
//!
//! An orphan that has shed its group and its cookie says nothing about its origin except when it started. It can only
//! come from a tree that was alive at that time. Once all trees that were are over, and none of them was to keep its
//! children, it is a leftover; until then it is reported and left alone.

use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError, RwLock};

use super::scan::{Seen, Snapshot, kernel_now};
use super::{Identity, platform};

/// Names one tree in the registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct TreeId(u64);

#[derive(Debug)]
struct Tree {
    main: u32,
    started: u64,
    ended: Option<u64>,
    keeps_children: bool,
}

impl Tree {
    fn was_alive_at(&self, second: u64) -> bool {
        self.started <= second && self.ended.is_none_or(|ended| second <= ended)
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
    /// Orphans that a living tree may still own.
    pub(crate) undecided: Vec<Seen>,
}

#[derive(Debug, Default)]
pub(crate) struct Registry {
    state: Mutex<State>,
    /// Held for reading while a child is started but not yet in `own_children`.
    spawning: RwLock<()>,
}

impl Registry {
    pub(crate) fn of_this_process() -> &'static Self {
        static REGISTRY: OnceLock<Registry> = OnceLock::new();
        REGISTRY.get_or_init(Self::default)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a child and enters it, so that no look in between takes it for an orphan.
    pub(crate) fn track<C>(
        &self,
        spawn: impl FnOnce() -> io::Result<(C, Identity)>,
    ) -> io::Result<(C, Identity, TreeId)> {
        let _spawning = self.spawning.read().unwrap_or_else(PoisonError::into_inner);
        let (child, identity) = spawn()?;
        let mut state = self.state();
        state.next_tree += 1;
        let id = TreeId(state.next_tree);
        let tree = Tree { main: identity.pid, started: identity.started, ended: None, keeps_children: false };
        state.trees.insert(id, tree);
        state.own_children.insert(identity.pid);
        Ok((child, identity, id))
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
        if let Some(main) = state.trees.get(&tree).map(|tree| tree.main) {
            state.own_children.remove(&main);
        }
    }

    /// Judges the orphans in `snapshot`, and forgets the trees that matter to none of them.
    pub(crate) fn judge_adopted(&self, snapshot: &Snapshot) -> Adopted {
        // Children started before the look began are entered once this lock was ours.
        drop(self.spawning.write().unwrap_or_else(PoisonError::into_inner));
        let mut state = self.state();
        let orphans: Vec<&Seen> = snapshot.processes().filter(|seen| is_orphan(seen, &state.own_children)).collect();
        let mut adopted = Adopted::default();
        for orphan in &orphans {
            let second = orphan.identity.started;
            let mut origins = state.trees.values().filter(|tree| tree.was_alive_at(second)).peekable();
            if origins.peek().is_none() {
                continue;
            }
            if origins.all(|tree| tree.ended.is_some() && !tree.keeps_children) {
                adopted.leftovers.push(orphan.identity);
            } else {
                adopted.undecided.push((*orphan).clone());
            }
        }
        let is_needed = |tree: &Tree| orphans.iter().any(|orphan| tree.was_alive_at(orphan.identity.started));
        state.trees.retain(|_, tree| tree.ended.is_none() || is_needed(tree));
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
    seen.parent == Some(std::process::id()) && platform::is_in_other_group(seen.identity.pid)
}

/// A living child that was neither started here nor bears a mark.
fn is_orphan(seen: &Seen, own_children: &HashSet<u32>) -> bool {
    !seen.is_dead && seen.cookie.is_none() && !own_children.contains(&seen.identity.pid) && is_foreign_child(seen)
}
