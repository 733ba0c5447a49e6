//! One lane: what waits while a transaction is in flight shares the next one.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::oneshot;

use super::leading::Leading;
use super::options::{LaneContext, LaneOptions};
use super::waiting::{Bounds, Waiting};
use super::work::{Done, LaneError, Work};
use crate::connect::LaneLine;
use crate::error::DbError;
use crate::tx::Tx;

/// How often a transaction that lost against another one is run again before its calls are made one by one.
const MOST_RERUNS: u32 = 8;

/// A lane, cheap to clone.
#[derive(Debug)]
pub(super) struct Lane<W: Work> {
    inner: Arc<Inner<W>>,
}

struct Inner<W: Work> {
    name: &'static str,
    work: W,
    context: LaneContext,
    options: LaneOptions,
    line: LaneLine,
    state: Mutex<State<W>>,
    batch_size: metrics::Histogram,
    wait_seconds: metrics::Histogram,
    refused: metrics::Counter,
    split: metrics::Counter,
}

struct State<W: Work> {
    waiting: Waiting<Ticket<W>>,
    /// A task is at work on what waits. None is while nothing does.
    is_driven: bool,
}

/// Where a caller waits for its answer.
type Door<W> = oneshot::Sender<Result<<W as Work>::Answer, LaneError>>;

/// A call and who waits for its answer.
struct Ticket<W: Work> {
    call: W::Call,
    door: Door<W>,
    since: Instant,
}

/// Why calls that shared a transaction got no answer of it.
enum Failure {
    /// Nothing of it was done: one of them may be to blame, or none.
    Together(DbError),
    /// The same would happen to each of them, or what happened is unknown: the answer for all.
    All(DbError),
}

impl<W: Work> std::fmt::Debug for Inner<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lane").field("name", &self.name).finish_non_exhaustive()
    }
}

impl<W: Work> Lane<W> {
    pub(super) fn new(name: &'static str, work: W, context: LaneContext, options: LaneOptions) -> Self {
        let LaneOptions { most_calls, most_bytes, most_rows, .. } = options;
        let waiting = Waiting::new(Bounds { calls: most_calls, bytes: most_bytes, rows: most_rows });
        let inner = Inner {
            name,
            work,
            line: context.db.lane_line(),
            context,
            options,
            state: Mutex::new(State { waiting, is_driven: false }),
            batch_size: metrics::histogram!("orchestrator_lane_batch_size", "lane" => name),
            wait_seconds: metrics::histogram!("orchestrator_lane_wait_seconds", "lane" => name),
            refused: metrics::counter!("orchestrator_lane_refused_total", "lane" => name),
            split: metrics::counter!("orchestrator_lane_split_total", "lane" => name),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Makes a call, and answers once what it did is durable. A caller that goes away before its transaction began is
    /// dropped; later its call is carried out all the same.
    pub(super) async fn call(&self, call: W::Call) -> Result<W::Answer, LaneError> {
        if !self.inner.options.is_on {
            // In a box: callers do not carry it where they only wait for the lane.
            let alone = Box::pin(self.inner.alone(&call));
            return alone.await.map_err(|failure| Arc::new(failure.into_error()).into());
        }
        let (door, answer) = oneshot::channel();
        let (key, weight) = (W::key(&call), W::weight(&call));
        let ticket = Ticket { call, door, since: Instant::now() };
        let (is_driven, crowded_out) = {
            let mut state = self.inner.state();
            let crowded_out = state.waiting.push(&key, weight, ticket).map_err(|_| self.inner.full())?;
            (std::mem::replace(&mut state.is_driven, true), crowded_out)
        };
        for ticket in crowded_out {
            let _ = ticket.door.send(Err(self.inner.full()));
        }
        let answered = if is_driven {
            answer.await
        } else {
            Leading::new(drive(self.inner.clone()), self.inner.context.tasks.clone()).until(answer).await
        };
        answered.map_err(|_| LaneError::Gone { lane: self.inner.name })?
    }

    pub(super) fn waiting(&self) -> usize {
        self.inner.state().waiting.len()
    }

    /// Gives the connection back.
    pub(super) async fn close(&self) {
        self.inner.line.close().await;
    }
}

/// Serves what waits until nothing does.
async fn drive<W: Work>(inner: Arc<Inner<W>>) {
    let mut driving = Driving { inner: &inner, is_over: false };
    loop {
        let tickets = {
            let mut state = inner.state();
            let tickets = state.waiting.take(|ticket| ticket.door.is_closed());
            if tickets.is_empty() {
                state.is_driven = false;
                driving.is_over = true;
                return;
            }
            tickets
        };
        inner.serve(tickets).await;
    }
}

/// Whoever waits when the task breaks down is told so, and the next call begins anew.
struct Driving<'a, W: Work> {
    inner: &'a Inner<W>,
    is_over: bool,
}

impl<W: Work> Drop for Driving<'_, W> {
    fn drop(&mut self) {
        if !self.is_over {
            let mut state = self.inner.state();
            state.is_driven = false;
            let lost = state.waiting.take_all();
            drop(state);
            tracing::error!(lane = self.inner.name, calls = lost.len(), "a lane broke down");
        }
    }
}

impl<W: Work> Inner<W> {
    fn state(&self) -> MutexGuard<'_, State<W>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn full(&self) -> LaneError {
        self.refused.increment(1);
        LaneError::Full { lane: self.name, waiting: self.options.most_calls }
    }

    async fn serve(&self, tickets: Vec<Ticket<W>>) {
        #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
        self.batch_size.record(tickets.len() as f64);
        if let Some(first) = tickets.first() {
            self.wait_seconds.record(first.since.elapsed());
        }
        let (calls, doors): (Vec<_>, Vec<_>) = tickets.into_iter().map(|ticket| (ticket.call, ticket.door)).unzip();
        let Some((calls, doors)) = self.at_once(calls, doors).await else { return };
        match self.together(&calls).await {
            Ok(answers) => {
                for (door, answer) in doors.into_iter().zip(answers) {
                    // Whoever is gone repeats the call, or its grant expires.
                    let _ = door.send(Ok(answer));
                }
            }
            Err(Failure::All(error)) => tell_all(doors, error),
            Err(Failure::Together(error)) if calls.len() == 1 => tell_all(doors, error),
            Err(Failure::Together(error)) => {
                self.split.increment(1);
                tracing::debug!(lane = self.name, calls = calls.len(), %error, "a shared transaction failed; one by one");
                self.one_by_one(calls, doors).await;
            }
        }
    }

    async fn one_by_one(&self, calls: Vec<W::Call>, doors: Vec<Door<W>>) {
        let mut left = calls.into_iter().zip(doors);
        while let Some((call, door)) = left.next() {
            if door.is_closed() {
                continue;
            }
            match self.alone(&call).await {
                Ok(answer) => drop(door.send(Ok(answer))),
                Err(Failure::Together(error)) => tell_all([door], error),
                // The database went away: the others are told at once, not after a wait each.
                Err(Failure::All(error)) => {
                    let doors = std::iter::once(door).chain(left.by_ref().map(|(_, door)| door));
                    tell_all(doors.collect::<Vec<_>>(), error);
                }
            }
        }
    }

    async fn alone(&self, call: &W::Call) -> Result<W::Answer, Failure> {
        let mut answers = self.together(std::slice::from_ref(call)).await?;
        answers.pop().ok_or_else(|| Failure::All(DbError::not_found("answer", self.name)))
    }

    /// Runs the calls in one transaction; again, as calls that were made before, when one of them was.
    async fn together(&self, calls: &[W::Call]) -> Result<Vec<W::Answer>, Failure> {
        match self.until_won(calls).await {
            Err(Failure::Together(error)) if error.is_of_a_known_call() => {
                let mut repeats = calls.to_vec();
                repeats.iter_mut().for_each(W::mark_as_repeat);
                let mut answers = self.until_won(&repeats).await?;
                calls.iter().zip(&mut answers).for_each(|(call, answer)| W::answered_as_repeat(call, answer));
                Ok(answers)
            }
            outcome => outcome,
        }
    }

    /// Runs the calls in one transaction; again when it lost against another one.
    async fn until_won(&self, calls: &[W::Call]) -> Result<Vec<W::Answer>, Failure> {
        let mut reruns = 0;
        loop {
            match self.once(calls).await {
                Err(Failure::Together(error)) if error.is_contention() && reruns < MOST_RERUNS => reruns += 1,
                result => return result,
            }
        }
    }

    async fn once(&self, calls: &[W::Call]) -> Result<Vec<W::Answer>, Failure> {
        let outcome = tokio::time::timeout(self.options.patience, self.in_one_transaction(calls)).await;
        outcome.unwrap_or_else(|_| Err(Failure::All(DbError::no_answer("lane"))))
    }

    async fn in_one_transaction(&self, calls: &[W::Call]) -> Result<Vec<W::Answer>, Failure> {
        let mut tx = self.begin().await.map_err(Failure::All)?;
        let now = self.context.clock.now();
        let done = async {
            let done = self.work.run(&mut tx, calls, now).await?;
            tx.notify(&done.hints).await?;
            Ok(done)
        };
        let Done { answers, mut hints, here } = match done.await {
            Ok(done) => done,
            Err(error) => {
                // A failed rollback leaves a connection that is made anew.
                let _ = tx.rollback().await;
                return Err(Failure::of(error));
            }
        };
        // Nothing is rerun after a commit whose answer got lost: it may have been heard.
        tx.commit().await.map_err(Failure::of)?;
        hints.extend(here);
        (self.context.committed)(&hints);
        Ok(answers)
    }

    /// Answers those calls that one statement serves. Those that are left, if any are.
    async fn at_once(&self, calls: Vec<W::Call>, doors: Vec<Door<W>>) -> Option<(Vec<W::Call>, Vec<Door<W>>)> {
        let context = &self.context;
        let work = self.work.run_at_once(&context.db, &self.line, &calls, context.clock.now());
        let done = tokio::time::timeout(self.options.patience, work).await;
        let done = match done.unwrap_or_else(|_| Err(DbError::no_answer("lane"))) {
            Ok(done) => done,
            Err(error) => {
                tell_all(doors, error);
                return None;
            }
        };
        if done.answers.iter().all(Option::is_none) {
            return Some((calls, doors));
        }
        (context.committed)(&done.here);
        let mut left = (Vec::new(), Vec::new());
        for ((call, door), answer) in calls.into_iter().zip(doors).zip(done.answers) {
            if let Some(answer) = answer {
                // Whoever is gone repeats the call, or its grant expires.
                let _ = door.send(Ok(answer));
            } else {
                left.0.push(call);
                left.1.push(door);
            }
        }
        Some(left).filter(|(calls, _)| !calls.is_empty())
    }

    async fn begin(&self) -> Result<Tx, DbError> {
        if self.options.is_on {
            self.context.db.begin_on(&self.line).await
        } else {
            self.context.db.begin_write().await
        }
    }
}

impl Failure {
    fn of(error: DbError) -> Self {
        if error.is_transient() && !error.is_contention() { Self::All(error) } else { Self::Together(error) }
    }

    fn into_error(self) -> DbError {
        match self {
            Self::Together(error) | Self::All(error) => error,
        }
    }
}

fn tell_all<A>(doors: impl IntoIterator<Item = oneshot::Sender<Result<A, LaneError>>>, error: DbError) {
    let error = Arc::new(error);
    for door in doors {
        let _ = door.send(Err(error.clone().into()));
    }
}
