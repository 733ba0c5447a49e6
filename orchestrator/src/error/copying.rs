//! What a refused copy into PostgreSQL means for who asked for it.

use orchestrator_core::chain::Chain;
use orchestrator_db::{ConnectError, CopyError, RefusedRow};

/// The program's exit code.
pub(super) fn exit_code(error: &CopyError) -> u8 {
    match error {
        CopyError::Direction => 2,
        CopyError::NotEmpty { .. }
        | CopyError::Open { source: ConnectError::InUse { .. } | ConnectError::TooNew { .. }, .. } => 5,
        CopyError::Open { source: ConnectError::Unreachable(_), .. } => 6,
        CopyError::Open { .. }
        | CopyError::Incomplete { .. }
        | CopyError::Read { .. }
        | CopyError::Refused { .. }
        | CopyError::Write { .. } => 1,
    }
}

/// The stable code that is shown in brackets.
pub(super) fn code(error: &CopyError) -> &'static str {
    match error {
        CopyError::Direction => "USAGE",
        CopyError::NotEmpty { .. } => "NOT_EMPTY",
        CopyError::Open { source: ConnectError::InUse { .. }, .. } => "DATABASE_IN_USE",
        CopyError::Open { source: ConnectError::TooNew { .. }, .. } => "DATABASE_TOO_NEW",
        CopyError::Open { source: ConnectError::NotMigrated, .. } => "NOT_MIGRATED",
        CopyError::Open { source: ConnectError::WeakDurability { .. }, .. } => "WEAK_DURABILITY",
        CopyError::Open { source: ConnectError::Encoding { .. }, .. } => "DATABASE_ENCODING",
        CopyError::Open { .. }
        | CopyError::Incomplete { .. }
        | CopyError::Read { .. }
        | CopyError::Refused { .. }
        | CopyError::Write { .. } => "DATABASE",
    }
}

/// What was below it, each thing once.
pub(super) fn why(error: &CopyError) -> Option<String> {
    std::error::Error::source(error).map(|cause| Chain(cause).to_string())
}

/// What to do about it.
pub(super) fn next(error: &CopyError) -> String {
    match error {
        CopyError::Refused { row, .. } => return mend(row),
        CopyError::Direction => "name the target as postgres://USER@HOST/NAME with --to, and the source with --data",
        CopyError::NotEmpty { .. } => {
            "make a database that no server has used (createdb NAME), and name that one; nothing was changed in this one"
        }
        CopyError::Open { source: ConnectError::InUse { .. }, .. } => "stop the server first",
        CopyError::Open { source: ConnectError::NotMigrated, .. } => {
            "bring it to this version first: orchestrator db migrate"
        }
        CopyError::Open { .. } | CopyError::Incomplete { .. } | CopyError::Read { .. } | CopyError::Write { .. } => {
            "no rows were copied: mend what is said above, and copy again"
        }
    }
    .to_owned()
}

/// What finds the row in SQLite, where ids are bytes.
fn condition(row: &RefusedRow) -> String {
    let value = |value: &str| match value.parse::<uuid::Uuid>() {
        Ok(id) => format!("x'{}'", id.simple()),
        Err(_) => format!("'{}'", value.replace('\'', "''")),
    };
    let equal: Vec<String> = row.key.iter().map(|(name, of)| format!("{name} = {}", value(of))).collect();
    equal.join(" AND ")
}

/// How a row is mended in the file that is copied.
fn mend(row: &RefusedRow) -> String {
    let file = "no rows were copied. With the server stopped, copy the SQLite file away";
    match (&row.column, row.has_nul) {
        (Some(column), true) => format!(
            "{file}, take each NUL out of this row with sqlite3, and copy again: {}",
            without_first_nul(row, column)
        ),
        _ => format!("{file}, correct or delete this row in it with sqlite3, and copy again"),
    }
}

/// What takes the first NUL out of a text. `replace` of SQLite does not find one, and its texts end there for `substr`.
fn without_first_nul(row: &RefusedRow, column: &str) -> String {
    let bytes = format!("CAST({column} AS BLOB)");
    let at = format!("instr({bytes}, x'00')");
    let RefusedRow { table, .. } = row;
    format!(
        "UPDATE {table} SET {column} = CAST(substr({bytes}, 1, {at} - 1) || substr({bytes}, {at} + 1) AS TEXT) WHERE {} AND {at} > 0;",
        condition(row)
    )
}
