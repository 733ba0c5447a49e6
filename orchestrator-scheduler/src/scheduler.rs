use std::sync::Arc;
use std::time::Instant;

use chrono_tz::Tz;
use orchestrator_core::clock::{Clock, Timestamp};
use orchestrator_core::secret::KeyRing;
use orchestrator_core::text::Limits;
use orchestrator_db::{Db, DbError, Hint, LaneOptions, Lanes, Tx};
use tokio::sync::broadcast;

use crate::beats::Beats;
use crate::discipline::DisciplinedClock;
use crate::duty::{Duty, Outage};
use crate::element_changes::ElementChanges;
use crate::heartbeat::Renewals;
use crate::prune::{OutputPruned, Retention};
use crate::queue_names::QueueNames;
use crate::start::Starts;
use crate::tenancy::Tenancies;
use crate::waiting::Waiting;
use crate::wake::Wake;

/// The clock a scheduler goes by.
#[derive(Debug, Clone)]
pub enum SchedulerClock {
    /// The machine's, kept with the database's.
    Disciplined(Arc<DisciplinedClock>),
    /// One that a test turns.
    Given(Arc<dyn Clock>),
}

impl Clock for SchedulerClock {
    fn now(&self) -> Timestamp {
        match self {
            Self::Disciplined(clock) => clock.now(),
            Self::Given(clock) => clock.now(),
        }
    }
}

/// What a scheduler is made of.
#[derive(Debug)]
pub struct SchedulerOptions {
    /// Where everything is kept.
    pub db: Db,
    /// Where `now` comes from.
    pub clock: SchedulerClock,
    /// Keys of stored secrets.
    pub keys: KeyRing,
    /// Limits of texts.
    pub limits: Limits,
    /// The zone of scheduled triggers that name none.
    pub zone: Tz,
    /// How calls about elements, logs and output share transactions.
    pub lanes: LaneOptions,
    /// How long things are kept.
    pub retention: Retention,
}

/// The handle on which the verbs are called. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Scheduler {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    db: Db,
    clock: SchedulerClock,
    keys: KeyRing,
    limits: Limits,
    zone: Tz,
    wake: Arc<Wake>,
    lanes: Lanes,
    retention: Retention,
    output_pruned: OutputPruned,
    waiting: Waiting,
    beats: Beats,
    tenancies: Tenancies,
    starts: Starts,
    renewals: Renewals,
    queue_names: QueueNames,
    started_at: Timestamp,
    duty: Duty,
}

impl Scheduler {
    /// A scheduler on an open database. Its loops run once [`crate::service::run`] is called.
    pub fn new(options: SchedulerOptions) -> Self {
        let started_at = options.clock.now();
        let wake = Arc::new(Wake::new());
        let waker = wake.clone();
        let committed = Arc::new(move |hints: &[Hint]| waker.wake(hints));
        let lanes = Lanes::new(&options.db, Arc::new(options.clock.clone()), committed, options.lanes);
        Self {
            inner: Arc::new(Inner {
                db: options.db,
                clock: options.clock,
                keys: options.keys,
                limits: options.limits,
                zone: options.zone,
                wake,
                lanes,
                retention: options.retention,
                output_pruned: OutputPruned::default(),
                waiting: Waiting::default(),
                beats: Beats::default(),
                tenancies: Tenancies::default(),
                starts: Starts::default(),
                renewals: Renewals::default(),
                queue_names: QueueNames::default(),
                started_at,
                duty: Duty::begun_at(started_at),
            }),
        }
    }

    /// The database, for plain reads and writes that decide nothing.
    pub fn db(&self) -> &Db {
        &self.inner.db
    }

    /// Writes about elements, logs and output, which share transactions.
    pub fn lanes(&self) -> &Lanes {
        &self.inner.lanes
    }

    /// The current instant.
    pub fn now(&self) -> Timestamp {
        self.inner.clock.now()
    }

    /// The server's clock minus the database's, as measured last; zero on SQLite.
    pub fn clock_offset(&self) -> chrono::Duration {
        match &self.inner.clock {
            SchedulerClock::Disciplined(clock) => clock.offset(),
            SchedulerClock::Given(_) => chrono::Duration::zero(),
        }
    }

    /// Whether `now` can be gone by: a clock that has stepped is compared with the database's before anything is decided.
    pub async fn knows_the_time(&self) -> Result<bool, DbError> {
        self.duty().observe(self.now(), Instant::now());
        if self.duty().is_unsure_of_time() {
            if let Some(clock) = self.disciplined_clock() {
                clock.discipline(self.db()).await?;
            }
            self.duty().is_sure_of_time(self.now(), Instant::now());
        }
        Ok(self.is_fit_for_duty())
    }

    /// Whether the clocks agree well enough to decide what is due.
    pub(crate) fn is_fit_for_duty(&self) -> bool {
        self.clock_offset().abs() <= crate::discipline::MOST_OFFSET
    }

    pub(crate) fn disciplined_clock(&self) -> Option<Arc<DisciplinedClock>> {
        match &self.inner.clock {
            SchedulerClock::Disciplined(clock) => Some(clock.clone()),
            SchedulerClock::Given(_) => None,
        }
    }

    /// Keys of stored secrets.
    pub fn keys(&self) -> &KeyRing {
        &self.inner.keys
    }

    /// Limits of texts.
    pub fn limits(&self) -> Limits {
        self.inner.limits
    }

    /// The zone of scheduled triggers that name none.
    pub fn zone(&self) -> Tz {
        self.inner.zone
    }

    /// When this scheduler was made.
    pub fn started_at(&self) -> Timestamp {
        self.inner.started_at
    }

    /// Since when this server has been able to decide. What was due before was missed by all servers, and no lease that
    /// was granted before is taken for expired within one lease of it.
    pub fn on_duty_since(&self) -> Timestamp {
        self.inner.duty.since()
    }

    /// What keeps this server from its database, if anything does: as its loops met it last, or as it is found now.
    pub async fn database_outage(&self) -> Option<Outage> {
        if let Some(outage) = self.duty().outage() {
            return Some(outage);
        }
        let error = self.db().check_writes().await.err()?;
        (!error.is_contention()).then(|| Outage::of(&error))
    }

    pub(crate) fn duty(&self) -> &Duty {
        &self.inner.duty
    }

    /// Tells this server's waiters what changed.
    pub fn wake(&self, hints: &[Hint]) {
        self.inner.wake.wake(hints);
    }

    /// Word that elements changed, which comes too often for a stream.
    pub fn element_changes(&self) -> Arc<ElementChanges> {
        self.inner.wake.element_changes()
    }

    /// Hears what changes, for streams; nothing of elements that changed. A receiver that lags has missed something and looks
    /// anew.
    pub fn changes(&self) -> broadcast::Receiver<Hint> {
        self.inner.wake.subscribe()
    }

    /// Commits a transaction and tells everyone what it changed: other servers through the database, this one directly.
    pub async fn commit(&self, mut tx: Tx, hints: &[Hint]) -> Result<(), DbError> {
        tx.notify(hints).await?;
        tx.commit().await?;
        self.wake(hints);
        Ok(())
    }

    /// A count that grows with whatever may have ended a token, on this server or another. What is remembered of tokens holds
    /// while it stays the same.
    pub fn token_changes(&self) -> std::sync::Arc<std::sync::atomic::AtomicU64> {
        self.inner.wake.token_changes()
    }

    /// How long things are kept.
    pub(crate) fn retention(&self) -> &Retention {
        &self.inner.retention
    }

    pub(crate) fn output_pruned(&self) -> &OutputPruned {
        &self.inner.output_pruned
    }

    pub(crate) fn signals(&self) -> &Wake {
        &self.inner.wake
    }

    pub(crate) fn waiting(&self) -> &Waiting {
        &self.inner.waiting
    }

    pub(crate) fn starts(&self) -> &Starts {
        &self.inner.starts
    }

    pub(crate) fn renewals(&self) -> &Renewals {
        &self.inner.renewals
    }

    pub(crate) fn queue_names(&self) -> &QueueNames {
        &self.inner.queue_names
    }

    pub(crate) fn tenancies(&self) -> &Tenancies {
        &self.inner.tenancies
    }

    pub(crate) fn beats(&self) -> &Beats {
        &self.inner.beats
    }
}
