//! The end of a job that a worker holds, and the way back into the queue.

use orchestrator_core::clock::Timestamp;
use orchestrator_core::id::JobId;
use orchestrator_core::job::Outcome;
use orchestrator_core::lease::LeaseToken;
use orchestrator_core::text::Reason;

use crate::dialect::{Sql, sql};
use crate::error::DbError;
use crate::rows::execute;
use crate::tx::Tx;

const JOB_FINISH: Sql = sql![
    "UPDATE jobs SET status = $3, exit_code = $4, reason = $5, end_time = $6,
        job_token_hash = NULL, lease_expires_at = NULL
     WHERE id = $1 AND lease_token = $2 AND status IN ('ASSIGNED', 'RUNNING', 'LOST') AND superseded_by IS NULL"
];

const JOB_HAND_BACK: Sql = sql![
    "UPDATE jobs SET status = 'QUEUED', hand_back_count = hand_back_count + 1, reason = $3,
        not_before = $4, worker_name = NULL, session_id = NULL, request_id = NULL, lease_expires_at = NULL,
        job_token_hash = NULL, start_time = NULL, lost_since = NULL, commit_id = NULL
     WHERE id = $1 AND lease_token = $2 AND status IN ('ASSIGNED', 'RUNNING', 'LOST') AND superseded_by IS NULL"
];

impl Tx {
    /// Ends a job that the token still holds; the robot's token dies with it. False changes nothing.
    pub async fn job_finish(
        &mut self,
        job: JobId,
        token: LeaseToken,
        outcome: Outcome,
        exit_code: Option<i32>,
        reason: Option<&Reason>,
        ended_at: Timestamp,
    ) -> Result<bool, DbError> {
        let reason = reason.map(Reason::as_str);
        let ended = execute!(
            self,
            "job_finish",
            JOB_FINISH,
            [job.as_uuid(), token.value(), outcome.status().as_str(), exit_code.map(i64::from), reason, ended_at]
        )?;
        Ok(ended == 1)
    }

    /// Puts a job that was never started back into the queue, with one more hand-back counted and the token kept. False
    /// changes nothing.
    pub async fn job_hand_back(
        &mut self,
        job: JobId,
        token: LeaseToken,
        reason: &Reason,
        not_before: Option<Timestamp>,
    ) -> Result<bool, DbError> {
        let back = execute!(
            self,
            "job_hand_back",
            JOB_HAND_BACK,
            [job.as_uuid(), token.value(), reason.as_str(), not_before]
        )?;
        Ok(back == 1)
    }
}

#[cfg(test)]
crate::statements::statements![JOB_FINISH, JOB_HAND_BACK];
