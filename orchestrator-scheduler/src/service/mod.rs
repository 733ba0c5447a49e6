//! The loops that keep a server working: each waits, looks at the state, does the same idempotent thing, and waits
//! again. A loop's error is told once and the loop goes on; a database that went away begins the duty anew when it is
//! back.

mod deciding;
mod tables;

use std::pin::Pin;
use std::time::Duration;

use orchestrator_core::chain::Chain;
use orchestrator_db::{DbError, Dialect, Heard};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

use crate::scheduler::Scheduler;

/// How long the database may take for one round of a loop. A connection that was cut without a word would keep the loop waiting
/// for ever: the round counts as failed then, and the next one has another connection.
const PATIENCE: Duration = Duration::from_secs(30);

/// The same for rounds that take on what has gathered, however much it is.
const LONG_PATIENCE: Duration = Duration::from_mins(15);

/// How often everything is looked at, whatever was or was not heard.
const POLL: Duration = Duration::from_secs(1);

/// How often the server's clock is compared with the database's.
const DISCIPLINE: Duration = Duration::from_secs(30);

/// How long before its instant a trigger's job is made and handed to its worker, which prepares it and starts the robot at
/// the instant: as long as that takes on a slow machine, and too short for a person to change their mind in.
pub const LEAD: Duration = Duration::from_millis(40);

/// Starts the loops on a tracker; they end when the token is cancelled.
pub fn run(scheduler: &Scheduler, tasks: &TaskTracker, stop: &CancellationToken) {
    let spawn = |name: &'static str, work: fn(Scheduler, CancellationToken) -> BoxedLoop| {
        let looping = keep_going(name, work, scheduler.clone(), tasks.clone(), stop.clone());
        tasks.spawn(looping.instrument(tracing::info_span!("loop", name)));
    };
    // A tick is not cut off: what it grants is told to the workers.
    spawn("engine", |scheduler, stop| Box::pin(deciding::engine(scheduler, stop)));
    spawn("rescue", |scheduler, stop| Box::pin(until_stopped(stop, deciding::rescue(scheduler))));
    spawn("listen", |scheduler, stop| Box::pin(until_stopped(stop, listen(scheduler))));
    spawn("upkeep", |scheduler, stop| Box::pin(until_stopped(stop, tables::upkeep(scheduler))));
    if scheduler.db().dialect() == Dialect::Sqlite {
        spawn("checkpoint", |scheduler, stop| Box::pin(until_stopped(stop, tables::checkpoint(scheduler))));
    }
    spawn("behind", |scheduler, stop| Box::pin(until_stopped(stop, tables::look_behind(scheduler))));
    spawn("fold", |scheduler, stop| Box::pin(until_stopped(stop, tables::fold(scheduler))));
    spawn("sample", |scheduler, stop| Box::pin(until_stopped(stop, tables::sample(scheduler))));
    spawn("prune", |scheduler, stop| Box::pin(until_stopped(stop, tables::prune(scheduler))));
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

/// What the database answers in time; what it does not is undone with its connection.
async fn within<T>(patience: Duration, work: impl Future<Output = Result<T, DbError>>) -> Result<T, DbError> {
    tokio::time::timeout(patience, work).await.unwrap_or_else(|_| Err(DbError::no_answer("loop")))
}

/// Whether the database was not there, unlike a transaction that lost against another one.
fn is_outage(error: &DbError) -> bool {
    error.is_transient() && !error.is_contention()
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
