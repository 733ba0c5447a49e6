//! What can go wrong below the scheduler.

use std::borrow::Cow;
use std::fmt;

use orchestrator_core::same_name::{self, Meant};
use sqlx::sqlite::SqliteError;

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
    /// Nothing has this very name, and more than one thing has one that is the same but for case.
    #[error("there is no {what} '{key}', and more than one whose name differs in case only: {}; use one of these", quoted(.names))]
    AmbiguousName {
        /// What was looked for.
        what: &'static str,
        /// The name as asked for.
        key: String,
        /// The names that there are.
        names: Vec<String>,
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
    /// disk full or failing, read-only.
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
            sqlx::Error::Database(error) => {
                error.code().is_some_and(|code| match error.try_downcast_ref::<SqliteError>() {
                    Some(_) => code.parse::<u32>().is_ok_and(is_transient_in_sqlite),
                    None => is_transient_in_postgres(&code),
                })
            }
            _ => false,
        }
    }

    /// Whether the database's disk takes no more: the same call may succeed when there is room again. SQLite tells a quota
    /// or a limit of the file's size as a failed write.
    pub fn is_disk_full(&self) -> bool {
        let Self::Driver { source: sqlx::Error::Database(error), .. } = self else { return false };
        matches!(error.code().as_deref(), Some("13" | "778" | "53100"))
    }

    /// Whether the database takes no writes from anybody: it is a standby or was told to be read-only, or its file is.
    pub fn is_read_only(&self) -> bool {
        let Self::Driver { source: sqlx::Error::Database(error), .. } = self else { return false };
        error.code().is_some_and(|code| match error.try_downcast_ref::<SqliteError>() {
            Some(_) => code.parse::<u32>().is_ok_and(|code| code & 0xFF == 8),
            None => code == "25006",
        })
    }

    /// Whether rerunning the whole transaction at once makes sense: it lost against another one.
    pub fn is_contention(&self) -> bool {
        let Self::Driver { source: sqlx::Error::Database(error), .. } = self else { return false };
        matches!(error.code().as_deref(), Some("40P01" | "40001" | "5" | "6" | "261" | "517"))
    }

    /// Whether a claim was refused because another call with its id was granted something: it was repeated while it was still
    /// under way, or the id belongs to somebody else's call.
    pub fn is_of_a_known_call(&self) -> bool {
        // PostgreSQL names the index, SQLite its columns.
        matches!(self, Self::Conflict { constraint } if constraint == "queues_request" || constraint.contains("queues.request_id"))
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

    /// For what the database was asked and did not answer in time.
    pub fn no_answer(op: &'static str) -> Self {
        Self::Driver { op, source: sqlx::Error::Io(std::io::ErrorKind::TimedOut.into()) }
    }

    /// For look-ups by id or name.
    pub fn not_found(what: &'static str, key: impl fmt::Display) -> Self {
        Self::NotFound { what, key: key.to_string() }
    }

    /// The name that is meant by one that was asked for, of those that there are.
    pub fn meant_of(what: &'static str, asked: &str, names: Vec<String>) -> Result<String, Self> {
        match same_name::meant(asked, names) {
            Meant::One(name) => Ok(name),
            Meant::None => Err(Self::not_found(what, asked)),
            Meant::Several(names) => Err(Self::AmbiguousName { what, key: asked.to_owned(), names }),
        }
    }

    /// For conditional updates that met no row.
    pub fn not_updated(what: &'static str, key: impl fmt::Display) -> Self {
        Self::NotUpdated { what, key: key.to_string() }
    }
}

fn quoted(names: &[String]) -> String {
    names.iter().map(|name| format!("'{name}'")).collect::<Vec<_>>().join(", ")
}

/// Deadlock, serialization; cancelled, shutting down, starting up; idle or open for too long; connection trouble; out of memory, connections or locks;
/// what is asked to write is a standby, as after a failover; the machine's disk fails.
fn is_transient_in_postgres(code: &str) -> bool {
    matches!(
        code,
        "40P01"
            | "40001"
            | "57014"
            | "57P01"
            | "57P02"
            | "57P03"
            | "57P05"
            | "25P03"
            | "25P04"
            | "53200"
            | "53300"
            | "53400"
            | "55P03"
            | "25006"
            | "58030"
    ) || code.starts_with("08")
}

/// Busy and locked; read-only, failing, or not to be opened. The low byte of a code says which.
fn is_transient_in_sqlite(code: u32) -> bool {
    matches!(code & 0xFF, 5 | 6 | 8 | 10 | 14)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_that_takes_no_writes_for_a_while_is_away_and_one_that_refuses_a_value_is_not() {
        for code in ["25006", "57014", "53200", "58030", "08007", "40001"] {
            assert!(is_transient_in_postgres(code), "{code}");
        }
        for code in ["23505", "22001", "42703", "XX000"] {
            assert!(!is_transient_in_postgres(code), "{code}");
        }
        // Busy, read-only, read-only since its file was moved, a failed read, not to be opened; a constraint, a mistake.
        for (code, expected) in [(5, true), (8, true), (1032, true), (266, true), (14, true), (2067, false), (1, false)]
        {
            assert_eq!(is_transient_in_sqlite(code), expected, "{code}");
        }
    }
}
