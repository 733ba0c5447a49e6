//! New jobs.

use std::collections::HashSet;

use orchestrator_core::clock::Timestamp;
use orchestrator_core::id::{JobId, RequestId};
use orchestrator_core::job::JobSnapshot;
use orchestrator_core::text::ProcessArgs;
use serde::Serialize;
use sqlx::types::Json;
use uuid::Uuid;

use super::{NewJob, type_rank};
use crate::dialect::{Sql, sql};
use crate::error::DbError;
use crate::lists::time_text;
use crate::rows::fetch_scalars;
use crate::tx::Tx;

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
}

impl<'a> From<&'a NewJob> for Record<'a> {
    fn from(job: &'a NewJob) -> Self {
        let snapshot = &job.snapshot;
        Self {
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
        priority, type_rank, own_arguments, snapshot)
     SELECT v.id, v.trigger_id, v.trigger_name, v.process_name, 'QUEUED', v.scheduled_at, v.not_before, $2, v.attempt,
        FALSE, 0, v.origin, 0, v.is_blocking, v.priority, v.type_rank, v.args IS DISTINCT FROM t.process_args, v.snapshot
     FROM "
    [only sqlite "(SELECT unhex(value->>'id', '-') AS id, unhex(value->>'trigger_id', '-') AS trigger_id,
            value->>'trigger_name' AS trigger_name, value->>'process_name' AS process_name,
            value->>'scheduled_at' AS scheduled_at, value->>'not_before' AS not_before, value->>'attempt' AS attempt,
            unhex(value->>'origin', '-') AS origin, value->>'is_blocking' AS is_blocking,
            value->>'priority' AS priority, value->>'type_rank' AS type_rank, value->>'args' AS args,
            value->'snapshot' AS snapshot FROM json_each($1)) v"]
    [only postgres "jsonb_to_recordset($1) AS v(id uuid, trigger_id uuid, trigger_name text, process_name text,
            scheduled_at timestamptz, not_before timestamptz, attempt bigint, origin uuid, is_blocking boolean,
            priority bigint, type_rank bigint, args text, snapshot jsonb)"]
    " LEFT JOIN triggers t ON t.id = v.trigger_id WHERE TRUE
     ON CONFLICT DO NOTHING RETURNING id"];

impl Tx {
    /// Queues jobs, all at once. Returns those that were inserted, in the order given: one whose trigger, instant and
    /// attempt are taken, or whose call has made one before, is left out.
    pub async fn job_insert(&mut self, jobs: &[NewJob], now: Timestamp) -> Result<Vec<JobId>, DbError> {
        if jobs.is_empty() {
            return Ok(Vec::new());
        }
        let records: Vec<Record<'_>> = jobs.iter().map(Record::from).collect();
        let inserted = fetch_scalars!(self, "job_insert", JOB_INSERT, as Uuid, [Json(&records), now])?;
        let inserted: HashSet<Uuid> = inserted.into_iter().collect();
        Ok(jobs.iter().map(|job| job.id).filter(|id| inserted.contains(&id.as_uuid())).collect())
    }
}

#[cfg(test)]
crate::statements::statements![JOB_INSERT];
