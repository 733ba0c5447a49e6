//! Triggers, jobs and workers in one line each.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta};
use orchestrator_core::clock::Timestamp;
use orchestrator_core::cron::{CronExpr, parse_zone};
use orchestrator_core::id::{InstanceId, JobId, RequestId, SessionId, TriggerId};
use orchestrator_core::job::JobSnapshot;
use orchestrator_core::lease::LeaseToken;
use orchestrator_core::policy::Policies;
use orchestrator_core::text::{ProcessArgs, ProcessName, ProcessPath, QueueName, Reason, TriggerName, WorkerName};
use orchestrator_core::trigger::{ProcessSpec, TriggerDraft, TriggerKind};
use orchestrator_db::{Assign, Db, Grant, JobStart, LockedJob, NewJob, NewSession, StartedJob, TriggerProgress};
use uuid::Uuid;

/// Runs one storage call in a write transaction of its own.
macro_rules! write {
    ($db:expr, |$tx:ident| $call:expr) => {{
        let mut $tx = $db.begin_write().await.unwrap();
        let answer = $call.await.unwrap();
        $tx.commit().await.unwrap();
        answer
    }};
}
pub(crate) use write;

/// Runs one storage call in a read transaction of its own.
macro_rules! read {
    ($db:expr, |$tx:ident| $call:expr) => {{
        let mut $tx = $db.begin_read().await.unwrap();
        $call.await
    }};
}
pub(crate) use read;

/// So many seconds after the beginning of a test.
pub(crate) fn at(seconds: i64) -> Timestamp {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap() + TimeDelta::seconds(seconds)
}

pub(crate) fn reason(text: &str) -> Reason {
    Reason::cut(text)
}

pub(crate) fn name(text: &str) -> TriggerName {
    TriggerName::parse(text).unwrap()
}

pub(crate) fn worker_name(text: &str) -> WorkerName {
    WorkerName::parse(text).unwrap()
}

pub(crate) fn queue_name(text: &str) -> QueueName {
    QueueName::parse(text).unwrap()
}

pub(crate) fn draft(trigger: &str, kind: TriggerKind) -> TriggerDraft {
    TriggerDraft {
        name: name(trigger),
        process: ProcessSpec {
            name: ProcessName::parse(&format!("{trigger} process")).unwrap(),
            path: ProcessPath::parse("/robots/main.py").unwrap(),
            args: Some(ProcessArgs::parse("{\"æ\": 1}", 100).unwrap()),
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

pub(crate) fn scheduled(next_run: Timestamp) -> TriggerKind {
    TriggerKind::Scheduled {
        cron: CronExpr::parse("*/5 * * * *").unwrap(),
        zone: parse_zone("Europe/Copenhagen").unwrap(),
        next_run: Some(next_run),
    }
}

pub(crate) fn watching(queue: &str, min_batch_size: u32) -> TriggerKind {
    TriggerKind::Queue { queue_name: queue_name(queue), min_batch_size, max_parallel: 1 }
}

/// Stores a trigger that is due when its kind says so.
pub(crate) async fn store(db: &Db, draft: &TriggerDraft) -> TriggerId {
    let id = TriggerId::generate();
    write!(db, |tx| tx.trigger_insert(id, draft, draft.kind.next_run(), at(0)));
    id
}

/// A scheduled trigger that is not due soon.
pub(crate) async fn trigger(db: &Db, name: &str) -> TriggerId {
    store(db, &draft(name, scheduled(at(100_000)))).await
}

pub(crate) async fn snapshot(db: &Db, trigger: TriggerId) -> JobSnapshot {
    JobSnapshot::of(&read!(db, |tx| tx.trigger_get(trigger)).unwrap().trigger)
}

pub(crate) async fn new_job(db: &Db, trigger: TriggerId, scheduled_at: Timestamp) -> NewJob {
    NewJob {
        id: JobId::generate(),
        trigger_id: trigger,
        scheduled_at,
        attempt: 1,
        not_before: None,
        origin_request: None,
        snapshot: snapshot(db, trigger).await,
    }
}

pub(crate) async fn queue_job(db: &Db, job: NewJob) -> JobId {
    let inserted = write!(db, |tx| tx.job_insert(std::slice::from_ref(&job), at(0)));
    assert_eq!(inserted, [job.id]);
    job.id
}

/// A job of one of a trigger's instants, which are all in the past.
pub(crate) async fn queued(db: &Db, trigger: TriggerId, place: i64) -> JobId {
    queue_job(db, new_job(db, trigger, at(place - 1000)).await).await
}

pub(crate) fn session(name: &str, slots: u32) -> NewSession {
    NewSession {
        name: worker_name(name),
        session: SessionId::generate(),
        instance: InstanceId::generate(),
        slots,
        exclusive: false,
        version: "1.2.3".to_owned(),
        labels: BTreeMap::from([("site".to_owned(), "Århus".to_owned())]),
    }
}

/// A registered worker.
pub(crate) async fn worker(db: &Db, name: &str, slots: u32) -> SessionId {
    let new = session(name, slots);
    write!(db, |tx| tx.worker_upsert(&new, at(0)));
    new.session
}

/// The session under which a worker is given jobs.
pub(crate) fn session_of(worker: &str) -> SessionId {
    SessionId::from_uuid(
        worker.bytes().fold(Uuid::nil(), |id, byte| Uuid::from_u128(id.as_u128() << 8 | u128::from(byte))),
    )
}

/// Gives a queued job to a worker, with a lease until 15 s after `seconds`.
pub(crate) async fn assign(db: &Db, job: JobId, worker: &str, seconds: i64) -> Grant {
    let request = RequestId::generate();
    let row = Assign { job, worker: worker_name(worker), session: session_of(worker), request };
    let mut grants = write!(db, |tx| tx.job_assign(&[row], at(seconds), at(seconds + 15)));
    assert_eq!(grants.len(), 1, "the job is queued");
    grants.remove(0)
}

/// Gives a queued job to a worker and starts it.
pub(crate) async fn run(db: &Db, job: JobId, worker: &str, seconds: i64) -> Grant {
    let grant = assign(db, job, worker, seconds).await;
    let call = start_call(job, worker, grant.lease.token);
    assert!(start(db, &call, seconds).await);
    grant
}

/// What a worker says when it starts a job.
pub(crate) fn start_call(job: JobId, worker: &str, token: LeaseToken) -> JobStart {
    let (worker, session) = (worker_name(worker), session_of(worker));
    JobStart { worker, session, job, token, token_hash: token_hash(job), commit: None }
}

/// Whether the job may be started.
pub(crate) async fn start(db: &Db, call: &JobStart, seconds: i64) -> bool {
    !start_all(db, std::slice::from_ref(call), seconds).await.is_empty()
}

/// Starts jobs as servers do.
pub(crate) async fn start_all(db: &Db, calls: &[JobStart], seconds: i64) -> Vec<StartedJob> {
    db.jobs_start_at_once(calls, at(seconds), at(seconds + 15)).await.unwrap()
}

/// Gives back a job that was not started.
pub(crate) async fn give_back(db: &Db, grant: &Grant) {
    let (job, token) = (grant.job.id, grant.lease.token);
    assert!(write!(db, |tx| tx.job_hand_back(job, token, &reason("its worker was silent"), None)));
}

/// Runs a job and loses it.
pub(crate) async fn lose(db: &Db, job: JobId, worker: &str, seconds: i64) -> Grant {
    let grant = run(db, job, worker, seconds).await;
    assert_eq!(write!(db, |tx| tx.job_mark_lost(&[job], at(seconds + 17))), [job]);
    grant
}

/// What the robot's token of a job hashes to, in these tests.
pub(crate) fn token_hash(job: JobId) -> Vec<u8> {
    job.as_uuid().as_bytes().repeat(2)
}

pub(crate) async fn locked(db: &Db, job: JobId) -> LockedJob {
    write!(db, |tx| tx.job_lock(&[job])).remove(0)
}

/// Where a trigger stands, for changing one thing.
pub(crate) async fn progress(db: &Db, trigger: TriggerId) -> TriggerProgress {
    let stored = read!(db, |tx| tx.trigger_get(trigger)).unwrap();
    TriggerProgress {
        id: trigger,
        stored: (&stored.trigger.kind).into(),
        next_run: stored.trigger.kind.next_run(),
        due_at: stored.due_at,
        buffered_at: stored.buffered_at,
        last_scheduled_at: stored.last_scheduled_at,
        consecutive_failures: stored.trigger.consecutive_failures,
        hold: stored.trigger.hold,
    }
}
