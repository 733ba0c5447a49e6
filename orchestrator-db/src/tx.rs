//! Transactions: the only way to run a statement.

use uuid::Uuid;

use crate::dialect::{Dialect, PostgresTransaction, SqliteTransaction};
use crate::error::DbError;

/// An open transaction. Dropping it rolls back.
///
/// Storage methods are added to it by the modules of each entity.
#[derive(Debug)]
pub struct Tx {
    pub(crate) inner: TxInner,
    /// Which database handle began it, so that a server can tell its own notifications from others'.
    pub(crate) origin: Uuid,
}

#[derive(Debug)]
pub(crate) enum TxInner {
    Sqlite(SqliteTransaction),
    Postgres(PostgresTransaction),
}

impl Tx {
    /// Which database this is.
    pub fn dialect(&self) -> Dialect {
        match self.inner {
            TxInner::Sqlite(_) => Dialect::Sqlite,
            TxInner::Postgres(_) => Dialect::Postgres,
        }
    }

    /// Makes everything since the beginning true and durable. When the answer gets lost the outcome is unknown, and the
    /// error is transient.
    pub async fn commit(self) -> Result<(), DbError> {
        match self.inner {
            TxInner::Sqlite(transaction) => transaction.commit().await,
            TxInner::Postgres(transaction) => transaction.commit().await,
        }
        .map_err(DbError::in_op("commit"))
    }

    /// Undoes everything since the beginning.
    pub async fn rollback(self) -> Result<(), DbError> {
        match self.inner {
            TxInner::Sqlite(transaction) => transaction.rollback().await,
            TxInner::Postgres(transaction) => transaction.rollback().await,
        }
        .map_err(DbError::in_op("rollback"))
    }
}
