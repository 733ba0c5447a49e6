//! Writing lines.

use orchestrator_core::clock::Timestamp;
use orchestrator_core::id::JobId;
use orchestrator_core::log::LogLine;
use orchestrator_core::text::LogMessage;
use sqlx::types::Json;
use sqlx::{PgConnection, SqliteConnection};
use uuid::Uuid;

use crate::dialect::{Sql, sql};
use crate::error::DbError;
use crate::lists::time_text;
use crate::tx::{Tx, TxInner};

const LOG_INSERT: Sql = sql!["INSERT INTO logs (id, log_time, log_level, process_name, log_message, job_id) "
     [only sqlite "SELECT unhex(value->>0), value->>1, value->>2, value->>3, value->>4, unhex(value->>5)
         FROM json_each($1) WHERE TRUE"]
     [only postgres "SELECT id, log_time, log_level, process_name, log_message, job_id
         FROM unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::text[], $5::text[], $6::uuid[])
             AS line (id, log_time, log_level, process_name, log_message, job_id)"]
     " ON CONFLICT (id) DO NOTHING"];

impl Tx {
    /// Writes lines. Those whose id is there already are skipped, so that a repeated call writes nothing twice.
    pub async fn log_insert(&mut self, lines: &[LogLine]) -> Result<(), DbError> {
        if lines.is_empty() {
            return Ok(());
        }
        match &mut self.inner {
            TxInner::Sqlite(transaction) => insert_on_sqlite(&mut *transaction, lines).await,
            TxInner::Postgres(transaction) => insert_on_postgres(&mut *transaction, lines).await,
        }
        .map_err(DbError::in_op("log_insert"))
    }
}

/// Writes lines as [`Tx::log_insert`] does; without a transaction around it, the statement is its own.
pub(crate) async fn insert_on_postgres(connection: &mut PgConnection, lines: &[LogLine]) -> Result<(), sqlx::Error> {
    let ids: Vec<Uuid> = lines.iter().map(|line| line.id.as_uuid()).collect();
    let times: Vec<Timestamp> = lines.iter().map(|line| line.log_time).collect();
    let levels: Vec<&str> = lines.iter().map(|line| line.level.as_str()).collect();
    let processes: Vec<&str> = lines.iter().map(|line| line.process_name.as_str()).collect();
    let messages: Vec<&str> = lines.iter().map(|line| line.message.as_str()).collect();
    let jobs: Vec<Option<Uuid>> = lines.iter().map(|line| line.job_id.map(JobId::as_uuid)).collect();
    sqlx::query(LOG_INSERT.postgres)
        .bind(ids)
        .bind(times)
        .bind(levels)
        .bind(processes)
        .bind(messages)
        .bind(jobs)
        .execute(connection)
        .await
        .map(drop)
}

/// The same on SQLite.
pub(crate) async fn insert_on_sqlite(connection: &mut SqliteConnection, lines: &[LogLine]) -> Result<(), sqlx::Error> {
    sqlx::query(LOG_INSERT.sqlite).bind(as_json(lines)).execute(connection).await.map(drop)
}

type JsonRow<'a> = (String, String, &'static str, &'a str, &'a str, Option<String>);

fn as_json(lines: &[LogLine]) -> Json<Vec<JsonRow<'_>>> {
    let hex = |id: Uuid| id.simple().to_string();
    let rows = lines.iter().map(|line| {
        (
            hex(line.id.as_uuid()),
            time_text(line.log_time),
            line.level.as_str(),
            line.process_name.as_str(),
            LogMessage::as_str(&line.message),
            line.job_id.map(|job| hex(job.as_uuid())),
        )
    });
    Json(rows.collect())
}

#[cfg(test)]
crate::statements::statements![LOG_INSERT];
