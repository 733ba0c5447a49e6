//! Workers that wait for jobs, in memory. An idle worker costs no statement.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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
    /// Its worker takes only jobs that name it, as a transaction has seen.
    is_particular: bool,
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
        entries.by_key.insert(key, Entry { claim, sender, in_flight: false, is_particular: false });
        (Place { waiting: self, key }, receiver)
    }

    /// A stock from which a transaction picks the claims that it decides about, until the stock is dropped.
    pub(crate) fn take_stock(&self) -> Stock<'_> {
        Stock { waiting: self, picked: Arc::default() }
    }

    /// Notes whose workers take only jobs that name them. Whether that is news of any.
    pub(crate) fn are_particular(&self, keys: &[u64]) -> bool {
        let mut entries = self.lock();
        let mut is_news = false;
        for key in keys {
            if let Some(entry) = entries.by_key.get_mut(key) {
                is_news |= !std::mem::replace(&mut entry.is_particular, true);
            }
        }
        is_news
    }

    /// Forgets which workers were particular: one may have been told to take jobs again.
    pub(crate) fn try_all_again(&self) {
        self.lock().by_key.values_mut().for_each(|entry| entry.is_particular = false);
    }

    /// Answers a claim. A caller that has left meanwhile finds its grant by repeating the call, or lets it expire.
    pub(crate) fn answer(&self, key: u64, answer: Answer) {
        let entry = self.lock().by_key.remove(&key);
        if let Some(entry) = entry {
            let _ = entry.sender.send(answer);
        }
    }

    /// The transaction is over; claims without an answer wait on.
    fn settle(&self, picked: &[(u64, WaitingClaim)]) {
        if picked.is_empty() {
            return;
        }
        let mut entries = self.lock();
        for (key, _) in picked {
            if let Some(entry) = entries.by_key.get_mut(key) {
                entry.in_flight = false;
            }
        }
        drop(entries);
        self.settled.notify_waiters();
    }
}

/// Which claims a transaction needs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Wanted {
    /// Claims of these workers, because jobs name them.
    pub(crate) named: BTreeSet<WorkerName>,
    /// So many more, of workers that take any job.
    pub(crate) any: usize,
}

/// Claims that a transaction decides about.
#[derive(Debug)]
pub(crate) struct Stock<'a> {
    waiting: &'a Waiting,
    picked: Arc<Vec<(u64, WaitingClaim)>>,
}

impl Stock<'_> {
    /// How many wait.
    pub(crate) fn count(&self) -> usize {
        self.waiting.lock().by_key.len()
    }

    /// Takes all that wait.
    pub(crate) fn pick_all(&mut self) {
        self.pick_by(|entries| entries.keys().copied().collect());
    }

    /// Takes the claims of the named workers, and of the others those with the most room, the oldest first.
    pub(crate) fn pick(&mut self, wanted: &Wanted) {
        self.pick_by(|entries| {
            let (named, others): (Vec<_>, Vec<_>) =
                entries.iter().partition(|(_, entry)| wanted.named.contains(&entry.claim.worker));
            let mut others: Vec<(Reverse<u32>, u64)> = others
                .into_iter()
                .filter(|(_, entry)| !entry.is_particular)
                .map(|(key, entry)| (Reverse(entry.claim.free_slots), *key))
                .collect();
            if wanted.any < others.len() && wanted.any > 0 {
                others.select_nth_unstable(wanted.any - 1);
            }
            others.truncate(wanted.any);
            let mut keys: Vec<u64> =
                named.into_iter().map(|(key, _)| *key).chain(others.into_iter().map(|(_, key)| key)).collect();
            keys.sort_unstable();
            keys
        });
    }

    fn pick_by(&mut self, choose: impl FnOnce(&BTreeMap<u64, Entry>) -> Vec<u64>) {
        // A transaction that is run again keeps what it has.
        if !self.picked.is_empty() {
            return;
        }
        let mut entries = self.waiting.lock();
        let keys = choose(&entries.by_key);
        let mut picked = Vec::with_capacity(keys.len());
        for key in keys {
            if let Some(entry) = entries.by_key.get_mut(&key) {
                entry.in_flight = true;
                picked.push((key, entry.claim.clone()));
            }
        }
        drop(entries);
        self.picked = Arc::new(picked);
    }

    /// What was picked, oldest first.
    pub(crate) fn claims(&self) -> Arc<Vec<(u64, WaitingClaim)>> {
        self.picked.clone()
    }

    /// Whether others wait that might take any job.
    pub(crate) fn has_others(&self) -> bool {
        let entries = self.waiting.lock();
        let picked = self.picked.len();
        entries.by_key.len() > picked && entries.by_key.values().any(|entry| !entry.in_flight && !entry.is_particular)
    }
}

impl Drop for Stock<'_> {
    fn drop(&mut self) {
        self.waiting.settle(&self.picked);
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

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(worker: &str, free_slots: u32) -> WaitingClaim {
        WaitingClaim {
            worker: WorkerName::parse(worker).unwrap(),
            session: SessionId::generate(),
            free_slots,
            request: RequestId::generate(),
            repeat: false,
        }
    }

    fn picked(waiting: &Waiting, any: usize, named: &[&str]) -> Vec<String> {
        let named = named.iter().map(|name| WorkerName::parse(name).unwrap()).collect();
        let mut stock = waiting.take_stock();
        stock.pick(&Wanted { named, any });
        stock.claims().iter().map(|(_, claim)| claim.worker.as_str().to_owned()).collect()
    }

    #[test]
    fn a_transaction_takes_those_that_jobs_name_and_those_with_the_most_room() {
        let waiting = Waiting::default();
        let places: Vec<_> =
            [("a", 1), ("b", 3), ("c", 2), ("d", 3)].map(|(name, slots)| waiting.add(claim(name, slots))).into();
        assert_eq!(picked(&waiting, 2, &[]), ["b", "d"]);
        assert_eq!(picked(&waiting, 1, &["a", "x"]), ["a", "b"]);
        assert_eq!(picked(&waiting, 0, &["c"]), ["c"]);
        assert_eq!(picked(&waiting, 9, &[]), ["a", "b", "c", "d"]);
        drop(places);
        assert_eq!(waiting.take_stock().count(), 0);
    }

    #[test]
    fn who_takes_only_jobs_that_name_it_is_not_asked_again_for_others() {
        let waiting = Waiting::default();
        let _places: Vec<_> = ["a", "b"].map(|name| waiting.add(claim(name, 1))).into();
        let mut stock = waiting.take_stock();
        stock.pick(&Wanted { any: 1, ..Wanted::default() });
        assert!(stock.has_others());
        let keys: Vec<u64> = stock.claims().iter().map(|(key, _)| *key).collect();
        drop(stock);
        assert!(waiting.are_particular(&keys));
        assert!(!waiting.are_particular(&keys), "that is known");
        assert_eq!(picked(&waiting, 2, &[]), ["b"]);
        assert_eq!(picked(&waiting, 2, &["a"]), ["a", "b"]);
        waiting.try_all_again();
        assert_eq!(picked(&waiting, 2, &[]), ["a", "b"]);
    }
}
