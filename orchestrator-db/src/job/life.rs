//! Renewing leases.

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
use crate::rows::{fetch_plain, fetch_scalars};
use crate::tx::Tx;

/// What a heartbeat learns of one job that its worker still holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Renewed {
    /// The job.
    pub job: JobId,
    /// Who holds it.
    pub worker: WorkerName,
    /// The registration that holds it.
    pub session: SessionId,
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

/// A session of a worker, and what it says it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// The worker.
    pub worker: WorkerName,
    /// Its registration.
    pub session: SessionId,
    /// What it lists.
    pub held: Vec<(JobId, LeaseToken)>,
}

#[derive(Debug, Serialize)]
struct Held<'a> {
    job: Uuid,
    token: i64,
    worker: &'a str,
    session: Uuid,
}

#[derive(Debug, sqlx::FromRow)]
struct RenewedRow {
    id: Uuid,
    worker_name: String,
    session_id: Uuid,
    lease_token: i64,
    kill_requested: bool,
    trigger_id: Uuid,
    pausing: bool,
}

macro_rules! renewed_columns {
    () => {
        "id, worker_name, session_id, lease_token, kill_requested, trigger_id, \
         (SELECT t.hold <> 'NONE' FROM triggers t WHERE t.id = jobs.trigger_id) AS pausing"
    };
}

/// What was listed, joined with the jobs that are held so.
macro_rules! held_jobs {
    (sqlite) => {
        "(SELECT unhex(value->>'job', '-') AS job, value->>'token' AS token, value->>'worker' AS worker, \
            unhex(value->>'session', '-') AS session FROM json_each($1)) v \
         JOIN jobs j ON j.id = v.job AND j.lease_token = v.token \
         WHERE (j.worker_name = v.worker) IS TRUE AND j.session_id = v.session"
    };
    (postgres) => {
        "jsonb_to_recordset($1) AS v(job uuid, token bigint, worker text, session uuid) \
         JOIN jobs j ON j.id = v.job AND j.lease_token = v.token \
         WHERE j.id = ANY(ARRAY(SELECT job FROM jsonb_to_recordset($1) AS listed(job uuid))) \
            AND (j.worker_name = v.worker) IS TRUE AND j.session_id = v.session"
    };
}

// The sub-select locks in the order of ids, as everything does. `IS TRUE` and the array keep both databases on the primary
// key: the ids are few, the jobs of a worker or a status may be many.
const JOB_RENEW: Sql = sql!["UPDATE jobs SET lease_expires_at = $2 WHERE id" [in_open] "SELECT j.id FROM "
    [text held_jobs] " AND (j.status IN ('ASSIGNED', 'RUNNING')) IS TRUE ORDER BY j.id" [for_update_of "j"] [in_close]
    " AND (status IN ('ASSIGNED', 'RUNNING')) IS TRUE RETURNING " [columns renewed_columns]];

const JOB_REGAIN: Sql = sql!["UPDATE jobs SET status = 'RUNNING', lease_expires_at = $2, lost_since = NULL WHERE id"
    [in_open] "SELECT j.id FROM " [text held_jobs]
    " AND (j.status = 'LOST') IS TRUE AND j.superseded_by IS NULL ORDER BY j.id" [for_update_of "j"] [in_close]
    " AND (status = 'LOST') IS TRUE AND superseded_by IS NULL RETURNING " [columns renewed_columns]];

// What has ended does not come back, and is locked by nobody here: whoever takes its last words locks it in the order of ids.
const JOB_HOLD: Sql = sql!["SELECT j.id FROM " [text held_jobs]
    " AND (j.status IN ('ASSIGNED', 'RUNNING', 'LOST')) IS TRUE ORDER BY j.id" [for_update_of "j"]];

impl Tx {
    /// Renews the leases that a session of a worker lists; a LOST job that nothing superseded runs again. What is not in the
    /// answer is not held any more, or not by this session. Takes no lock on triggers.
    pub async fn job_renew(
        &mut self,
        worker: &WorkerName,
        session: SessionId,
        held: &[(JobId, LeaseToken)],
        expires_at: Timestamp,
    ) -> Result<Vec<Renewed>, DbError> {
        let holder = Holder { worker: worker.clone(), session, held: held.to_vec() };
        self.job_renew_all(&[holder], expires_at).await
    }

    /// As [`Tx::job_renew`], for many workers at once.
    pub async fn job_renew_all(&mut self, holders: &[Holder], expires_at: Timestamp) -> Result<Vec<Renewed>, DbError> {
        let listed: Vec<Held<'_>> = holders
            .iter()
            .flat_map(|holder| {
                holder.held.iter().map(|(job, token)| Held {
                    job: job.as_uuid(),
                    token: token.value(),
                    worker: holder.worker.as_str(),
                    session: holder.session.as_uuid(),
                })
            })
            .collect();
        if listed.is_empty() {
            return Ok(Vec::new());
        }
        let rows = fetch_plain!(self, "job_renew", JOB_RENEW, as RenewedRow, [Json(&listed), expires_at])?;
        let mut renewed: Vec<Renewed> = rows.into_iter().map(|row| row.renewed(false)).collect();
        let known: HashSet<Uuid> = renewed.iter().map(|row| row.job.as_uuid()).collect();
        let left: Vec<&Held<'_>> = listed.iter().filter(|held| !known.contains(&held.job)).collect();
        if !left.is_empty() {
            // Another beat of the same worker may find a lost one again between two of these statements, which would then both
            // miss it: they look at what nobody else can change any more.
            let live = fetch_scalars!(self, "job_renew", JOB_HOLD, as Uuid, [Json(&left)])?;
            let statements = if live.is_empty() { &[][..] } else { &[(JOB_RENEW, false), (JOB_REGAIN, true)] };
            for &(statement, was_lost) in statements {
                let rows = fetch_plain!(self, "job_renew", statement, as RenewedRow, [Json(&left), expires_at])?;
                renewed.extend(rows.into_iter().map(|row| row.renewed(was_lost)));
            }
        }
        Ok(renewed)
    }
}

impl RenewedRow {
    fn renewed(self, was_lost: bool) -> Renewed {
        Renewed {
            job: JobId::from_uuid(self.id),
            worker: WorkerName::from_stored(self.worker_name),
            session: SessionId::from_uuid(self.session_id),
            token: LeaseToken::new(self.lease_token),
            kill_requested: self.kill_requested,
            pausing: self.pausing,
            was_lost,
            trigger_id: TriggerId::from_uuid(self.trigger_id),
        }
    }
}

#[cfg(test)]
crate::statements::statements![JOB_RENEW, JOB_REGAIN, JOB_HOLD];
