//! The loops that keep a server working: each waits, looks at the state, does the same idempotent thing, and waits
//! again. A loop's error is told once and the loop goes on; a database that went away begins the duty anew when it is
//! back.

use std::sync::Arc;
use std::time::Duration;

use orchestrator_core::clock::Timestamp;
use orchestrator_core::lease::LEASE;
use orchestrator_db::{DbError, Heard};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

use crate::discipline::DisciplinedClock;
use crate::scheduler::Scheduler;
use crate::wake::Marks;

/// How often everything is looked at, whatever was or was not heard.
const POLL: Duration = Duration::from_secs(1);

/// How often the server's clock is compared with the database's.
const DISCIPLINE: Duration = Duration::from_secs(30);

/// How often decisions are pruned and counts folded.
const UPKEEP: Duration = Duration::from_mins(1);

/// How long decisions not to run are kept.
const DECISIONS_KEPT: chrono::Duration = chrono::Duration::days(30);

/// Rows that one round of upkeep takes on.
const UPKEEP_BATCH: u32 = 5_000;

/// Starts the loops on a tracker; they end when the token is cancelled.
pub fn run(scheduler: &Scheduler, tasks: &TaskTracker, stop: &CancellationToken) {
    let spawn = |name: &'static str, work: futures::BoxedLoop| {
        let stop = stop.clone();
        let guarded = async move {
            tokio::select! { () = stop.cancelled() => {}, () = work => {} }
        };
        tasks.spawn(guarded.instrument(tracing::info_span!("loop", name)));
    };
    spawn("engine", Box::pin(engine(scheduler.clone())));
    spawn("rescue", Box::pin(rescue(scheduler.clone())));
    spawn("listen", Box::pin(listen(scheduler.clone())));
    spawn("upkeep", Box::pin(upkeep(scheduler.clone())));
    if let Some(clock) = scheduler.disciplined_clock() {
        spawn("clock", Box::pin(discipline(scheduler.clone(), clock)));
    }
}

mod futures {
    use std::pin::Pin;

    pub(super) type BoxedLoop = Pin<Box<dyn Future<Output = ()> + Send>>;
}

/// Evaluates and assigns, as soon as something is due or has changed.
async fn engine(scheduler: Scheduler) {
    let mut marks = Marks { everything: true, ..Marks::default() };
    let mut duty = Duty::default();
    loop {
        let now = scheduler.now();
        duty.observe(&scheduler, now);
        if !scheduler.is_fit_for_duty() {
            marks = wait_for_work(&scheduler, POLL).await;
            continue;
        }
        let wait = match scheduler.tick_marked(now, &marks).await {
            Ok(summary) => {
                duty.succeeded(&scheduler, now);
                if summary.more { Duration::ZERO } else { until(summary.next_due, scheduler.now()) }
            }
            Err(error) => {
                duty.failed(&error);
                POLL
            }
        };
        marks = wait_for_work(&scheduler, wait).await;
    }
}

/// Waits for word, for the next due instant, or for the poll; returns what to look at.
async fn wait_for_work(scheduler: &Scheduler, wait: Duration) -> Marks {
    let polled = wait >= POLL;
    tokio::select! {
        () = scheduler.signals().for_engine() => scheduler.signals().take(),
        () = tokio::time::sleep(wait.min(POLL)) => {
            let mut marks = scheduler.signals().take();
            marks.everything |= polled;
            marks
        }
    }
}

fn until(due: Option<Timestamp>, now: Timestamp) -> Duration {
    // The clock counts microseconds, the timer milliseconds: waking a moment late beats waking twice.
    due.map_or(POLL, |due| (due - now).to_std().unwrap_or(Duration::ZERO))
}

/// Knows when the server's duty was interrupted: the database away, or the clock stepped.
#[derive(Debug, Default)]
struct Duty {
    away: bool,
    last: Option<(Timestamp, std::time::Instant)>,
}

impl Duty {
    /// A clock that has moved more than a second differently from the monotonic one has been stepped (or the machine
    /// slept).
    fn observe(&mut self, scheduler: &Scheduler, now: Timestamp) {
        let instant = std::time::Instant::now();
        if let Some((then, at)) = self.last.replace((now, instant)) {
            let wall = now - then;
            let real = chrono::Duration::from_std(instant - at).unwrap_or(chrono::Duration::MAX);
            if (wall - real).abs() > chrono::Duration::seconds(1) {
                tracing::warn!(
                    step.seconds = (wall - real).num_seconds(),
                    "the clock stepped; nothing is rescued for one lease"
                );
                scheduler.resume_duty(now);
            }
        }
    }

    fn succeeded(&mut self, scheduler: &Scheduler, now: Timestamp) {
        if std::mem::take(&mut self.away) {
            tracing::info!("the database is back; nothing is rescued for one lease");
            scheduler.resume_duty(now);
        }
    }

    fn failed(&mut self, error: &DbError) {
        if !std::mem::replace(&mut self.away, true) {
            tracing::error!(error = %Chain(error), "the database does not answer; trying again every second");
        }
    }
}

/// An error with all its sources, for the log.
struct Chain<'a>(&'a dyn std::error::Error);

impl std::fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        let mut source = self.0.source();
        while let Some(error) = source {
            write!(f, ": {error}")?;
            source = error.source();
        }
        Ok(())
    }
}

/// Looks for what was lost, every second.
async fn rescue(scheduler: Scheduler) {
    loop {
        tokio::time::sleep(POLL).await;
        let now = scheduler.now();
        if let Err(error) = scheduler.flush_beats().await {
            tracing::debug!(error = %Chain(&error), "heartbeats were not written");
            continue;
        }
        match scheduler.rescue(now).await {
            Ok(summary) if summary != crate::RescueSummary::default() => tracing::warn!(?summary, "rescued"),
            Ok(_) => {}
            Err(error) => tracing::debug!(error = %Chain(&error), "rescue failed"),
        }
    }
}

/// Hears what other servers changed.
async fn listen(scheduler: Scheduler) {
    loop {
        match scheduler.db().listen().await {
            // One server per SQLite file: there is nobody to hear.
            Ok(None) => std::future::pending::<()>().await,
            Ok(Some(mut listener)) => {
                scheduler.signals().wake_all();
                while let Ok(heard) = listener.next().await {
                    match heard {
                        Heard::Hints(hints) => scheduler.wake(&hints),
                        Heard::Anything => scheduler.signals().wake_all(),
                    }
                }
            }
            Err(error) => tracing::debug!(error = %Chain(&error), "listening failed"),
        }
        tokio::time::sleep(POLL).await;
    }
}

/// Keeps the server's clock with the database's.
async fn discipline(scheduler: Scheduler, clock: Arc<DisciplinedClock>) {
    loop {
        tokio::time::sleep(DISCIPLINE).await;
        if let Err(error) = clock.discipline(scheduler.db()).await {
            tracing::debug!(error = %Chain(&error), "the database's clock could not be read");
        }
    }
}

/// Keeps tables small.
async fn upkeep(scheduler: Scheduler) {
    loop {
        tokio::time::sleep(UPKEEP).await;
        if let Err(error) = scheduler.upkeep(scheduler.now()).await {
            tracing::debug!(error = %Chain(&error), "upkeep failed");
        }
    }
}

impl Scheduler {
    /// One round of upkeep: old decisions go, counts per queue are folded.
    pub async fn upkeep(&self, now: Timestamp) -> Result<(), DbError> {
        debug_assert!(DECISIONS_KEPT > chrono::Duration::from_std(LEASE).unwrap_or_default());
        let mut tx = self.db().begin_write().await?;
        tx.decision_prune(now - DECISIONS_KEPT, UPKEEP_BATCH).await?;
        tx.commit().await?;
        let mut tx = self.db().begin_write().await?;
        tx.queue_counts_fold(UPKEEP_BATCH).await?;
        tx.commit().await
    }
}
