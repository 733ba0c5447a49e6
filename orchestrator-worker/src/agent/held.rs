//! The jobs that this agent holds, and the orders that reach them.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use orchestrator_core::clock::{Clock, SystemClock, Timestamp};
use orchestrator_core::id::JobId;
use orchestrator_core::lease::LeaseToken;
use tokio::sync::watch;

/// What a job is told. Orders only get stronger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) enum Order {
    /// Go on.
    #[default]
    None,
    /// The agent is draining: stop with the trigger's `stop_grace`.
    Stop,
    /// Kill it: an administrator asked.
    Kill,
    /// The job is not this worker's any more: kill its robot and say nothing.
    Gone,
    /// The agent is being killed.
    Abort,
}

/// Until when a lease holds, on whichever of the two clocks has advanced further: a machine that slept has lost it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LeaseEnd {
    monotonic: Instant,
    wall: Timestamp,
}

impl LeaseEnd {
    /// A lease counted from the moment its call was sent.
    pub(crate) fn after(sent: Sent, lease: Duration) -> Self {
        Self { monotonic: sent.monotonic + lease, wall: sent.wall + lease }
    }

    /// How long it still holds.
    pub(crate) fn left(&self) -> Duration {
        let wall = (self.wall - SystemClock.now()).to_std().unwrap_or(Duration::ZERO);
        self.monotonic.saturating_duration_since(Instant::now()).min(wall)
    }
}

/// When a call was sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sent {
    monotonic: Instant,
    wall: Timestamp,
}

impl Sent {
    pub(crate) fn now() -> Self {
        Self { monotonic: Instant::now(), wall: SystemClock.now() }
    }
}

#[derive(Debug)]
struct Holding {
    token: LeaseToken,
    lease: watch::Sender<LeaseEnd>,
    order: watch::Sender<Order>,
}

/// A held job, as its own task sees it.
#[derive(Debug, Clone)]
pub(crate) struct Watch {
    pub(crate) lease: watch::Receiver<LeaseEnd>,
    pub(crate) order: watch::Receiver<Order>,
}

/// All held jobs.
#[derive(Debug, Default)]
pub(crate) struct HeldJobs {
    jobs: Mutex<BTreeMap<JobId, Holding>>,
}

impl HeldJobs {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<JobId, Holding>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a job; `None` when it is held already under this token (its grant was answered twice).
    pub(crate) fn add(&self, job: JobId, token: LeaseToken, lease: LeaseEnd) -> Option<Watch> {
        let mut jobs = self.lock();
        if jobs.get(&job).is_some_and(|held| held.token == token) {
            return None;
        }
        let (lease, lease_seen) = watch::channel(lease);
        let (order, order_seen) = watch::channel(Order::None);
        jobs.insert(job, Holding { token, lease, order });
        Some(Watch { lease: lease_seen, order: order_seen })
    }

    pub(crate) fn remove(&self, job: JobId, token: LeaseToken) {
        let mut jobs = self.lock();
        if jobs.get(&job).is_some_and(|held| held.token == token) {
            jobs.remove(&job);
        }
    }

    /// The pairs that a heartbeat lists.
    pub(crate) fn list(&self) -> Vec<(JobId, LeaseToken)> {
        self.lock().iter().map(|(job, held)| (*job, held.token)).collect()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    /// Notes that leases were renewed.
    pub(crate) fn renewed(&self, renewed: &[(JobId, LeaseToken)], lease: LeaseEnd) {
        let jobs = self.lock();
        for (job, token) in renewed {
            if let Some(held) = jobs.get(job).filter(|held| held.token == *token) {
                held.lease.send_replace(lease);
            }
        }
    }

    /// Gives an order to one job.
    pub(crate) fn order(&self, job: JobId, token: LeaseToken, order: Order) {
        if let Some(held) = self.lock().get(&job).filter(|held| held.token == token) {
            raise(&held.order, order);
        }
    }

    /// Gives an order to all jobs.
    pub(crate) fn order_all(&self, order: Order) {
        self.lock().values().for_each(|held| raise(&held.order, order));
    }
}

fn raise(sender: &watch::Sender<Order>, order: Order) {
    sender.send_if_modified(|current| {
        let stronger = order > *current;
        if stronger {
            *current = order;
        }
        stronger
    });
}
