//! Word between servers on one PostgreSQL that something changed. A hint only: whoever misses one finds the change at
//! the next look.

use std::sync::Arc;

use orchestrator_core::clock::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::postgres::PgListener;
use uuid::Uuid;

use crate::connect::Db;
use crate::dialect::Dialect;
use crate::error::DbError;
use crate::queue::{Marks, Position};
use crate::tx::{Tx, TxInner};

pub(crate) const CHANNEL: &str = "orchestrator";

/// What changed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Hint {
    /// A trigger's due time may have changed.
    Triggers,
    /// A job may be claimable.
    Jobs,
    /// Elements were added to a queue.
    Queue {
        /// The queue.
        name: String,
    },
    /// Elements of a queue may be claimed again, the oldest of them created at this instant: claims begin there again.
    Reopened {
        /// The queue.
        name: String,
        /// When the oldest was created.
        oldest: Timestamp,
    },
    /// A worker has something to be told: a kill, a drain, the end of its session.
    Worker {
        /// The worker.
        name: String,
    },
    /// A job's output or state changed.
    Job {
        /// The job.
        id: orchestrator_core::id::JobId,
    },
    /// Log lines were written.
    Logs,
    /// A token was revoked, or sessions of browsers were ended.
    Tokens,
    /// Elements or queues changed in a way that nobody but a viewer waits for: claimed, ended, edited, held.
    Elements,
    /// A constant, a credential, a user, a session or a token was made or changed.
    Access,
}

/// What a notification carries.
#[derive(Debug, Serialize, Deserialize)]
struct Notification {
    from: Uuid,
    /// Absent when the list was too long: anything may have changed.
    hints: Option<Vec<Hint>>,
}

impl Tx {
    /// Tells the other servers, when this transaction commits. Call it at most once a transaction, with all hints.
    pub async fn notify(&mut self, hints: &[Hint]) -> Result<(), DbError> {
        let payload = self.notification(hints);
        let (TxInner::Postgres(transaction), Some(payload)) = (&mut self.inner, payload) else { return Ok(()) };
        sqlx::query("SELECT pg_notify($1, $2)")
            .bind(CHANNEL)
            .bind(payload)
            .execute(&mut **transaction)
            .await
            .map_err(DbError::in_op("notify"))?;
        Ok(())
    }

    /// What is sent to other servers; nothing where there are none, or nothing is to be told.
    pub(crate) fn notification(&mut self, hints: &[Hint]) -> Option<String> {
        if self.dialect() == Dialect::Sqlite {
            return None;
        }
        let mut hints = hints.to_vec();
        let reopened = self.mark_changes.take_untold();
        hints.extend(reopened.into_iter().map(|(name, oldest)| Hint::Reopened { name, oldest }));
        if hints.is_empty() {
            return None;
        }
        Some(notification(self.origin, hints))
    }
}

/// What tells other servers of these hints. A notification holds 8,000 bytes at most.
pub(crate) fn notification(from: Uuid, hints: Vec<Hint>) -> String {
    let mut notification = Notification { from, hints: Some(hints) };
    let payload = serde_json::to_string(&notification).unwrap_or_default();
    if payload.len() <= 7_500 {
        return payload;
    }
    notification.hints = None;
    serde_json::to_string(&notification).unwrap_or_default()
}

/// Hears what other servers committed.
#[derive(Debug)]
pub struct Listener {
    channel: PgListener,
    origin: Uuid,
    marks: Option<Arc<Marks>>,
}

/// What a listener heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// These things changed.
    Hints(Vec<Hint>),
    /// Anything may have changed: the connection was lost for a while, or the list was too long.
    Anything,
}

impl Listener {
    /// Waits for the next notification of another server.
    pub async fn next(&mut self) -> Result<Heard, DbError> {
        let heard = self.hear().await?;
        if let Some(marks) = &self.marks {
            match &heard {
                Heard::Anything => marks.forget_all(),
                Heard::Hints(hints) => {
                    for hint in hints {
                        if let Hint::Reopened { name, oldest } = hint {
                            marks.pull_back(name, Position::since(*oldest));
                        }
                    }
                }
            }
        }
        Ok(heard)
    }

    async fn hear(&mut self) -> Result<Heard, DbError> {
        loop {
            let notification = self.channel.try_recv().await.map_err(DbError::in_op("listen"))?;
            // `None` once after the connection was lost and made again.
            let Some(notification) = notification else { return Ok(Heard::Anything) };
            match serde_json::from_str::<Notification>(notification.payload()) {
                Ok(own) if own.from == self.origin => {}
                Ok(Notification { hints: Some(hints), .. }) => return Ok(Heard::Hints(hints)),
                // A newer server may speak of things this one does not know.
                Ok(Notification { hints: None, .. }) | Err(_) => return Ok(Heard::Anything),
            }
        }
    }
}

impl Db {
    /// Listens for what other servers commit; `None` on SQLite, where there are none.
    pub async fn listen(&self) -> Result<Option<Listener>, DbError> {
        if self.dialect() == Dialect::Sqlite {
            return Ok(None);
        }
        let Some(pool) = self.postgres() else { return Ok(None) };
        let mut listener = PgListener::connect_with(pool).await.map_err(DbError::in_op("listen"))?;
        listener.listen(CHANNEL).await.map_err(DbError::in_op("listen"))?;
        // What was said until now was not heard.
        if let Some(marks) = self.marks() {
            marks.forget_all();
        }
        Ok(Some(Listener { channel: listener, origin: self.origin(), marks: self.marks().cloned() }))
    }
}
