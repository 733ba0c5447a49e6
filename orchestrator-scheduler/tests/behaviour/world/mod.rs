//! A small installation: one database, one server (or two), workers that do what the test says.

mod agent;
mod read;
mod values;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex};

use orchestrator_core::clock::ManualClock;
use orchestrator_core::id::{InstanceId, JobId, RequestId, SessionId, TriggerId};
use orchestrator_core::job::{Job, JobStatus};
use orchestrator_core::lease::LeaseToken;
use orchestrator_core::secret::KeyRing;
use orchestrator_core::text::{Limits, WorkerName};
use orchestrator_core::trigger::{ActiveJobs, TriggerDraft, shown_status};
use orchestrator_db::{Db, DbOptions, Grant};
use orchestrator_scheduler::{
    RegisterError, Registered, Registration, RescueSummary, Scheduler, SchedulerClock, SchedulerOptions, TickSummary,
};
use tempfile::TempDir;

pub(crate) use values::{admin, args, at, draft, every_minute, queue, queue_name, single, with, worker_name};

/// A worker agent, as far as the server sees it.
#[derive(Debug, Clone)]
pub(crate) struct Agent {
    pub(crate) name: WorkerName,
    pub(crate) instance: InstanceId,
    pub(crate) session: SessionId,
}

/// An installation.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) db: Db,
    pub(crate) clock: ManualClock,
    pub(crate) server: Scheduler,
    url: String,
    /// The highest token that was ever granted of each job.
    tokens: Arc<Mutex<HashMap<JobId, LeaseToken>>>,
    ends: Arc<Mutex<HashMap<JobId, JobStatus>>>,
    folder: Option<Arc<TempDir>>,
}

fn given(clock: &ManualClock) -> SchedulerClock {
    SchedulerClock::Given(Arc::new(clock.clone()))
}

pub(crate) fn scheduler(db: &Db, clock: SchedulerClock) -> Scheduler {
    Scheduler::new(SchedulerOptions {
        db: db.clone(),
        clock,
        keys: KeyRing::generate().unwrap(),
        limits: Limits::default(),
        zone: chrono_tz::UTC,
        lanes: orchestrator_db::LaneOptions::default(),
        retention: orchestrator_scheduler::Retention::default(),
    })
}

fn registration(name: &str, instance: InstanceId, slots: u32, held: Vec<(JobId, LeaseToken)>) -> Registration {
    Registration {
        worker: worker_name(name),
        instance,
        slots,
        exclusive: false,
        version: "1".to_owned(),
        labels: BTreeMap::new(),
        held,
    }
}

impl World {
    pub(crate) async fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("orchestrator.db").display());
        Self::open(url, Some(Arc::new(folder))).await
    }

    pub(crate) async fn postgres() -> Self {
        let url = orchestrator_test_postgres::database_url_from("orchestrator_scheduler", async |url| {
            Db::open(&DbOptions::new(url)).await.unwrap().close().await;
        })
        .await;
        Self::open(url, None).await
    }

    async fn open(url: String, folder: Option<Arc<TempDir>>) -> Self {
        let db = Db::open(&DbOptions::new(&url)).await.unwrap();
        let clock = ManualClock::at(at(0));
        let server = scheduler(&db, given(&clock));
        let (tokens, ends) = (Arc::default(), Arc::default());
        Self { db, clock, server, url, tokens, ends, folder }
    }

    /// The same installation through another server: with connections of its own where the database allows that.
    pub(crate) async fn another_server(&self) -> Self {
        let db = match self.db.dialect() {
            orchestrator_db::Dialect::Sqlite => self.db.clone(),
            orchestrator_db::Dialect::Postgres => Db::open(&DbOptions::new(&self.url)).await.unwrap(),
        };
        Self {
            server: scheduler(&db, given(&self.clock)),
            db,
            clock: self.clock.clone(),
            url: self.url.clone(),
            tokens: self.tokens.clone(),
            ends: self.ends.clone(),
            folder: self.folder.clone(),
        }
    }

    /// The server, started again.
    pub(crate) fn restarted(mut self) -> Self {
        self.server = scheduler(&self.db, given(&self.clock));
        self
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Turns the clock to a second of the test.
    pub(crate) fn turn_to(&self, second: i64) {
        self.clock.set(at(second));
    }

    pub(crate) async fn tick(&self) -> TickSummary {
        let summary = self.server.tick(self.server.now()).await.unwrap();
        self.check().await;
        summary
    }

    pub(crate) async fn tick_at(&self, second: i64) -> TickSummary {
        self.turn_to(second);
        self.tick().await
    }

    pub(crate) async fn rescue_at(&self, second: i64) -> RescueSummary {
        self.turn_to(second);
        let summary = self.server.rescue(self.server.now()).await.unwrap();
        self.check().await;
        summary
    }

    /// The worker is heard of and holds on to nothing; then the server looks for what was lost.
    pub(crate) async fn forget_at(&self, second: i64, agent: &Agent) -> RescueSummary {
        self.turn_to(second);
        self.beat(agent, &[]).await;
        self.rescue_at(second).await
    }

    pub(crate) async fn create(&self, draft: TriggerDraft) -> TriggerId {
        let id = TriggerId::generate();
        self.server.create_trigger(&admin(), id, draft, false).await.unwrap();
        self.check().await;
        id
    }

    pub(crate) async fn disable(&self, id: TriggerId) -> usize {
        let disabled = self.server.disable_trigger(&admin(), id).await.unwrap();
        self.check().await;
        disabled.cancelled
    }

    pub(crate) async fn enable(&self, id: TriggerId, next_run: Option<i64>) {
        self.server.enable_trigger(&admin(), id, next_run.map(at)).await.unwrap();
        self.check().await;
    }

    pub(crate) async fn kill(&self, id: TriggerId) -> (usize, usize) {
        let killed = self.server.kill_trigger(&admin(), id).await.unwrap();
        self.check().await;
        (killed.killed, killed.cancelled)
    }

    pub(crate) async fn delete(&self, id: TriggerId) {
        self.server.delete_trigger(&admin(), id).await.unwrap();
        self.check().await;
    }

    pub(crate) async fn edit(&self, id: TriggerId, draft: TriggerDraft) {
        self.server.update_trigger(&admin(), id, draft, None).await.unwrap();
        self.check().await;
    }

    pub(crate) async fn run_now(&self, id: TriggerId) -> JobId {
        let job = self.server.run_now(&admin(), id, None, RequestId::generate(), false).await.unwrap();
        self.check().await;
        job.id
    }

    pub(crate) async fn kill_job(&self, id: JobId) {
        self.server.kill_job(&admin(), id).await.unwrap();
        self.check().await;
    }

    pub(crate) async fn dismiss(&self, id: JobId) {
        self.server.dismiss_job(&admin(), id).await.unwrap();
        self.check().await;
    }

    pub(crate) async fn register(
        &self,
        name: &str,
        instance: InstanceId,
        held: Vec<(JobId, LeaseToken)>,
    ) -> Result<Registered, RegisterError> {
        self.register_with(name, instance, 4, held).await
    }

    pub(crate) async fn register_with(
        &self,
        name: &str,
        instance: InstanceId,
        slots: u32,
        held: Vec<(JobId, LeaseToken)>,
    ) -> Result<Registered, RegisterError> {
        let registered = self.server.register(registration(name, instance, slots, held)).await;
        self.check().await;
        registered
    }

    /// For when other things happen at the same time.
    pub(crate) async fn register_unchecked(
        &self,
        name: &str,
        instance: InstanceId,
        held: &[Grant],
    ) -> Result<Registered, RegisterError> {
        let held = held.iter().map(|grant| (grant.job.id, grant.lease.token)).collect();
        self.server.register(registration(name, instance, 100, held)).await
    }

    /// A worker with four slots.
    pub(crate) async fn worker(&self, name: &str) -> Agent {
        self.agent(name, 4, false).await
    }

    pub(crate) async fn agent(&self, name: &str, slots: u32, exclusive: bool) -> Agent {
        let instance = InstanceId::generate();
        let registration = Registration { exclusive, ..registration(name, instance, slots, Vec::new()) };
        let registered = self.server.register(registration).await.unwrap();
        Agent { name: worker_name(name), instance, session: registered.session }
    }

    /// What must be true at any time.
    pub(crate) async fn check(&self) {
        let jobs = self.all_jobs().await;
        let mut keys = HashSet::new();
        let mut by_trigger: HashMap<TriggerId, ActiveJobs> = HashMap::new();
        let mut by_worker: HashMap<&WorkerName, Vec<&Job>> = HashMap::new();
        for job in &jobs {
            assert!(keys.insert((job.trigger_id, job.scheduled_at, job.attempt)), "I6: two jobs of one instant");
            let status = job.state.status();
            let active = by_trigger.entry(job.trigger_id).or_default();
            if status.is_active() {
                active.queued += u32::from(status == JobStatus::Queued);
                active.started += u32::from(status != JobStatus::Queued);
                active.kill_requested += u32::from(job.kill_requested);
                assert!(!self.ends.lock().unwrap().contains_key(&job.id), "I1: an ended job lives again");
            } else {
                let before = self.ends.lock().unwrap().insert(job.id, status);
                assert!(before.is_none_or(|before| before == status), "I5: {before:?} became {status}");
            }
            if matches!(status, JobStatus::Assigned | JobStatus::Running) {
                by_worker.entry(job.worker_name.as_ref().expect("I2: a holder")).or_default().push(job);
            }
        }
        for (worker, held) in by_worker {
            let blocking = held.iter().any(|job| job.snapshot.is_blocking);
            assert!(!blocking || held.len() == 1, "I7: something runs beside a blocking job on {worker}");
        }
        for (id, active) in by_trigger {
            let trigger = self.stored(id).await.trigger;
            assert_eq!(trigger.status, shown_status(trigger.hold, active), "process_status of {}", trigger.name);
        }
    }
}
