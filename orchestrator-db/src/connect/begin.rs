//! Where transactions begin: reads, writes, those of lanes, and those that must not wait.

use sqlx::{PgPool, Postgres, Sqlite};

use super::pools::{KEEP_ALIVE, NO_TIME_OUTS, STEADY_PLANS, begin};
use super::{Db, Pools};
use crate::error::DbError;
use crate::line::Line;
use crate::tx::{Open, Tx, TxInner};

impl Db {
    /// Begins a transaction that only reads.
    pub async fn begin_read(&self) -> Result<Tx, DbError> {
        let inner = match &self.pools {
            Pools::Sqlite { read, .. } => sqlite(Box::pin(read.begin_with("BEGIN DEFERRED")).await.map(Open::Pooled)),
            Pools::Postgres { pool, .. } => postgres(begin(pool, "BEGIN READ ONLY").await.map(Open::Pooled)),
        };
        inner.map(|inner| self.tx(inner)).map_err(DbError::in_op("begin_read"))
    }

    /// Begins a transaction that writes. On SQLite it holds the write lock from the first moment.
    pub async fn begin_write(&self) -> Result<Tx, DbError> {
        let inner = match &self.pools {
            Pools::Sqlite { write, .. } => sqlite(write.begin("BEGIN IMMEDIATE").await.map(Open::OnLine)),
            Pools::Postgres { pool, .. } => postgres(begin(pool, "BEGIN").await.map(Open::Pooled)),
        };
        inner.map(|inner| self.tx(inner)).map_err(DbError::in_op("begin_write"))
    }

    /// Begins a transaction that writes, unless one of this program goes on for long.
    pub(crate) async fn free_writer(&self) -> Result<Option<Tx>, DbError> {
        let Pools::Sqlite { write, .. } = &self.pools else { return self.begin_write().await.map(Some) };
        let begun = write.begin_if_free("BEGIN IMMEDIATE").await.map_err(DbError::in_op("free_writer"))?;
        Ok(begun.map(|line| self.tx(TxInner::Sqlite(Open::OnLine(line)))))
    }

    /// A connection of its own for a lane; the lanes of SQLite share its single writer.
    pub(crate) fn lane_line(&self) -> LaneLine {
        match &self.pools {
            Pools::Sqlite { write, .. } => LaneLine::Sqlite(write.clone()),
            Pools::Postgres { pool, .. } => {
                let options = (*pool.connect_options()).clone();
                LaneLine::Postgres(Line::new(options.options(STEADY_PLANS).options(KEEP_ALIVE).options(NO_TIME_OUTS)))
            }
        }
    }

    /// Begins a transaction that writes, on a lane's connection.
    pub(crate) async fn begin_on(&self, line: &LaneLine) -> Result<Tx, DbError> {
        let inner = match line {
            LaneLine::Sqlite(line) => sqlite(line.begin("BEGIN IMMEDIATE").await.map(Open::OnLine)),
            LaneLine::Postgres(line) => postgres(line.begin("BEGIN").await.map(Open::OnLine)),
        };
        inner.map(|inner| self.tx(inner)).map_err(DbError::in_op("begin_lane"))
    }

    /// Begins a transaction that writes and must not wait behind lists and reports: those of the scheduler's verbs. On
    /// PostgreSQL it has a connection that was not used for anything else, with its statements prepared.
    pub async fn begin_hot(&self) -> Result<Tx, DbError> {
        let Pools::Postgres { hot, .. } = &self.pools else { return self.begin_write().await };
        let inner = postgres(begin(hot, "BEGIN").await.map(Open::Pooled));
        inner.map(|inner| self.tx(inner)).map_err(DbError::in_op("begin_hot"))
    }

    /// Where statements are made that are transactions of their own, as those of [`Db::begin_hot`] are for several. A
    /// connection may have broken since it was used last, which its statement tells.
    pub(crate) fn hot(&self) -> Hot<'_> {
        match &self.pools {
            Pools::Sqlite { write, .. } => Hot::Sqlite(write),
            Pools::Postgres { hot, .. } => Hot::Postgres(hot),
        }
    }
}

/// What must not wait behind lists and reports is done here.
#[derive(Debug)]
pub(crate) enum Hot<'a> {
    Sqlite(&'a Line<Sqlite>),
    Postgres(&'a PgPool),
}

/// Which connection a lane writes on.
#[derive(Debug, Clone)]
pub(crate) enum LaneLine {
    Sqlite(Line<Sqlite>),
    Postgres(Line<Postgres>),
}

impl LaneLine {
    /// Gives the connection back, unless others write on it, too.
    pub(crate) async fn close(&self) {
        match self {
            Self::Sqlite(_) => {}
            Self::Postgres(line) => line.close().await,
        }
    }
}

fn sqlite(begun: Result<Open<Sqlite>, sqlx::Error>) -> Result<TxInner, sqlx::Error> {
    begun.map(TxInner::Sqlite)
}

fn postgres(begun: Result<Open<Postgres>, sqlx::Error>) -> Result<TxInner, sqlx::Error> {
    begun.map(TxInner::Postgres)
}
