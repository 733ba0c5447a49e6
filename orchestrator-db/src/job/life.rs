//! Starting and renewing.

use std::collections::HashSet;

use orchestrator_core::clock::Timestamp;
use orchestrator_core::id::{JobId, SessionId, TriggerId};
use orchestrator_core::lease::LeaseToken;
use orchestrator_core::text::WorkerName;
use serde::Serialize;
use sqlx::types::Json;
use uuid::Uuid;

use crate::dialect::{Sql, sql};
use crate::error::DbError;
use crate::rows::{execute, fetch_plain};
use crate::tx::Tx;

/// What a heartbeat learns of one job that its worker still holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Renewed {
    /// The job.
    pub job: JobId,
    /// The token it is held by.
    pub token: LeaseToken,
    /// Someone asked for its kill.
    pub kill_requested: bool,
    /// Its trigger is held: the robot may finish early.
    pub pausing: bool,
    /// It was LOST, and runs again.
    pub was_lost: bool,
    /// Its trigger.
    pub trigger_id: TriggerId,
}

#[derive(Debug, Serialize)]
struct Held {
    job: Uuid,
    token: i64,
}

#[derive(Debug, sqlx::FromRow)]
struct RenewedRow {
    id: Uuid,
    lease_token: i64,
    kill_requested: bool,
    trigger_id: Uuid,
    pausing: bool,
}

// A repetition finds the job RUNNING with the same token and hash, and is the same success.
const JOB_START: Sql = sql![
    "UPDATE jobs SET status = 'RUNNING', start_time = COALESCE(start_time, $5), job_token_hash = $3,
        commit_id = COALESCE($4, commit_id), lease_expires_at = $6
     WHERE id = $1 AND lease_token = $2 AND ((status = 'ASSIGNED' AND lease_expires_at > $5)
        OR (status = 'RUNNING' AND job_token_hash = $3))"
];

macro_rules! renewed_columns {
    () => {
        "id, lease_token, kill_requested, trigger_id, \
         (SELECT t.hold <> 'NONE' FROM triggers t WHERE t.id = jobs.trigger_id) AS pausing"
    };
}

// The sub-select locks in the order of ids, as everything does. `IS TRUE` keeps both databases on the primary
// key: the ids are few, the jobs of a worker or a status may be many.
const JOB_RENEW: Sql = sql!["UPDATE jobs SET lease_expires_at = $3 WHERE id" [in_open] "SELECT j.id FROM "
    [only sqlite "(SELECT unhex(value->>'job', '-') AS job, value->>'token' AS token FROM json_each($1)) v"]
    [only postgres "jsonb_to_recordset($1) AS v(job uuid, token bigint)"]
    " JOIN jobs j ON j.id = v.job AND j.lease_token = v.token
        WHERE (j.worker_name = $2) IS TRUE AND j.session_id = $4 AND (j.status IN ('ASSIGNED', 'RUNNING')) IS TRUE ORDER BY j.id" [for_update_of "j"] [in_close]
    " AND (status IN ('ASSIGNED', 'RUNNING')) IS TRUE RETURNING " [columns renewed_columns]];

const JOB_REGAIN: Sql = sql!["UPDATE jobs SET status = 'RUNNING', lease_expires_at = $3, lost_since = NULL WHERE id"
    [in_open] "SELECT j.id FROM "
    [only sqlite "(SELECT unhex(value->>'job', '-') AS job, value->>'token' AS token FROM json_each($1)) v"]
    [only postgres "jsonb_to_recordset($1) AS v(job uuid, token bigint)"]
    " JOIN jobs j ON j.id = v.job AND j.lease_token = v.token
        WHERE (j.worker_name = $2) IS TRUE AND j.session_id = $4 AND (j.status = 'LOST') IS TRUE AND j.superseded_by IS NULL ORDER BY j.id"
    [for_update_of "j"] [in_close]
    " AND (status = 'LOST') IS TRUE AND superseded_by IS NULL RETURNING " [columns renewed_columns]];

impl Tx {
    /// Notes that the worker is about to start the robot. True when the lease still holds, and for a repetition of the same
    /// call; false changes nothing.
    pub async fn job_start(
        &mut self,
        job: JobId,
        token: LeaseToken,
        token_hash: &[u8],
        commit: Option<&str>,
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<bool, DbError> {
        let bound = (job.as_uuid(), token.value());
        let started = execute!(self, "job_start", JOB_START, [bound.0, bound.1, token_hash, commit, now, expires_at])?;
        Ok(started == 1)
    }

    /// Renews the leases that a session of a worker lists; a LOST job that nothing superseded runs again. What is not in the
    /// answer is not held any more, or not by this session. Takes no lock on triggers.
    pub async fn job_renew(
        &mut self,
        worker: &WorkerName,
        session: SessionId,
        held: &[(JobId, LeaseToken)],
        expires_at: Timestamp,
    ) -> Result<Vec<Renewed>, DbError> {
        if held.is_empty() {
            return Ok(Vec::new());
        }
        let pairs: Vec<Held> =
            held.iter().map(|(job, token)| Held { job: job.as_uuid(), token: token.value() }).collect();
        let (worker, session) = (worker.as_str(), session.as_uuid());
        let rows =
            fetch_plain!(self, "job_renew", JOB_RENEW, as RenewedRow, [Json(&pairs), worker, expires_at, session])?;
        let mut renewed: Vec<Renewed> = rows.into_iter().map(|row| row.renewed(false)).collect();
        if renewed.len() < held.len() {
            let known: HashSet<JobId> = renewed.iter().map(|row| row.job).collect();
            let left: Vec<Held> =
                pairs.into_iter().filter(|pair| !known.contains(&JobId::from_uuid(pair.job))).collect();
            let rows =
                fetch_plain!(self, "job_renew", JOB_REGAIN, as RenewedRow, [Json(&left), worker, expires_at, session])?;
            renewed.extend(rows.into_iter().map(|row| row.renewed(true)));
        }
        Ok(renewed)
    }
}

impl RenewedRow {
    fn renewed(self, was_lost: bool) -> Renewed {
        Renewed {
            job: JobId::from_uuid(self.id),
            token: LeaseToken::new(self.lease_token),
            kill_requested: self.kill_requested,
            pausing: self.pausing,
            was_lost,
            trigger_id: TriggerId::from_uuid(self.trigger_id),
        }
    }
}

#[cfg(test)]
crate::statements::statements![JOB_START, JOB_RENEW, JOB_REGAIN];
