//! What can go wrong below the scheduler.

use std::borrow::Cow;
use std::fmt;

/// Why a storage call failed.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// Nothing has this id or name.
    #[error("{what} '{key}' does not exist")]
    NotFound {
        /// What was looked for, such as `trigger`.
        what: &'static str,
        /// Its id or name as asked for.
        key: String,
    },
    /// More than one thing has an id with this part.
    #[error("'{key}' fits more than one {what}; give more of the id")]
    Ambiguous {
        /// What was looked for.
        what: &'static str,
        /// The part as asked for.
        key: String,
    },
    /// A unique key is taken.
    #[error("conflict with an existing row ({constraint})")]
    Conflict {
        /// The constraint's or index's name, where the database tells.
        constraint: String,
    },
    /// A list was to go on from a cursor that this program did not make.
    #[error("the cursor '{cursor}' is not one of this list; begin again without it")]
    InvalidCursor {
        /// As given.
        cursor: String,
    },
    /// The row is not in the state that the statement requires.
    #[error("{what} '{key}' is not in the state that this change requires")]
    NotUpdated {
        /// What was to change.
        what: &'static str,
        /// Its id.
        key: String,
    },
    /// A stored value that cannot be decoded.
    #[error(transparent)]
    Corrupt(#[from] Corrupt),
    /// The database itself said no.
    #[error("{op} failed in the database")]
    Driver {
        /// The storage call.
        op: &'static str,
        /// What the driver said.
        #[source]
        source: sqlx::Error,
    },
}

impl DbError {
    /// Whether the same call may succeed when it is made again: connection gone, deadlock, serialization failure, busy,
    /// disk full.
    pub fn is_transient(&self) -> bool {
        let Self::Driver { source, .. } = self else { return false };
        if self.is_disk_full() {
            return true;
        }
        match source {
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed => true,
            sqlx::Error::Database(error) => matches!(
                error.code().as_deref(),
                // PostgreSQL: deadlock, serialization, shutdown and start-up, connection trouble, too many connections;
                // SQLite (short numbers): busy, locked, and the extended codes of busy.
                Some(
                    "40P01"
                        | "40001"
                        | "57P01"
                        | "57P02"
                        | "57P03"
                        | "08000"
                        | "08003"
                        | "08006"
                        | "53300"
                        | "5"
                        | "6"
                        | "261"
                        | "517"
                        | "773"
                )
            ),
            _ => false,
        }
    }

    /// Whether the database's disk takes no more: the same call may succeed when there is room again. SQLite tells a quota
    /// or a limit of the file's size as a failed write.
    pub fn is_disk_full(&self) -> bool {
        let Self::Driver { source: sqlx::Error::Database(error), .. } = self else { return false };
        matches!(error.code().as_deref(), Some("13" | "778" | "53100"))
    }

    /// Whether rerunning the whole transaction at once makes sense: it lost against another one.
    pub fn is_contention(&self) -> bool {
        let Self::Driver { source: sqlx::Error::Database(error), .. } = self else { return false };
        matches!(error.code().as_deref(), Some("40P01" | "40001" | "5" | "6" | "261" | "517"))
    }

    /// The same failure for another caller of a shared transaction, where it was none of theirs: the database is away.
    pub fn for_another(&self) -> Option<Self> {
        let Self::Driver { op, source } = self else { return None };
        let source = match source {
            sqlx::Error::Io(error) => sqlx::Error::Io(std::io::Error::new(error.kind(), error.to_string())),
            sqlx::Error::PoolTimedOut => sqlx::Error::PoolTimedOut,
            sqlx::Error::PoolClosed => sqlx::Error::PoolClosed,
            sqlx::Error::WorkerCrashed => sqlx::Error::WorkerCrashed,
            _ => return None,
        };
        Some(Self::Driver { op, source })
    }

    /// Attaches the storage call's name to what the driver said, and tells conflicts apart.
    pub(crate) fn in_op(op: &'static str) -> impl FnOnce(sqlx::Error) -> Self {
        move |source| match &source {
            sqlx::Error::Database(error) if error.is_unique_violation() => Self::Conflict {
                // SQLite names the columns in its message, PostgreSQL the constraint.
                constraint: error.constraint().map_or_else(|| error.message().to_owned(), ToOwned::to_owned),
            },
            _ => Self::Driver { op, source },
        }
    }

    /// For look-ups by id or name.
    pub fn not_found(what: &'static str, key: impl fmt::Display) -> Self {
        Self::NotFound { what, key: key.to_string() }
    }

    /// For conditional updates that met no row.
    pub fn not_updated(what: &'static str, key: impl fmt::Display) -> Self {
        Self::NotUpdated { what, key: key.to_string() }
    }
}

/// A stored value that the program cannot read, with its address.
#[derive(Debug, thiserror::Error)]
#[error("table {table}, row {row}, column {column}: {source}")]
pub struct Corrupt {
    /// The table.
    pub table: &'static str,
    /// The row's id or name.
    pub row: String,
    /// The column.
    pub column: Cow<'static, str>,
    /// What is wrong with the value.
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

/// Where a row is, while it is decoded.
#[derive(Debug, Clone)]
pub(crate) struct RowAddress {
    table: &'static str,
    row: String,
}

impl RowAddress {
    pub(crate) fn new(table: &'static str, row: impl fmt::Display) -> Self {
        Self { table, row: row.to_string() }
    }

    /// Turns a decoding error of one column into its address.
    pub(crate) fn column<E>(&self, column: &'static str) -> impl FnOnce(E) -> Corrupt
    where
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let at = self.clone();
        move |source| Corrupt { table: at.table, row: at.row, column: column.into(), source: source.into() }
    }
}

/// A decoded list in which unreadable rows are set aside instead of failing the whole.
#[derive(Debug)]
pub struct Readable<T> {
    /// What could be read.
    pub rows: Vec<T>,
    /// The address of each row that could not.
    pub corrupt: Vec<Corrupt>,
}

impl<T> Readable<T> {
    /// Sorts decoded rows from unreadable ones; each unreadable one is logged once, here.
    pub(crate) fn collect(rows: impl Iterator<Item = Result<T, Corrupt>>) -> Self {
        let mut readable = Self { rows: Vec::new(), corrupt: Vec::new() };
        for row in rows {
            match row {
                Ok(row) => readable.rows.push(row),
                Err(corrupt) => {
                    tracing::error!(table = corrupt.table, row = corrupt.row, column = %corrupt.column, error = %corrupt.source, "a stored row cannot be read");
                    readable.corrupt.push(corrupt);
                }
            }
        }
        readable
    }
}
