//! The loops that keep a server working: each waits, looks at the state, does the same idempotent thing, and waits
//! again. A loop's error is told once and the loop goes on; a database that went away begins the duty anew when it is
//! back.

use std::pin::Pin;
use std::time::Duration;

use orchestrator_core::clock::Timestamp;
use orchestrator_db::{DbError, Dialect, Heard};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

use crate::engine::TickSummary;
use crate::prune::{PruneSummary, Retention};
use crate::sample::until_next_minute;
use crate::scheduler::Scheduler;
use crate::wake::Marks;

/// How long the database may take for one round of a loop. A connection that was cut without a word would keep the loop waiting
/// for ever: the round counts as failed then, and the next one has another connection.
const PATIENCE: Duration = Duration::from_secs(30);

/// The same for rounds that take on what has gathered, however much it is.
const LONG_PATIENCE: Duration = Duration::from_mins(15);

/// How often everything is looked at, whatever was or was not heard.
const POLL: Duration = Duration::from_secs(1);

/// How often the server's clock is compared with the database's.
const DISCIPLINE: Duration = Duration::from_secs(30);

/// How often decisions are pruned.
const UPKEEP: Duration = Duration::from_mins(1);

/// How often counts are folded: a busy server adds hundreds of rows a second to them.
const FOLD: Duration = Duration::from_secs(5);

/// Folding takes one part in so many of the time at most: while a report keeps what was folded from being cleaned away, each
/// fold reads all of it again.
const FOLD_SHARE: u32 = 20;

/// Counts that are folded together on PostgreSQL, which reads all of them for each batch. On SQLite all writers would wait for
/// so many.
const FOLD_BATCH: u32 = 20_000;

/// How often what is older than it has to be kept is deleted.
const PRUNE: Duration = Duration::from_mins(5);

/// How long decisions not to run are kept.
const DECISIONS_KEPT: chrono::Duration = chrono::Duration::days(30);

/// How often SQLite's log is moved into its file.
const CHECKPOINT: Duration = Duration::from_secs(2);

/// Rows that one round of upkeep takes on.
const UPKEEP_BATCH: u32 = 5_000;

/// How long before its instant a trigger's job is made and handed to its worker, which prepares it and starts the robot at
/// the instant: as long as that takes on a slow machine, and too short for a person to change their mind in.
pub const LEAD: Duration = Duration::from_millis(40);

/// The shortest wait after ticks that came to nothing.
const FRUITLESS_WAIT: Duration = Duration::from_millis(4);

/// Starts the loops on a tracker; they end when the token is cancelled.
pub fn run(scheduler: &Scheduler, tasks: &TaskTracker, stop: &CancellationToken) {
    let spawn = |name: &'static str, work: fn(Scheduler, CancellationToken) -> BoxedLoop| {
        let looping = keep_going(name, work, scheduler.clone(), tasks.clone(), stop.clone());
        tasks.spawn(looping.instrument(tracing::info_span!("loop", name)));
    };
    // A tick is not cut off: what it grants is told to the workers.
    spawn("engine", |scheduler, stop| Box::pin(engine(scheduler, stop)));
    spawn("rescue", |scheduler, stop| Box::pin(until_stopped(stop, rescue(scheduler))));
    spawn("listen", |scheduler, stop| Box::pin(until_stopped(stop, listen(scheduler))));
    spawn("upkeep", |scheduler, stop| Box::pin(until_stopped(stop, upkeep(scheduler))));
    if scheduler.db().dialect() == Dialect::Sqlite {
        spawn("checkpoint", |scheduler, stop| Box::pin(until_stopped(stop, checkpoint(scheduler))));
    }
    spawn("behind", |scheduler, stop| Box::pin(until_stopped(stop, look_behind(scheduler))));
    spawn("fold", |scheduler, stop| Box::pin(until_stopped(stop, fold(scheduler))));
    spawn("sample", |scheduler, stop| Box::pin(until_stopped(stop, sample(scheduler))));
    spawn("prune", |scheduler, stop| Box::pin(until_stopped(stop, prune(scheduler))));
    if scheduler.disciplined_clock().is_some() {
        spawn("clock", |scheduler, stop| Box::pin(until_stopped(stop, discipline(scheduler))));
    }
}

type BoxedLoop = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Begins a loop anew when it panics: a server whose engine is dead would look alive and do nothing.
async fn keep_going(
    name: &'static str,
    work: fn(Scheduler, CancellationToken) -> BoxedLoop,
    scheduler: Scheduler,
    tasks: TaskTracker,
    stop: CancellationToken,
) {
    loop {
        let round = tasks.spawn(work(scheduler.clone(), stop.clone()).in_current_span());
        match round.await {
            Err(error) if error.is_panic() => tracing::error!(name, "a loop panicked; it begins anew"),
            _ => return,
        }
        tokio::time::sleep(POLL).await;
    }
}

async fn until_stopped(stop: CancellationToken, work: impl Future<Output = ()>) {
    tokio::select! { () = stop.cancelled() => {}, () = work => {} }
}

/// Evaluates and assigns, as soon as something is due or has changed.
async fn engine(scheduler: Scheduler, stop: CancellationToken) {
    let mut marks = Marks { everything: true, ..Marks::default() };
    let mut next_poll = Instant::now() + POLL;
    let mut pace = Pace::default();
    let mut next_due = None;
    while !stop.is_cancelled() {
        let wait = match within(PATIENCE, round(&scheduler, &marks)).await {
            Ok(Some(summary)) => {
                next_due = summary.next_due;
                pace.wait(&summary, scheduler.now())
            }
            Ok(None) => POLL,
            Err(error) => {
                if is_outage(&error) && scheduler.duty().failed() {
                    tracing::error!(error = %Chain(&error), "the database does not answer; trying again every second");
                } else {
                    tracing::debug!(error = %Chain(&error), "a tick failed");
                }
                POLL
            }
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = scheduler.signals().for_engine() => {}
            () = tokio::time::sleep_until(next_poll.min(Instant::now() + wait)) => {}
        }
        marks = scheduler.signals().take();
        marks.due = next_due.is_some_and(|due| due <= scheduler.now() + LEAD);
        // However busy the server is: once a second it looks at everything.
        if Instant::now() >= next_poll {
            marks.everything = true;
            scheduler.signals().forget_unwatched();
            next_poll = Instant::now() + POLL;
        }
    }
}

/// What the database answers in time; what it does not is undone with its connection.
async fn within<T>(patience: Duration, work: impl Future<Output = Result<T, DbError>>) -> Result<T, DbError> {
    tokio::time::timeout(patience, work).await.unwrap_or_else(|_| Err(DbError::no_answer("loop")))
}

/// Whether the database was not there, unlike a transaction that lost against another one.
fn is_outage(error: &DbError) -> bool {
    error.is_transient() && !error.is_contention()
}

/// One tick; none while the time is not known. After an outage, duty begins anew before anything is decided.
async fn round(scheduler: &Scheduler, marks: &Marks) -> Result<Option<TickSummary>, DbError> {
    if !scheduler.knows_the_time().await? {
        return Ok(None);
    }
    if scheduler.duty().is_away() {
        scheduler.db().begin_read().await?.job_any_queued().await?;
        scheduler.duty().answered(scheduler.now(), Duration::ZERO);
    }
    let began = Instant::now();
    let now = scheduler.now();
    let summary = scheduler.tick_marked(now, now + LEAD, marks).await?;
    scheduler.duty().answered(scheduler.now(), began.elapsed());
    Ok(Some(summary))
}

/// How long to wait for the next tick.
#[derive(Debug, Default)]
struct Pace {
    fruitless: u32,
}

impl Pace {
    /// Until shortly before the next due instant, or until it, where it could not be prepared. Where that has come and ticks
    /// come to nothing (a row that is locked or cannot be read), each waits twice as long as the one before.
    fn wait(&mut self, summary: &TickSummary, now: Timestamp) -> Duration {
        let due = summary.next_due.map_or(POLL, |due| {
            let due = (due - now).to_std().unwrap_or(Duration::ZERO);
            due.checked_sub(LEAD).unwrap_or(due)
        });
        let wait = if summary.more { Duration::ZERO } else { due };
        if !summary.is_fruitless() || wait >= FRUITLESS_WAIT {
            self.fruitless = 0;
            return wait;
        }
        self.fruitless += 1;
        if self.fruitless == 1 {
            return wait;
        }
        FRUITLESS_WAIT.saturating_mul(1 << (self.fruitless - 2).min(8)).min(POLL)
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
        let look = async {
            scheduler.knows_the_time().await?;
            scheduler.rescue(scheduler.now()).await
        };
        match within(PATIENCE, look).await {
            Ok(summary) if summary != crate::RescueSummary::default() => tracing::warn!(?summary, "rescued"),
            Ok(_) => {}
            Err(error) => {
                // The engine begins the duty anew when the database is back.
                if is_outage(&error) && scheduler.duty().failed() {
                    tracing::error!(error = %Chain(&error), "the database does not answer; trying again every second");
                } else {
                    tracing::debug!(error = %Chain(&error), "rescue failed");
                }
            }
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
async fn discipline(scheduler: Scheduler) {
    let Some(clock) = scheduler.disciplined_clock() else { return };
    loop {
        tokio::time::sleep(DISCIPLINE).await;
        if let Err(error) = within(PATIENCE, clock.discipline(scheduler.db())).await {
            tracing::debug!(error = %Chain(&error), "the database's clock could not be read");
        }
    }
}

/// Keeps SQLite's log short, so that no commit has to.
async fn checkpoint(scheduler: Scheduler) {
    loop {
        tokio::time::sleep(CHECKPOINT).await;
        if let Err(error) = scheduler.db().checkpoint().await {
            tracing::debug!(error = %Chain(&error), "the log could not be moved");
        }
    }
}

/// Keeps tables small.
async fn upkeep(scheduler: Scheduler) {
    loop {
        tokio::time::sleep(UPKEEP).await;
        if let Err(error) = within(LONG_PATIENCE, scheduler.upkeep(scheduler.now())).await {
            tracing::debug!(error = %Chain(&error), "upkeep failed");
        }
    }
}

/// Finds elements that claims would pass over.
async fn look_behind(scheduler: Scheduler) {
    loop {
        tokio::time::sleep(POLL).await;
        if let Err(error) = within(PATIENCE, scheduler.db().queues_look_behind()).await {
            tracing::debug!(error = %Chain(&error), "what lies behind the marks of claims could not be looked at");
        }
    }
}

/// Keeps counts per queue a few rows each.
async fn fold(scheduler: Scheduler) {
    let mut took = Duration::ZERO;
    loop {
        tokio::time::sleep(until_next_fold(took)).await;
        took = within(LONG_PATIENCE, scheduler.fold_counts()).await.unwrap_or_else(|error| {
            tracing::debug!(error = %Chain(&error), "folding counts failed");
            Duration::ZERO
        });
    }
}

/// How long to wait after a fold that took so long.
fn until_next_fold(took: Duration) -> Duration {
    FOLD.max(took * FOLD_SHARE)
}

/// Keeps how queues stand, at once and then at every full minute.
async fn sample(scheduler: Scheduler) {
    loop {
        let now = scheduler.now();
        if let Err(error) = within(PATIENCE, scheduler.sample_queues(now)).await {
            tracing::debug!(error = %Chain(&error), "how queues stand could not be kept");
        }
        tokio::time::sleep(until_next_minute(scheduler.now())).await;
    }
}

/// Deletes what is older than it has to be kept.
async fn prune(scheduler: Scheduler) {
    if *scheduler.retention() == Retention::default() {
        return;
    }
    loop {
        tokio::time::sleep(PRUNE).await;
        match within(LONG_PATIENCE, scheduler.prune(scheduler.retention(), scheduler.now())).await {
            Ok(summary) if summary != PruneSummary::default() => tracing::info!(?summary, "deleted what is too old"),
            Ok(_) => {}
            Err(error) => tracing::warn!(error = %Chain(&error), "deleting what is too old failed"),
        }
    }
}

impl Scheduler {
    /// Folds the counts per queue, a batch a transaction, and tells how long the database took for it.
    async fn fold_counts(&self) -> Result<Duration, DbError> {
        let batch = if self.db().dialect() == Dialect::Sqlite { UPKEEP_BATCH } else { FOLD_BATCH };
        let mut took = Duration::ZERO;
        loop {
            let mut tx = self.db().begin_write().await?;
            let began = Instant::now();
            let folded = tx.queue_counts_fold(batch).await?;
            tx.commit().await?;
            took += began.elapsed();
            if folded < batch as usize {
                return Ok(took);
            }
        }
    }

    /// One round of upkeep: old decisions go.
    pub async fn upkeep(&self, now: Timestamp) -> Result<(), DbError> {
        let mut tx = self.db().begin_write().await?;
        tx.decision_prune(now - DECISIONS_KEPT, UPKEEP_BATCH).await?;
        tx.commit().await
    }
}

#[cfg(test)]
mod tests {
    use chrono::{TimeZone as _, Utc};

    use super::*;

    #[test]
    fn what_is_due_and_comes_to_nothing_does_not_make_the_engine_spin() {
        let now = Utc.timestamp_opt(1_800_000_000, 0).unwrap();
        let stuck = TickSummary { next_due: Some(now - Duration::from_secs(5)), ..TickSummary::default() };
        let mut pace = Pace::default();
        let waits: Vec<u128> = (0..12).map(|_| pace.wait(&stuck, now).as_millis()).collect();
        assert_eq!(waits, [0, 4, 8, 16, 32, 64, 128, 256, 512, 1000, 1000, 1000]);
        let busy = TickSummary { created: 1, more: true, ..TickSummary::default() };
        assert_eq!(pace.wait(&busy, now), Duration::ZERO);
        assert_eq!(pace.wait(&stuck, now), Duration::ZERO);
    }

    #[test]
    fn the_engine_sleeps_until_shortly_before_the_next_due_instant_or_until_it_where_it_could_not_be_prepared() {
        let now = Utc.timestamp_opt(1_800_000_000, 0).unwrap();
        let soon = TickSummary { next_due: Some(now + Duration::from_millis(300)), ..TickSummary::default() };
        assert_eq!(Pace::default().wait(&soon, now), Duration::from_millis(260));
        let busy = TickSummary { next_due: Some(now + Duration::from_millis(30)), ..TickSummary::default() };
        assert_eq!(Pace::default().wait(&busy, now), Duration::from_millis(30));
        assert_eq!(Pace::default().wait(&TickSummary::default(), now), POLL);
    }

    #[test]
    fn folding_that_takes_long_is_done_less_often() {
        assert_eq!(until_next_fold(Duration::from_millis(10)), FOLD);
        assert_eq!(until_next_fold(Duration::from_secs(1)), Duration::from_secs(20));
    }
}
