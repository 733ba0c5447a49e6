//! Queues with something in them.

use chrono::{DateTime, Duration, Utc};
use orchestrator_core::clock::Timestamp;
use orchestrator_core::id::{ElementId, JobId, RequestId, TriggerId};
use orchestrator_core::queue::{ElementStatus, QueueElement};
use orchestrator_core::text::{ElementData, QueueName, Reference};
use orchestrator_db::{ClaimRequest, Db, Dialect, NewElement, QueueCounts, StatusBy, StatusChange, StatusError};
use sqlx::{AssertSqlSafe, Connection, Executor};
use uuid::Uuid;

use crate::harness::TestDb;

pub(crate) const QUEUE: &str = "Invoices";

/// The instant at which tests begin.
pub(crate) fn t0() -> Timestamp {
    DateTime::<Utc>::from_timestamp(1_800_000_000, 0).unwrap()
}

pub(crate) fn at(seconds: i64) -> Timestamp {
    t0() + Duration::seconds(seconds)
}

pub(crate) fn queue() -> QueueName {
    QueueName::parse(QUEUE).unwrap()
}

pub(crate) fn element() -> NewElement {
    NewElement { id: ElementId::generate(), queue_name: queue(), reference: None, data: None, created_by: None }
}

pub(crate) fn with_reference(reference: &str) -> NewElement {
    NewElement { reference: Some(Reference::parse(reference, 100).unwrap()), ..element() }
}

pub(crate) fn with_data(data: &str) -> NewElement {
    NewElement { data: Some(ElementData::parse(data, 2000).unwrap()), ..element() }
}

/// Stores elements at an instant.
pub(crate) async fn insert(db: &Db, elements: &[NewElement], now: Timestamp) -> Vec<ElementId> {
    let mut tx = db.begin_write().await.unwrap();
    assert_eq!(tx.element_insert(elements, false, now).await.unwrap(), elements.len());
    tx.commit().await.unwrap();
    elements.iter().map(|element| element.id).collect()
}

/// So many elements, each created one second after the other.
pub(crate) async fn some(db: &Db, count: i64) -> Vec<ElementId> {
    let mut ids = Vec::new();
    for second in 0..count {
        ids.extend(insert(db, &[element()], at(second)).await);
    }
    ids
}

pub(crate) fn request() -> ClaimRequest {
    ClaimRequest::new(queue(), RequestId::generate())
}

pub(crate) fn of_job(job: JobId) -> ClaimRequest {
    ClaimRequest { job: Some(job), ..request() }
}

/// One claim, in a transaction of its own.
pub(crate) async fn claim(db: &Db, request: ClaimRequest, now: Timestamp) -> Vec<QueueElement> {
    let mut tx = db.begin_write().await.unwrap();
    let mut answers = tx.element_claim(&[request], now).await.unwrap();
    tx.commit().await.unwrap();
    answers.pop().unwrap().unwrap().elements
}

pub(crate) fn ids(elements: &[QueueElement]) -> Vec<ElementId> {
    elements.iter().map(|element| element.id).collect()
}

pub(crate) async fn get(db: &Db, id: ElementId) -> QueueElement {
    db.begin_read().await.unwrap().element_get(id).await.unwrap()
}

pub(crate) fn change(id: ElementId, status: ElementStatus, by: StatusBy) -> StatusChange {
    StatusChange { id, status, message: None, by, token: None }
}

/// One change of status, in a transaction of its own.
pub(crate) async fn set(db: &Db, change: StatusChange, now: Timestamp) -> Result<QueueElement, StatusError> {
    let mut tx = db.begin_write().await.unwrap();
    let mut results = tx.element_set_status(&[change], now).await.unwrap();
    tx.commit().await.unwrap();
    results.pop().unwrap()
}

pub(crate) async fn counts(db: &Db) -> QueueCounts {
    db.begin_read().await.unwrap().queue_get(&queue()).await.unwrap().counts
}

/// A job that runs, past the storage of jobs: these tests are about elements.
pub(crate) async fn running_job(db: &TestDb) -> JobId {
    let (job, trigger) = (JobId::generate(), TriggerId::generate());
    let (job_text, trigger_text) = (literal(db, job.as_uuid()), literal(db, trigger.as_uuid()));
    let time = "'2026-11-22T12:00:00+00:00'";
    execute(
        db,
        format!(
            "INSERT INTO triggers (id, trigger_name, process_name, process_path, process_status, is_git_repo, is_blocking,
                 type, hold, worker_whitelist, priority, policies, consecutive_failures, created_at, updated_at)
             VALUES ({trigger_text}, '{trigger}', 'p', 'p', 'IDLE', FALSE, FALSE, 'SINGLE', 'NONE', '[]', 0, '{{}}', 0,
                 {time}, {time})"
        ),
    )
    .await;
    execute(
        db,
        format!(
            "INSERT INTO jobs (id, trigger_id, trigger_name, process_name, status, scheduled_at, queued_at, attempt,
                 kill_requested, lease_token, hand_back_count, is_blocking, priority, type_rank, own_arguments, snapshot)
             VALUES ({job_text}, {trigger_text}, 't', 'p', 'RUNNING', {time}, {time}, 1, FALSE, 1, 0, FALSE, 0, 0, FALSE, '{{}}')"
        ),
    )
    .await;
    job
}

pub(crate) async fn set_job(db: &TestDb, job: JobId, status: &str) {
    execute(db, format!("UPDATE jobs SET status = '{status}' WHERE id = {}", literal(db, job.as_uuid()))).await;
}

pub(crate) fn literal(db: &Db, id: Uuid) -> String {
    match db.dialect() {
        Dialect::Sqlite => format!("X'{}'", id.simple()),
        Dialect::Postgres => format!("'{id}'"),
    }
}

pub(crate) async fn execute(db: &TestDb, statement: String) {
    match db.dialect() {
        Dialect::Sqlite => {
            let mut conn = sqlx::SqliteConnection::connect(db.url()).await.unwrap();
            conn.execute(AssertSqlSafe(statement)).await.unwrap();
            conn.close().await.unwrap();
        }
        Dialect::Postgres => {
            let mut conn = sqlx::PgConnection::connect(db.url()).await.unwrap();
            conn.execute(AssertSqlSafe(statement)).await.unwrap();
            conn.close().await.unwrap();
        }
    }
}
