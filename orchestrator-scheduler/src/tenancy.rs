//! Who has a worker's name, and how often it was taken over of late.
//!
//! An agent that starts anew takes its name over from the session before, at once. Two agents with copies of one data folder
//! are the same installation and would take it over from each other for ever, each ending the other's jobs. One agent alone
//! that crashes as often is told to wait until the session before is silent, which is one lease.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use orchestrator_core::clock::Timestamp;
use orchestrator_core::id::SessionId;
use orchestrator_core::text::WorkerName;

/// So many take-overs from an agent that was alive, within [`SPAN`], are not one agent that starts anew. An even number: the
/// agent that was there first has the name then.
const MOST_TAKE_OVERS: usize = 4;

/// The span that take-overs are counted in.
const SPAN: chrono::Duration = chrono::Duration::minutes(1);

#[derive(Debug)]
struct Tenancy {
    session: SessionId,
    /// Its agent has made a call with it. What answers of registrations were lost came to is never used.
    is_used: bool,
    taken_over_at: VecDeque<Timestamp>,
    refused_at: Option<Timestamp>,
}

/// What this server has seen, in memory.
#[derive(Debug, Default)]
pub(crate) struct Tenancies(Mutex<BTreeMap<WorkerName, Tenancy>>);

impl Tenancies {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<WorkerName, Tenancy>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An agent made a call with its session.
    pub(crate) fn is_used(&self, worker: &WorkerName, session: SessionId) {
        let mut tenancies = self.lock();
        match tenancies.get_mut(worker) {
            Some(tenancy) => tenancy.is_used |= tenancy.session == session,
            None => {
                tenancies.insert(worker.clone(), Tenancy::of(session, true));
            }
        }
    }

    /// Whether two agents fight for the name of one that is alive. Stays so while the one that is refused comes again.
    pub(crate) fn is_contested(&self, worker: &WorkerName, now: Timestamp) -> bool {
        let mut tenancies = self.lock();
        let Some(tenancy) = tenancies.get_mut(worker) else { return false };
        tenancy.taken_over_at.retain(|at| now - *at < SPAN);
        let is_contested = tenancy.is_used
            && (tenancy.taken_over_at.len() >= MOST_TAKE_OVERS
                || tenancy.refused_at.is_some_and(|refused_at| now - refused_at < SPAN));
        tenancy.refused_at = is_contested.then_some(now);
        is_contested
    }

    /// A registration stands; with `from_alive`, in the place of one that was alive.
    pub(crate) fn has_registered(&self, worker: &WorkerName, session: SessionId, from_alive: bool, now: Timestamp) {
        let mut tenancies = self.lock();
        let tenancy = tenancies.entry(worker.clone()).or_insert_with(|| Tenancy::of(session, false));
        if !from_alive {
            *tenancy = Tenancy::of(session, false);
            return;
        }
        if std::mem::take(&mut tenancy.is_used) {
            tenancy.taken_over_at.push_back(now);
        }
        tenancy.session = session;
    }
}

impl Tenancy {
    fn of(session: SessionId, is_used: bool) -> Self {
        Self { session, is_used, taken_over_at: VecDeque::new(), refused_at: None }
    }
}
