//! Calls that wait for the next transaction: bounded, and fair between the keys (queues, jobs) that they are about.

use std::collections::{HashMap, VecDeque};

/// How much may wait, and how much one transaction takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bounds {
    /// The most calls that wait.
    pub(super) calls: usize,
    /// The most bytes that they hold.
    pub(super) bytes: usize,
    /// The most rows of one transaction; one call is taken whatever its size.
    pub(super) rows: usize,
}

/// What a call weighs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Weight {
    pub(super) rows: usize,
    pub(super) bytes: usize,
}

/// Too much waits already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Full;

/// The calls, each with its weight: first come, first served within a key, and in turns between keys.
#[derive(Debug)]
pub(super) struct Waiting<T> {
    bounds: Bounds,
    by_key: HashMap<String, VecDeque<(Weight, T)>>,
    /// Keys that have calls, the one whose turn it is first.
    turns: VecDeque<String>,
    calls: usize,
    bytes: usize,
}

impl<T> Waiting<T> {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self { bounds, by_key: HashMap::new(), turns: VecDeque::new(), calls: 0, bytes: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.calls
    }

    /// Adds a call, unless too much waits. One that is alone is always let in: the wire bounds its size.
    pub(super) fn push(&mut self, key: &str, weight: Weight, call: T) -> Result<(), Full> {
        let is_full = self.calls >= self.bounds.calls || self.bytes + weight.bytes > self.bounds.bytes;
        if is_full && self.calls > 0 {
            return Err(Full);
        }
        self.calls += 1;
        self.bytes += weight.bytes;
        if let Some(calls) = self.by_key.get_mut(key) {
            calls.push_back((weight, call));
        } else {
            self.by_key.insert(key.to_owned(), VecDeque::from([(weight, call)]));
            self.turns.push_back(key.to_owned());
        }
        Ok(())
    }

    /// Takes the calls of the next transaction, one a key and turn. Those that nobody waits for any more are dropped.
    pub(super) fn take(&mut self, is_gone: impl Fn(&T) -> bool) -> Vec<T> {
        let mut taken = Vec::new();
        let mut rows = 0;
        while let Some(key) = self.turns.pop_front() {
            let Some(calls) = self.by_key.get_mut(&key) else { continue };
            let fits = |weight: &Weight| taken.is_empty() || rows + weight.rows <= self.bounds.rows;
            if calls.front().is_some_and(|(weight, call)| !is_gone(call) && !fits(weight)) {
                self.turns.push_front(key);
                break;
            }
            if let Some((weight, call)) = calls.pop_front() {
                self.calls -= 1;
                self.bytes -= weight.bytes;
                if !is_gone(&call) {
                    rows += weight.rows;
                    taken.push(call);
                }
            }
            if calls.is_empty() {
                self.by_key.remove(&key);
            } else {
                self.turns.push_back(key);
            }
        }
        taken
    }

    /// Takes everything.
    pub(super) fn take_all(&mut self) -> Vec<T> {
        self.turns.clear();
        (self.calls, self.bytes) = (0, 0);
        self.by_key.drain().flat_map(|(_, calls)| calls.into_iter().map(|(_, call)| call)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting() -> Waiting<&'static str> {
        Waiting::new(Bounds { calls: 5, bytes: 100, rows: 4 })
    }

    fn weight(rows: usize) -> Weight {
        Weight { rows, bytes: 10 }
    }

    #[test]
    fn a_busy_queue_does_not_keep_another_one_waiting() {
        let mut waiting = waiting();
        for (key, call) in [("a", "a1"), ("a", "a2"), ("a", "a3"), ("a", "a4"), ("b", "b1")] {
            waiting.push(key, weight(1), call).unwrap();
        }
        assert_eq!(waiting.take(|_| false), ["a1", "b1", "a2", "a3"]);
        assert_eq!(waiting.take(|_| false), ["a4"]);
        assert!(waiting.take(|_| false).is_empty());
    }

    #[test]
    fn one_too_many_is_refused_until_some_are_taken() {
        let mut waiting = waiting();
        for _ in 0..5 {
            waiting.push("a", weight(2), "x").unwrap();
        }
        assert_eq!(waiting.push("b", weight(1), "y"), Err(Full));
        assert_eq!(waiting.take(|_| false).len(), 2);
        waiting.push("b", weight(1), "y").unwrap();
    }

    #[test]
    fn too_many_bytes_are_refused_but_never_the_only_call() {
        let mut waiting = waiting();
        waiting.push("a", Weight { rows: 1, bytes: 1000 }, "large").unwrap();
        assert_eq!(waiting.push("a", Weight { rows: 1, bytes: 1 }, "small"), Err(Full));
        assert_eq!(waiting.take(|_| false), ["large"]);
        waiting.push("a", Weight { rows: 1, bytes: 100 }, "again").unwrap();
    }

    #[test]
    fn a_call_larger_than_a_transaction_is_taken_alone() {
        let mut waiting = waiting();
        waiting.push("a", weight(1), "a1").unwrap();
        waiting.push("a", weight(50), "a2").unwrap();
        waiting.push("b", weight(1), "b1").unwrap();
        assert_eq!(waiting.take(|_| false), ["a1", "b1"]);
        assert_eq!(waiting.take(|_| false), ["a2"]);
    }

    #[test]
    fn what_nobody_waits_for_any_more_is_dropped_and_counts_no_longer() {
        let mut waiting = waiting();
        for call in ["gone", "here", "gone", "gone", "here"] {
            waiting.push("a", weight(2), call).unwrap();
        }
        assert_eq!(waiting.take(|call| *call == "gone"), ["here", "here"]);
        for _ in 0..5 {
            waiting.push("a", weight(1), "here").unwrap();
        }
    }
}
