//! What an operator watches, in a few counts. Only what is active or held is read: nothing of it grows with history.

use orchestrator_core::clock::Timestamp;
use orchestrator_core::job::JobStatus;
use orchestrator_core::text::QueueName;
use orchestrator_core::trigger::Hold;
use orchestrator_core::worker::WorkerState;

use crate::dialect::{Sql, sql};
use crate::error::DbError;
use crate::rows::{fetch_plain, fetch_scalars};
use crate::tx::Tx;

/// How things stand. What there is none of is left out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Figures {
    /// Workers by state.
    pub workers: Vec<(WorkerState, u64)>,
    /// Active jobs by status.
    pub jobs: Vec<(JobStatus, u64)>,
    /// When the oldest job was queued that could be started.
    pub oldest_queued: Option<Timestamp>,
    /// Live triggers that someone or their failures hold, by hold. Those that have had their run are not counted.
    pub held: Vec<(Hold, u64)>,
    /// New elements of the queues that have most of them.
    pub queues: Vec<(QueueName, u64)>,
}

const WORKERS_BY_STATE: Sql = sql!["SELECT state, COUNT(*) FROM workers GROUP BY state"];

const ACTIVE_BY_STATUS: Sql = sql!["SELECT status, COUNT(*) FROM jobs" [indexed_by "jobs_by_status"]
    " WHERE status IN ('QUEUED', 'ASSIGNED', 'RUNNING', 'LOST') GROUP BY status"];

// Ids are in the order in which jobs were made. The next attempts that wait for their time are passed over: they are few.
const OLDEST_QUEUED: Sql = sql!["SELECT queued_at FROM jobs" [indexed_by "jobs_by_status"]
    " WHERE status = 'QUEUED' AND (not_before IS NULL OR not_before <= $1) ORDER BY id LIMIT 1"];

const TRIGGERS_HELD: Sql = sql!["SELECT hold, COUNT(*) FROM triggers" [indexed_by "triggers_held"]
    " WHERE hold IN ('PAUSED', 'FAILED', 'KILLED') AND deleted_at IS NULL GROUP BY hold"];

const QUEUES_FULLEST: Sql = sql![
    "SELECT queue_name, CAST(SUM(delta) AS BIGINT) AS waiting FROM queue_counts WHERE status = 'NEW'
     GROUP BY queue_name HAVING SUM(delta) > 0 ORDER BY waiting DESC, queue_name LIMIT $1"
];

type Count = (String, i64);

impl Tx {
    /// How things stand at `now`, with at most `queues` queues.
    pub async fn figures(&mut self, now: Timestamp, queues: u32) -> Result<Figures, DbError> {
        let workers = fetch_plain!(self, "figures", WORKERS_BY_STATE, as Count, [])?;
        let jobs = fetch_plain!(self, "figures", ACTIVE_BY_STATUS, as Count, [])?;
        let oldest = fetch_scalars!(self, "figures", OLDEST_QUEUED, as Timestamp, [now])?;
        let held = fetch_plain!(self, "figures", TRIGGERS_HELD, as Count, [])?;
        let fullest = fetch_plain!(self, "figures", QUEUES_FULLEST, as Count, [i64::from(queues)])?;
        Ok(Figures {
            workers: read(workers),
            jobs: read(jobs),
            oldest_queued: oldest.into_iter().next(),
            held: read(held),
            queues: fullest.into_iter().map(|(name, count)| (QueueName::from_stored(name), whole(count))).collect(),
        })
    }
}

/// A name that cannot be read is one of a newer program.
fn read<T: std::str::FromStr>(counts: Vec<Count>) -> Vec<(T, u64)> {
    counts.into_iter().filter_map(|(name, count)| Some((name.parse().ok()?, whole(count)))).collect()
}

fn whole(count: i64) -> u64 {
    u64::try_from(count).unwrap_or_default()
}

#[cfg(test)]
crate::statements::statements![WORKERS_BY_STATE, ACTIVE_BY_STATUS, OLDEST_QUEUED, TRIGGERS_HELD, QUEUES_FULLEST];
