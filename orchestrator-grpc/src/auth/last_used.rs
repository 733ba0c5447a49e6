//! When tokens were used: gathered in memory, written once in a while.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use orchestrator_core::chain::Chain;
use orchestrator_core::clock::Timestamp;
use orchestrator_core::id::TokenId;
use orchestrator_db::{Db, DbError};
use tokio_util::sync::CancellationToken;

/// How often what was gathered is written.
const PERIOD: Duration = Duration::from_mins(1);

/// The latest use of each token since the last writing.
#[derive(Debug, Default)]
pub(super) struct LastUsed {
    uses: Mutex<HashMap<TokenId, Timestamp>>,
}

impl LastUsed {
    /// Notes a use.
    pub(super) fn note(&self, token: TokenId, now: Timestamp) {
        self.uses.lock().unwrap_or_else(PoisonError::into_inner).insert(token, now);
    }

    /// Writes what was gathered, in one transaction. What could not be written is gathered anew by later calls: a stamp
    /// that is late harms nobody.
    pub(super) async fn write(&self, db: &Db) -> Result<usize, DbError> {
        let uses: Vec<(TokenId, Timestamp)> =
            self.uses.lock().unwrap_or_else(PoisonError::into_inner).drain().collect();
        if uses.is_empty() {
            return Ok(0);
        }
        let mut tx = db.begin_write().await?;
        tx.token_touch(&uses).await?;
        tx.commit().await?;
        Ok(uses.len())
    }

    /// Writes once a minute until the server stops, and once more then.
    pub(super) async fn run(&self, db: &Db, stop: CancellationToken) {
        while let Some(()) = stop.run_until_cancelled(tokio::time::sleep(PERIOD)).await {
            self.report(db).await;
        }
        self.report(db).await;
    }

    async fn report(&self, db: &Db) {
        if let Err(error) = self.write(db).await {
            tracing::warn!(error = %Chain(&error), "when tokens were used could not be written");
        }
    }
}
