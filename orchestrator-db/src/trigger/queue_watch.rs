//! Queue triggers whose queue has enough new elements.

use std::collections::HashMap;

use orchestrator_core::clock::Timestamp;
use orchestrator_core::id::TriggerId;
use orchestrator_core::text::QueueName;
use uuid::Uuid;

use super::StoredTrigger;
use crate::dialect::{Sql, sql};
use crate::error::{DbError, Readable};
use crate::lists::{Ids, Texts};
use crate::rows::{fetch_plain, fetch_scalars};
use crate::tx::Tx;

/// Queue triggers of queues that are named by `$3`. They are found by their ids: of the triggers that live, few watch these.
const QUEUE_WATCHERS: Sql = sql!["SELECT t.id, q.queue_name, q.min_batch_size
     FROM queue_triggers q JOIN triggers t ON t.id = q.id
     WHERE (t.deleted_at IS NULL) IS TRUE AND t.hold = 'NONE' AND (t.due_at IS NULL OR t.due_at <= $1) AND t.id > $2
        AND q.queue_name" [in_texts "$3"]
    [only postgres " AND t.id = ANY(ARRAY(SELECT w.id FROM queue_triggers w WHERE w.queue_name = ANY($3)))"] "
        AND (SELECT 1 FROM queues e" [indexed_by "queues_ready"] " WHERE e.queue_name" [bytewise] " = q.queue_name AND e.ready LIMIT 1)
            IS NOT NULL
        AND NOT EXISTS (SELECT 1 FROM queue_settings s WHERE s.queue_name = q.queue_name AND s.paused)
     ORDER BY t.id LIMIT $4"];

// From one queue that has something to the next, however many elements and triggers there are; none where nobody watches: what
// was just taken lies before what is ready, and is walked over until the database has cleaned up.
const QUEUES_WITH_SOMETHING: Sql = sql!["WITH RECURSIVE found(name) AS (
        SELECT (SELECT e.queue_name FROM queues e" [indexed_by "queues_ready"] " WHERE e.ready ORDER BY e.queue_name" [bytewise] " LIMIT 1)
        WHERE EXISTS (SELECT 1 FROM queue_triggers)
        UNION ALL
        SELECT (SELECT e.queue_name FROM queues e" [indexed_by "queues_ready"] " WHERE e.ready AND e.queue_name" [bytewise] " > found.name
                ORDER BY e.queue_name" [bytewise] " LIMIT 1)
        FROM found WHERE found.name IS NOT NULL)
     SELECT found.name FROM found WHERE found.name IS NOT NULL"];

const QUEUE_WATCHERS_LOCK: Sql = sql!["SELECT id FROM triggers WHERE id" [in_ids "$1"]
    " AND (deleted_at IS NULL) IS TRUE AND hold = 'NONE' AND (due_at IS NULL OR due_at <= $2) ORDER BY id" [skip_locked]];

/// A queue trigger that may have enough.
type Watcher = (Uuid, String, i64);

const QUEUE_WATCHED_BY: Sql = sql![
    "SELECT t.trigger_name FROM queue_triggers q JOIN triggers t ON t.id = q.id
     WHERE q.queue_name = $1 AND t.deleted_at IS NULL ORDER BY t.trigger_name LIMIT $2"
];

impl Tx {
    /// The names of live triggers that watch a queue.
    pub async fn trigger_names_watching(&mut self, queue: &QueueName, limit: u32) -> Result<Vec<String>, DbError> {
        fetch_scalars!(self, "trigger_names_watching", QUEUE_WATCHED_BY, as String, [queue.as_str(), i64::from(limit)])
    }

    /// Locks live queue triggers that are neither held nor backing off and whose queue (one of `queues`, or any) is not
    /// paused and has at least a batch of ready elements, in the order of their ids, beginning behind `after`. Those that another server
    /// has are skipped.
    pub async fn trigger_lock_queue_watchers(
        &mut self,
        queues: Option<&[QueueName]>,
        now: Timestamp,
        after: Option<TriggerId>,
        limit: u32,
    ) -> Result<Readable<StoredTrigger>, DbError> {
        let names: Texts = match queues {
            Some(queues) => queues.iter().map(QueueName::as_str).collect(),
            None => Texts(fetch_scalars!(
                self,
                "trigger_lock_queue_watchers",
                QUEUES_WITH_SOMETHING,
                as String,
                []
            )?),
        };
        if names.0.is_empty() {
            return Ok(Readable { rows: Vec::new(), corrupt: Vec::new() });
        }
        let mut after = after.map_or(Uuid::nil(), TriggerId::as_uuid);
        let mut ready = Ids(Vec::new());
        let mut counts = HashMap::new();
        // Most triggers ask for one element, so that a round seldom drops any; one that drops some is followed by another.
        loop {
            let wanted = i64::from(limit) - i64::try_from(ready.0.len()).unwrap_or(i64::MAX);
            let found = fetch_plain!(
                self,
                "trigger_lock_queue_watchers",
                QUEUE_WATCHERS,
                as Watcher,
                [now, after, &names, wanted]
            )?;
            let Some(last) = found.last() else { break };
            after = last.0;
            let is_last_round = i64::try_from(found.len()).unwrap_or(i64::MAX) < wanted;
            for (id, queue, batch) in found {
                if self.has_batch(&mut counts, &queue, batch).await? {
                    ready.0.push(id);
                }
            }
            if is_last_round || ready.0.len() >= limit as usize {
                break;
            }
        }
        if ready.0.is_empty() {
            return Ok(Readable { rows: Vec::new(), corrupt: Vec::new() });
        }
        let locked = fetch_scalars!(
            self,
            "trigger_lock_queue_watchers",
            QUEUE_WATCHERS_LOCK,
            as Uuid,
            [&ready, now]
        )?;
        self.trigger_read(&Ids(locked)).await
    }

    /// Whether the queue has so many; `counts` remembers what was counted up to which bound.
    async fn has_batch(
        &mut self,
        counts: &mut HashMap<String, (u64, u64)>,
        queue: &str,
        batch: i64,
    ) -> Result<bool, DbError> {
        let batch = u64::try_from(batch).unwrap_or_default();
        if batch <= 1 {
            return Ok(true);
        }
        if let Some((count, bound)) = counts.get(queue)
            && (*count >= batch || count < bound)
        {
            return Ok(*count >= batch);
        }
        let count = self.queue_ready_count(&QueueName::from_stored(queue.to_owned()), batch).await?;
        counts.insert(queue.to_owned(), (count, batch));
        Ok(count >= batch)
    }
}

#[cfg(test)]
crate::statements::statements![QUEUE_WATCHERS, QUEUES_WITH_SOMETHING, QUEUE_WATCHERS_LOCK, QUEUE_WATCHED_BY];
