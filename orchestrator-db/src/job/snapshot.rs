//! Edits of a trigger reach its queued jobs.

use orchestrator_core::id::TriggerId;
use orchestrator_core::job::JobSnapshot;
use sqlx::types::Json;

use super::type_rank;
use crate::dialect::{Sql, sql};
use crate::error::DbError;
use crate::rows::execute;
use crate::tx::Tx;

// Who made a job and whose its arguments are is the job's own; everything else is the trigger's.
const JOB_REWRITE_SNAPSHOT: Sql = sql!["UPDATE jobs" [indexed_by "jobs_active_by_trigger"] " SET trigger_name = $3, process_name = $4, is_blocking = $5, priority = $6,
        type_rank = $7, snapshot = "
    [only sqlite "json_set(CASE WHEN own_arguments
            THEN json_set($2, '$.process.args', json(snapshot->'$.process.args')) ELSE $2 END,
        '$.origin', COALESCE(snapshot->>'$.origin', 'TRIGGER'),
        '$.own_args', json(COALESCE(snapshot->'$.own_args', 'false')))"]
    [only postgres "jsonb_set(jsonb_set(CASE WHEN own_arguments
            THEN jsonb_set($2, '{process,args}', COALESCE(snapshot->'process'->'args', 'null')) ELSE $2 END,
        '{origin}', COALESCE(snapshot->'origin', '\"TRIGGER\"')),
        '{own_args}', COALESCE(snapshot->'own_args', 'false'))"]
    " WHERE trigger_id = $1 AND status IN ('QUEUED', 'ASSIGNED', 'RUNNING', 'LOST') AND status = 'QUEUED'"];

const JOB_FORGET_HOLD: Sql = sql!["UPDATE jobs" [indexed_by "jobs_active_by_trigger"] " SET snapshot = "
    [only sqlite "json_set(snapshot, '$.hold', 'NONE')"]
    [only postgres "jsonb_set(snapshot, '{hold}', '\"NONE\"')"]
    " WHERE trigger_id = $1 AND status IN ('QUEUED', 'ASSIGNED', 'RUNNING', 'LOST')"];

impl Tx {
    /// From now on any hold of the trigger concerns its active jobs, also those that were made under one.
    pub async fn job_forget_hold(&mut self, trigger: TriggerId) -> Result<(), DbError> {
        execute!(self, "job_forget_hold", JOB_FORGET_HOLD, [trigger.as_uuid()]).map(drop)
    }

    /// Gives the queued jobs of a trigger what it runs now; how many. A job that was run with arguments of its own keeps
    /// them, assigned and running jobs keep everything.
    pub async fn job_rewrite_snapshot(&mut self, trigger: TriggerId, snapshot: &JobSnapshot) -> Result<u64, DbError> {
        execute!(
            self,
            "job_rewrite_snapshot",
            JOB_REWRITE_SNAPSHOT,
            [
                trigger.as_uuid(),
                Json(snapshot),
                snapshot.trigger_name.as_str(),
                snapshot.process.name.as_str(),
                snapshot.is_blocking,
                i64::from(snapshot.priority),
                type_rank(snapshot.trigger_type)
            ]
        )
    }
}

#[cfg(test)]
crate::statements::statements![JOB_REWRITE_SNAPSHOT, JOB_FORGET_HOLD];
