//! Which tables there are, and how a row of each is written as JSON that PostgreSQL reads.

use sqlx::PgConnection;

use super::CopyError;

/// Every table, each behind those that its rows refer to.
pub const TABLES: [&str; 21] = [
    "users",
    "tokens",
    "sessions",
    "sign_in_links",
    "settings",
    "audit",
    "constants",
    "credentials",
    "triggers",
    "single_triggers",
    "scheduled_triggers",
    "queue_triggers",
    "trigger_decisions",
    "workers",
    "jobs",
    "job_output",
    "logs",
    "queue_settings",
    "queues",
    "queue_counts",
    "queue_samples",
];

/// A table and its columns, as PostgreSQL has them.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) name: &'static str,
    columns: Vec<Column>,
}

#[derive(Debug)]
struct Column {
    name: String,
    kind: String,
}

impl Table {
    /// Asks PostgreSQL. Columns that it fills by itself are left to it.
    pub(super) async fn describe(name: &'static str, write: &mut PgConnection) -> Result<Self, CopyError> {
        let columns = sqlx::query_as::<_, (String, String)>(
            "SELECT column_name::text, udt_name::text FROM information_schema.columns
             WHERE table_schema = current_schema() AND table_name = $1 AND is_identity = 'NO'
             ORDER BY ordinal_position",
        )
        .bind(name)
        .fetch_all(write)
        .await
        .map_err(|source| CopyError::Write { table: name, source })?;
        let columns = columns.into_iter().map(|(name, kind)| Column { name, kind }).collect();
        Ok(Self { name, columns })
    }

    /// Reads rows of SQLite, each as an object.
    pub(super) fn select(&self) -> String {
        let fields: Vec<String> =
            self.columns.iter().map(|column| format!("'{}', {}", column.name, column.as_json())).collect();
        format!("SELECT json_object({}) FROM {}", fields.join(", "), self.name)
    }

    /// Writes a list of such objects.
    pub(super) fn insert(&self) -> String {
        let columns: Vec<&str> = self.columns.iter().map(|column| column.name.as_str()).collect();
        let columns = columns.join(", ");
        let name = self.name;
        format!("INSERT INTO {name} ({columns}) SELECT {columns} FROM json_populate_recordset(NULL::{name}, $1::json)")
    }
}

impl Column {
    /// The value as PostgreSQL reads it from JSON. Times are texts that it reads as they are, and so are numbers and flags.
    fn as_json(&self) -> String {
        let name = &self.name;
        match self.kind.as_str() {
            // An id is never empty; `hex` makes an empty text of what is absent.
            "uuid" => format!("NULLIF(hex({name}), '')"),
            "bytea" => format!("CASE WHEN {name} IS NOT NULL THEN '\\x' || hex({name}) END"),
            "jsonb" => format!("json({name})"),
            _ => name.clone(),
        }
    }
}
