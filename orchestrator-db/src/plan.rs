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
