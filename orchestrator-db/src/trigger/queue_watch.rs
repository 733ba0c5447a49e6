//! Queue triggers whose queue has enough new elements.

use std::collections::{BTreeMap, HashMap, HashSet};

use orchestrator_core::clock::Timestamp;
use orchestrator_core::id::TriggerId;
use orchestrator_core::text::QueueName;
use orchestrator_core::trigger::TriggerKind;
use uuid::Uuid;

use super::StoredTrigger;
use super::row::{LockedRow, locked_columns, trigger_columns, trigger_tables};
use crate::dialect::{Sql, sql};
use crate::error::{DbError, Readable};
use crate::lists::{Ids, Texts};
use crate::queue::{Look, Position};
use crate::rows::{fetch, fetch_scalars};
use crate::tx::{Tx, TxInner};

/// Queue triggers of queues that are named by `$3`. They are found by their ids: of the triggers that live, few watch these.
const QUEUE_WATCHERS: Sql = sql!["SELECT t.id, q.queue_name, q.min_batch_size
     FROM queue_triggers q JOIN triggers t ON t.id = q.id"
    [only postgres "
         JOIN unnest($3::text[], $5::timestamptz[], $6::uuid[]) AS m (queue_name, created_date, id)
             ON m.queue_name = q.queue_name"] "
     WHERE (t.deleted_at IS NULL) IS TRUE AND t.hold = 'NONE' AND (t.due_at IS NULL OR t.due_at <= $1) AND t.id > $2
        AND q.queue_name" [in_texts "$3"]
    [only postgres " AND t.id = ANY(ARRAY(SELECT w.id FROM queue_triggers w WHERE w.queue_name = ANY($3)))"] "
        AND (SELECT 1 FROM queues e" [indexed_by "queues_ready"] " WHERE e.queue_name" [bytewise] " = q.queue_name AND e.ready"
            [only postgres " AND (e.created_date, e.id) >= (m.created_date, m.id)"] " LIMIT 1)
            IS NOT NULL
        AND NOT EXISTS (SELECT 1 FROM queue_settings s WHERE s.queue_name = q.queue_name AND s.paused)
     ORDER BY t.id LIMIT $4"];

/// The first queue that has something, or whose head is expensive to look at (`$1`).
macro_rules! next_with_something_first {
    (sqlite) => {
        "(SELECT e.queue_name FROM queues e INDEXED BY queues_ready WHERE e.ready ORDER BY e.queue_name LIMIT 1)"
    };
    (postgres) => {
        next_with_something!("''")
    };
}

/// The one after `found.name`.
macro_rules! next_with_something {
    (sqlite) => {
        "(SELECT e.queue_name FROM queues e INDEXED BY queues_ready WHERE e.ready AND e.queue_name > found.name
            ORDER BY e.queue_name LIMIT 1)"
    };
    (postgres) => {
        next_with_something!("found.name")
    };
    ($after:literal) => {
        concat!(
            "(SELECT COALESCE((SELECT e.queue_name FROM queues e WHERE e.ready AND e.queue_name COLLATE \"C\" > ",
            $after,
            " AND e.queue_name COLLATE \"C\" < COALESCE(named.name, U&'\\+10FFFF')
                ORDER BY e.queue_name COLLATE \"C\" LIMIT 1), named.name)
            FROM (SELECT MIN(name COLLATE \"C\") AS name FROM unnest($1::text[]) AS expensive (name)
                WHERE name COLLATE \"C\" > ",
            $after,
            ") AS named)"
        )
    };
}
// From one queue that has something to the next, however many elements and triggers there are; none where nobody watches: what
// was just taken lies before what is ready, and is walked over until the database has cleaned up. Queues where that is
// expensive are named (`$1`, by name): they are stepped over, and are in the answer whatever they have.
const QUEUES_WITH_SOMETHING: Sql = sql!["WITH RECURSIVE found(name) AS (
        SELECT " [text next_with_something_first] "
        WHERE EXISTS (SELECT 1 FROM queue_triggers)
        UNION ALL
        SELECT " [text next_with_something] "
        FROM found WHERE found.name IS NOT NULL)
     SELECT found.name FROM found WHERE found.name IS NOT NULL"];

// The sub-select skips what others have locked; the outer lock is held already, and makes the outer row the latest one.
const QUEUE_WATCHERS_LOCK: Sql = sql!["SELECT " [text locked_columns] " FROM " [columns trigger_tables] " WHERE t.id"
    [in_open] "SELECT w.id FROM triggers w WHERE w.id" [in_ids "$1"] " AND (w.deleted_at IS NULL) IS TRUE AND w.hold = 'NONE'
        AND (w.due_at IS NULL OR w.due_at <= $2) ORDER BY w.id" [skip_locked] [in_close]
    " ORDER BY t.id" [for_update_of "t"]];

/// A queue trigger that may have enough.
type Watcher = (Uuid, String, i64);

const QUEUE_WATCHED_BY: Sql = sql![
    "SELECT t.trigger_name FROM queue_triggers q JOIN triggers t ON t.id = q.id
     WHERE q.queue_name = $1 AND t.deleted_at IS NULL ORDER BY t.trigger_name LIMIT $2"
];

const QUEUES_WATCHED: Sql = sql!["SELECT DISTINCT q.queue_name FROM queue_triggers q JOIN triggers t ON t.id = q.id
     WHERE q.queue_name" [in_texts "$1"] " AND (t.deleted_at IS NULL) IS TRUE"
    [only postgres " AND t.id = ANY(ARRAY(SELECT w.id FROM queue_triggers w WHERE w.queue_name = ANY($1)))"]];

impl Tx {
    /// Which of these queues live triggers watch, whatever they wait for.
    pub async fn queues_watched(&mut self, queues: &[QueueName]) -> Result<HashSet<String>, DbError> {
        let queues: Texts = queues.iter().map(QueueName::as_str).collect();
        let watched = fetch_scalars!(self, "queues_watched", QUEUES_WATCHED, as String, [&queues])?;
        Ok(watched.into_iter().collect())
    }

    /// The names of live triggers that watch a queue.
    pub async fn trigger_names_watching(&mut self, queue: &QueueName, limit: u32) -> Result<Vec<String>, DbError> {
        fetch_scalars!(self, "trigger_names_watching", QUEUE_WATCHED_BY, as String, [queue.as_str(), i64::from(limit)])
    }

    /// Locks live queue triggers that are neither held nor backing off and whose queue (one of `queues`, which are looked at
    /// from where claims begin, or any) is not
    /// paused and was seen to have at least a batch of ready elements, in the order of their ids, beginning behind `after`.
    /// Those that another server has are skipped.
    pub async fn trigger_lock_queue_watchers(
        &mut self,
        queues: Option<&[QueueName]>,
        now: Timestamp,
        after: Option<TriggerId>,
        limit: u32,
    ) -> Result<Readable<StoredTrigger>, DbError> {
        let names: Texts = if let Some(queues) = queues {
            queues.iter().map(QueueName::as_str).collect()
        } else {
            let expensive = self.marks.as_ref().map(|marks| marks.expensive()).unwrap_or_default();
            self.queues_with_something(&expensive.into_iter().map(|(name, _)| name).collect()).await?
        };
        if names.0.is_empty() {
            return Ok(Readable { rows: Vec::new(), corrupt: Vec::new() });
        }
        let look = if queues.is_some() { Look::FromMark } else { Look::Everywhere };
        let mut after = after.map_or(Uuid::nil(), TriggerId::as_uuid);
        let mut ready: BTreeMap<Uuid, (String, i64)> = BTreeMap::new();
        let mut counts = HashMap::new();
        // Most triggers ask for one element, so that a round seldom drops any; one that drops some is followed by another.
        loop {
            let wanted = i64::from(limit) - i64::try_from(ready.len()).unwrap_or(i64::MAX);
            let found = self.watchers_of(&names, look, now, after, wanted).await?;
            let Some(last) = found.last() else { break };
            after = last.0;
            let is_last_round = i64::try_from(found.len()).unwrap_or(i64::MAX) < wanted;
            for (id, queue, batch) in found {
                if self.has_batch(&mut counts, &queue, batch, look).await? {
                    ready.insert(id, (queue, batch));
                }
            }
            if is_last_round || ready.len() >= limit as usize {
                break;
            }
        }
        if ready.is_empty() {
            return Ok(Readable { rows: Vec::new(), corrupt: Vec::new() });
        }
        let ids: Ids = ready.keys().copied().collect();
        let rows = fetch!(
            self,
            "trigger_lock_queue_watchers",
            QUEUE_WATCHERS_LOCK,
            table "triggers" key "id" as LockedRow,
            [&ids, now]
        )?;
        let mut locked = self.freshened(rows).await?;
        // One that was edited meanwhile may watch something else now.
        locked.rows.retain(|stored| {
            let TriggerKind::Queue { queue_name, min_batch_size, .. } = &stored.trigger.kind else { return false };
            let seen = ready.get(&stored.trigger.id.as_uuid());
            seen.is_some_and(|(queue, batch)| queue == queue_name.as_str() && *batch == i64::from(*min_batch_size))
        });
        Ok(locked)
    }

    /// The queues that have something, and those that are named.
    async fn queues_with_something(&mut self, named: &Texts) -> Result<Texts, DbError> {
        let found = fetch_scalars!(self, "queues_with_something", QUEUES_WITH_SOMETHING, as String, [named])?;
        Ok(Texts(found))
    }

    /// A page of the triggers whose queue has something.
    async fn watchers_of(
        &mut self,
        names: &Texts,
        look: Look,
        now: Timestamp,
        after: Uuid,
        wanted: i64,
    ) -> Result<Vec<Watcher>, DbError> {
        let from: Vec<Position> = names.0.iter().map(|name| self.look_from(name, look)).collect();
        match &mut self.inner {
            TxInner::Sqlite(transaction) => {
                let query = sqlx::query_as(QUEUE_WATCHERS.sqlite).bind(now).bind(after).bind(names).bind(wanted);
                query.fetch_all(&mut **transaction).await
            }
            TxInner::Postgres(transaction) => {
                let query = sqlx::query_as(QUEUE_WATCHERS.postgres).bind(now).bind(after).bind(names).bind(wanted);
                query
                    .bind(from.iter().map(|from| from.created).collect::<Vec<_>>())
                    .bind(from.iter().map(|from| from.id).collect::<Vec<_>>())
                    .fetch_all(&mut **transaction)
                    .await
            }
        }
        .map_err(DbError::in_op("trigger_lock_queue_watchers"))
    }

    /// Whether the queue has so many; `counts` remembers what was counted up to which bound.
    async fn has_batch(
        &mut self,
        counts: &mut HashMap<String, (u64, u64)>,
        queue: &str,
        batch: i64,
        look: Look,
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
        let count = self.queue_ready_count(&QueueName::from_stored(queue.to_owned()), batch, look).await?;
        counts.insert(queue.to_owned(), (count, batch));
        Ok(count >= batch)
    }
}

#[cfg(test)]
crate::statements::statements![
    QUEUE_WATCHERS,
    QUEUES_WATCHED,
    QUEUES_WITH_SOMETHING,
    QUEUE_WATCHERS_LOCK,
    QUEUE_WATCHED_BY
];

#[cfg(test)]
mod tests {
    use orchestrator_core::id::ElementId;
    use sqlx::{Connection as _, Executor as _, PgConnection};

    use super::*;
    use crate::connect::{Db, DbOptions};
    use crate::queue::NewElement;

    const TRIGGER: &str = "INSERT INTO triggers (id, trigger_name, process_name, process_path, process_status, is_git_repo,
            is_blocking, type, hold, worker_whitelist, priority, policies, consecutive_failures, created_at, updated_at)
        VALUES ('11111111-0000-4000-8000-000000000000', 't', 'p', '/a', 'IDLE', FALSE, FALSE, 'QUEUE', 'NONE', '[]', 0, '{}', 0,
            now(), now());
        INSERT INTO queue_triggers (id, queue_name, min_batch_size, max_parallel)
        VALUES ('11111111-0000-4000-8000-000000000000', 'a', 1, 1)";

    #[tokio::test]
    async fn queues_whose_head_is_expensive_to_look_at_are_stepped_over() {
        let url = orchestrator_test_postgres::database_url();
        let db = Db::open(&DbOptions::new(&url)).await.unwrap();
        PgConnection::connect(&url).await.unwrap().execute(TRIGGER).await.unwrap();
        let queues = ["a", "B", "c", "e", "é"];
        let elements = queues.map(|name| NewElement {
            id: ElementId::generate(),
            queue_name: QueueName::parse(name).unwrap(),
            reference: None,
            data: None,
            created_by: None,
        });
        let mut tx = db.begin_write().await.unwrap();
        tx.element_insert(&elements, false, chrono::DateTime::UNIX_EPOCH).await.unwrap();
        let mut found = async |named: &[&str]| {
            let named: Texts = named.iter().copied().collect();
            tx.queues_with_something(&named).await.unwrap().0
        };
        assert_eq!(found(&[]).await, ["B", "a", "c", "e", "é"]);
        assert_eq!(found(&["c", "d", "A", "é", "ö"]).await, ["A", "B", "a", "c", "d", "e", "é", "ö"]);
    }
}
