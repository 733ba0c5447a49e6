//! Reading rows one by one, so that a value that cannot be decoded is one bad row with an address, not a failed list.

use sqlx::{ColumnIndex, Decode, FromRow, Row, Type};
use uuid::Uuid;

use crate::error::{Corrupt, RowAddress};

/// Decodes one row. `key` is the column that names it in the address of what cannot be read.
pub(crate) fn read_row<'r, R, T>(table: &'static str, key: &'static str, row: &'r R) -> Result<T, Corrupt>
where
    R: Row,
    T: FromRow<'r, R>,
    &'static str: ColumnIndex<R>,
    Uuid: Decode<'r, R::Database> + Type<R::Database>,
    String: Decode<'r, R::Database> + Type<R::Database>,
{
    T::from_row(row).map_err(|error| {
        let name = row.try_get::<Uuid, _>(key).map(|id| id.to_string()).or_else(|_| row.try_get::<String, _>(key));
        let at = RowAddress::new(table, name.as_deref().unwrap_or("?"));
        match error {
            sqlx::Error::ColumnDecode { index, source } => {
                Corrupt { column: index.trim_matches('"').to_owned().into(), ..at.column("?")(source) }
            }
            other => at.column("?")(other),
        }
    })
}

/// Runs a query and reads its rows: `Result<Vec<Result<Row, Corrupt>>, DbError>`.
///
/// `fetch!(self, "trigger_list", SQL, table "triggers" key "id" as TriggerRow, [bound, values])`
macro_rules! fetch {
    ($tx:expr, $op:literal, $sql:expr, table $table:literal key $key:literal as $row:ty, [$($bind:expr),* $(,)?]) => {
        $crate::dialect::on_conn!($tx, |conn, dialect| {
            sqlx::query($sql.text(dialect))
                $(.bind($bind))*
                .fetch_all(conn)
                .await
                .map(|rows| {
                    rows.iter()
                        .map(|row| $crate::rows::read_row::<_, $row>($table, $key, row))
                        .collect::<Vec<Result<$row, $crate::error::Corrupt>>>()
                })
        })
        .map_err($crate::error::DbError::in_op($op))
    };
}

/// Runs a query for one column of plain values (counts, ids, instants): `Result<Vec<T>, DbError>`.
macro_rules! fetch_scalars {
    ($tx:expr, $op:literal, $sql:expr, as $value:ty, [$($bind:expr),* $(,)?]) => {
        $crate::dialect::on_conn!($tx, |conn, dialect| {
            sqlx::query_scalar::<_, $value>($sql.text(dialect))
                $(.bind($bind))*
                .fetch_all(conn)
                .await
        })
        .map_err($crate::error::DbError::in_op($op))
    };
}

/// Runs a query for tuples or rows whose values cannot be bad (ids, counts): `Result<Vec<T>, DbError>`.
macro_rules! fetch_plain {
    ($tx:expr, $op:literal, $sql:expr, as $row:ty, [$($bind:expr),* $(,)?]) => {
        $crate::dialect::on_conn!($tx, |conn, dialect| {
            sqlx::query_as::<_, $row>($sql.text(dialect))
                $(.bind($bind))*
                .fetch_all(conn)
                .await
        })
        .map_err($crate::error::DbError::in_op($op))
    };
}

/// Runs a statement: `Result<u64, DbError>`, the number of rows it changed.
macro_rules! execute {
    ($tx:expr, $op:expr, $sql:expr, [$($bind:expr),* $(,)?]) => {
        $crate::dialect::on_conn!($tx, |conn, dialect| {
            sqlx::query($sql.text(dialect))
                $(.bind($bind))*
                .execute(conn)
                .await
                .map(|done| done.rows_affected())
        })
        .map_err($crate::error::DbError::in_op($op))
    };
}

pub(crate) use execute;
pub(crate) use fetch;
pub(crate) use fetch_plain;
pub(crate) use fetch_scalars;
