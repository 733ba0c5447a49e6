//! Plans for the values of one call, on PostgreSQL.
//!
//! What is called often keeps one plan for all values: planning anew would cost more than the statement. A list is narrowed
//! by whatever somebody fills in, and its one plan has to fit a filter that is left out as well as one that fits a
//! single row: it reads and sorts all there is.

use crate::dialect::{Sql, sql};
use crate::error::DbError;
use crate::tx::{Tx, TxInner};

// Not every database that speaks PostgreSQL's protocol has the setting, and none needs it.
const FOR_VALUES: Sql = sql![
    [only sqlite "SELECT NULL WHERE FALSE"]
    [only postgres "SELECT set_config('plan_cache_mode', 'force_custom_plan', TRUE)
        WHERE current_setting('plan_cache_mode', TRUE) IS NOT NULL"]
];

impl Tx {
    /// From here to the end of the transaction each statement is planned for the values that it is given.
    pub(crate) async fn plan_for_values(&mut self) -> Result<(), DbError> {
        match &mut self.inner {
            TxInner::Sqlite(_) => Ok(()),
            TxInner::Postgres(transaction) => {
                sqlx::query(FOR_VALUES.postgres).execute(&mut **transaction).await.map(drop)
            }
        }
        .map_err(DbError::in_op("plan_for_values"))
    }
}

#[cfg(test)]
crate::statements::statements![FOR_VALUES];

#[cfg(test)]
mod tests {
    use orchestrator_core::text::QueueName;

    use super::*;
    use crate::{AuditFilter, Db, DbOptions, ElementFilter, JobFilter, LogFilter, PageRequest, TriggerFilter};

    /// How PostgreSQL plans what comes next.
    async fn plans(tx: &mut Tx) -> String {
        let TxInner::Postgres(transaction) = &mut tx.inner else { panic!("not PostgreSQL") };
        sqlx::query_scalar("SHOW plan_cache_mode").fetch_one(&mut **transaction).await.unwrap()
    }

    #[tokio::test]
    async fn lists_are_planned_for_their_values_and_nothing_else_is() {
        let db = Db::open(&DbOptions::new(orchestrator_test_postgres::database_url())).await.unwrap();
        let page = PageRequest::first(1);
        for list in 0..5 {
            let mut tx = db.begin_read().await.unwrap();
            let before = plans(&mut tx).await;
            match list {
                0 => tx.log_list(&LogFilter::default(), &page).await.map(drop),
                1 => tx.job_list(&JobFilter::default(), &page).await.map(drop),
                2 => tx.audit_list(&AuditFilter::default(), &page).await.map(drop),
                3 => tx.trigger_list(&TriggerFilter::default(), &page).await.map(drop),
                _ => tx.element_list(&ElementFilter::of(QueueName::parse("q").unwrap()), &page).await.map(drop),
            }
            .unwrap();
            assert_eq!(
                (before.as_str(), plans(&mut tx).await.as_str()),
                ("force_generic_plan", "force_custom_plan"),
                "{list}"
            );
        }
    }
}
