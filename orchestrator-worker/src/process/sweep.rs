//! Finding and killing what is left of a tree of processes.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::registry::Registry;
use super::scan::{Seen, Snapshot};
use super::{Identity, JobCookie, platform};

/// How long a sweep goes on killing before it reports what survives.
const SWEEP_LIMIT: Duration = Duration::from_millis(900);
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
}

/// What a sweep did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sweep {
    /// Processes outside the reach of the group signal, or slow to follow it, that were killed one by one.
    pub killed: Vec<SweptProcess>,
    /// Processes of the job that could not be killed in time.
    pub survivors: Vec<SweptProcess>,
    /// Orphans without any mark that may belong to this job or to another one that still runs; left alone.
    pub undecided: Vec<SweptProcess>,
}

/// What is known of the tree to be swept.
#[derive(Debug, Clone, Default)]
pub(crate) struct Quarry {
    pub(crate) cookies: HashSet<JobCookie>,
    /// The main process, while it is not reaped.
    pub(crate) main: Option<u32>,
    /// Processes that were seen to descend from the tree.
    pub(crate) known: HashSet<Identity>,
    /// Whether orphans of this worker are judged as well.
    pub(crate) with_adopted: bool,
}

impl Quarry {
    /// Notes which processes belong to the tree now, before kills break the lines of descent.
    pub(crate) fn observe(&mut self, snapshot: &Snapshot) {
        let members = self.members(snapshot, &[]);
        self.known.extend(members.into_iter().map(|(seen, _)| seen.identity));
    }

    /// The living processes of the tree.
    fn members<'s>(&self, snapshot: &'s Snapshot, leftovers: &[Identity]) -> Vec<(&'s Seen, FoundBy)> {
        let own = std::process::id();
        let mut found: HashMap<u32, FoundBy> = HashMap::new();
        for seen in snapshot.processes().filter(|seen| !seen.is_dead) {
            if let Some(how) = self.recognise(seen, leftovers) {
                found.insert(seen.identity.pid, how);
            }
        }
        loop {
            let is_heir = |seen: &&Seen| {
                seen.identity.pid != own
                    && !found.contains_key(&seen.identity.pid)
                    && seen.parent.is_some_and(|parent| found.contains_key(&parent) || self.main == Some(parent))
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

    fn recognise(&self, seen: &Seen, leftovers: &[Identity]) -> Option<FoundBy> {
        if seen.identity.pid == std::process::id() {
            None
        } else if seen.cookie.is_some_and(|cookie| self.cookies.contains(&cookie)) {
            Some(FoundBy::Cookie)
        } else if self.is_in_group(seen) {
            Some(FoundBy::Group)
        } else if self.known.contains(&seen.identity) {
            Some(FoundBy::Descent)
        } else if leftovers.contains(&seen.identity) {
            Some(FoundBy::Adoption)
        } else {
            None
        }
    }

    fn is_in_group(&self, seen: &Seen) -> bool {
        self.main.is_some() && platform::group_of(seen.identity.pid) == self.main
    }

    /// Kills until nothing more is found, or the time is up.
    pub(crate) async fn sweep(mut self, registry: &'static Registry) -> Sweep {
        let deadline = Instant::now() + SWEEP_LIMIT;
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
                    break;
                }
            };
            let is_doubtful = !self.with_adopted || !met.undecided.is_empty();
            sweep.undecided = met.undecided;
            empty_looks = if met.members.is_empty() { empty_looks + 1 } else { 0 };
            if empty_looks >= if is_doubtful { DOUBTFUL_LOOKS } else { 1 } {
                break;
            }
            if is_last {
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
        let adopted = if self.with_adopted { registry.judge_adopted(&snapshot) } else { <_>::default() };
        let mut members = Vec::new();
        for (seen, how) in self.members(&snapshot, &adopted.leftovers) {
            platform::kill_if(seen.identity.pid, || is_still(seen));
            members.push((seen, how));
        }
        self.known.extend(members.iter().map(|(seen, _)| seen.identity));
        for dead in snapshot.processes().filter(|seen| seen.is_dead) {
            if self.known.contains(&dead.identity) || self.is_in_group(dead) {
                registry.reap(dead);
            }
        }
        Met {
            members: members.into_iter().map(|(seen, how)| swept(seen, how)).collect(),
            undecided: adopted.undecided.iter().map(|seen| swept(seen, FoundBy::Adoption)).collect(),
        }
    }
}

/// What one pass met.
struct Met {
    members: Vec<SweptProcess>,
    undecided: Vec<SweptProcess>,
}

/// Whether the process id still names the process that was seen. Start times are in whole seconds, so another mark is
/// asked for as well.
fn is_still(seen: &Seen) -> bool {
    let is_same = |now: Seen| now.identity == seen.identity && (now.cookie == seen.cookie || now.parent == seen.parent);
    Snapshot::of(seen.identity.pid).is_some_and(is_same)
}

fn swept(seen: &Seen, found_by: FoundBy) -> SweptProcess {
    SweptProcess { identity: seen.identity, name: seen.name.clone(), found_by }
}

fn remember(killed: &mut Vec<SweptProcess>, members: Vec<SweptProcess>) {
    for member in members {
        if !killed.iter().any(|known| known.identity == member.identity) {
            killed.push(member);
        }
    }
}

#[cfg(test)]
mod tests {
    use orchestrator_core::id::JobId;

    use super::*;

    /// Greater than any process id that a system hands out.
    const BASE: u32 = 1 << 30;

    fn seen(pid: u32, parent: u32, cookie: Option<JobCookie>) -> Seen {
        let identity = Identity { pid: BASE + pid, started: 1 };
        Seen { identity, parent: Some(BASE + parent), name: String::new(), cookie, is_dead: false }
    }

    fn found(quarry: &Quarry, snapshot: &Snapshot) -> Vec<u32> {
        let mut pids: Vec<u32> =
            quarry.members(snapshot, &[]).iter().map(|(seen, _)| seen.identity.pid - BASE).collect();
        pids.sort_unstable();
        pids
    }

    #[test]
    fn what_a_member_started_belongs_to_the_tree_and_nothing_else_does() {
        let (ours, theirs) = (JobCookie::new(JobId::generate()), JobCookie::new(JobId::generate()));
        let snapshot = Snapshot::from_seen([
            seen(1, 0, Some(ours)),
            seen(2, 1, None),
            seen(3, 2, None),
            seen(4, 0, None),
            seen(5, 0, Some(theirs)),
            seen(6, 5, None),
        ]);
        let quarry = Quarry { cookies: HashSet::from([ours]), ..Quarry::default() };
        assert_eq!(found(&quarry, &snapshot), [1, 2, 3]);
    }

    #[test]
    fn a_known_process_is_recognised_by_its_start_time_too() {
        let mut quarry = Quarry { main: Some(BASE + 1), ..Quarry::default() };
        quarry.observe(&Snapshot::from_seen([seen(2, 1, None)]));
        assert_eq!(found(&quarry, &Snapshot::from_seen([seen(2, 0, None)])), [2]);
        let mut successor = seen(2, 0, None);
        successor.identity.started += 1;
        assert!(found(&quarry, &Snapshot::from_seen([successor])).is_empty());
    }

    #[test]
    fn ended_processes_and_this_one_are_no_members() {
        let cookie = JobCookie::new(JobId::generate());
        let mut dead = seen(1, 0, Some(cookie));
        dead.is_dead = true;
        let mut this = seen(2, 0, Some(cookie));
        this.identity.pid = std::process::id();
        let quarry = Quarry { cookies: HashSet::from([cookie]), ..Quarry::default() };
        assert!(quarry.members(&Snapshot::from_seen([dead, this]), &[]).is_empty());
    }
}
