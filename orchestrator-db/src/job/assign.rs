//! Giving jobs to workers.

use orchestrator_core::clock::Timestamp;
use orchestrator_core::id::{JobId, RequestId};
use orchestrator_core::text::WorkerName;
use serde::Serialize;
use sqlx::types::Json;
use uuid::Uuid;

use super::row::{JobRow, job_columns};
use super::{Assign, Grant};
use crate::dialect::{Sql, sql};
use crate::error::{Corrupt, DbError};
use crate::rows::{execute, fetch};
use crate::tx::Tx;

#[derive(Debug, Serialize)]
struct AssignRecord<'a> {
    job: Uuid,
    worker: &'a str,
    session: Uuid,
    request: Uuid,
}

#[derive(Debug, Serialize)]
struct ReserveRecord<'a> {
    job: Uuid,
    worker: Option<&'a str>,
}

// `IS TRUE` keeps both databases off the index of that status, and the array PostgreSQL from reading all jobs: the ids are few.
const JOB_ASSIGN: Sql = sql!["UPDATE jobs SET status = 'ASSIGNED', worker_name = v.worker, session_id = v.session,
        request_id = v.request, lease_token = lease_token + 1, lease_expires_at = $3, reserved_worker = NULL FROM "
    [only sqlite "(SELECT unhex(value->>'job', '-') AS job, value->>'worker' AS worker,
        unhex(value->>'session', '-') AS session, unhex(value->>'request', '-') AS request FROM json_each($1)) v"]
    [only postgres "jsonb_to_recordset($1) AS v(job uuid, worker text, session uuid, request uuid)"]
    " WHERE id = v.job"
    [only postgres " AND id = ANY(ARRAY(SELECT job FROM jsonb_to_recordset($1) AS listed(job uuid)))"]
    " AND (status = 'QUEUED') IS TRUE AND (not_before IS NULL OR not_before <= $2)
     RETURNING " [columns job_columns]];

const JOB_RESERVE: Sql = sql!["UPDATE jobs SET reserved_worker = v.worker FROM "
    [only sqlite "(SELECT unhex(value->>'job', '-') AS job, value->>'worker' AS worker FROM json_each($1)) v"]
    [only postgres "jsonb_to_recordset($1) AS v(job uuid, worker text)"]
    " WHERE id = v.job"
    [only postgres " AND id = ANY(ARRAY(SELECT job FROM jsonb_to_recordset($1) AS listed(job uuid)))"]
    " AND (status = 'QUEUED') IS TRUE"];

const JOB_GRANTS_OF_REQUEST: Sql = sql!["SELECT " [columns job_columns] " FROM jobs" [indexed_by "jobs_request"] "
     WHERE request_id = $1 AND worker_name = $2 AND status = 'ASSIGNED' ORDER BY id"];

impl Tx {
    /// Gives queued jobs to workers, all at once, each with a token that is higher than all before it. Jobs that are not
    /// queued any more are left out. The grants come in the order given.
    pub async fn job_assign(
        &mut self,
        rows: &[Assign],
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<Vec<Grant>, DbError> {
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let records: Vec<AssignRecord<'_>> = rows
            .iter()
            .map(|row| AssignRecord {
                job: row.job.as_uuid(),
                worker: row.worker.as_str(),
                session: row.session.as_uuid(),
                request: row.request.as_uuid(),
            })
            .collect();
        let granted = fetch!(
            self,
            "job_assign",
            JOB_ASSIGN,
            table "jobs" key "id" as JobRow,
            [Json(&records), now, expires_at]
        )?;
        let mut grants = grants(granted)?;
        grants.sort_by_key(|grant| rows.iter().position(|row| row.job == grant.job.id));
        Ok(grants)
    }

    /// Keeps workers free for queued jobs, or gives them up.
    pub async fn job_reserve(&mut self, rows: &[(JobId, Option<WorkerName>)]) -> Result<(), DbError> {
        if rows.is_empty() {
            return Ok(());
        }
        let records: Vec<ReserveRecord<'_>> = rows
            .iter()
            .map(|(job, worker)| ReserveRecord { job: job.as_uuid(), worker: worker.as_ref().map(WorkerName::as_str) })
            .collect();
        execute!(self, "job_reserve", JOB_RESERVE, [Json(&records)])?;
        Ok(())
    }

    /// What an earlier claim of this worker was granted and is still assigned, for a repeated call.
    pub async fn job_grants_of_request(
        &mut self,
        worker: &WorkerName,
        request: RequestId,
    ) -> Result<Vec<Grant>, DbError> {
        grants(fetch!(
            self,
            "job_grants_of_request",
            JOB_GRANTS_OF_REQUEST,
            table "jobs" key "id" as JobRow,
            [request.as_uuid(), worker.as_str()]
        )?)
    }
}

/// A grant is an answer to a worker: one that cannot be read must not be dropped in silence.
fn grants(rows: Vec<Result<JobRow, Corrupt>>) -> Result<Vec<Grant>, DbError> {
    rows.into_iter().map(|row| Ok(row?.try_into()?)).collect()
}

#[cfg(test)]
crate::statements::statements![JOB_ASSIGN, JOB_RESERVE, JOB_GRANTS_OF_REQUEST];
