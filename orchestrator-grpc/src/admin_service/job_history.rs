//! How jobs ended lately.

use chrono::{DurationRound as _, TimeDelta};
use orchestrator_core::clock::Timestamp;
use orchestrator_core::job::JobStatus;
use orchestrator_db::{DbError, Tx};
use orchestrator_proto::convert::{self, DecodeError};
use orchestrator_proto::v1;
use orchestrator_scheduler::Scheduler;

/// The most hours: a week.
const MOST: u32 = 168;

/// How many hours are asked for.
pub(super) fn hours(message: v1::GetJobHistoryRequest) -> Result<u32, DecodeError> {
    match message.hours {
        0 => Ok(24),
        hours if hours <= MOST => Ok(hours),
        hours => {
            let (value, most) = (i128::from(hours), i128::from(MOST));
            Err(DecodeError::OutOfRange { field: "hours", value, least: 1, most })
        }
    }
}

/// The hours until now, the oldest first.
pub(super) async fn of(scheduler: &Scheduler, hours: u32) -> Result<v1::GetJobHistoryResponse, DbError> {
    let now = scheduler.now();
    // Instants of a message are always in range.
    let this = now.duration_trunc(TimeDelta::hours(1)).unwrap_or(now);
    let mut tx = scheduler.db().begin_read().await?;
    let mut list = Vec::new();
    for back in (0..i64::from(hours)).rev() {
        list.push(hour(&mut tx, this - TimeDelta::hours(back)).await?);
    }
    Ok(v1::GetJobHistoryResponse { hours: list })
}

async fn hour(tx: &mut Tx, start: Timestamp) -> Result<v1::HourOfJobs, DbError> {
    let mut hour = v1::HourOfJobs { start: Some(convert::timestamp(start)), ..v1::HourOfJobs::default() };
    for (status, count) in tx.job_count_made(start, start + TimeDelta::hours(1)).await? {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        let place = match status {
            JobStatus::Done => &mut hour.done,
            JobStatus::Failed | JobStatus::TimedOut => &mut hour.failed,
            JobStatus::Killed | JobStatus::Cancelled => &mut hour.killed,
            JobStatus::Queued | JobStatus::Assigned | JobStatus::Running | JobStatus::Lost => &mut hour.active,
        };
        *place = place.saturating_add(count);
    }
    Ok(hour)
}
