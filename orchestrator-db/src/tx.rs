//! Transactions: the only way to run a statement.

use std::fmt::Debug;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use sqlx::{Database, Executor, Postgres, Sqlite};
use uuid::Uuid;

use crate::dialect::Dialect;
use crate::error::DbError;
use crate::line::OnLine;
use crate::queue::{MarkChanges, Marks};

/// An open transaction. Dropping it rolls back.
///
/// Storage methods are added to it by the modules of each entity.
#[derive(Debug)]
pub struct Tx {
    pub(crate) inner: TxInner,
    /// Which database handle began it, so that a server can tell its own notifications from others'.
    pub(crate) origin: Uuid,
    /// Where this server's claims begin, where that matters, and what this transaction changes about it.
    pub(crate) marks: Option<Arc<Marks>>,
    pub(crate) mark_changes: MarkChanges,
}

#[derive(Debug)]
pub(crate) enum TxInner {
    Sqlite(Open<Sqlite>),
    Postgres(Open<Postgres>),
}

/// An open transaction, with the connection that it is on.
#[derive(Debug)]
pub(crate) enum Open<DB: Database<Connection: Debug>> {
    Pooled(sqlx::Transaction<'static, DB>),
    OnLine(OnLine<DB>),
}

impl<DB> Open<DB>
where
    DB: Database<Connection: Debug>,
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
{
    async fn commit(self) -> Result<(), sqlx::Error> {
        match self {
            Self::Pooled(transaction) => transaction.commit().await,
            Self::OnLine(transaction) => transaction.commit().await,
        }
    }

    async fn rollback(self) -> Result<(), sqlx::Error> {
        match self {
            Self::Pooled(transaction) => transaction.rollback().await,
            Self::OnLine(transaction) => transaction.rollback().await,
        }
    }
}

impl<DB: Database<Connection: Debug>> Deref for Open<DB> {
    type Target = DB::Connection;

    fn deref(&self) -> &DB::Connection {
        match self {
            Self::Pooled(transaction) => transaction,
            Self::OnLine(transaction) => transaction,
        }
    }
}

impl<DB: Database<Connection: Debug>> DerefMut for Open<DB> {
    fn deref_mut(&mut self) -> &mut DB::Connection {
        match self {
            Self::Pooled(transaction) => transaction,
            Self::OnLine(transaction) => transaction,
        }
    }
}

impl Tx {
    pub(crate) fn new(inner: TxInner, origin: Uuid, marks: Option<Arc<Marks>>) -> Self {
        Self { inner, origin, mark_changes: MarkChanges::begin(marks.clone()), marks }
    }

    /// Which database this is.
    pub fn dialect(&self) -> Dialect {
        match self.inner {
            TxInner::Sqlite(_) => Dialect::Sqlite,
            TxInner::Postgres(_) => Dialect::Postgres,
        }
    }

    /// Makes everything since the beginning true and durable. When the answer gets lost the outcome is unknown, and the
    /// error is transient.
    pub async fn commit(mut self) -> Result<(), DbError> {
        self.notify(&[]).await?;
        let committed = match self.inner {
            TxInner::Sqlite(transaction) => transaction.commit().await,
            TxInner::Postgres(transaction) => transaction.commit().await,
        };
        self.mark_changes.apply(committed.is_ok());
        committed.map_err(DbError::in_op("commit"))
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
