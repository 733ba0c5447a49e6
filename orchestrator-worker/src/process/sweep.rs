//! Finding and killing what is left of a tree of processes.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use orchestrator_core::id::JobId;
use tokio::time::{Instant, sleep};

use super::cookie::Mark;
use super::leftovers::Leftover;
use super::registry::{Adopted, Registry, TreeId};
use super::scan::{Seen, Snapshot};
use super::{Grant, Identity, JobCookie, platform};

/// How long a sweep goes on killing before it reports what survives.
pub(crate) const SWEEP_LIMIT: Duration = Duration::from_millis(900);
/// What killed processes get to disappear before the next look.
const PASS_PAUSE: Duration = Duration::from_millis(5);
/// How often nothing must be found where one look does not suffice: while a process executes a new program it has no
/// environment for a moment, and so no cookie.
const DOUBTFUL_LOOKS: u32 = 6;
/// The pause between such looks.
const DOUBTFUL_PAUSE: Duration = Duration::from_millis(20);

/// What becomes of the processes that a robot leaves behind when it ends by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Children {
    /// They are killed.
    Kill,
    /// They go on.
    Keep,
}

/// How a process was known to belong to the job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FoundBy {
    /// It is in the group of the main process.
    Group,
    /// It bears the job's cookie in its environment.
    Cookie,
    /// It is the main process that the agent before had noted.
    Record,
    /// It was started by a process that belongs to the job.
    Descent,
    /// It is an orphan that no other living job can have started.
    Adoption,
}

/// A process that a sweep met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SweptProcess {
    /// Which process.
    pub identity: Identity,
    /// Its name.
    pub name: String,
    /// How it was found.
    pub found_by: FoundBy,
    /// What the system said when it was to be killed, if it refused.
    pub refused: Option<String>,
}

/// What a sweep did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sweep {
    /// Processes outside the reach of the group signal, or slow to follow it, that were killed one by one.
    pub killed: Vec<SweptProcess>,
    /// Processes of the job that could not be killed in time.
    pub survivors: Vec<SweptProcess>,
    /// The system did not let itself be looked at: more may have survived.
    pub is_blind: bool,
    /// Orphans without any mark that may belong to this job, to another one that still runs, or to none; left alone.
    pub undecided: Vec<SweptProcess>,
}

impl Sweep {
    /// Whether something of the job survived, or may have.
    pub fn has_survivors(&self) -> bool {
        !self.survivors.is_empty() || self.is_blind
    }
}

/// What is known of the tree to be swept.
#[derive(Debug, Clone)]
pub(crate) struct Quarry {
    job: JobId,
    /// The grant that its processes bear.
    grant: Option<Grant>,
    /// Whether a process that bears the job's id, and no grant, belongs to the tree wherever it is; else only below this
    /// process.
    is_bare_id_enough: bool,
    /// The main process, while it is not reaped.
    pub(crate) main: Option<u32>,
    /// The main process of an earlier agent's tree, which may have been reaped.
    recorded: Option<Identity>,
    /// Processes that were seen to descend from the tree.
    pub(crate) known: HashSet<Identity>,
    /// The tree as this process knows it: orphans that it adopted are judged as well.
    pub(crate) tree: Option<TreeId>,
}

impl Quarry {
    /// A tree of this process.
    pub(crate) fn running(cookie: JobCookie, tree: TreeId, main: u32, known: HashSet<Identity>) -> Self {
        Self {
            job: cookie.job(),
            grant: Some(cookie.grant()),
            is_bare_id_enough: false,
            main: Some(main),
            recorded: None,
            known,
            tree: Some(tree),
        }
    }

    /// A tree of an earlier agent.
    pub(crate) fn left(left: &Leftover) -> Self {
        Self {
            job: left.job,
            grant: left.grant,
            is_bare_id_enough: left.is_started,
            main: None,
            recorded: left.main,
            known: left.strays.iter().copied().collect(),
            tree: None,
        }
    }

    /// Notes which processes belong to the tree now, before kills break the lines of descent.
    pub(crate) fn observe(&mut self, snapshot: &Snapshot) {
        let members = self.members(snapshot, &[]);
        self.known.extend(members.into_iter().map(|(seen, _)| seen.identity));
    }

    /// The processes of the tree that live now.
    pub(crate) fn living(&self, snapshot: &Snapshot) -> Vec<Identity> {
        self.members(snapshot, &[]).into_iter().map(|(seen, _)| seen.identity).collect()
    }

    /// The living processes of the tree.
    fn members<'s>(&self, snapshot: &'s Snapshot, leftovers: &[Identity]) -> Vec<(&'s Seen, FoundBy)> {
        let own = std::process::id();
        let mut found: HashMap<u32, FoundBy> = HashMap::new();
        for seen in snapshot.processes().filter(|seen| !seen.is_dead) {
            if let Some(how) = self.recognise(seen, snapshot, leftovers) {
                found.insert(seen.identity.pid, how);
            }
        }
        loop {
            let is_heir = |seen: &&Seen| {
                seen.identity.pid != own
                    && !found.contains_key(&seen.identity.pid)
                    && seen.parent.is_some_and(|parent| found.contains_key(&parent) || self.main == Some(parent))
                    && !is_older_than_parent(seen, snapshot)
            };
            let heirs: Vec<u32> = snapshot.processes().filter(is_heir).map(|seen| seen.identity.pid).collect();
            if heirs.is_empty() {
                break;
            }
            found.extend(heirs.into_iter().map(|pid| (pid, FoundBy::Descent)));
        }
        snapshot
            .processes()
            .filter(|seen| !seen.is_dead)
            .filter_map(|seen| found.get(&seen.identity.pid).map(|how| (seen, *how)))
            .collect()
    }

    fn recognise(&self, seen: &Seen, snapshot: &Snapshot, leftovers: &[Identity]) -> Option<FoundBy> {
        if seen.identity.pid == std::process::id() {
            None
        } else if self.is_marked(seen) || self.bears_bare_id(seen) {
            Some(FoundBy::Cookie)
        } else if self.recorded == Some(seen.identity) {
            Some(FoundBy::Record)
        } else if self.is_in_group(seen) || self.is_in_recorded_group(seen, snapshot) {
            Some(FoundBy::Group)
        } else if self.known.contains(&seen.identity) {
            Some(FoundBy::Descent)
        } else if leftovers.contains(&seen.identity) {
            Some(FoundBy::Adoption)
        } else {
            None
        }
    }

    /// Whether it bears the mark of this job under this grant.
    pub(crate) fn is_marked(&self, seen: &Seen) -> bool {
        let is_ours = |mark: Mark| mark.job == self.job && mark.grant.is_some() && mark.grant == self.grant;
        seen.mark.is_some_and(is_ours)
    }

    fn bears_bare_id(&self, seen: &Seen) -> bool {
        seen.mark == Some(Mark { job: self.job, grant: None })
            && (self.is_bare_id_enough || (self.tree.is_some() && seen.parent == Some(std::process::id())))
    }

    fn is_in_group(&self, seen: &Seen) -> bool {
        self.main.is_some() && seen.group == self.main
    }

    /// Whether it is in the group of the main process that was noted. Once that has been reaped the group's number tells nothing:
    /// it is free when the last member has ended, and then another's. Members without a mark were noted one by one.
    fn is_in_recorded_group(&self, seen: &Seen, snapshot: &Snapshot) -> bool {
        self.recorded.is_some_and(|main| seen.group == Some(main.pid) && seen.mark.is_none() && snapshot.has(main))
    }

    /// Kills until nothing more is found, or the time is up.
    pub(crate) async fn sweep(mut self, registry: &'static Registry, limit: Duration) -> Sweep {
        let deadline = Instant::now() + limit;
        let mut sweep = Sweep::default();
        let mut empty_looks = 0;
        loop {
            let is_last = Instant::now() >= deadline;
            let pass = tokio::task::spawn_blocking(move || {
                let met = self.pass(registry);
                (self, met)
            });
            let met = match pass.await {
                Ok((quarry, met)) => {
                    self = quarry;
                    met
                }
                Err(error) => {
                    tracing::error!(%error, "failed to look for processes that a job left behind");
                    sweep.is_blind = true;
                    break;
                }
            };
            if met.is_blind {
                if is_last {
                    sweep.is_blind = true;
                    break;
                }
                sleep(DOUBTFUL_PAUSE).await;
                continue;
            }
            let is_doubtful = self.tree.is_none() || !met.undecided.is_empty();
            sweep.undecided = met.undecided;
            empty_looks = if met.members.is_empty() { empty_looks + 1 } else { 0 };
            if empty_looks >= if is_doubtful { DOUBTFUL_LOOKS } else { 1 } {
                break;
            }
            if is_last && !met.members.is_empty() {
                sweep.survivors = met.members;
                break;
            }
            remember(&mut sweep.killed, met.members);
            sleep(if empty_looks == 0 { PASS_PAUSE } else { DOUBTFUL_PAUSE }).await;
        }
        sweep.killed.retain(|killed| !sweep.survivors.iter().any(|survivor| survivor.identity == killed.identity));
        sweep
    }

    /// One look, and one KILL for each member found. Blocks.
    fn pass(&mut self, registry: &Registry) -> Met {
        let snapshot = Snapshot::take();
        let adopted = self.tree.map_or_else(Adopted::default, |tree| registry.judge_adopted(&snapshot, tree));
        let mut members = Vec::new();
        for (seen, how) in self.members(&snapshot, &adopted.leftovers) {
            let refused = platform::kill_if(seen.identity.pid, || is_still(seen)).err();
            members.push(SweptProcess { refused: refused.map(|error| error.to_string()), ..swept(seen, how) });
        }
        self.known.extend(members.iter().map(|member| member.identity));
        for dead in snapshot.processes().filter(|seen| seen.is_dead) {
            if self.known.contains(&dead.identity) || self.is_in_group(dead) {
                registry.reap(dead);
            }
        }
        Met {
            is_blind: snapshot.is_blind,
            members,
            undecided: adopted.undecided.iter().map(|seen| swept(seen, FoundBy::Adoption)).collect(),
        }
    }
}

/// Whether it cannot be the child of what has its parent's id now: where ids of ended parents are kept, as on Windows, they may
/// have passed to another process.
fn is_older_than_parent(seen: &Seen, snapshot: &Snapshot) -> bool {
    let parent = seen.parent.and_then(|parent| snapshot.get(parent));
    parent.is_some_and(|parent| seen.identity.started < parent.identity.started)
}

/// What one pass met.
struct Met {
    is_blind: bool,
    members: Vec<SweptProcess>,
    undecided: Vec<SweptProcess>,
}

/// Whether the process id still names the process that was seen. Start times are in hundredths of a second or coarser, so
/// another mark is asked for as well.
fn is_still(seen: &Seen) -> bool {
    let is_same = |now: Seen| now.identity == seen.identity && (now.mark == seen.mark || now.parent == seen.parent);
    Snapshot::of(seen.identity.pid).is_some_and(is_same)
}

fn swept(seen: &Seen, found_by: FoundBy) -> SweptProcess {
    SweptProcess { identity: seen.identity, name: seen.name.clone(), found_by, refused: None }
}

fn remember(killed: &mut Vec<SweptProcess>, members: Vec<SweptProcess>) {
    for member in members.into_iter().filter(|member| member.refused.is_none()) {
        if !killed.iter().any(|known| known.identity == member.identity) {
            killed.push(member);
        }
    }
}

#[cfg(test)]
mod tests;
