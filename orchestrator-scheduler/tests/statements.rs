//! What the main job costs, in statements: each is a round trip on PostgreSQL. The numbers here are limits; whoever has to
//! raise one says why.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends")]

use std::collections::{BTreeMap, BTreeSet};
use std::future::ready;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::DateTime;
use orchestrator_core::actor::{Actor, ActorKind};
use orchestrator_core::clock::{ManualClock, Timestamp};
use orchestrator_core::id::{ElementId, InstanceId, RequestId, SessionId, TriggerId};
use orchestrator_core::job::{JobStatus, Outcome};
use orchestrator_core::policy::Policies;
use orchestrator_core::secret::KeyRing;
use orchestrator_core::text::{ActorName, Limits, ProcessName, ProcessPath, QueueName, TriggerName, WorkerName};
use orchestrator_core::trigger::{ProcessSpec, TriggerDraft, TriggerKind};
use orchestrator_db::{Db, DbError, DbOptions, Grant, NewElement};
use orchestrator_scheduler::{
    Claim, Condition, FinishReport, FinishRequest, Registration, Scheduler, SchedulerClock, SchedulerOptions,
    TickSummary,
};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// Due, with a worker that waits: until the commit that makes the job and gives it to the worker.
const DUE: usize = 9;
/// An element in a queue that a trigger watches, with a worker that waits: until the commit that makes the job and gives it
/// to the worker.
const ELEMENT: usize = 8;
/// Elements in a queue that no trigger watches, once.
const UNWATCHED: usize = 3;
/// The worker's word that it is about to spawn.
const START: usize = 1;
/// The end of a job that did well.
const FINISH: usize = 7;
/// A tick in which there is nothing to do.
const IDLE_TICK: usize = 5;
/// A job for the worker that asks, behind three pages of what others must run; after the last one, those of a lower rank are
/// asked for.
const BEHIND: usize = 11;

/// Jobs that wait for another worker: looked through in pages of 64, 128 and 256. Pages that did not grow would be seven.
const BACKLOG: usize = 400;

/// Gathers the statements that the driver runs, whichever thread it runs them on.
#[derive(Debug, Clone, Default)]
struct Statements(Arc<Mutex<Vec<String>>>);

impl Statements {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }

    /// How many statements were run since the last look; `most` are allowed.
    fn expect(&self, what: &str, most: usize) {
        let ran = self.take();
        assert!(!ran.is_empty(), "{what}: nothing was counted");
        assert!(ran.len() <= most, "{what}: {} statements, {most} allowed:\n{}", ran.len(), ran.join("\n"));
    }
}

impl Subscriber for Statements {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "sqlx::query"
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut summary = Summary::default();
        event.record(&mut summary);
        // The driver tells of the beginning and the end of a transaction on one of the databases only.
        if !["BEGIN", "BEGIN IMMEDIATE", "COMMIT", "ROLLBACK"].contains(&summary.0.as_str()) {
            self.0.lock().unwrap().push(summary.0);
        }
    }
}

#[derive(Default)]
struct Summary(String);

impl Visit for Summary {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "summary" {
            value.clone_into(&mut self.0);
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}
}

fn at(second: i64) -> Timestamp {
    DateTime::from_timestamp(1_800_000_000 + second, 0).unwrap()
}

struct World {
    clock: ManualClock,
    server: Scheduler,
    worker: WorkerName,
    session: SessionId,
}

impl World {
    async fn on(url: &str) -> Self {
        let db = Db::open(&DbOptions::new(url)).await.unwrap();
        let clock = ManualClock::at(at(0));
        let server = Scheduler::new(SchedulerOptions {
            db,
            clock: SchedulerClock::Given(Arc::new(clock.clone())),
            keys: KeyRing::generate().unwrap(),
            limits: Limits::default(),
            zone: chrono_tz::UTC,
            lanes: orchestrator_db::LaneOptions::default(),
            retention: orchestrator_scheduler::Retention::default(),
        });
        let worker = WorkerName::parse("w").unwrap();
        let registration = Registration {
            worker: worker.clone(),
            instance: InstanceId::generate(),
            slots: 200,
            exclusive: false,
            version: "1".to_owned(),
            labels: BTreeMap::new(),
            held: Vec::new(),
        };
        let session = server.register(registration).await.unwrap().session;
        Self { clock, server, worker, session }
    }

    async fn create(&self, number: usize, second: i64) {
        self.create_for(Vec::new(), number, second).await;
    }

    /// A trigger whose job only these workers take.
    async fn create_for(&self, worker_whitelist: Vec<WorkerName>, number: usize, second: i64) {
        let kind = TriggerKind::Single { next_run: Some(at(second)) };
        self.create_kind(kind, worker_whitelist, &format!("t{number} at {second}")).await;
    }

    async fn create_kind(&self, kind: TriggerKind, worker_whitelist: Vec<WorkerName>, name: &str) {
        let draft = TriggerDraft {
            name: TriggerName::parse(name).unwrap(),
            process: ProcessSpec {
                name: ProcessName::parse("process").unwrap(),
                path: ProcessPath::parse("/robots/robot.py").unwrap(),
                args: None,
                is_git_repo: false,
                git_branch: None,
                entry_point: None,
            },
            kind,
            is_blocking: false,
            priority: 0,
            worker_whitelist,
            policies: Policies::default(),
        };
        let actor = Actor::new(ActorKind::User, ActorName::parse("admin").unwrap());
        self.server.create_trigger(&actor, TriggerId::generate(), draft, false).await.unwrap();
    }

    /// What a worker that waits with so many slots gets at an instant; the statements of that are counted.
    async fn claim_at(&self, second: i64, free_slots: u32, statements: &Statements, most: usize) -> Vec<Grant> {
        let due = self.server.tick_due(at(second), at(second));
        self.claim_of(due, second, free_slots, statements, ("due", most)).await
    }

    async fn claim_of(
        &self,
        tick: impl Future<Output = Result<TickSummary, DbError>>,
        second: i64,
        free_slots: u32,
        statements: &Statements,
        (what, most): (&str, usize),
    ) -> Vec<Grant> {
        let claim = Claim {
            worker: self.worker.clone(),
            session: self.session,
            free_slots,
            wait: Duration::from_secs(25),
            request: RequestId::generate(),
            repeat: false,
        };
        let mut asking = pin!(self.server.claim_jobs(claim));
        tokio::select! { biased; _ = &mut asking => panic!("nothing is due"), () = ready(()) => {} }
        statements.take();
        self.clock.set(at(second));
        tick.await.unwrap();
        statements.expect(what, most);
        asking.await.unwrap()
    }

    async fn add_element(&self, queue: &QueueName) {
        let id = ElementId::generate();
        let new = NewElement { id, queue_name: queue.clone(), reference: None, data: None, created_by: None };
        let mut tx = self.server.db().begin_write().await.unwrap();
        tx.element_insert(&[new], false, self.server.now()).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// From an element to its job.
    async fn element(&self, statements: &Statements) {
        let [watched, unwatched] = ["watched", "unwatched"].map(|name| QueueName::parse(name).unwrap());
        let kind = TriggerKind::Queue { queue_name: watched.clone(), min_batch_size: 1, max_parallel: 1 };
        self.create_kind(kind, Vec::new(), "of a queue").await;
        for queue in [&watched, &unwatched] {
            self.add_element(queue).await;
        }
        statements.take();
        self.server.tick_queues(at(25), BTreeSet::from([unwatched])).await.unwrap();
        statements.expect("an element that nobody waits for", UNWATCHED);
        let tick = self.server.tick_queues(at(25), BTreeSet::from([watched]));
        assert_eq!(self.claim_of(tick, 25, 1, statements, ("an element", ELEMENT)).await.len(), 1);
    }

    async fn start(&self, grant: &Grant) {
        let hash = [0; 16].into_iter().chain(grant.job.id.as_uuid().into_bytes()).collect::<Vec<u8>>();
        let (job, token) = (grant.job.id, grant.lease.token);
        self.server.start_job(&self.worker, self.session, job, token, &hash, None).await.unwrap();
    }

    async fn finish(&self, grant: &Grant) {
        let request = FinishRequest {
            worker: self.worker.clone(),
            job: grant.job.id,
            token: grant.lease.token,
            report: FinishReport::Ended(Outcome::Done),
            exit_code: Some(0),
            reason: None,
            ended_at: None,
        };
        assert_eq!(self.server.finish_job(request).await.unwrap(), JobStatus::Done);
    }

    async fn main_job(&self, statements: &Statements) {
        self.create(0, 10).await;
        let one = self.claim_at(10, 100, statements, DUE).await.pop().unwrap();
        self.start(&one).await;
        statements.expect("start", START);
        self.finish(&one).await;
        statements.expect("finish", FINISH);
        // A hundred cost what one costs.
        for number in 0..100 {
            self.create(number, 20).await;
        }
        let all = self.claim_at(20, 100, statements, DUE).await;
        assert_eq!(all.len(), 100);
        statements.take();
        // Starts that come together share transactions: the first goes alone, the others are on their way by then.
        let mut starts = tokio::task::JoinSet::new();
        for grant in all {
            let (server, worker, session) = (self.server.clone(), self.worker.clone(), self.session);
            starts.spawn(async move {
                let hash = [0; 16].into_iter().chain(grant.job.id.as_uuid().into_bytes()).collect::<Vec<u8>>();
                let (job, token) = (grant.job.id, grant.lease.token);
                server.start_job(&worker, session, job, token, &hash, None).await.unwrap();
            });
        }
        starts.join_all().await;
        statements.expect("a hundred starts", 2 * START);
    }

    /// What others must run is looked through in pages that grow.
    async fn backlog(&self, statements: &Statements) {
        let other = WorkerName::parse("other").unwrap();
        for number in 0..BACKLOG {
            self.create_for(vec![other.clone()], number, 30).await;
        }
        self.create(0, 31).await;
        self.clock.set(at(31));
        while self.server.tick_due(at(31), at(31)).await.unwrap().more {}
        let one = self.claim_at(40, 1, statements, BEHIND).await;
        assert_eq!(one.len(), 1);
    }

    async fn idleness(&self, statements: &Statements) {
        statements.take();
        for _ in 0..100 {
            self.server.heartbeat(&self.worker, self.session, &[], Condition::default()).await.unwrap();
        }
        assert_eq!(statements.take(), [""; 0], "a heartbeat of a worker that holds nothing");
        self.server.tick(self.server.now()).await.unwrap();
        statements.expect("a tick without work", IDLE_TICK);
    }
}

/// One test for both databases: what is counted is counted for the whole process.
#[tokio::test]
async fn the_main_job_costs_a_few_statements() {
    let statements = Statements::default();
    tracing::subscriber::set_global_default(statements.clone()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let sqlite = format!("sqlite:{}", folder.path().join("orchestrator.db").display());
    for url in [sqlite, orchestrator_test_postgres::database_url()] {
        let world = World::on(&url).await;
        world.main_job(&statements).await;
        world.idleness(&statements).await;
        world.element(&statements).await;
        world.backlog(&statements).await;
    }
}
