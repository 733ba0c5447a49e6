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
    by_key: HashMap<String, Line<T>>,
    /// Keys that have calls, the one whose turn it is first.
    turns: VecDeque<String>,
    calls: usize,
    bytes: usize,
}

/// The calls of one key.
#[derive(Debug)]
struct Line<T> {
    calls: VecDeque<(Weight, T)>,
    bytes: usize,
}

impl<T> Waiting<T> {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self { bounds, by_key: HashMap::new(), turns: VecDeque::new(), calls: 0, bytes: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.calls
    }

    /// Adds a call, unless too much waits. One that is alone is always let in: the wire bounds its size. Gives the calls that
    /// had to go for it: the newest of the key that has most, while that keeps no less than this one's has then.
    pub(super) fn push(&mut self, key: &str, weight: Weight, call: T) -> Result<Vec<T>, Full> {
        let crowded_out = match self.who_makes_room(key, weight)? {
            Some((largest, count)) => self.take_newest(&largest, count),
            None => Vec::new(),
        };
        self.calls += 1;
        self.bytes += weight.bytes;
        if let Some(line) = self.by_key.get_mut(key) {
            line.bytes += weight.bytes;
            line.calls.push_back((weight, call));
        } else {
            let line = Line { calls: VecDeque::from([(weight, call)]), bytes: weight.bytes };
            self.by_key.insert(key.to_owned(), line);
            self.turns.push_back(key.to_owned());
        }
        Ok(crowded_out)
    }

    /// Which key gives up how many calls for this one, where it has to be one.
    fn who_makes_room(&self, key: &str, weight: Weight) -> Result<Option<(String, usize)>, Full> {
        let calls_over = (self.calls + 1).saturating_sub(self.bounds.calls);
        let bytes_over = (self.bytes + weight.bytes).saturating_sub(self.bounds.bytes);
        if self.calls == 0 || (calls_over, bytes_over) == (0, 0) {
            return Ok(None);
        }
        let share = |line: &Line<T>| if bytes_over > 0 { line.bytes } else { line.calls.len() };
        let (largest, line) = self.by_key.iter().max_by_key(|(_, line)| share(line)).ok_or(Full)?;
        let (mut calls, mut bytes) = (0, 0);
        for (newest, _) in line.calls.iter().rev() {
            if calls >= calls_over && bytes >= bytes_over {
                break;
            }
            calls += 1;
            bytes += newest.bytes;
        }
        let is_enough = calls >= calls_over && bytes >= bytes_over;
        let (left, comes) =
            if bytes_over > 0 { (line.bytes - bytes, weight.bytes) } else { (line.calls.len() - calls, 1) };
        let keeps_no_less = left >= self.by_key.get(key).map_or(0, share) + comes;
        if largest != key && is_enough && keeps_no_less { Ok(Some((largest.clone(), calls))) } else { Err(Full) }
    }

    /// Takes the newest calls of a key, which has more.
    fn take_newest(&mut self, key: &str, count: usize) -> Vec<T> {
        let Some(line) = self.by_key.get_mut(key) else { return Vec::new() };
        let newest = line.calls.split_off(line.calls.len() - count);
        let bytes: usize = newest.iter().map(|(weight, _)| weight.bytes).sum();
        line.bytes -= bytes;
        self.calls -= count;
        self.bytes -= bytes;
        newest.into_iter().map(|(_, call)| call).collect()
    }

    /// Takes the calls of the next transaction, one a key and turn. Those that nobody waits for any more are dropped.
    pub(super) fn take(&mut self, is_gone: impl Fn(&T) -> bool) -> Vec<T> {
        let mut taken = Vec::new();
        let mut rows = 0;
        while let Some(key) = self.turns.pop_front() {
            let Some(Line { calls, bytes }) = self.by_key.get_mut(&key) else { continue };
            let fits = |weight: &Weight| taken.is_empty() || rows + weight.rows <= self.bounds.rows;
            if calls.front().is_some_and(|(weight, call)| !is_gone(call) && !fits(weight)) {
                self.turns.push_front(key);
                break;
            }
            if let Some((weight, call)) = calls.pop_front() {
                self.calls -= 1;
                self.bytes -= weight.bytes;
                *bytes -= weight.bytes;
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
        self.by_key.drain().flat_map(|(_, line)| line.calls.into_iter().map(|(_, call)| call)).collect()
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
        assert_eq!(waiting.push("a", weight(1), "y"), Err(Full));
        assert_eq!(waiting.take(|_| false).len(), 2);
        waiting.push("a", weight(1), "y").unwrap();
    }

    #[test]
    fn who_has_most_waiting_makes_room_for_others_until_they_have_as_much() {
        let mut waiting = waiting();
        for call in ["a1", "a2", "a3", "a4", "a5"] {
            waiting.push("a", weight(1), call).unwrap();
        }
        assert_eq!(waiting.push("b", weight(1), "b1"), Ok(vec!["a5"]));
        assert_eq!(waiting.push("b", weight(1), "b2"), Ok(vec!["a4"]));
        assert_eq!(waiting.push("b", weight(1), "b3"), Err(Full));
        assert_eq!(waiting.push("c", weight(1), "c1"), Ok(vec!["a3"]));
        assert_eq!(waiting.len(), 5);
        assert_eq!(waiting.take(|_| false), ["a1", "b1", "c1", "a2"]);
    }

    #[test]
    fn bytes_are_shared_out_as_calls_are_and_nothing_goes_for_a_call_that_does_not_fit() {
        let mut waiting = waiting();
        let of = |bytes| Weight { rows: 1, bytes };
        for call in ["a1", "a2", "a3"] {
            waiting.push("a", of(30), call).unwrap();
        }
        assert_eq!(waiting.push("b", of(70), "b1"), Err(Full), "it would have more than a");
        assert_eq!(waiting.push("b", of(25), "b1"), Ok(vec!["a3"]));
        assert_eq!(waiting.push("c", of(15), "c1"), Ok(Vec::new()));
        assert_eq!(waiting.push("c", of(16), "c2"), Err(Full), "a would keep less than c");
        assert_eq!(waiting.take(|_| false), ["a1", "b1", "c1", "a2"]);
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
