//! Workers that wait for jobs, in memory. An idle worker costs no statement.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};

use orchestrator_core::id::{RequestId, SessionId};
use orchestrator_core::text::WorkerName;
use orchestrator_db::Grant;
use tokio::sync::{Notify, oneshot};

use crate::claim::ClaimError;

/// A claim that waits for its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WaitingClaim {
    pub(crate) worker: WorkerName,
    pub(crate) session: SessionId,
    pub(crate) free_slots: u32,
    pub(crate) request: RequestId,
    /// The caller lost the answer of the same call.
    pub(crate) repeat: bool,
}

type Answer = Result<Vec<Grant>, ClaimError>;

#[derive(Debug)]
struct Entry {
    claim: WaitingClaim,
    sender: oneshot::Sender<Answer>,
    /// A transaction is deciding about it: its answer must be waited for.
    in_flight: bool,
}

#[derive(Debug, Default)]
struct Entries {
    latest: u64,
    by_key: BTreeMap<u64, Entry>,
}

/// All claims that wait on this server, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    entries: Mutex<Entries>,
    settled: Notify,
}

impl Waiting {
    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a claim. The returned place leaves the list when it is dropped.
    pub(crate) fn add(&self, claim: WaitingClaim) -> (Place<'_>, oneshot::Receiver<Answer>) {
        let (sender, receiver) = oneshot::channel();
        let mut entries = self.lock();
        entries.latest += 1;
        let key = entries.latest;
        entries.by_key.insert(key, Entry { claim, sender, in_flight: false });
        (Place { waiting: self, key }, receiver)
    }

    /// The claims that wait now, for a transaction that decides about them until the stock is dropped.
    pub(crate) fn take_stock(&self) -> Stock<'_> {
        let mut entries = self.lock();
        entries.by_key.values_mut().for_each(|entry| entry.in_flight = true);
        let claims = entries.by_key.iter().map(|(key, entry)| (*key, entry.claim.clone())).collect();
        Stock { waiting: self, claims }
    }

    /// Answers a claim. A caller that has left meanwhile finds its grant by repeating the call, or lets it expire.
    pub(crate) fn answer(&self, key: u64, answer: Answer) {
        let entry = self.lock().by_key.remove(&key);
        if let Some(entry) = entry {
            let _ = entry.sender.send(answer);
        }
    }

    /// The transaction is over; claims without an answer wait on.
    fn settle(&self) {
        self.lock().by_key.values_mut().for_each(|entry| entry.in_flight = false);
        self.settled.notify_waiters();
    }
}

/// Claims that a transaction decides about.
#[derive(Debug)]
pub(crate) struct Stock<'a> {
    waiting: &'a Waiting,
    claims: Vec<(u64, WaitingClaim)>,
}

impl Stock<'_> {
    pub(crate) fn claims(&self) -> &[(u64, WaitingClaim)] {
        &self.claims
    }
}

impl Drop for Stock<'_> {
    fn drop(&mut self) {
        self.waiting.settle();
    }
}

/// A claim's place in the list.
#[derive(Debug)]
pub(crate) struct Place<'a> {
    waiting: &'a Waiting,
    key: u64,
}

impl Place<'_> {
    /// Gives up waiting, unless a grant is on its way: then its answer is returned.
    pub(crate) async fn leave(self, receiver: &mut oneshot::Receiver<Answer>) -> Option<Answer> {
        loop {
            let mut settled = pin!(self.waiting.settled.notified());
            settled.as_mut().enable();
            {
                let mut entries = self.waiting.lock();
                match entries.by_key.get(&self.key) {
                    Some(entry) if entry.in_flight => {}
                    Some(_) => {
                        entries.by_key.remove(&self.key);
                        return None;
                    }
                    None => return receiver.try_recv().ok(),
                }
            }
            settled.await;
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.waiting.lock().by_key.remove(&self.key);
    }
}
