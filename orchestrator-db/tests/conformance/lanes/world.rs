//! Lanes whose transactions a test holds up, so that calls gather behind them.

use std::sync::{Arc, Condvar, Mutex};

use orchestrator_core::actor::{Actor, ActorKind};
use orchestrator_core::clock::{Clock, Timestamp};
use orchestrator_core::id::ElementId;
use orchestrator_core::log::{LogLevel, LogLine};
use orchestrator_core::queue::{ElementStatus, QueueElement};
use orchestrator_core::text::{ActorName, LogMessage, ProcessName};
use orchestrator_db::{
    AuditFilter, ClaimRequest, CreateCall, Db, ElementAnswer, ElementCall, Hint, LaneError, LaneOptions, Lanes,
    NewElement, PageRequest, StatusBy, StatusChange,
};
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;

use crate::harness::TestDb;
use crate::queue::world::{element, request, t0};

/// A clock that can be closed: whoever asks it then waits. Lanes ask it once a transaction, after they began it.
#[derive(Debug, Default)]
pub(super) struct Gate {
    is_closed: Mutex<bool>,
    opened: Condvar,
}

impl Gate {
    pub(super) fn close(&self) {
        *self.is_closed.lock().unwrap() = true;
    }

    pub(super) fn open(&self) {
        *self.is_closed.lock().unwrap() = false;
        self.opened.notify_all();
    }
}

impl Clock for Gate {
    fn now(&self) -> Timestamp {
        let is_closed = self.is_closed.lock().unwrap();
        drop(self.opened.wait_while(is_closed, |is_closed| *is_closed).unwrap());
        t0()
    }
}

/// Lanes on a database, and what they told about their commits.
pub(super) struct World {
    pub(super) db: TestDb,
    pub(super) lanes: Arc<Lanes>,
    pub(super) gate: Arc<Gate>,
    pub(super) callers: TaskTracker,
    told: Arc<Mutex<Vec<Vec<Hint>>>>,
}

pub(super) fn world(db: TestDb) -> World {
    world_with(db, LaneOptions::default())
}

pub(super) fn world_with(db: TestDb, options: LaneOptions) -> World {
    let over = db.clone();
    world_over(db, &over, options)
}

/// The same, with lanes that go to the database another way.
pub(super) fn world_over(db: TestDb, over: &Db, options: LaneOptions) -> World {
    let told: Arc<Mutex<Vec<Vec<Hint>>>> = Arc::default();
    let teller = told.clone();
    let committed = Arc::new(move |hints: &[Hint]| teller.lock().unwrap().push(hints.to_vec()));
    let gate = Arc::new(Gate::default());
    let lanes = Lanes::new(over, gate.clone(), committed, options);
    World { db, lanes: Arc::new(lanes), gate, callers: TaskTracker::new(), told }
}

impl World {
    /// How many transactions the lanes have committed.
    pub(super) fn commits(&self) -> usize {
        self.told.lock().unwrap().len()
    }

    /// What was told about the last commit.
    pub(super) fn told_last(&self) -> Vec<Hint> {
        self.told.lock().unwrap().last().unwrap().clone()
    }

    /// Makes a call that goes on when the test does not wait for it.
    pub(super) fn begin(&self, call: ElementCall) -> JoinHandle<Result<ElementAnswer, LaneError>> {
        let lanes = self.lanes.clone();
        self.callers.spawn(async move { lanes.elements(call).await })
    }

    pub(super) fn begin_create(&self, call: CreateCall) -> JoinHandle<Result<bool, LaneError>> {
        let lanes = self.lanes.clone();
        self.callers.spawn(async move { Ok(lanes.create(call).await?.is_ok()) })
    }

    pub(super) async fn stored(&self, count: usize) -> Vec<ElementId> {
        let elements: Vec<NewElement> = (0..count).map(|_| element()).collect();
        crate::queue::world::insert(&self.db, &elements, t0()).await
    }

    /// Closes the gate and lets a call come up to it: what is called from then on waits for the next transaction.
    pub(super) async fn hold_up<T>(&self, begin: impl FnOnce(&Self) -> T) -> T {
        while self.lanes.is_busy() {
            tokio::task::yield_now().await;
        }
        self.gate.close();
        let held = begin(self);
        self.until_taken().await;
        held
    }

    /// Waits until a transaction has taken all that waited.
    pub(super) async fn until_taken(&self) {
        self.until(|waiting| waiting == 0 && self.lanes.is_busy()).await;
    }

    /// Waits until so many calls wait.
    pub(super) async fn until_waiting(&self, count: usize) {
        self.until(|waiting| waiting == count).await;
    }

    async fn until(&self, is_so: impl Fn(usize) -> bool) {
        while !is_so(self.lanes.waiting()) {
            tokio::task::yield_now().await;
        }
    }

    pub(super) async fn audited(&self, action: &str) -> Vec<(String, serde_json::Value)> {
        let filter = AuditFilter { action: Some(action.to_owned()), ..AuditFilter::default() };
        let mut tx = self.db.begin_read().await.unwrap();
        let (rows, _) = tx.audit_list(&filter, &PageRequest::first(100)).await.unwrap();
        rows.rows.into_iter().map(|row| (row.subject, row.after.unwrap())).collect()
    }
}

/// A claim of one element of the tests' queue.
pub(super) fn claim() -> ElementCall {
    claim_of(request())
}

pub(super) fn claim_of(request: ClaimRequest) -> ElementCall {
    ElementCall { changes: Vec::new(), claim: Some(request), actor: None, with_data: false }
}

pub(super) fn done(id: ElementId) -> StatusChange {
    StatusChange { id, status: ElementStatus::Done, message: None, by: StatusBy::Operator, token: None }
}

pub(super) fn create(element: NewElement) -> CreateCall {
    CreateCall { elements: vec![element], repeat: false, actor: None }
}

pub(super) fn user(name: &str) -> Actor {
    Actor::new(ActorKind::User, ActorName::from_stored(name.to_owned()))
}

pub(super) fn taken(answer: Result<ElementAnswer, LaneError>) -> Vec<QueueElement> {
    answer.unwrap().claimed.unwrap().elements
}

pub(super) fn line(text: &str, at: Timestamp) -> LogLine {
    LogLine {
        id: orchestrator_core::id::LogId::generate(),
        log_time: at,
        level: LogLevel::Info,
        process_name: ProcessName::parse("p").unwrap(),
        message: LogMessage::cut(text),
        job_id: None,
    }
}

pub(super) fn status(change: StatusChange) -> ElementCall {
    ElementCall { changes: vec![change], claim: None, actor: None, with_data: true }
}

/// Makes the database refuse to create, or to claim, an element whose reference is `poison`.
pub(super) async fn poison(db: &TestDb) {
    match db.dialect() {
        orchestrator_db::Dialect::Sqlite => {
            db.execute(
                "CREATE TRIGGER poison_claim BEFORE UPDATE ON queues WHEN OLD.reference = 'poison'
                 BEGIN SELECT RAISE(ABORT, 'poison'); END",
            )
            .await;
            db.execute(
                "CREATE TRIGGER poison_create BEFORE INSERT ON queues WHEN NEW.data = 'poison'
                 BEGIN SELECT RAISE(ABORT, 'poison'); END",
            )
            .await;
        }
        orchestrator_db::Dialect::Postgres => {
            db.execute("ALTER TABLE queues ADD CONSTRAINT poison_claim CHECK (reference <> 'poison' OR ready)").await;
            db.execute("ALTER TABLE queues ADD CONSTRAINT poison_create CHECK (data <> 'poison')").await;
        }
    }
}
