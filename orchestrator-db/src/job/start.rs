//! Starting: what many workers are about to spawn, noted all at once.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use orchestrator_core::clock::Timestamp;
use orchestrator_core::id::{JobId, SessionId};
use orchestrator_core::lease::LeaseToken;
use orchestrator_core::text::WorkerName;
use serde::Serialize;
use sqlx::types::Json;
use uuid::Uuid;

use crate::dialect::{Dialect, Sql, sql};
use crate::error::DbError;
use crate::lists::{Ids, Texts, hex, time_text};
use crate::rows::{execute, fetch_plain};
use crate::trigger::{active_job, shown_status};
use crate::tx::Tx;

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

#[derive(Debug, Serialize)]
struct StampRecord<'a> {
    worker: &'a str,
    trigger_name: &'a str,
}

#[derive(Debug, Serialize)]
struct TriggerRecord {
    id: Uuid,
    /// When a job of it started, which had not been started before.
    first_start: Option<String>,
}

#[derive(Debug, sqlx::FromRow)]
struct StartedRow {
    id: Uuid,
    trigger_id: Uuid,
    trigger_name: String,
    worker_name: String,
    kill_requested: bool,
    start_time: Timestamp,
    is_first: bool,
    job_token_hash: Vec<u8>,
}

// Workers before triggers, as everywhere: what counts the workers gates the rest, and so is done first.
const LOCK_FOR_START: Sql = sql![
    [only postgres "WITH w AS MATERIALIZED (SELECT name FROM workers WHERE name = ANY($1::text[]) ORDER BY name FOR UPDATE)
     SELECT t.id FROM triggers t WHERE (SELECT COUNT(*) FROM w) >= 0
        AND t.id = ANY(ARRAY(SELECT j.trigger_id FROM jobs j WHERE j.id = ANY($2::uuid[])))
     ORDER BY t.id FOR UPDATE OF t"]
    [only sqlite "SELECT 1 WHERE $1 IS NOT NULL AND $2 IS NOT NULL"]
];

// A job that is prepared before its instant starts at it. A repetition finds the job RUNNING with the same token and hash,
// and is the same success. The sub-select locks in the order of ids, as everything does. `IS TRUE` keeps both databases on
// the primary key.
const JOBS_START: Sql = sql!["UPDATE jobs SET status = 'RUNNING',
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
        AND jobs.id " [only postgres "= ANY(ARRAY(SELECT j.id FROM jobs j WHERE j.id = ANY($4::uuid[]) ORDER BY j.id FOR UPDATE))"]
    [only sqlite "IN (SELECT unhex(value) FROM json_each($4))"]
    " RETURNING id, trigger_id, trigger_name, worker_name, kill_requested, start_time, start_time >= $2 AS is_first,
        job_token_hash"];

const WORKERS_STAMP: Sql = sql!["UPDATE workers SET latest_trigger = v.trigger_name, latest_trigger_time = $2 FROM "
    [only sqlite "(SELECT value->>'worker' AS worker, value->>'trigger_name' AS trigger_name FROM json_each($1)) v"]
    [only postgres "jsonb_to_recordset($1) AS v(worker text, trigger_name text)"]
    " WHERE workers.name = v.worker"];

const TRIGGERS_STARTED: Sql = sql!["UPDATE triggers SET process_status = " [text shown_status]
    ", last_run = COALESCE(v.first_start, triggers.last_run) FROM "
    [only sqlite "(SELECT unhex(value->>'id', '-') AS id, value->>'first_start' AS first_start FROM json_each($1)) v"]
    [only postgres "jsonb_to_recordset($1) AS v(id uuid, first_start timestamptz)"]
    " WHERE triggers.id = v.id"
    [only postgres " AND triggers.id = ANY(ARRAY(SELECT id FROM jsonb_to_recordset($1) AS listed(id uuid)))"]];

impl Tx {
    /// Notes that workers are about to spawn robots, all at once: locks workers, then triggers, then jobs; starts those
    /// whose lease still holds and whose worker's session holds them, stamps their workers and triggers, and writes what
    /// people see of the triggers. A repetition of the same call is the same success. Calls that are not in the answer
    /// change nothing.
    pub async fn jobs_start(
        &mut self,
        calls: &[JobStart],
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<Vec<StartedJob>, DbError> {
        let jobs: Ids = calls.iter().map(|call| call.job.as_uuid()).collect();
        // A write transaction of SQLite has the whole database.
        if self.dialect() == Dialect::Postgres {
            let workers: BTreeSet<&str> = calls.iter().map(|call| call.worker.as_str()).collect();
            let workers: Texts = workers.into_iter().collect();
            execute!(self, "jobs_start", LOCK_FOR_START, [&workers, &jobs])?;
        }
        // A statement may change a row only once: of two robots of one job the first is spawned.
        let mut seen = HashSet::new();
        let firsts = calls.iter().filter(|call| seen.insert(call.job));
        let records: Vec<StartRecord<'_>> = firsts.map(StartRecord::from).collect();
        let started = fetch_plain!(
            self,
            "jobs_start",
            JOBS_START,
            as StartedRow,
            [Json(&records), now, expires_at, &jobs]
        )?;
        if started.is_empty() {
            return Ok(Vec::new());
        }
        self.stamp_started(&started, now).await?;
        let started: HashMap<Uuid, StartedRow> = started.into_iter().map(|row| (row.id, row)).collect();
        let answered = calls.iter().filter_map(|call| {
            let row = started.get(&call.job.as_uuid()).filter(|row| row.job_token_hash == call.token_hash)?;
            let token_hash = call.token_hash.clone();
            Some(StartedJob { job: call.job, token_hash, kill_requested: row.kill_requested })
        });
        Ok(answered.collect())
    }

    async fn stamp_started(&mut self, started: &[StartedRow], now: Timestamp) -> Result<(), DbError> {
        let workers: BTreeMap<&str, &str> =
            started.iter().map(|row| (row.worker_name.as_str(), row.trigger_name.as_str())).collect();
        let stamps: Vec<StampRecord<'_>> =
            workers.into_iter().map(|(worker, trigger_name)| StampRecord { worker, trigger_name }).collect();
        execute!(self, "jobs_start", WORKERS_STAMP, [Json(&stamps), now])?;
        let mut triggers: BTreeMap<Uuid, Option<Timestamp>> = BTreeMap::new();
        for row in started {
            let first_start = triggers.entry(row.trigger_id).or_default();
            *first_start = (*first_start).max(row.is_first.then_some(row.start_time));
        }
        let record = |(id, start): (Uuid, Option<Timestamp>)| TriggerRecord { id, first_start: start.map(time_text) };
        let triggers: Vec<TriggerRecord> = triggers.into_iter().map(record).collect();
        execute!(self, "jobs_start", TRIGGERS_STARTED, [Json(&triggers)])?;
        Ok(())
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
crate::statements::statements![LOCK_FOR_START, JOBS_START, WORKERS_STAMP, TRIGGERS_STARTED];
