//! The jobs that this agent holds, and the orders that reach them.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};

use orchestrator_core::id::JobId;
use orchestrator_core::lease::LeaseToken;
use tokio::sync::{Notify, watch};

use super::lease::LeaseEnd;

/// What a job can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// The agent is draining: stop with the trigger's `stop_grace`.
    Stop,
    /// Kill it: an administrator asked.
    Kill,
    /// The job is not this worker's any more: kill its robot and say nothing.
    Gone,
    /// The agent is being killed.
    Abort,
}

/// What a job was told so far. An order is never taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Orders {
    pub(crate) stop: bool,
    pub(crate) kill: bool,
    pub(crate) gone: bool,
    pub(crate) abort: bool,
}

impl Orders {
    /// Whether the job is to end at all.
    pub(crate) fn any(self) -> bool {
        self != Self::default()
    }

    fn add(&mut self, order: Order) -> bool {
        let told = match order {
            Order::Stop => &mut self.stop,
            Order::Kill => &mut self.kill,
            Order::Gone => &mut self.gone,
            Order::Abort => &mut self.abort,
        };
        !std::mem::replace(told, true)
    }
}

#[derive(Debug)]
struct Holding {
    token: LeaseToken,
    lease: watch::Sender<LeaseEnd>,
    orders: watch::Sender<Orders>,
}

/// A held job, as its own task sees it.
#[derive(Debug, Clone)]
pub(crate) struct Watch {
    pub(crate) lease: watch::Receiver<LeaseEnd>,
    orders: watch::Receiver<Orders>,
}

impl Watch {
    /// The orders so far.
    pub(crate) fn orders(&self) -> Orders {
        *self.orders.borrow()
    }

    /// Waits until the orders are such.
    pub(crate) async fn until(&mut self, enough: impl Fn(Orders) -> bool) -> Orders {
        let orders = self.orders.wait_for(|orders| enough(*orders)).await.map(|orders| *orders);
        match orders {
            Ok(orders) => orders,
            // Nobody holds the job any more, so nobody can give orders.
            Err(_) => std::future::pending().await,
        }
    }
}

#[derive(Debug, Default)]
struct Jobs {
    by_id: BTreeMap<JobId, Holding>,
    /// What every job is told that is taken from now on.
    standing: Orders,
}

/// What became of a grant.
enum Taking {
    Taken(Watch),
    Known,
    /// The job is held under an older grant, which must be over first: both runs would bear the same cookie.
    Predecessor,
}

/// All held jobs.
#[derive(Debug, Default)]
pub(crate) struct HeldJobs {
    jobs: Mutex<Jobs>,
    removed: Notify,
}

impl HeldJobs {
    fn lock(&self) -> MutexGuard<'_, Jobs> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a granted job; `None` when it is held already under this token (its grant was answered twice). The same job
    /// under an older token is told that it is gone, and its end is waited for.
    pub(crate) async fn take(&self, job: JobId, token: LeaseToken) -> Option<Watch> {
        loop {
            let mut removed = pin!(self.removed.notified());
            removed.as_mut().enable();
            match self.try_take(job, token) {
                Taking::Taken(watch) => return Some(watch),
                Taking::Known => return None,
                Taking::Predecessor => removed.await,
            }
        }
    }

    fn try_take(&self, job: JobId, token: LeaseToken) -> Taking {
        let mut jobs = self.lock();
        if let Some(held) = jobs.by_id.get(&job) {
            if held.token >= token {
                return Taking::Known;
            }
            tell(held, Order::Gone);
            return Taking::Predecessor;
        }
        let (lease, lease_seen) = watch::channel(LeaseEnd::unknown());
        let (orders, orders_seen) = watch::channel(jobs.standing);
        jobs.by_id.insert(job, Holding { token, lease, orders });
        Taking::Taken(Watch { lease: lease_seen, orders: orders_seen })
    }

    /// The job is over, and acknowledged.
    pub(crate) fn remove(&self, job: JobId, token: LeaseToken) {
        let mut jobs = self.lock();
        if jobs.by_id.get(&job).is_some_and(|held| held.token == token) {
            jobs.by_id.remove(&job);
        }
        drop(jobs);
        self.removed.notify_waiters();
    }

    /// The pairs that a heartbeat lists.
    pub(crate) fn list(&self) -> Vec<(JobId, LeaseToken)> {
        self.lock().by_id.iter().map(|(job, held)| (*job, held.token)).collect()
    }

    /// Notes that leases were renewed. Answers may overtake each other: the later end counts.
    pub(crate) fn renewed(&self, renewed: &[(JobId, LeaseToken)], lease: LeaseEnd) {
        let jobs = self.lock();
        for (job, token) in renewed {
            if let Some(held) = jobs.by_id.get(job).filter(|held| held.token == *token) {
                held.lease.send_if_modified(|known| known.extend_to(lease));
            }
        }
    }

    /// Gives an order to one job.
    pub(crate) fn order(&self, job: JobId, token: LeaseToken, order: Order) {
        if let Some(held) = self.lock().by_id.get(&job).filter(|held| held.token == token) {
            tell(held, order);
        }
    }

    /// Gives an order to all jobs that are held now.
    pub(crate) fn order_held(&self, order: Order) {
        self.lock().by_id.values().for_each(|held| tell(held, order));
    }

    /// Gives an order to all jobs, those that are still to come among them.
    pub(crate) fn order_all(&self, order: Order) {
        self.lock().standing.add(order);
        self.order_held(order);
    }
}

fn tell(held: &Holding, order: Order) {
    held.orders.send_if_modified(|orders| orders.add(order));
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn a_grant_that_is_answered_twice_is_taken_once() {
        let (held, job, token) = (HeldJobs::default(), JobId::generate(), LeaseToken::new(7));
        assert!(held.take(job, token).await.is_some());
        assert!(held.take(job, token).await.is_none());
        assert!(held.take(job, LeaseToken::new(6)).await.is_none());
        assert_eq!(held.list(), [(job, token)]);
    }

    #[tokio::test]
    async fn a_newer_grant_waits_until_the_older_run_is_over() {
        let (held, job) = (HeldJobs::default(), JobId::generate());
        let (old, new) = (LeaseToken::new(1), LeaseToken::new(2));
        let mut watch = held.take(job, old).await.unwrap();
        let taking = held.take(job, new);
        let ending = async {
            assert!(watch.until(Orders::any).await.gone);
            held.remove(job, old);
        };
        let (taken, ()) = timeout(Duration::from_secs(10), async { tokio::join!(taking, ending) }).await.unwrap();
        assert!(!taken.unwrap().orders().any());
        assert_eq!(held.list(), [(job, new)]);
    }

    #[tokio::test]
    async fn a_job_that_comes_while_the_agent_stops_is_told_so() {
        let held = HeldJobs::default();
        held.order_all(Order::Stop);
        let watch = held.take(JobId::generate(), LeaseToken::new(1)).await.unwrap();
        assert!(watch.orders().stop && !watch.orders().kill);
    }
}
