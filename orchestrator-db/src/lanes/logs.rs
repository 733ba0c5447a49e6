use std::borrow::Cow;

use orchestrator_core::clock::Timestamp;
use orchestrator_core::log::LogLine;

use super::waiting::Weight;
use super::work::{Done, DoneAtOnce, Work};
use crate::connect::{Db, LaneLine};
use crate::error::DbError;
use crate::hint::Hint;
use crate::log::{insert_on_postgres, insert_on_sqlite};
use crate::tx::Tx;

/// Writes lines of many robots with one statement.
pub(super) struct Logs;

impl Work for Logs {
    type Call = Vec<LogLine>;
    type Answer = ();

    fn key(lines: &Vec<LogLine>) -> String {
        lines.first().and_then(|line| line.job_id).map(|job| job.to_string()).unwrap_or_default()
    }

    fn weight(lines: &Vec<LogLine>) -> Weight {
        Weight { rows: lines.len(), bytes: lines.iter().map(|line| 200 + line.message.as_str().len()).sum() }
    }

    async fn run(&self, tx: &mut Tx, calls: &[Vec<LogLine>], _now: Timestamp) -> Result<Done<()>, DbError> {
        tx.log_insert(&joined(calls)).await?;
        Ok(Done { answers: vec![(); calls.len()], hints: Vec::new(), here: told_here() })
    }

    async fn run_at_once(
        &self,
        _db: &Db,
        line: &LaneLine,
        calls: &[Vec<LogLine>],
        _now: Timestamp,
    ) -> Result<DoneAtOnce<()>, DbError> {
        let lines = joined(calls);
        if lines.is_empty() {
            return Ok(DoneAtOnce::nothing());
        }
        let written = match line {
            LaneLine::Postgres(line) => {
                let mut connection = line.take_for_statement().await.map_err(DbError::in_op("lane"))?;
                let written = insert_on_postgres(&mut connection, &lines).await;
                if matches!(&written, Ok(()) | Err(sqlx::Error::Database(_))) {
                    connection.keep();
                }
                written
            }
            LaneLine::Sqlite(line) => {
                let mut connection = line.take_for_text().await.map_err(DbError::in_op("lane"))?;
                let written = insert_on_sqlite(&mut connection, &lines).await;
                connection.after_text(written).await
            }
        };
        match written {
            Ok(()) => Ok(DoneAtOnce { answers: vec![Some(()); calls.len()], here: told_here() }),
            // One call's lines may have spoilt it for all, and each is told why. Where the connection broke, the lines may have been
            // written: to write them again, on another one, changes nothing.
            Err(sqlx::Error::Database(_) | sqlx::Error::Io(_)) => Ok(DoneAtOnce::nothing()),
            Err(error) => Err(DbError::in_op("log_insert")(error)),
        }
    }
}

fn joined(calls: &[Vec<LogLine>]) -> Cow<'_, [LogLine]> {
    match calls {
        [lines] => Cow::Borrowed(lines),
        calls => Cow::Owned(calls.concat()),
    }
}

/// Followers on other servers look every second: a notification for every line would slow every commit.
fn told_here() -> Vec<Hint> {
    vec![Hint::Logs]
}
