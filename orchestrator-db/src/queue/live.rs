use std::collections::{BTreeSet, HashSet};

use orchestrator_core::id::JobId;
use uuid::Uuid;

use crate::dialect::{Sql, sql};
use crate::error::DbError;
use crate::lists::Ids;
use crate::rows::fetch_scalars;
use crate::tx::Tx;

// `IS TRUE` keeps PostgreSQL on the primary key.
const LIVE_JOBS: Sql = sql!["SELECT id FROM jobs
     WHERE id" [in_ids "$1"] " AND (status IN ('ASSIGNED', 'RUNNING', 'LOST')) IS TRUE ORDER BY id" [for_share]];

impl Tx {
    /// Which of these jobs live, locked against their end until this transaction is over: nothing may be given to a job
    /// whose end has already released what it held.
    pub(crate) async fn live_jobs(&mut self, jobs: impl Iterator<Item = JobId>) -> Result<HashSet<JobId>, DbError> {
        let ids: BTreeSet<Uuid> = jobs.map(JobId::as_uuid).collect();
        if ids.is_empty() {
            return Ok(HashSet::new());
        }
        let ids: Ids = ids.into_iter().collect();
        let live = fetch_scalars!(self, "live_jobs", LIVE_JOBS, as Uuid, [&ids])?;
        Ok(live.into_iter().map(JobId::from_uuid).collect())
    }
}

#[cfg(test)]
crate::statements::statements![LIVE_JOBS];
