//! Callers that make one call after the other, all at once: what everything that is called over the wire is loaded with.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use tokio::task::JoinSet;
use tonic::transport::{Channel, Endpoint};

use crate::figures::Samples;

/// What one call came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Called {
    /// So many things were done.
    Did(usize),
    /// Nothing is left to do.
    Empty,
}

/// Makes calls on a connection of its own.
pub(crate) trait Caller: Send + 'static {
    /// Makes one.
    fn call(&mut self) -> impl Future<Output = anyhow::Result<Called>> + Send;

    /// Ids that it was handed, for the count of those that were handed out twice.
    fn taken(self) -> Vec<String>;
}

/// How long is looked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Window {
    /// Calls that are not counted.
    pub(crate) warm_up: Duration,
    pub(crate) measured: Duration,
}

/// What was seen.
#[derive(Debug)]
pub(crate) struct Load {
    /// Things done in a second.
    pub(crate) rate: f64,
    /// How long a call took.
    pub(crate) times: Samples,
    /// Ids that were handed out again.
    pub(crate) doubled: usize,
    /// Answers that nothing is there, although something was.
    pub(crate) overlooked: usize,
}

/// Nothing is left when a caller hears so as often as this, one time after the other.
const LAST_WORD: usize = 20;

#[derive(Debug, Default)]
struct Tally {
    did: usize,
    times: Vec<Duration>,
    last: Option<Instant>,
    /// When each answer came that nothing is there.
    empty: Vec<Instant>,
    /// When the latest call began that did something.
    began: Option<Instant>,
}

/// Connections, one each.
pub(crate) async fn connect(address: &str, count: usize) -> anyhow::Result<Vec<Channel>> {
    let endpoint = Endpoint::from_shared(address.to_owned())?;
    let mut channels = Vec::with_capacity(count);
    for _ in 0..count {
        channels.push(endpoint.connect().await?);
    }
    Ok(channels)
}

/// Lets all call until the window is over, or nothing is left to do.
pub(crate) async fn run<C: Caller>(callers: Vec<C>, window: Window) -> anyhow::Result<Load> {
    let from = Instant::now() + window.warm_up;
    let until = from + window.measured;
    let over = Arc::new(AtomicBool::new(false));
    let mut tasks = JoinSet::new();
    for caller in callers {
        tasks.spawn(call_until(caller, (from, until), over.clone()));
    }
    let (mut all, mut ids) = (Tally::default(), Vec::new());
    while let Some(ended) = tasks.join_next().await {
        let (tally, taken) = ended??;
        all.add(tally);
        ids.extend(taken);
    }
    let last = all.last.context("nothing was done between the warm-up and the end")?;
    let seconds = last.saturating_duration_since(from).as_secs_f64();
    ensure!(seconds * 5.0 > window.measured.as_secs_f64(), "too little to do: it was over after {seconds:.2} s");
    let distinct = ids.iter().collect::<HashSet<_>>().len();
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    let rate = all.did as f64 / seconds;
    let overlooked = overlooked(&all.empty, all.began);
    Ok(Load { rate, times: Samples::new(all.times), doubled: ids.len() - distinct, overlooked })
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.did += other.did;
        self.times.extend(other.times);
        self.last = self.last.max(other.last);
        self.empty.extend(other.empty);
        self.began = self.began.max(other.began);
    }
}

/// Answers that nothing is there, and then a call that began later found something. The others are no fault: a queue that
/// runs out before its window is over says so to everybody, and so does one whose last elements are being taken by calls
/// that are still under way.
fn overlooked(empty: &[Instant], began: Option<Instant>) -> usize {
    empty.iter().filter(|answered| began.is_some_and(|began| began >= **answered)).count()
}

async fn call_until<C: Caller>(
    mut caller: C,
    (from, until): (Instant, Instant),
    over: Arc<AtomicBool>,
) -> anyhow::Result<(Tally, Vec<String>)> {
    let mut tally = Tally::default();
    let mut in_a_row = 0;
    let mut before = Instant::now();
    while before < until && !over.load(Ordering::Relaxed) {
        let did = caller.call().await?;
        let after = Instant::now();
        in_a_row = if did == Called::Empty { in_a_row + 1 } else { 0 };
        match did {
            Called::Empty => {
                tally.empty.push(after);
                if in_a_row == LAST_WORD {
                    over.store(true, Ordering::Relaxed);
                }
            }
            Called::Did(1..) => tally.began = Some(before),
            Called::Did(0) => {}
        }
        if let Called::Did(count) = did
            && after >= from
            && after <= until
        {
            tally.did += count;
            tally.times.push(after - before);
            tally.last = Some(after);
        }
        before = after;
    }
    Ok((tally, caller.taken()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_answer_is_a_fault_where_a_later_call_found_something() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let answers = [at(10), at(20), at(30)];
        assert_eq!(overlooked(&answers, Some(at(25))), 2);
    }

    #[test]
    fn the_end_of_a_queue_is_no_fault() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        // The last element went to a call that was under way when the others heard that nothing is left.
        assert_eq!(overlooked(&[at(10), at(11)], Some(at(9))), 0);
        assert_eq!(overlooked(&[at(10)], None), 0);
    }

    /// Hands out numbers; says once in between that nothing is left.
    struct Forgetful {
        left: usize,
        forgets_at: usize,
    }

    impl Caller for Forgetful {
        async fn call(&mut self) -> anyhow::Result<Called> {
            tokio::task::yield_now().await;
            if self.left == self.forgets_at {
                self.forgets_at = usize::MAX;
                return Ok(Called::Empty);
            }
            let Some(left) = self.left.checked_sub(1) else { return Ok(Called::Empty) };
            self.left = left;
            Ok(Called::Did(1))
        }

        fn taken(self) -> Vec<String> {
            Vec::new()
        }
    }

    #[tokio::test]
    async fn a_caller_that_was_told_too_early_that_nothing_is_left_counts_it_once() -> anyhow::Result<()> {
        let start = Instant::now();
        let caller = Forgetful { left: 1000, forgets_at: 500 };
        let (tally, _) = call_until(caller, (start, start + Duration::from_hours(1)), Arc::default()).await?;
        assert_eq!((tally.did, tally.empty.len()), (1000, 1 + LAST_WORD));
        assert_eq!(overlooked(&tally.empty, tally.began), 1);
        Ok(())
    }
}
