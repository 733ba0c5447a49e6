//! Starting: what many workers are about to spawn, noted all at once.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, LazyLock};

use orchestrator_core::clock::Timestamp;
use orchestrator_core::id::{JobId, SessionId};
use orchestrator_core::lease::LeaseToken;
use orchestrator_core::text::WorkerName;
use serde::Serialize;
use sqlx::types::Json;
use sqlx::{AssertSqlSafe, PgConnection, SqliteConnection};
use uuid::Uuid;

use crate::connect::{Db, HOT_CONNECTIONS, Hot, is_dead};
use crate::dialect::{Sql, sql};
use crate::error::DbError;
use crate::hint::{CHANNEL, Hint, notification};
use crate::lists::{Ids, Texts, hex};
use crate::tx::{Tx, TxInner};

/// A worker's word that it is about to spawn a robot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobStart {
    /// Who says it.
    pub worker: WorkerName,
    /// Its registration.
    pub session: SessionId,
    /// The job.
    pub job: JobId,
    /// The token of its lease.
    pub token: LeaseToken,
    /// The hash of the token that the robot gets.
    pub token_hash: Vec<u8>,
    /// The commit of a git checkout.
    pub commit: Option<String>,
}

/// A job that may be spawned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartedJob {
    /// The job.
    pub job: JobId,
    /// The hash of the token that its one robot gets.
    pub token_hash: Vec<u8>,
    /// Someone asked for its kill meanwhile.
    pub kill_requested: bool,
}

#[derive(Debug, Serialize)]
struct StartRecord<'a> {
    job: Uuid,
    token: i64,
    worker: &'a str,
    session: Uuid,
    hash: String,
    commit_id: Option<&'a str>,
}

#[derive(Debug, sqlx::FromRow)]
struct StartedRow {
    id: Uuid,
    kill_requested: bool,
    job_token_hash: Vec<u8>,
}

// A job that is prepared before its instant starts at it. A repetition finds the job RUNNING with the same token and hash,
// and is the same success. The sub-select locks in the order of ids, as everything does. `IS TRUE` keeps both databases on
// the primary key. On PostgreSQL one statement does it all, so that it can be a transaction of its own: workers are locked
// before triggers and those before jobs, as everywhere; what counts the former gates the latter, and so is done first.
const JOBS_START: Sql = sql![
    [only postgres "WITH w AS MATERIALIZED (
        SELECT name FROM workers WHERE name = ANY($5::text[]) ORDER BY name FOR UPDATE),
     t AS MATERIALIZED (
        SELECT t.id FROM triggers t WHERE (SELECT COUNT(*) FROM w) >= 0
            AND t.id = ANY(ARRAY(SELECT j.trigger_id FROM jobs j WHERE j.id = ANY($4::uuid[])))
        ORDER BY t.id FOR UPDATE OF t),
     started AS ("]
    "UPDATE jobs SET status = 'RUNNING',
        start_time = COALESCE(jobs.start_time, " [only sqlite "MAX"] [only postgres "GREATEST"] "($2, jobs.scheduled_at)),
        job_token_hash = v.hash, commit_id = COALESCE(v.commit_id, jobs.commit_id), lease_expires_at = $3 FROM "
    [only sqlite "(SELECT unhex(value->>'job', '-') AS job, value->>'token' AS token, value->>'worker' AS worker,
        unhex(value->>'session', '-') AS session, unhex(value->>'hash') AS hash,
        value->>'commit_id' AS commit_id FROM json_each($1)) v"]
    [only postgres "(SELECT r.job, r.token, r.worker, r.session, decode(r.hash, 'hex') AS hash, r.commit_id
        FROM jsonb_to_recordset($1) AS r(job uuid, token bigint, worker text, session uuid, hash text, commit_id text)) v"]
    " WHERE jobs.id = v.job AND jobs.lease_token = v.token AND (jobs.worker_name = v.worker) IS TRUE
        AND jobs.session_id = v.session AND (jobs.status IN ('ASSIGNED', 'RUNNING')) IS TRUE
        AND ((jobs.status = 'ASSIGNED') IS TRUE AND jobs.lease_expires_at > $2
            OR (jobs.status = 'RUNNING') IS TRUE AND jobs.job_token_hash = v.hash)
        AND jobs.id " [only postgres "= ANY(ARRAY(
            SELECT j.id FROM jobs j WHERE (SELECT COUNT(*) FROM t) >= 0 AND j.id = ANY($4::uuid[])
            ORDER BY j.id FOR UPDATE))"]
    [only sqlite "IN (SELECT unhex(value) FROM json_each($4))"]
    " RETURNING id, kill_requested, job_token_hash"
    [only postgres ", trigger_id, trigger_name, worker_name, start_time),
     stamped AS (
        UPDATE workers SET latest_trigger = v.trigger_name, latest_trigger_time = $2
        FROM (SELECT worker_name, MAX(trigger_name) AS trigger_name FROM started GROUP BY worker_name) v
        WHERE workers.name = v.worker_name AND workers.name = ANY($5::text[])),
     noted AS (
        UPDATE triggers SET last_run = v.first_start
        FROM (SELECT trigger_id, MAX(start_time) AS first_start FROM started WHERE start_time >= $2 GROUP BY trigger_id) v
        WHERE triggers.id = v.trigger_id AND triggers.id = ANY(ARRAY(SELECT trigger_id FROM started)))
     SELECT id, kill_requested, job_token_hash,
        CASE WHEN $7 <> '' THEN CAST(pg_notify($6, $7) AS TEXT) END FROM started"]
];

/// The jobs that a call has just started, for the statements of SQLite that follow.
macro_rules! just_started_on {
    (postgres) => {
        ""
    };
    (sqlite) => {
        "id IN (SELECT unhex(value) FROM json_each($4)) AND status = 'RUNNING' AND lease_expires_at = $3
            AND job_token_hash IN (SELECT unhex(value->>'hash') FROM json_each($1))"
    };
}

// For PostgreSQL, which stamps as it starts, there are only texts to prepare.
const WORKERS_STAMP: Sql = sql![
    [only sqlite "UPDATE workers SET latest_trigger = v.trigger_name, latest_trigger_time = $2 FROM (
        SELECT worker_name, MAX(trigger_name) AS trigger_name FROM jobs WHERE "] [text just_started_on]
    [only sqlite " GROUP BY worker_name) v WHERE workers.name = v.worker_name"]
    [only postgres "SELECT 1"]];

const TRIGGERS_STARTED: Sql = sql![
    [only sqlite "UPDATE triggers SET last_run = v.first_start FROM (
        SELECT trigger_id, MAX(start_time) AS first_start FROM jobs WHERE "] [text just_started_on]
    [only sqlite " AND start_time >= $2 GROUP BY trigger_id) v WHERE triggers.id = v.trigger_id"]
    [only postgres "SELECT 1"]];

/// All that a start is on SQLite, and the same as a transaction of its own: a statement costs a turn of the thread that has the
/// database.
static START_ON_SQLITE: LazyLock<Arc<str>> =
    LazyLock::new(|| [JOBS_START, WORKERS_STAMP, TRIGGERS_STARTED].map(|statement| statement.sqlite).join("; ").into());
static START_AT_ONCE_ON_SQLITE: LazyLock<Arc<str>> =
    LazyLock::new(|| format!("BEGIN IMMEDIATE; {}; COMMIT", *START_ON_SQLITE).into());

/// The calls as they are bound.
struct Bound<'a> {
    records: Json<Vec<StartRecord<'a>>>,
    jobs: Ids,
    workers: Texts,
}

impl<'a> Bound<'a> {
    fn of(calls: &'a [JobStart]) -> Self {
        // A statement may change a row only once: of two robots of one job the first is spawned.
        let mut seen = HashSet::new();
        let firsts = calls.iter().filter(|call| seen.insert(call.job));
        let workers: BTreeSet<&str> = calls.iter().map(|call| call.worker.as_str()).collect();
        Self {
            records: Json(firsts.map(StartRecord::from).collect()),
            jobs: calls.iter().map(|call| call.job.as_uuid()).collect(),
            workers: workers.into_iter().collect(),
        }
    }
}

/// Who was started, in the order of the calls.
fn answers(calls: &[JobStart], started: Vec<StartedRow>) -> Vec<StartedJob> {
    let started: HashMap<Uuid, StartedRow> = started.into_iter().map(|row| (row.id, row)).collect();
    let answered = calls.iter().filter_map(|call| {
        let row = started.get(&call.job.as_uuid()).filter(|row| row.job_token_hash == call.token_hash)?;
        let token_hash = call.token_hash.clone();
        Some(StartedJob { job: call.job, token_hash, kill_requested: row.kill_requested })
    });
    answered.collect()
}

async fn start_on_postgres(
    connection: &mut PgConnection,
    calls: &[JobStart],
    now: Timestamp,
    expires_at: Timestamp,
    told: &str,
) -> Result<Vec<StartedJob>, sqlx::Error> {
    let Bound { records, jobs, workers } = Bound::of(calls);
    let started = sqlx::query_as::<_, StartedRow>(JOBS_START.postgres)
        .bind(records)
        .bind(now)
        .bind(expires_at)
        .bind(jobs)
        .bind(workers)
        .bind(CHANNEL)
        .bind(told)
        .fetch_all(connection)
        .await?;
    Ok(answers(calls, started))
}

async fn start_on_sqlite(
    connection: &mut SqliteConnection,
    text: &Arc<str>,
    calls: &[JobStart],
    now: Timestamp,
    expires_at: Timestamp,
) -> Result<Vec<StartedJob>, sqlx::Error> {
    let Bound { records, jobs, .. } = Bound::of(calls);
    let query = sqlx::query_as::<_, StartedRow>(AssertSqlSafe(text.clone()));
    let started = query.bind(records).bind(now).bind(expires_at).bind(jobs).fetch_all(connection).await?;
    Ok(answers(calls, started))
}

impl Db {
    /// As [`Tx::jobs_start`], in a transaction of its own that also tells the other servers, without a round trip for each of
    /// its parts. An error that is no refusal may come after it was done; the calls can be made again.
    pub async fn jobs_start_at_once(
        &self,
        calls: &[JobStart],
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<Vec<StartedJob>, DbError> {
        let started = match self.hot() {
            Hot::Postgres(pool) => {
                let jobs: BTreeSet<JobId> = calls.iter().map(|call| call.job).collect();
                let told = notification(self.origin(), jobs.into_iter().map(|id| Hint::Job { id }).collect());
                let mut dead = 0;
                loop {
                    let mut connection = pool.acquire().await.map_err(DbError::in_op("jobs_start_at_once"))?;
                    match start_on_postgres(&mut connection, calls, now, expires_at, &told).await {
                        // After a restart of the database all connections are.
                        Err(error) if is_dead(&error) && dead < HOT_CONNECTIONS => dead += 1,
                        started => break started,
                    }
                }
            }
            Hot::Sqlite(line) => {
                let mut line = line.take_for_text().await.map_err(DbError::in_op("jobs_start_at_once"))?;
                let started = start_on_sqlite(&mut line, &START_AT_ONCE_ON_SQLITE, calls, now, expires_at).await;
                line.after_text(started).await
            }
        };
        started.map_err(DbError::in_op("jobs_start_at_once"))
    }
}

impl Tx {
    /// Notes that workers are about to spawn robots, all at once: locks workers, then triggers, then jobs; starts those
    /// whose lease still holds and whose worker's session holds them, and stamps their workers and triggers. What people
    /// see of the triggers was written when the jobs were assigned. A repetition of the same call is the same success.
    /// Calls that are not in the answer change nothing.
    pub async fn jobs_start(
        &mut self,
        calls: &[JobStart],
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<Vec<StartedJob>, DbError> {
        let started = match &mut self.inner {
            TxInner::Postgres(transaction) => start_on_postgres(transaction, calls, now, expires_at, "").await,
            TxInner::Sqlite(transaction) => {
                start_on_sqlite(transaction, &START_ON_SQLITE, calls, now, expires_at).await
            }
        };
        started.map_err(DbError::in_op("jobs_start"))
    }
}

impl<'a> From<&'a JobStart> for StartRecord<'a> {
    fn from(call: &'a JobStart) -> Self {
        Self {
            job: call.job.as_uuid(),
            token: call.token.value(),
            worker: call.worker.as_str(),
            session: call.session.as_uuid(),
            hash: hex(&call.token_hash),
            commit_id: call.commit.as_deref(),
        }
    }
}

#[cfg(test)]
crate::statements::statements![JOBS_START, WORKERS_STAMP, TRIGGERS_STARTED];
