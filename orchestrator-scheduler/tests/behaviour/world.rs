//! A small installation: one database, one server (or two), workers that do what the test says.

use std::collections::{BTreeMap, HashMap};
use std::future::ready;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, TimeDelta};
use orchestrator_core::actor::{Actor, ActorKind};
use orchestrator_core::clock::{ManualClock, Timestamp};
use orchestrator_core::cron::CronExpr;
use orchestrator_core::id::{ElementId, InstanceId, JobId, RequestId, SessionId, TriggerId};
use orchestrator_core::job::{Job, JobStatus, Outcome};
use orchestrator_core::lease::LeaseToken;
use orchestrator_core::policy::Policies;
use orchestrator_core::queue::QueueElement;
use orchestrator_core::secret::KeyRing;
use orchestrator_core::text::{
    ActorName, Limits, ProcessArgs, ProcessName, ProcessPath, QueueName, Reason, TriggerName, WorkerName,
};
use orchestrator_core::trigger::{
    ActiveJobs, Hold, ProcessSpec, TriggerDraft, TriggerKind, TriggerStatus, shown_status,
};
use orchestrator_db::{
    AuditFilter, ClaimRequest, Db, DbOptions, Decision, Grant, JobFilter, LockedJob, NewElement, PageRequest,
    StoredTrigger,
};
use orchestrator_scheduler::{
    Claim, ClaimError, FinishError, FinishReport, FinishRequest, HeartbeatAnswer, RegisterError, Registered,
    Registration, RescueSummary, Scheduler, SchedulerClock, SchedulerOptions, StartError, Started, TickSummary,
};
use tempfile::TempDir;

/// So many seconds after the beginning of a test, which is at a whole minute.
pub(crate) fn at(second: i64) -> Timestamp {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap() + TimeDelta::seconds(second)
}

pub(crate) fn admin() -> Actor {
    Actor::new(ActorKind::User, ActorName::parse("admin").unwrap())
}

pub(crate) fn worker_name(name: &str) -> WorkerName {
    WorkerName::parse(name).unwrap()
}

pub(crate) fn queue_name(name: &str) -> QueueName {
    QueueName::parse(name).unwrap()
}

pub(crate) fn draft(name: &str, kind: TriggerKind) -> TriggerDraft {
    TriggerDraft {
        name: TriggerName::parse(name).unwrap(),
        process: ProcessSpec {
            name: ProcessName::parse("process").unwrap(),
            path: ProcessPath::parse("robot.py").unwrap(),
            args: None,
            is_git_repo: false,
            git_branch: None,
            entry_point: None,
        },
        kind,
        is_blocking: false,
        priority: 0,
        worker_whitelist: Vec::new(),
        policies: Policies::default(),
    }
}

/// Fires at a second.
pub(crate) fn single(name: &str, second: i64) -> TriggerDraft {
    draft(name, TriggerKind::Single { next_run: Some(at(second)) })
}

/// Fires at 60, 120, …
pub(crate) fn every_minute(name: &str) -> TriggerDraft {
    let cron = CronExpr::parse("* * * * *").unwrap();
    draft(name, TriggerKind::Scheduled { cron, zone: chrono_tz::UTC, next_run: None })
}

/// Fires when its queue, of the same name, has an element.
pub(crate) fn queue(name: &str) -> TriggerDraft {
    draft(name, TriggerKind::Queue { queue_name: queue_name(name), min_batch_size: 1, max_parallel: 1 })
}

pub(crate) fn with(mut draft: TriggerDraft, policies: Policies) -> TriggerDraft {
    draft.policies = policies;
    draft
}

pub(crate) fn args(text: &str) -> ProcessArgs {
    ProcessArgs::parse(text, 100).unwrap()
}

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
    _folder: Option<Arc<TempDir>>,
}

fn scheduler(db: &Db, clock: &ManualClock) -> Scheduler {
    Scheduler::new(SchedulerOptions {
        db: db.clone(),
        clock: SchedulerClock::Given(Arc::new(clock.clone())),
        keys: KeyRing::generate().unwrap(),
        limits: Limits::default(),
        zone: chrono_tz::UTC,
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
        let server = scheduler(&db, &clock);
        let (tokens, ends) = (Arc::default(), Arc::default());
        Self { db, clock, server, url, tokens, ends, _folder: folder }
    }

    /// The same installation through another server: with connections of its own where the database allows that.
    pub(crate) async fn another_server(&self) -> Self {
        let db = match self.db.dialect() {
            orchestrator_db::Dialect::Sqlite => self.db.clone(),
            orchestrator_db::Dialect::Postgres => Db::open(&DbOptions::new(&self.url)).await.unwrap(),
        };
        Self {
            server: scheduler(&db, &self.clock),
            db,
            clock: self.clock.clone(),
            url: self.url.clone(),
            tokens: self.tokens.clone(),
            ends: self.ends.clone(),
            _folder: self._folder.clone(),
        }
    }

    /// The server, started again.
    pub(crate) fn restarted(mut self) -> Self {
        self.server = scheduler(&self.db, &self.clock);
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

    pub(crate) fn ask(agent: &Agent, free_slots: u32) -> Claim {
        Claim {
            worker: agent.name.clone(),
            session: agent.session,
            free_slots,
            wait: Duration::from_secs(25),
            request: RequestId::generate(),
            repeat: false,
        }
    }

    /// Asks, lets the engine look, and takes what there is.
    pub(crate) async fn try_claim(&self, claim: Claim) -> Result<Vec<Grant>, ClaimError> {
        let mut asking = pin!(self.server.claim_jobs(claim));
        let early = tokio::select! { biased; answer = &mut asking => Some(answer), () = ready(()) => None };
        let answer = match early {
            Some(answer) => answer,
            None => {
                while self.tick().await.more {}
                tokio::select! { biased; answer = asking => answer, () = ready(()) => Ok(Vec::new()) }
            }
        };
        for grant in answer.iter().flatten() {
            self.note_token(grant);
        }
        self.check().await;
        answer
    }

    fn note_token(&self, grant: &Grant) {
        let before = self.tokens.lock().unwrap().insert(grant.job.id, grant.lease.token);
        assert!(before.is_none_or(|before| before < grant.lease.token), "I3: a token was granted twice");
    }

    pub(crate) async fn claim(&self, agent: &Agent, free_slots: u32) -> Vec<Grant> {
        self.try_claim(Self::ask(agent, free_slots)).await.unwrap()
    }

    /// Claims the one job there is.
    pub(crate) async fn claim_one(&self, agent: &Agent) -> Grant {
        self.claim(agent, 1).await.pop().expect("there is a job to claim")
    }

    pub(crate) async fn try_start(&self, agent: &Agent, grant: &Grant) -> Result<Started, StartError> {
        let hash = grant.job.id.as_uuid().into_bytes();
        let hash = [&hash[..], &grant.lease.token.value().to_le_bytes()].concat();
        let (job, token) = (grant.job.id, grant.lease.token);
        let started = self.server.start_job(&agent.name, agent.session, job, token, &hash, None).await;
        self.check().await;
        started
    }

    pub(crate) async fn start(&self, agent: &Agent, grant: &Grant) {
        self.try_start(agent, grant).await.unwrap();
    }

    /// Claims and starts.
    pub(crate) async fn run(&self, agent: &Agent) -> Grant {
        let grant = self.claim_one(agent).await;
        self.start(agent, &grant).await;
        grant
    }

    pub(crate) fn report(agent: &Agent, grant: &Grant, report: FinishReport) -> FinishRequest {
        FinishRequest {
            worker: agent.name.clone(),
            job: grant.job.id,
            token: grant.lease.token,
            report,
            exit_code: None,
            reason: None,
            ended_at: None,
        }
    }

    pub(crate) async fn try_finish(
        &self,
        agent: &Agent,
        grant: &Grant,
        outcome: Outcome,
    ) -> Result<JobStatus, FinishError> {
        let finished = self.server.finish_job(Self::report(agent, grant, FinishReport::Ended(outcome))).await;
        self.check().await;
        finished
    }

    pub(crate) async fn finish(&self, agent: &Agent, grant: &Grant, outcome: Outcome) {
        self.try_finish(agent, grant, outcome).await.unwrap();
    }

    pub(crate) async fn hand_back(&self, agent: &Agent, grant: &Grant, reason: &str) -> Result<JobStatus, FinishError> {
        let mut request = Self::report(agent, grant, FinishReport::NeverStarted);
        request.reason = Some(Reason::cut(reason));
        let handed_back = self.server.finish_job(request).await;
        self.check().await;
        handed_back
    }

    pub(crate) async fn beat(&self, agent: &Agent, held: &[&Grant]) -> HeartbeatAnswer {
        let held: Vec<_> = held.iter().map(|grant| (grant.job.id, grant.lease.token)).collect();
        let answer = self.server.heartbeat(&agent.name, agent.session, &held, false).await.unwrap();
        self.check().await;
        answer
    }

    /// Runs the trigger's next job to its end.
    pub(crate) async fn run_to(&self, agent: &Agent, outcome: Outcome) -> JobId {
        let grant = self.run(agent).await;
        self.finish(agent, &grant, outcome).await;
        grant.job.id
    }

    pub(crate) async fn stored(&self, id: TriggerId) -> StoredTrigger {
        self.db.begin_read().await.unwrap().trigger_get(id).await.unwrap()
    }

    pub(crate) async fn hold(&self, id: TriggerId) -> Hold {
        self.stored(id).await.trigger.hold
    }

    pub(crate) async fn shown(&self, id: TriggerId) -> TriggerStatus {
        self.stored(id).await.trigger.status
    }

    pub(crate) async fn job(&self, id: JobId) -> Job {
        self.db.begin_read().await.unwrap().job_get(id).await.unwrap()
    }

    pub(crate) async fn locked(&self, id: JobId) -> LockedJob {
        let mut tx = self.db.begin_write().await.unwrap();
        tx.job_lock(&[id]).await.unwrap().remove(0)
    }

    pub(crate) async fn status(&self, id: JobId) -> JobStatus {
        self.job(id).await.state.status()
    }

    async fn all_jobs(&self) -> Vec<Job> {
        let mut tx = self.db.begin_read().await.unwrap();
        let (jobs, _) = tx.job_list(&JobFilter::default(), &PageRequest::first(1000)).await.unwrap();
        jobs.rows
    }

    /// The jobs of a trigger by instant and attempt.
    pub(crate) async fn jobs(&self, id: TriggerId) -> Vec<Job> {
        let mut jobs: Vec<Job> = self.all_jobs().await.into_iter().filter(|job| job.trigger_id == id).collect();
        jobs.sort_by_key(|job| (job.scheduled_at, job.attempt));
        jobs
    }

    /// Status and second of each job of a trigger.
    pub(crate) async fn history(&self, id: TriggerId) -> Vec<(JobStatus, i64)> {
        let jobs = self.jobs(id).await;
        jobs.iter().map(|job| (job.state.status(), (job.scheduled_at - at(0)).num_seconds())).collect()
    }

    /// Decisions not to run, the oldest first.
    pub(crate) async fn decisions(&self, id: TriggerId) -> Vec<Decision> {
        let mut tx = self.db.begin_read().await.unwrap();
        let (mut decisions, _) = tx.decision_list(Some(id), &PageRequest::first(100)).await.unwrap();
        decisions.reverse();
        decisions
    }

    /// What the audit trail says, the oldest first.
    pub(crate) async fn audit(&self) -> Vec<orchestrator_db::AuditEntry> {
        let mut tx = self.db.begin_read().await.unwrap();
        let (mut entries, _) = tx.audit_list(&AuditFilter::default(), &PageRequest::first(100)).await.unwrap();
        entries.rows.reverse();
        entries.rows
    }

    pub(crate) async fn add_elements(&self, queue: &str, count: usize) -> Vec<ElementId> {
        let elements: Vec<NewElement> = (0..count)
            .map(|_| NewElement {
                id: ElementId::generate(),
                queue_name: queue_name(queue),
                reference: None,
                data: None,
                created_by: None,
            })
            .collect();
        let mut tx = self.db.begin_write().await.unwrap();
        tx.element_insert(&elements, false, self.server.now()).await.unwrap();
        tx.commit().await.unwrap();
        elements.iter().map(|element| element.id).collect()
    }

    /// An element that the job's robot takes.
    pub(crate) async fn take_element(&self, queue: &str, job: JobId) -> Option<QueueElement> {
        let mut tx = self.db.begin_write().await.unwrap();
        let request = ClaimRequest { job: Some(job), ..ClaimRequest::new(queue_name(queue), RequestId::generate()) };
        let taken = tx.element_claim(&[request], self.server.now()).await.unwrap().remove(0).unwrap().pop();
        tx.commit().await.unwrap();
        taken
    }

    pub(crate) async fn element(&self, id: ElementId) -> QueueElement {
        self.db.begin_read().await.unwrap().element_get(id).await.unwrap()
    }

    /// What must be true at any time.
    pub(crate) async fn check(&self) {
        let jobs = self.all_jobs().await;
        let mut keys = std::collections::HashSet::new();
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
