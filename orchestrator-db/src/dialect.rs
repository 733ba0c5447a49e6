//! The two databases, and SQL that is written once for both. Nothing else in the workspace names them both.

/// Which database a connection talks to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// The embedded one.
    Sqlite,
    /// PostgreSQL, or what speaks its protocol and SQL.
    Postgres,
}

impl Dialect {
    /// The name as the wire and messages show it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLITE",
            Self::Postgres => "POSTGRESQL",
        }
    }
}

/// A statement's text for each dialect; made by [`sql!`](crate::dialect::sql).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sql {
    pub(crate) sqlite: &'static str,
    pub(crate) postgres: &'static str,
}

impl Sql {
    pub(crate) const fn text(self, dialect: Dialect) -> &'static str {
        match dialect {
            Dialect::Sqlite => self.sqlite,
            Dialect::Postgres => self.postgres,
        }
    }
}

/// One SQL text for both databases. Literals are common; the pieces in brackets differ or are shared lists:
///
/// * `[for_update]`, `[for_share]`, `[skip_locked]`: row locks on PostgreSQL, nothing on SQLite (its write transactions are exclusive);
/// * `[for_update_of "t"]`, `[skip_locked_of "t"]`: the same for one table of a join;
/// * `[in_ids "$1"]`, `[in_texts "$1"]`: membership in a bound [`Ids`](crate::lists::Ids) or [`Texts`](crate::lists::Texts);
/// * `[in_open]` … `[in_close]`: `id = ANY(ARRAY(…))` on PostgreSQL, which keeps the sub-select's plan, `id IN (…)` on SQLite;
/// * `[indexed_by "i"]`: the index that SQLite, which knows nothing of how many rows have which value, has to take;
/// * `[bytewise]`: what is compared byte by byte, which only indexes can serve on PostgreSQL that say so, too;
/// * `[like "$1"]`: a case-insensitive match with `\` as the escape;
/// * `[only sqlite "…"]`, `[only postgres "…"]`: the one override where a statement has to differ;
/// * `[text name]`: a text from a macro `name!` that is told the dialect, `sqlite` or `postgres`;
/// * `[columns name]`: a column list, from a macro `name!` that expands to a literal.
macro_rules! sql {
    ($($piece:tt)*) => {
        $crate::dialect::Sql {
            sqlite: concat!($($crate::dialect::sqlite_piece!($piece)),*),
            postgres: concat!($($crate::dialect::postgres_piece!($piece)),*),
        }
    };
}

macro_rules! sqlite_piece {
    ([for_update]) => {
        ""
    };
    ([for_share]) => {
        ""
    };
    ([skip_locked]) => {
        ""
    };
    ([for_update_of $table:literal]) => {
        ""
    };
    ([skip_locked_of $table:literal]) => {
        ""
    };
    ([indexed_by $index:literal]) => {
        concat!(" INDEXED BY ", $index)
    };
    ([in_ids $n:literal]) => {
        concat!(" IN (SELECT unhex(value) FROM json_each(", $n, "))")
    };
    ([in_texts $n:literal]) => {
        concat!(" IN (SELECT value FROM json_each(", $n, "))")
    };
    ([in_open]) => {
        " IN ("
    };
    ([in_close]) => {
        ")"
    };
    ([bytewise]) => {
        ""
    };
    ([like $n:literal]) => {
        concat!(" LIKE ", $n, " ESCAPE '\\'")
    };
    ([only sqlite $text:literal]) => {
        $text
    };
    ([only postgres $text:literal]) => {
        ""
    };
    ([text $name:ident]) => {
        $name!(sqlite)
    };
    ([columns $name:ident]) => {
        $name!()
    };
    ($text:literal) => {
        $text
    };
}

macro_rules! postgres_piece {
    ([for_update]) => {
        " FOR UPDATE"
    };
    ([for_share]) => {
        " FOR SHARE"
    };
    ([skip_locked]) => {
        " FOR UPDATE SKIP LOCKED"
    };
    ([for_update_of $table:literal]) => {
        concat!(" FOR UPDATE OF ", $table)
    };
    ([skip_locked_of $table:literal]) => {
        concat!(" FOR UPDATE OF ", $table, " SKIP LOCKED")
    };
    ([indexed_by $index:literal]) => {
        ""
    };
    ([in_ids $n:literal]) => {
        concat!(" = ANY(", $n, "::uuid[])")
    };
    ([in_texts $n:literal]) => {
        concat!(" = ANY(", $n, "::text[])")
    };
    ([in_open]) => {
        " = ANY(ARRAY("
    };
    ([in_close]) => {
        "))"
    };
    ([bytewise]) => {
        " COLLATE \"C\""
    };
    ([like $n:literal]) => {
        concat!(" ILIKE ", $n, " ESCAPE '\\'")
    };
    ([only sqlite $text:literal]) => {
        ""
    };
    ([only postgres $text:literal]) => {
        $text
    };
    ([text $name:ident]) => {
        $name!(postgres)
    };
    ([columns $name:ident]) => {
        $name!()
    };
    ($text:literal) => {
        $text
    };
}

/// Runs the same expression on whichever connection the transaction holds.
macro_rules! on_conn {
    ($tx:expr, |$conn:ident, $dialect:ident| $body:expr) => {
        match &mut $tx.inner {
            $crate::tx::TxInner::Sqlite(transaction) => {
                let $conn = &mut **transaction;
                let $dialect = $crate::dialect::Dialect::Sqlite;
                $body
            }
            $crate::tx::TxInner::Postgres(transaction) => {
                let $conn = &mut **transaction;
                let $dialect = $crate::dialect::Dialect::Postgres;
                $body
            }
        }
    };
}

pub(crate) use on_conn;
pub(crate) use postgres_piece;
pub(crate) use sql;
pub(crate) use sqlite_piece;
