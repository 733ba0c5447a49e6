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
    pub(crate) empty: usize,
}

/// Nothing is left when a caller hears so as often as this, one time after the other.
const LAST_WORD: usize = 20;

#[derive(Debug, Default)]
struct Tally {
    did: usize,
    empty: usize,
    times: Vec<Duration>,
    last: Option<Instant>,
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
    let (mut did, mut empty, mut times, mut ids, mut last) = (0, 0, Vec::new(), Vec::new(), None);
    while let Some(ended) = tasks.join_next().await {
        let (tally, taken) = ended??;
        did += tally.did;
        empty += tally.empty;
        times.extend(tally.times);
        ids.extend(taken);
        last = last.max(tally.last);
    }
    let last = last.context("nothing was done between the warm-up and the end")?;
    let seconds = last.saturating_duration_since(from).as_secs_f64();
    ensure!(seconds * 5.0 > window.measured.as_secs_f64(), "too little to do: it was over after {seconds:.2} s");
    let distinct = ids.iter().collect::<HashSet<_>>().len();
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    Ok(Load { rate: did as f64 / seconds, times: Samples::new(times), doubled: ids.len() - distinct, empty })
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
            Called::Empty if in_a_row == LAST_WORD => over.store(true, Ordering::Relaxed),
            Called::Empty => tally.empty += 1,
            Called::Did(count) if after >= from && after <= until => {
                tally.did += count;
                tally.times.push(after - before);
                tally.last = Some(after);
            }
            Called::Did(_) => {}
        }
        before = after;
    }
    Ok((tally, caller.taken()))
}
