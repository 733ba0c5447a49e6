//! How queues stand, kept once a minute for those who look at their history.

use std::time::Duration;

use chrono::{DurationRound as _, TimeDelta};
use orchestrator_core::clock::Timestamp;
use orchestrator_db::DbError;

use crate::scheduler::Scheduler;

impl Scheduler {
    /// Keeps how every queue stands in this minute, unless that is kept already, and deletes what is too old. How many queues.
    pub async fn sample_queues(&self, now: Timestamp) -> Result<u64, DbError> {
        let mut tx = self.db().begin_write().await?;
        let kept = tx.queue_samples_keep(this_minute(now)).await?;
        tx.queue_samples_prune(now).await?;
        tx.commit().await?;
        Ok(kept)
    }
}

fn this_minute(now: Timestamp) -> Timestamp {
    // Only instants that no clock tells cannot be rounded.
    now.duration_trunc(TimeDelta::minutes(1)).unwrap_or(now)
}

/// How long it is until a minute begins.
pub(crate) fn until_next_minute(now: Timestamp) -> Duration {
    let next = this_minute(now) + TimeDelta::minutes(1);
    (next - now).to_std().unwrap_or(Duration::from_secs(1))
}

#[cfg(test)]
mod tests {
    use chrono::{TimeZone as _, Utc};

    use super::*;

    #[test]
    fn the_next_minute_is_waited_for_and_never_this_one() {
        let at = |seconds: i64, nanos| Utc.timestamp_opt(1_800_000_000 + seconds, nanos).unwrap();
        assert_eq!(until_next_minute(at(0, 0)), Duration::from_mins(1));
        assert_eq!(until_next_minute(at(59, 999_999_000)), Duration::from_micros(1));
        assert_eq!(until_next_minute(at(75, 0)), Duration::from_secs(45));
    }
}
