use crate::dialect::{Sql, sql};
use crate::error::DbError;
use crate::rows::fetch_scalars;
use crate::tx::Tx;

// A queue of which nothing is left is none: what robots make next may have another name.
const QUEUE_NAMES: Sql = sql![
    "SELECT queue_name FROM queue_counts WHERE status IN ('NEW', 'IN_PROGRESS', 'DONE', 'FAILED', 'ABANDONED')
     GROUP BY queue_name HAVING SUM(delta) > 0
     UNION SELECT queue_name FROM queue_settings
     UNION SELECT q.queue_name FROM queue_triggers AS q JOIN triggers AS t ON t.id = q.id WHERE t.deleted_at IS NULL"
];

impl Tx {
    /// The names of all queues: those that have elements, settings or a trigger.
    pub async fn queue_names(&mut self) -> Result<Vec<String>, DbError> {
        fetch_scalars!(self, "queue_names", QUEUE_NAMES, as String, [])
    }
}

#[cfg(test)]
crate::statements::statements![QUEUE_NAMES];
