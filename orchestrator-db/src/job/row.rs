//! Decoding of a job.

use orchestrator_core::clock::Timestamp;
use orchestrator_core::id::{JobId, RequestId, SessionId, TriggerId};
use orchestrator_core::job::{Job, JobSnapshot, JobState, JobStatus, Outcome};
use orchestrator_core::lease::{Lease, LeaseToken};
use orchestrator_core::text::{ProcessName, Reason, TriggerName, WorkerName};
use uuid::Uuid;

use super::{Grant, LockedJob};
use crate::answer::{Bulk, texts};
use crate::error::{Corrupt, RowAddress};

/// What [`JobRow`] needs.
macro_rules! job_columns {
    () => {
        "id, trigger_id, trigger_name, process_name, worker_name, status, scheduled_at, not_before, queued_at, \
         start_time, end_time, lost_since, attempt, superseded_by, kill_requested, reserved_worker, session_id, \
         lease_token, lease_expires_at, request_id, hand_back_count, exit_code, commit_id, reason, job_token_hash, \
         CAST(snapshot AS TEXT) AS snapshot"
    };
}
pub(super) use job_columns;

#[derive(Debug, sqlx::FromRow)]
pub(super) struct JobRow {
    pub(super) id: Uuid,
    trigger_id: Uuid,
    trigger_name: String,
    process_name: String,
    worker_name: Option<String>,
    status: String,
    scheduled_at: Timestamp,
    not_before: Option<Timestamp>,
    queued_at: Timestamp,
    start_time: Option<Timestamp>,
    end_time: Option<Timestamp>,
    lost_since: Option<Timestamp>,
    attempt: i64,
    superseded_by: Option<Uuid>,
    kill_requested: bool,
    reserved_worker: Option<String>,
    session_id: Option<Uuid>,
    lease_token: i64,
    lease_expires_at: Option<Timestamp>,
    request_id: Option<Uuid>,
    hand_back_count: i64,
    exit_code: Option<i64>,
    commit_id: Option<String>,
    reason: Option<String>,
    job_token_hash: Option<Vec<u8>>,
    snapshot: String,
}

impl Bulk for JobRow {
    fn bytes(&self) -> usize {
        // What it waits for, where it waits, is told in some words.
        1000 + self.trigger_name.len()
            + self.process_name.len()
            + texts([&self.worker_name, &self.reserved_worker, &self.commit_id, &self.reason])
            + self.snapshot.len()
    }
}

impl TryFrom<JobRow> for Job {
    type Error = Corrupt;

    fn try_from(row: JobRow) -> Result<Self, Corrupt> {
        let at = RowAddress::new("jobs", row.id);
        Ok(Self {
            id: JobId::from_uuid(row.id),
            trigger_id: TriggerId::from_uuid(row.trigger_id),
            state: row.state(&at)?,
            attempt: row.attempt.try_into().map_err(at.column("attempt"))?,
            exit_code: row.exit_code.map(i32::try_from).transpose().map_err(at.column("exit_code"))?,
            snapshot: serde_json::from_str(&row.snapshot).map_err(at.column("snapshot"))?,
            trigger_name: TriggerName::from_stored(row.trigger_name),
            process_name: ProcessName::from_stored(row.process_name),
            worker_name: row.worker_name.map(WorkerName::from_stored),
            scheduled_at: row.scheduled_at,
            queued_at: row.queued_at,
            start_time: row.start_time,
            end_time: row.end_time,
            superseded_by: row.superseded_by.map(JobId::from_uuid),
            kill_requested: row.kill_requested,
            commit: row.commit_id,
            reason: row.reason.map(Reason::from_stored),
        })
    }
}

impl TryFrom<JobRow> for LockedJob {
    type Error = Corrupt;

    fn try_from(mut row: JobRow) -> Result<Self, Corrupt> {
        let at = RowAddress::new("jobs", row.id);
        let hand_back_count = row.hand_back_count.try_into().map_err(at.column("hand_back_count"))?;
        let session_id = row.session_id.map(SessionId::from_uuid);
        let lease_token = LeaseToken::new(row.lease_token);
        let (lease_expires_at, lost_since) = (row.lease_expires_at, row.lost_since);
        let request_id = row.request_id.map(RequestId::from_uuid);
        let job_token_hash = row.job_token_hash.take();
        let reserved_worker = row.reserved_worker.take().map(WorkerName::from_stored);
        let job = Job::try_from(row)?;
        Ok(Self {
            trigger_type: job.snapshot.trigger_type,
            job,
            session_id,
            lease_token,
            lease_expires_at,
            request_id,
            hand_back_count,
            job_token_hash,
            reserved_worker,
            lost_since,
        })
    }
}

impl TryFrom<JobRow> for Grant {
    type Error = Corrupt;

    fn try_from(row: JobRow) -> Result<Self, Corrupt> {
        let lease = row.lease(&RowAddress::new("jobs", row.id))?;
        Ok(Self { job: row.try_into()?, lease })
    }
}

impl JobRow {
    fn lease(&self, at: &RowAddress) -> Result<Lease, Corrupt> {
        let expires_at = present(at, "lease_expires_at", self.lease_expires_at)?;
        Ok(Lease { token: LeaseToken::new(self.lease_token), expires_at })
    }

    fn state(&self, at: &RowAddress) -> Result<JobState, Corrupt> {
        let status: JobStatus = self.status.parse().map_err(at.column("status"))?;
        let outcome = match status {
            JobStatus::Queued => return Ok(JobState::Queued { not_before: self.not_before }),
            JobStatus::Assigned => return Ok(JobState::Assigned { lease: self.lease(at)? }),
            JobStatus::Running => {
                let started_at = present(at, "start_time", self.start_time)?;
                return Ok(JobState::Running { lease: self.lease(at)?, started_at });
            }
            JobStatus::Lost => {
                return Ok(JobState::Lost {
                    token: LeaseToken::new(self.lease_token),
                    started_at: present(at, "start_time", self.start_time)?,
                    since: present(at, "lost_since", self.lost_since)?,
                });
            }
            JobStatus::Done => Outcome::Done,
            JobStatus::Failed => Outcome::Failed,
            JobStatus::Killed => Outcome::Killed,
            JobStatus::TimedOut => Outcome::TimedOut,
            JobStatus::Cancelled => Outcome::Cancelled,
        };
        Ok(JobState::Ended { outcome, at: present(at, "end_time", self.end_time)? })
    }
}

fn present<T>(at: &RowAddress, column: &'static str, value: Option<T>) -> Result<T, Corrupt> {
    value.ok_or("nothing is stored").map_err(at.column(column))
}

/// The part of a candidate that is not a plain column.
pub(super) fn read_snapshot(id: Uuid, snapshot: &str) -> Result<JobSnapshot, Corrupt> {
    serde_json::from_str(snapshot).map_err(RowAddress::new("jobs", id).column("snapshot"))
}
