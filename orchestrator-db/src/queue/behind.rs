//! What lies behind a mark, where claims do not look themselves.

use std::time::Instant;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::marks::{Marks, Position};
use crate::connect::Db;
use crate::dialect::{Sql, sql};
use crate::error::DbError;
use crate::rows::fetch_plain;

// SQLite has no marks.
const OLDEST_BEHIND: Sql = sql!["SELECT created_date, id FROM queues" [indexed_by "queues_ready"] "
     WHERE queue_name" [bytewise] " = $1 AND ready AND (created_date, id) < ($2, $3) ORDER BY created_date, id LIMIT 1"];

impl Db {
    /// Looks behind those marks where that is due and where it takes so long that claims do not: where something is there,
    /// claims begin with it. Call it every second. Others wait for none of it.
    pub async fn queues_look_behind(&self) -> Result<(), DbError> {
        let Some(marks) = self.marks() else { return Ok(()) };
        for (queue, mark) in marks.to_look_behind() {
            self.look_behind(marks, &queue, mark).await?;
        }
        Ok(())
    }

    async fn look_behind(&self, marks: &Marks, queue: &str, mark: Position) -> Result<(), DbError> {
        let mut tx = self.begin_read().await?;
        let began = Instant::now();
        let oldest = fetch_plain!(
            tx,
            "queues_look_behind",
            OLDEST_BEHIND,
            as (DateTime<Utc>, Uuid),
            [queue, mark.created, mark.id]
        )?;
        marks.swept(queue, began.elapsed());
        if let Some((created, id)) = oldest.into_iter().next() {
            marks.found(queue, Position { created, id });
        }
        Ok(())
    }
}

#[cfg(test)]
crate::statements::statements![OLDEST_BEHIND];

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use orchestrator_core::clock::Timestamp;
    use orchestrator_core::id::{ElementId, RequestId};
    use orchestrator_core::text::QueueName;

    use super::*;
    use crate::connect::DbOptions;
    use crate::queue::{ClaimRequest, NewElement};

    async fn insert(db: &Db, created: Timestamp) -> ElementId {
        let id = ElementId::generate();
        let queue_name = QueueName::parse("q").unwrap();
        let new = NewElement { id, queue_name, reference: None, data: None, created_by: None };
        let mut tx = db.begin_write().await.unwrap();
        tx.element_insert(&[new], false, created).await.unwrap();
        tx.commit().await.unwrap();
        id
    }

    async fn claim(db: &Db, now: Timestamp) -> Option<ElementId> {
        let request = ClaimRequest::new(QueueName::parse("q").unwrap(), RequestId::generate());
        let mut tx = db.begin_write().await.unwrap();
        let answers = tx.element_claim(&[request], now).await.unwrap();
        tx.commit().await.unwrap();
        answers.into_iter().next().unwrap().unwrap().elements.into_iter().next().map(|element| element.id)
    }

    #[tokio::test]
    async fn what_claims_do_not_look_for_themselves_is_found_beside_them() {
        let url = orchestrator_test_postgres::database_url();
        let db = Db::open(&DbOptions::new(&url)).await.unwrap();
        let other = Db::open(&DbOptions::new(&url)).await.unwrap();
        let at = |seconds: u64| DateTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000 + seconds);
        for second in 0..3 {
            insert(&db, at(10 + second)).await;
        }
        assert!(claim(&db, at(100)).await.is_some());
        // Nobody tells this server of it.
        let hidden = insert(&other, at(1)).await;
        let marks = db.marks().unwrap();
        marks.swept("q", Duration::from_millis(21));
        for _ in 0..2 {
            assert_ne!(claim(&db, at(100)).await, Some(hidden), "claims do not look everywhere any more");
        }
        assert_eq!(claim(&db, at(100)).await, None, "not even where there is nothing else");
        while marks.to_look_behind().is_empty() {
            tokio::task::yield_now().await;
        }
        db.queues_look_behind().await.unwrap();
        // Whatever that took: it is the mark that brings claims to it.
        marks.swept("q", Duration::from_millis(21));
        assert_eq!(claim(&db, at(100)).await, Some(hidden));
    }
}
