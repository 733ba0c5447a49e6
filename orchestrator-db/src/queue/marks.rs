//! Where claims begin to look: a low-water mark per queue, kept in this server's memory, on PostgreSQL only.
//!
//! Every claim leaves a dead entry at the head of the index of ready elements. While a report holds an old snapshot none of
//! them can be cleaned away, and a claim that begins at the head walks over all of them. So claims begin at the mark: the
//! oldest element of which it is not known that it was taken.
//!
//! A mark is a hint. It lags behind now by a margin, since others may commit a little late what they created a little
//! earlier. Elements that are new again pull it back: here when their transaction commits, on other servers when they hear
//! of it. And once a second, as well as when a claim finds too little, one looks without it. Where that has become
//! expensive no claim does, for all others would wait: a look beside them does, for a twentieth of the time at most (`behind`).
//! So nothing is passed over for good.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta};
use orchestrator_core::clock::Timestamp;
use uuid::Uuid;

use crate::tx::Tx;

/// How far behind now a mark stays.
const MARGIN: TimeDelta = TimeDelta::seconds(1);

/// A transaction that took no longer than this before its commit cannot have created behind a mark.
const PROMPT: Duration = Duration::from_millis(500);

/// How often one claim looks everywhere.
const SWEEP: Duration = Duration::from_secs(1);

/// Looking everywhere is cheap up to here, and done by claims.
const CHEAP: Duration = Duration::from_millis(20);

/// Above it, it may take one part in so many of the time.
const SHARE: u32 = 20;

/// The most queues of which marks are kept.
const MOST_QUEUES: usize = 10_000;

/// A place in the order in which elements are claimed. Thousands that were created together have one instant, so it takes the
/// id as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position {
    pub(crate) created: Timestamp,
    pub(crate) id: Uuid,
}

/// Where a look at what is ready begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// At the head of the queue: nothing is missed. Where that has become expensive, where claims begin.
    Everywhere,
    /// Where claims begin. What is older may be missed until the next look everywhere.
    FromMark,
}

/// The marks of a server.
#[derive(Debug, Default)]
pub(crate) struct Marks {
    queues: Mutex<HashMap<String, Mark>>,
}

#[derive(Debug)]
struct Mark {
    at: Option<Position>,
    /// Counts what pulled the mark back: what was seen before one of them is no reason to move it.
    pulls: u64,
    swept: Instant,
    cost: Duration,
}

/// Where a claim begins.
#[derive(Debug, Clone, Copy)]
pub(super) struct Start {
    pub(super) mark: Option<Position>,
    pulls: u64,
}

/// Where claims may begin once what this one took is durable.
#[derive(Debug)]
pub(crate) struct Advance {
    queue: String,
    to: Position,
    pulls: u64,
}

impl Position {
    /// Before all elements that were created at an instant or later.
    pub(crate) fn since(created: Timestamp) -> Self {
        Self { created, id: Uuid::nil() }
    }

    /// Before all elements.
    pub(super) fn first() -> Self {
        Self::since(DateTime::UNIX_EPOCH)
    }
}

impl Marks {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Mark>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where a claim of a queue begins: without a mark when it is time to look everywhere.
    pub(super) fn start(&self, queue: &str) -> Start {
        let mut queues = self.lock();
        if queues.len() >= MOST_QUEUES && !queues.contains_key(queue) {
            queues.clear();
        }
        let mark = queues.entry(queue.to_owned()).or_insert_with(Mark::new);
        let is_time = mark.cost <= CHEAP && mark.swept.elapsed() >= SWEEP;
        Start { mark: mark.at.filter(|_| !is_time), pulls: mark.pulls }
    }

    /// The mark of a queue, for who only looks.
    fn at(&self, queue: &str) -> Option<Position> {
        self.lock().get(queue).and_then(|mark| mark.at)
    }

    /// Whether a claim that found too little may look everywhere.
    pub(super) fn may_sweep(&self, queue: &str) -> bool {
        let queues = self.lock();
        queues.get(queue).is_none_or(|mark| mark.cost <= CHEAP)
    }

    /// The queues whose head is expensive to look at, by name, each with where claims begin.
    pub(crate) fn expensive(&self) -> Vec<(String, Position)> {
        self.those(|mark| mark.cost > CHEAP)
    }

    /// Those of them that are due to be looked at behind the mark.
    pub(super) fn to_look_behind(&self) -> Vec<(String, Position)> {
        self.those(|mark| mark.cost > CHEAP && mark.swept.elapsed() >= mark.cost * SHARE)
    }

    fn those(&self, such: impl Fn(&Mark) -> bool) -> Vec<(String, Position)> {
        let queues = self.lock();
        let those = queues.iter().filter(|(_, mark)| such(mark));
        let mut those: Vec<_> = those.filter_map(|(name, mark)| Some((name.clone(), mark.at?))).collect();
        those.sort_unstable();
        those
    }

    /// Notes that a claim looked everywhere, and how long that took.
    pub(super) fn swept(&self, queue: &str, cost: Duration) {
        if let Some(mark) = self.lock().get_mut(queue) {
            (mark.swept, mark.cost) = (Instant::now(), cost);
        }
    }

    /// One that looked everywhere took this element: claims have to begin there, and may not have for a while, where that is
    /// behind the mark. What was hidden beside it would otherwise be taken once a second.
    pub(super) fn found(&self, queue: &str, oldest: Position) {
        let is_behind = self.lock().get(queue).is_some_and(|mark| mark.at.is_some_and(|mark| oldest < mark));
        if is_behind {
            self.pull_back(queue, oldest);
        }
    }

    /// Moves a mark on, unless it was pulled back since the claim began.
    pub(crate) fn advance(&self, advance: &Advance) {
        if let Some(mark) = self.lock().get_mut(&advance.queue)
            && mark.pulls == advance.pulls
        {
            mark.at = mark.at.max(Some(advance.to));
        }
    }

    /// An element of the queue may be claimed again.
    pub(crate) fn pull_back(&self, queue: &str, to: Position) {
        if let Some(mark) = self.lock().get_mut(queue) {
            mark.pulls += 1;
            mark.at = mark.at.map(|at| at.min(to));
        }
    }

    /// Elements created at an instant were committed. Promptly done, they are behind a mark only where a clock was set back.
    fn created(&self, queue: &str, at: Timestamp, is_prompt: bool) {
        if is_prompt {
            self.found(queue, Position::since(at));
        } else {
            self.pull_back(queue, Position::since(at));
        }
    }

    /// Anything may have happened.
    pub(crate) fn forget_all(&self) {
        for mark in self.lock().values_mut() {
            mark.pulls += 1;
            mark.at = None;
        }
    }
}

impl Mark {
    fn new() -> Self {
        Self { at: None, pulls: 0, swept: Instant::now(), cost: Duration::ZERO }
    }
}

impl Start {
    /// The same without the mark.
    pub(super) fn everywhere(self) -> Self {
        Self { mark: None, ..self }
    }

    /// Where claims may begin after one that took up to `last`. One that took nothing proves nothing: the queue may be
    /// paused.
    pub(super) fn advance(self, queue: &str, last: Position, now: Timestamp) -> Advance {
        Advance { queue: queue.to_owned(), to: last.min(Position::since(now - MARGIN)), pulls: self.pulls }
    }
}

impl Tx {
    /// Where a look at a queue begins.
    pub(crate) fn look_from(&self, queue: &str, look: Look) -> Position {
        let Some(marks) = &self.marks else { return Position::first() };
        let mark = marks.at(queue).filter(|_| look == Look::FromMark || !marks.may_sweep(queue));
        mark.unwrap_or_else(Position::first)
    }
}

/// A statement claims from here on and commits by itself. Unless it is heard what it did, as when it fails or nobody waits for
/// it any more, the mark goes back: other claims have passed over what it had locked.
#[derive(Debug)]
pub(super) struct Unheard<'a> {
    marks: &'a Marks,
    queue: &'a str,
    from: Position,
    is_heard: bool,
}

impl<'a> Unheard<'a> {
    pub(super) fn from(marks: &'a Marks, queue: &'a str, start: Start) -> Self {
        Self { marks, queue, from: start.mark.unwrap_or_else(Position::first), is_heard: false }
    }

    pub(super) fn heard(mut self) {
        self.is_heard = true;
    }
}

impl Drop for Unheard<'_> {
    fn drop(&mut self) {
        if !self.is_heard {
            self.marks.pull_back(self.queue, self.from);
        }
    }
}

/// What a transaction does to the marks when it ends.
#[derive(Debug)]
pub(crate) struct MarkChanges {
    marks: Option<Arc<Marks>>,
    began: Instant,
    /// Where a claim begins of which nothing was heard yet.
    asked: Option<(String, Position)>,
    /// Queues of which it claimed, with the oldest of what it did. Other claims have passed over that meanwhile.
    claimed: BTreeMap<String, Position>,
    advances: Vec<Advance>,
    /// Queues that have elements anew, or had some locked that may be claimed, with the oldest of them.
    reopened: BTreeMap<String, Position>,
    created: BTreeMap<String, Timestamp>,
    is_told: bool,
}

impl MarkChanges {
    pub(crate) fn begin(marks: Option<Arc<Marks>>) -> Self {
        Self {
            marks,
            began: Instant::now(),
            asked: None,
            claimed: BTreeMap::new(),
            advances: Vec::new(),
            reopened: BTreeMap::new(),
            created: BTreeMap::new(),
            is_told: false,
        }
    }

    pub(super) fn advance(&mut self, advance: Advance) {
        self.advances.push(advance);
    }

    /// A statement claims from here on: what it locks is passed over by others, even if it fails or nobody waits for it.
    pub(super) fn asks(&mut self, queue: &str, from: Position) {
        self.asked = self.marks.is_some().then(|| (queue.to_owned(), from));
    }

    /// It took what is this old at most.
    pub(super) fn claimed(&mut self, oldest: Option<Position>) {
        if let Some(((queue, _), oldest)) = self.asked.take().zip(oldest) {
            keep_oldest(&mut self.claimed, &queue, oldest);
        }
    }

    /// May be claimed again once the transaction ends, however it does.
    pub(super) fn reopened(&mut self, queue: &str, element: Position) {
        keep_oldest(&mut self.reopened, queue, element);
    }

    pub(super) fn created(&mut self, queue: &str, created_date: Timestamp) {
        keep_oldest(&mut self.created, queue, created_date);
    }

    /// What other servers have to be told, once.
    pub(crate) fn take_untold(&mut self) -> Vec<(String, Timestamp)> {
        if std::mem::replace(&mut self.is_told, true) {
            return Vec::new();
        }
        self.reopened.iter().map(|(queue, oldest)| (queue.clone(), oldest.created)).collect()
    }

    /// Applies them after the commit; only what pulls marks back when it is not known whether that was heard.
    pub(crate) fn apply(mut self, is_committed: bool) {
        let Some(marks) = self.marks.take() else { return };
        if !is_committed {
            self.give_back(&marks);
        }
        self.reopen(&marks);
        for (queue, oldest) in &self.created {
            marks.created(queue, *oldest, self.began.elapsed() <= PROMPT);
        }
        if is_committed {
            for advance in &self.advances {
                marks.advance(advance);
            }
        }
    }

    fn give_back(&self, marks: &Marks) {
        let unheard = self.asked.iter().map(|(queue, from)| (queue, from));
        for (queue, oldest) in self.claimed.iter().chain(unheard) {
            marks.pull_back(queue, *oldest);
        }
    }

    fn reopen(&self, marks: &Marks) {
        for (queue, oldest) in &self.reopened {
            marks.pull_back(queue, *oldest);
        }
    }
}

impl Drop for MarkChanges {
    fn drop(&mut self) {
        // It was undone, or nobody cared how it ended.
        if let Some(marks) = self.marks.take() {
            self.give_back(&marks);
            self.reopen(&marks);
        }
    }
}

fn keep_oldest<T: Copy + Ord>(oldest: &mut BTreeMap<String, T>, queue: &str, created: T) {
    match oldest.get_mut(queue) {
        Some(known) => *known = (*known).min(created),
        None => drop(oldest.insert(queue.to_owned(), created)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
    }

    /// A claim at `now` that took up to an element created at `last`.
    fn claimed(marks: &Marks, last: Timestamp, now: Timestamp) {
        let advance = marks.start("q").advance("q", Position::since(last), now);
        marks.advance(&advance);
    }

    fn mark(marks: &Marks) -> Option<Timestamp> {
        marks.start("q").mark.map(|mark| mark.created)
    }

    #[test]
    fn a_mark_follows_what_is_taken_and_stays_behind_now() {
        let marks = Marks::default();
        claimed(&marks, at(10), at(100));
        assert_eq!(mark(&marks), Some(at(10)));
        claimed(&marks, at(100), at(100));
        assert_eq!(mark(&marks), Some(at(99)), "others may commit a little late");
        claimed(&marks, at(50), at(100));
        assert_eq!(mark(&marks), Some(at(99)), "a mark does not go back by itself");
        assert_eq!(marks.start("other").mark, None);
    }

    #[test]
    fn what_is_new_again_pulls_the_mark_back_whichever_claim_is_in_flight() {
        let marks = Marks::default();
        claimed(&marks, at(50), at(100));
        let in_flight = marks.start("q").advance("q", Position::since(at(60)), at(100));
        marks.pull_back("q", Position::since(at(7)));
        marks.advance(&in_flight);
        assert_eq!(mark(&marks), Some(at(7)));
    }

    #[test]
    fn a_claim_of_which_nothing_is_heard_pulls_the_mark_back_to_where_it_began() {
        let marks = Marks::default();
        claimed(&marks, at(10), at(100));
        let heard = Unheard::from(&marks, "q", marks.start("q"));
        let unheard = Unheard::from(&marks, "q", marks.start("q"));
        claimed(&marks, at(50), at(100));
        heard.heard();
        assert_eq!(mark(&marks), Some(at(50)));
        drop(unheard);
        assert_eq!(mark(&marks), Some(at(10)));
    }

    #[test]
    fn what_is_created_behind_the_mark_pulls_it_back_and_what_is_created_now_does_not() {
        let marks = Marks::default();
        claimed(&marks, at(50), at(100));
        let in_flight = marks.start("q").advance("q", Position::since(at(60)), at(100));
        marks.created("q", at(100), true);
        marks.advance(&in_flight);
        assert_eq!(mark(&marks), Some(at(60)));
        marks.created("q", at(40), true);
        assert_eq!(mark(&marks), Some(at(40)));
        let in_flight = marks.start("q").advance("q", Position::since(at(99)), at(100));
        marks.created("q", at(70), false);
        marks.advance(&in_flight);
        assert_eq!(mark(&marks), Some(at(40)), "it took long: the claim in flight may not have seen it");
    }

    #[test]
    fn of_elements_created_together_those_that_are_taken_are_passed_over() {
        let marks = Marks::default();
        let element = |id| Position { created: at(10), id: Uuid::from_u128(id) };
        let claimed = marks.start("q").advance("q", element(7), at(100));
        marks.advance(&claimed);
        assert_eq!(marks.start("q").mark, Some(element(7)));
        marks.found("q", element(8));
        assert_eq!(marks.start("q").mark, Some(element(7)));
        marks.found("q", element(3));
        assert_eq!(marks.start("q").mark, Some(element(3)));
    }

    #[test]
    fn what_is_found_behind_the_mark_pulls_it_back() {
        let marks = Marks::default();
        claimed(&marks, at(50), at(100));
        marks.found("q", Position::since(at(60)));
        assert_eq!(mark(&marks), Some(at(50)));
        marks.found("q", Position::since(at(20)));
        assert_eq!(mark(&marks), Some(at(20)));
    }

    #[test]
    fn one_claim_looks_everywhere_when_it_is_time() {
        let marks = Marks::default();
        claimed(&marks, at(50), at(100));
        marks.lock().get_mut("q").unwrap().swept = Instant::now().checked_sub(SWEEP).unwrap();
        assert_eq!(mark(&marks), None);
        marks.swept("q", Duration::from_millis(1));
        assert_eq!(mark(&marks), Some(at(50)));
    }

    #[test]
    fn claims_do_not_look_everywhere_where_that_takes_long() {
        let marks = Marks::default();
        claimed(&marks, at(50), at(100));
        assert!(marks.may_sweep("q") && marks.expensive().is_empty());
        marks.swept("q", Duration::from_millis(21));
        marks.lock().get_mut("q").unwrap().swept = Instant::now().checked_sub(Duration::from_mins(1)).unwrap();
        assert!(!marks.may_sweep("q"));
        assert_eq!(mark(&marks), Some(at(50)), "whatever the time is");
        assert_eq!(marks.expensive(), [("q".to_owned(), Position::since(at(50)))]);
        marks.swept("q", CHEAP);
        assert!(marks.may_sweep("q"));
    }

    #[test]
    fn looking_behind_marks_takes_a_twentieth_of_the_time_at_most() {
        let marks = Marks::default();
        claimed(&marks, at(50), at(100));
        let last_looked =
            |ago: Duration| marks.lock().get_mut("q").unwrap().swept = Instant::now().checked_sub(ago).unwrap();
        marks.swept("q", Duration::from_secs(2));
        last_looked(Duration::from_secs(39));
        assert!(marks.to_look_behind().is_empty());
        last_looked(Duration::from_secs(40));
        assert_eq!(marks.to_look_behind(), marks.expensive());
        marks.swept("q", CHEAP);
        last_looked(Duration::from_secs(40));
        assert!(marks.to_look_behind().is_empty(), "claims look themselves");
    }
}
