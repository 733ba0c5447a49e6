//! The plan of a claim, for the test that holds it.

use chrono::DateTime;
use orchestrator_core::text::QueueName;
use sqlx::{AssertSqlSafe, Row};

use super::ELEMENT_CLAIM;
use crate::error::DbError;
use crate::tx::{Tx, TxInner};

pub(super) async fn of(tx: &mut Tx, queue: &QueueName) -> Result<Vec<String>, DbError> {
    match &mut tx.inner {
        TxInner::Sqlite(transaction) => {
            // A constant of this crate behind a fixed word.
            sqlx::query(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {}", ELEMENT_CLAIM.sqlite)))
                .bind(queue.as_str())
                .bind(DateTime::UNIX_EPOCH)
                .bind(1_i64)
                .bind("[[null, null, null]]")
                .bind(DateTime::UNIX_EPOCH)
                .fetch_all(&mut **transaction)
                .await
                .and_then(|rows| rows.iter().map(|row| row.try_get("detail")).collect())
        }
        TxInner::Postgres(transaction) => {
            // The generic plan, which a prepared statement ends up with.
            let prepare = format!(
                "PREPARE claim_plan (text, timestamptz, bigint, text, timestamptz) AS {}",
                ELEMENT_CLAIM.postgres
            );
            for text in ["SET LOCAL plan_cache_mode = force_generic_plan".to_owned(), prepare] {
                sqlx::raw_sql(AssertSqlSafe(text))
                    .execute(&mut **transaction)
                    .await
                    .map_err(DbError::in_op("claim_plan"))?;
            }
            let explain = "EXPLAIN EXECUTE claim_plan ('x', now(), 1, '[[null, null, null]]', now())";
            sqlx::raw_sql(explain)
                .fetch_all(&mut **transaction)
                .await
                .and_then(|rows| rows.iter().map(|row| row.try_get(0)).collect())
        }
    }
    .map_err(DbError::in_op("claim_plan"))
}
