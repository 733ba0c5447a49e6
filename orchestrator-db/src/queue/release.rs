use chrono::SecondsFormat;
use orchestrator_core::clock::Timestamp;
use orchestrator_core::id::{ElementId, JobId};
use orchestrator_core::queue::{ElementStatus, QueueElement};
use orchestrator_core::text::Message;
use uuid::Uuid;

use super::status::{StatusBy, moved};
use crate::dialect::{Sql, on_conn, sql};
use crate::error::DbError;
use crate::lists::Ids;
use crate::rows::{fetch_plain, fetch_scalars};
use crate::tx::Tx;

const HELD_BY_JOBS: Sql =
    sql!["SELECT id, parked FROM queues WHERE job_id" [in_ids "$1"] " AND status = 'IN_PROGRESS'"];
const EXPIRED: Sql = sql![
    "SELECT id FROM queues WHERE lease_expires_at <= $1 AND status = 'IN_PROGRESS'
     ORDER BY lease_expires_at LIMIT $2"[skip_locked]
];
const ANY_OF_JOB: Sql = sql![
    "SELECT EXISTS (SELECT 1 FROM queues WHERE job_id = $1)
     OR EXISTS (SELECT 1 FROM jobs WHERE id = $1 AND work_deleted)"
];

/// What became of the elements that jobs held at their end.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Released {
    /// Those that were only claimed, as they are now.
    pub taken_back: Vec<QueueElement>,
    /// How many stay in progress, because a robot itself set them so.
    pub parked: usize,
}

impl Tx {
    /// Takes back what jobs hold, at their end: new again while the queue grants another attempt, abandoned otherwise. What a
    /// robot itself set to In Progress is its state, and stays.
    pub async fn element_release_of_job(&mut self, jobs: &[JobId], now: Timestamp) -> Result<Released, DbError> {
        let jobs: Ids = jobs.iter().map(|job| job.as_uuid()).collect();
        let held = fetch_plain!(self, "element_release_of_job", HELD_BY_JOBS, as (Uuid, bool), [&jobs])?;
        let parked = held.iter().filter(|(_, parked)| *parked).count();
        let held = held.into_iter().filter_map(|(id, parked)| (!parked).then_some(id)).collect();
        let still = |element: &QueueElement| {
            !element.parked && element.job_id.is_some_and(|job| jobs.0.contains(&job.as_uuid()))
        };
        let why = |element: &QueueElement| {
            let job = element.job_id.map(|job| job.to_string()).unwrap_or_default();
            format!("job {job} ended at {}", seconds(now))
        };
        Ok(Released { taken_back: self.take_back(held, still, why, now).await?, parked })
    }

    /// Takes back what was claimed outside jobs for a time that is over, by the same rule; at most `limit` at a time.
    pub async fn element_expire_claims(&mut self, now: Timestamp, limit: u32) -> Result<Vec<QueueElement>, DbError> {
        let expired = fetch_scalars!(self, "element_expire_claims", EXPIRED, as Uuid, [now, i64::from(limit)])?;
        let still = |element: &QueueElement| element.lease_expires_at.is_some_and(|expires_at| expires_at <= now);
        let why =
            |element: &QueueElement| format!("{LEASE} ended at {}", seconds(element.lease_expires_at.unwrap_or(now)));
        self.take_back(expired, still, why, now).await
    }

    /// Whether the job claimed anything that it did not give back, be it deleted since.
    pub async fn element_any_of_job(&mut self, job: JobId) -> Result<bool, DbError> {
        on_conn!(self, |conn, dialect| {
            sqlx::query_scalar(ANY_OF_JOB.text(dialect)).bind(job.as_uuid()).fetch_one(conn).await
        })
        .map_err(DbError::in_op("element_any_of_job"))
    }

    async fn take_back(
        &mut self,
        ids: Vec<Uuid>,
        still: impl Fn(&QueueElement) -> bool,
        why: impl Fn(&QueueElement) -> String,
        now: Timestamp,
    ) -> Result<Vec<QueueElement>, DbError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let locked = self.elements_lock(ids.into_iter().map(ElementId::from_uuid)).await?;
        // One that cannot be read is left for a person; what it is called was told when it was read.
        let held: Vec<QueueElement> = locked
            .into_values()
            .flatten()
            .map(|locked| locked.element)
            .filter(|element| element.status == ElementStatus::InProgress && still(element))
            .collect();
        let settings = self.queue_settings_of(held.iter().map(|element| &element.queue_name)).await?;
        let changes: Vec<(QueueElement, QueueElement)> = held
            .into_iter()
            .map(|element| {
                let most = settings.get(element.queue_name.as_str()).copied().unwrap_or_default().max_attempts;
                let after =
                    QueueElement { message: Some(told(&element, &why(&element))), ..taken_back(&element, most, now) };
                (element, after)
            })
            .collect();
        self.elements_write(&changes).await?;
        Ok(changes.into_iter().map(|(_, after)| after).collect())
    }
}

/// What a message begins with that tells of a claim outside jobs.
const LEASE: &str = "the lease of its claim";
/// What the messages end with that tell why an element was taken back.
const UNFINISHED: &str = " before it was finished";

/// The message of an element that is taken back: what someone wrote stays, what was told of an earlier time does not.
fn told(element: &QueueElement, why: &str) -> Message {
    let is_told = |text: &str| text.ends_with(UNFINISHED) && (text.starts_with("job ") || text.starts_with(LEASE));
    let kept = element.message.as_ref().filter(|message| !message.as_str().is_empty() && !is_told(message.as_str()));
    kept.cloned().unwrap_or_else(|| Message::cut(&format!("{why}{UNFINISHED}")))
}

fn seconds(at: Timestamp) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// An element whose holder is gone.
fn taken_back(element: &QueueElement, max_attempts: u32, now: Timestamp) -> QueueElement {
    if element.attempt < max_attempts {
        let new = moved(element, ElementStatus::New, StatusBy::Operator, now);
        QueueElement { attempt: element.attempt, ..new }
    } else {
        moved(element, ElementStatus::Abandoned, StatusBy::Operator, now)
    }
}

#[cfg(test)]
crate::statements::statements![HELD_BY_JOBS, EXPIRED, ANY_OF_JOB];
