//! The loops that decide: what starts, and what was lost.

use std::time::Duration;

use orchestrator_core::chain::Chain;
use orchestrator_core::clock::Timestamp;
use orchestrator_db::DbError;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{LEAD, PATIENCE, POLL, is_outage, within};
use crate::duty::Outage;
use crate::engine::TickSummary;
use crate::scheduler::Scheduler;
use crate::wake::Marks;

/// The shortest wait after ticks that came to nothing.
const FRUITLESS_WAIT: Duration = Duration::from_millis(4);

/// The setting that a server writes to see whether an outage is over.
const BACK_AT: &str = "database_back_at";

/// Evaluates and assigns, as soon as something is due or has changed.
pub(super) async fn engine(scheduler: Scheduler, stop: CancellationToken) {
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
                if !is_outage(&error) || !told_outage(&scheduler, &error) {
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

/// Notes that the database is away, and says so where that is news.
fn told_outage(scheduler: &Scheduler, error: &DbError) -> bool {
    let outage = Outage::of(error);
    let is_news = scheduler.duty().failed(outage);
    if is_news {
        tracing::error!(error = %Chain(error), "{outage}; nothing is decided; trying again every second");
    }
    is_news
}

/// One tick; none while the time is not known. After an outage, duty begins anew before anything is decided.
async fn round(scheduler: &Scheduler, marks: &Marks) -> Result<Option<TickSummary>, DbError> {
    if !scheduler.knows_the_time().await? {
        return Ok(None);
    }
    let was_away = scheduler.duty().outage().is_some();
    if was_away {
        // A tick that finds nothing to do writes nothing, and would take what is only read for the end of the outage.
        let mut tx = scheduler.db().begin_hot().await?;
        tx.setting_set(BACK_AT, &scheduler.now(), scheduler.now()).await?;
        tx.commit().await?;
        scheduler.duty().tries_again(scheduler.now());
    }
    if scheduler.duty().suspects_plans() {
        scheduler.replan(scheduler.now()).await.inspect_err(|_| scheduler.duty().still_suspects_plans())?;
    }
    let began = Instant::now();
    let now = scheduler.now();
    let summary = scheduler.tick_marked(now, now + LEAD, marks).await?;
    // What failed elsewhere meanwhile is looked at by the next round.
    if was_away || scheduler.duty().outage().is_none() {
        scheduler.duty().answered(scheduler.now(), began.elapsed());
    }
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

/// Looks for what was lost, every second.
pub(super) async fn rescue(scheduler: Scheduler) {
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
                if !is_outage(&error) || !told_outage(&scheduler, &error) {
                    tracing::debug!(error = %Chain(&error), "rescue failed");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use chrono::{TimeZone as _, Utc};
    use orchestrator_core::clock::ManualClock;
    use orchestrator_core::secret::KeyRing;
    use orchestrator_core::text::Limits;
    use orchestrator_db::{Db, DbOptions, LaneOptions};

    use super::*;
    use crate::{Retention, SchedulerClock, SchedulerOptions};

    /// A server on a database that can be read and takes no writes.
    async fn read_only() -> (Scheduler, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("test.db").display());
        Db::open(&DbOptions::new(&url)).await.unwrap().close().await;
        let scheduler = Scheduler::new(SchedulerOptions {
            db: Db::connect(&DbOptions::new(format!("{url}?mode=ro"))).await.unwrap(),
            clock: SchedulerClock::Given(Arc::new(ManualClock::at(Utc.timestamp_opt(1_800_000_000, 0).unwrap()))),
            keys: KeyRing::generate().unwrap(),
            limits: Limits::default(),
            zone: chrono_tz::UTC,
            lanes: LaneOptions::default(),
            retention: Retention::default(),
        });
        (scheduler, folder)
    }

    #[tokio::test]
    async fn a_database_that_takes_no_writes_is_not_back_because_it_is_read() {
        let (scheduler, _folder) = read_only().await;
        let marks = Marks { everything: true, ..Marks::default() };
        // Nothing is due: whoever only looks sees nothing wrong.
        round(&scheduler, &marks).await.unwrap();
        assert_eq!(scheduler.duty().outage(), None);
        assert_eq!(scheduler.database_outage().await, Some(Outage::NoWrites), "who is asked looks closer");
        scheduler.duty().failed(Outage::NoWrites);
        let refused = round(&scheduler, &marks).await.unwrap_err();
        assert!(is_outage(&refused) && refused.is_read_only(), "{refused:?}");
        assert_eq!(scheduler.duty().outage(), Some(Outage::NoWrites));
    }

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
}
