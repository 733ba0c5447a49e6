//! One job, by what a person calls it, by its id, by the call that made it or by its robot's token.

use orchestrator_core::id::{JobId, RequestId};
use orchestrator_core::job::Job;
use uuid::Uuid;

use super::LockedJob;
use super::row::{JobRow, job_columns};
use crate::dialect::{Sql, sql};
use crate::error::{Corrupt, DbError};
use crate::id_part::IdPart;
use crate::rows::{fetch, fetch_scalars};
use crate::tx::Tx;

const JOB_GET: Sql = sql!["SELECT " [columns job_columns] " FROM jobs WHERE id = $1"];

const JOB_BY_ORIGIN: Sql = sql!["SELECT " [columns job_columns] " FROM jobs WHERE origin_request_id = $1"];

const JOB_BY_TOKEN_HASH: Sql = sql!["SELECT " [columns job_columns] " FROM jobs
     WHERE job_token_hash = $1 AND status IN ('RUNNING', 'LOST') AND superseded_by IS NULL"];

// Each half has an index of its own: the primary key, and one on the last four digits.
const JOB_BY_ID_PART: Sql = sql!["SELECT id FROM (SELECT id FROM jobs WHERE id BETWEEN $1 AND $2 LIMIT 2) b
     UNION SELECT id FROM (SELECT id FROM jobs WHERE "
    [only postgres "right(CAST(id AS TEXT), 4) = $3 AND REPLACE(CAST(id AS TEXT), '-', '')"]
    [only sqlite "lower(substr(hex(id), 29)) = $3 AND lower(hex(id))"]
    " LIKE $4 LIMIT 2) e LIMIT 2"];

impl Tx {
    /// The job that a person means: by id, or by a part of the id (its beginning or end, four characters at least, hyphens
    /// ignored) that fits only one.
    pub async fn job_find(&mut self, key: &str) -> Result<Job, DbError> {
        if let Ok(id) = key.parse::<JobId>() {
            return self.job_get(id).await;
        }
        let part = IdPart::parse(key).ok_or_else(|| DbError::not_found("job", key))?;
        let (least, most) = part.range();
        let pattern = part.end_pattern();
        let ids = fetch_scalars!(self, "job_find", JOB_BY_ID_PART, as Uuid, [least, most, part.end(), &pattern])?;
        match ids[..] {
            [] => Err(DbError::not_found("job", key)),
            [id] => self.job_get(JobId::from_uuid(id)).await,
            _ => Err(DbError::Ambiguous { what: "job", key: key.to_owned() }),
        }
    }

    /// A job by its id.
    pub async fn job_get(&mut self, id: JobId) -> Result<Job, DbError> {
        let rows = fetch!(self, "job_get", JOB_GET, table "jobs" key "id" as JobRow, [id.as_uuid()])?;
        only(rows)?.ok_or_else(|| DbError::not_found("job", id))
    }

    /// The job that a call made, when it has made one.
    pub async fn job_by_origin(&mut self, request: RequestId) -> Result<Option<Job>, DbError> {
        only(fetch!(self, "job_by_origin", JOB_BY_ORIGIN, table "jobs" key "id" as JobRow, [request.as_uuid()])?)
    }

    /// The job whose robot holds a token with this hash, while it runs or is lost. Takes no lock.
    pub async fn job_by_token_hash(&mut self, hash: &[u8]) -> Result<Option<LockedJob>, DbError> {
        only(fetch!(self, "job_by_token_hash", JOB_BY_TOKEN_HASH, table "jobs" key "id" as JobRow, [hash])?)
    }
}

fn only<T: TryFrom<JobRow, Error = Corrupt>>(rows: Vec<Result<JobRow, Corrupt>>) -> Result<Option<T>, DbError> {
    rows.into_iter().next().map(|row| Ok(row?.try_into()?)).transpose()
}

#[cfg(test)]
crate::statements::statements![JOB_GET, JOB_BY_ORIGIN, JOB_BY_TOKEN_HASH, JOB_BY_ID_PART];
