use orchestrator_core::clock::Timestamp;
use orchestrator_core::log::LogLine;

use super::waiting::Weight;
use super::work::{Done, Work};
use crate::error::DbError;
use crate::hint::Hint;
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
        match calls {
            [lines] => tx.log_insert(lines).await?,
            calls => tx.log_insert(&calls.concat()).await?,
        }
        // Followers on other servers look every second: a notification for every line would slow every commit.
        Ok(Done { answers: vec![(); calls.len()], hints: Vec::new(), here: vec![Hint::Logs] })
    }
}
