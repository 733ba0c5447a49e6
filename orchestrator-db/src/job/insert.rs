//! New jobs, and those that have a worker from the beginning.

use std::collections::{HashMap, HashSet};

use orchestrator_core::clock::Timestamp;
use orchestrator_core::id::{JobId, RequestId};
use orchestrator_core::job::{Job, JobSnapshot, JobState};
use orchestrator_core::lease::{Lease, LeaseToken};
use orchestrator_core::text::{ProcessArgs, WorkerName};
use serde::Serialize;
use sqlx::types::Json;
use uuid::Uuid;

use super::{Assign, Grant, NewJob, type_rank};
use crate::dialect::{Sql, sql};
use crate::error::DbError;
use crate::lists::time_text;
use crate::rows::fetch_scalars;
use crate::tx::Tx;

/// The token of a job's first grant.
const FIRST_TOKEN: i64 = 1;

#[derive(Debug, Serialize)]
struct Record<'a> {
    id: Uuid,
    trigger_id: Uuid,
    scheduled_at: String,
    attempt: u32,
    not_before: Option<String>,
    origin: Option<Uuid>,
    trigger_name: &'a str,
    process_name: &'a str,
    args: Option<&'a str>,
    is_blocking: bool,
    priority: i32,
    type_rank: i64,
    snapshot: &'a JobSnapshot,
    status: &'static str,
    worker: Option<&'a str>,
    session: Option<Uuid>,
    request: Option<Uuid>,
    token: i64,
    lease_expires_at: Option<String>,
    reserved: Option<&'a str>,
}

impl<'a> Record<'a> {
    fn new(
        job: &'a NewJob,
        placed: Option<&'a Assign>,
        expires_at: Timestamp,
        reserved: Option<&'a WorkerName>,
    ) -> Self {
        let snapshot = &job.snapshot;
        Self {
            status: if placed.is_some() { "ASSIGNED" } else { "QUEUED" },
            worker: placed.map(|assign| assign.worker.as_str()),
            session: placed.map(|assign| assign.session.as_uuid()),
            request: placed.map(|assign| assign.request.as_uuid()),
            token: if placed.is_some() { FIRST_TOKEN } else { 0 },
            lease_expires_at: placed.map(|_| time_text(expires_at)),
            reserved: reserved.map(WorkerName::as_str),
            id: job.id.as_uuid(),
            trigger_id: job.trigger_id.as_uuid(),
            scheduled_at: time_text(job.scheduled_at),
            attempt: job.attempt,
            not_before: job.not_before.map(time_text),
            origin: job.origin_request.map(RequestId::as_uuid),
            trigger_name: snapshot.trigger_name.as_str(),
            process_name: snapshot.process.name.as_str(),
            args: snapshot.process.args.as_ref().map(ProcessArgs::as_str),
            is_blocking: snapshot.is_blocking,
            priority: snapshot.priority,
            type_rank: type_rank(snapshot.trigger_type),
            snapshot,
        }
    }
}

// No target after ON CONFLICT: a second job of the same instant and one of a repeated call are both left out.
const JOB_INSERT: Sql = sql!["INSERT INTO jobs (id, trigger_id, trigger_name, process_name, status, scheduled_at,
        not_before, queued_at, attempt, kill_requested, lease_token, origin_request_id, hand_back_count, is_blocking,
        priority, type_rank, own_arguments, snapshot, worker_name, session_id, request_id, lease_expires_at,
        reserved_worker)
     SELECT v.id, v.trigger_id, v.trigger_name, v.process_name, v.status, v.scheduled_at, v.not_before, $2, v.attempt,
        FALSE, v.token, v.origin, 0, v.is_blocking, v.priority, v.type_rank,
        v.args IS DISTINCT FROM (SELECT t.process_args FROM triggers t WHERE t.id = v.trigger_id), v.snapshot, v.worker,
        v.session, v.request, v.lease_expires_at, v.reserved
     FROM "
    [only sqlite "(SELECT unhex(value->>'id', '-') AS id, unhex(value->>'trigger_id', '-') AS trigger_id,
            value->>'trigger_name' AS trigger_name, value->>'process_name' AS process_name,
            value->>'scheduled_at' AS scheduled_at, value->>'not_before' AS not_before, value->>'attempt' AS attempt,
            unhex(value->>'origin', '-') AS origin, value->>'is_blocking' AS is_blocking,
            value->>'priority' AS priority, value->>'type_rank' AS type_rank, value->>'args' AS args,
            value->'snapshot' AS snapshot, value->>'status' AS status, value->>'worker' AS worker,
            unhex(value->>'session', '-') AS session, unhex(value->>'request', '-') AS request,
            value->>'token' AS token, value->>'lease_expires_at' AS lease_expires_at,
            value->>'reserved' AS reserved FROM json_each($1)) v"]
    [only postgres "jsonb_to_recordset($1) AS v(id uuid, trigger_id uuid, trigger_name text, process_name text,
            scheduled_at timestamptz, not_before timestamptz, attempt bigint, origin uuid, is_blocking boolean,
            priority bigint, type_rank bigint, args text, snapshot jsonb, status text, worker text, session uuid,
            request uuid, token bigint, lease_expires_at timestamptz, reserved text)"]
    " WHERE TRUE
     ON CONFLICT DO NOTHING RETURNING id"];

impl Tx {
    /// Queues jobs, all at once. Returns those that were inserted, in the order given: one whose trigger, instant and
    /// attempt are taken, or whose call has made one before, is left out.
    pub async fn job_insert(&mut self, jobs: &[NewJob], now: Timestamp) -> Result<Vec<JobId>, DbError> {
        if jobs.is_empty() {
            return Ok(Vec::new());
        }
        let records = jobs.iter().map(|job| Record::new(job, None, now, None)).collect();
        let inserted = self.insert_records(records, now).await?;
        Ok(jobs.iter().map(|job| job.id).filter(|id| inserted.contains(&id.as_uuid())).collect())
    }

    /// Inserts jobs, all at once: those that are placed are assigned from the beginning, those that are reserved for a
    /// worker or neither are queued. Returns what was inserted, as [`Tx::job_insert`] does, and the grants of the placed
    /// ones among them. The transaction holds the locks of the workers and of the triggers.
    pub async fn job_insert_placed(
        &mut self,
        jobs: &[NewJob],
        placed: &HashMap<JobId, Assign>,
        reserved: &HashMap<JobId, WorkerName>,
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<(Vec<JobId>, Vec<Grant>), DbError> {
        if jobs.is_empty() {
            return Ok((Vec::new(), Vec::new()));
        }
        let records =
            jobs.iter().map(|job| Record::new(job, placed.get(&job.id), expires_at, reserved.get(&job.id))).collect();
        let inserted = self.insert_records(records, now).await?;
        let inserted = jobs.iter().filter(|job| inserted.contains(&job.id.as_uuid()));
        let grants = inserted
            .clone()
            .filter_map(|job| placed.get(&job.id).map(|assign| first_grant(job, assign, now, expires_at)))
            .collect();
        Ok((inserted.map(|job| job.id).collect(), grants))
    }

    async fn insert_records(&mut self, records: Vec<Record<'_>>, now: Timestamp) -> Result<HashSet<Uuid>, DbError> {
        let inserted = fetch_scalars!(self, "job_insert", JOB_INSERT, as Uuid, [Json(&records), now])?;
        Ok(inserted.into_iter().collect())
    }
}

/// What the row of a job that was inserted for a worker reads as.
fn first_grant(job: &NewJob, assign: &Assign, now: Timestamp, expires_at: Timestamp) -> Grant {
    let lease = Lease { token: LeaseToken::new(FIRST_TOKEN), expires_at };
    let job = Job {
        id: job.id,
        trigger_id: job.trigger_id,
        trigger_name: job.snapshot.trigger_name.clone(),
        process_name: job.snapshot.process.name.clone(),
        worker_name: Some(assign.worker.clone()),
        state: JobState::Assigned { lease },
        scheduled_at: job.scheduled_at,
        queued_at: now,
        start_time: None,
        end_time: None,
        attempt: job.attempt,
        superseded_by: None,
        kill_requested: false,
        exit_code: None,
        commit: None,
        reason: None,
        snapshot: job.snapshot.clone(),
    };
    Grant { job, lease }
}

#[cfg(test)]
crate::statements::statements![JOB_INSERT];
