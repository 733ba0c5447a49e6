//! Transactions of the handlers that go past the scheduler's verbs: one way for all of them.

use orchestrator_db::DbError;
use tonic::Status;

use crate::status;

/// How often a transaction that lost against another one is rerun before its error is told.
pub(crate) const MOST_RERUNS: u32 = 8;

/// Why a transaction ended with nothing done.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The storage failed, which may mean that another transaction won.
    Db(DbError),
    /// The call is refused, however often it is made.
    Refused(Status),
}

impl Failure {
    /// Whether rerunning the transaction at once makes sense.
    pub(crate) fn is_contention(&self) -> bool {
        matches!(self, Self::Db(error) if error.is_contention())
    }
}

impl From<DbError> for Failure {
    fn from(error: DbError) -> Self {
        Self::Db(error)
    }
}

impl From<Status> for Failure {
    fn from(refusal: Status) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Failure> for Status {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Db(error) => status::db(error),
            Failure::Refused(refusal) => refusal,
        }
    }
}

/// Runs `$body` in a write transaction `$tx` and commits it. The body ends with `Ok((value, hints))` or a [`Failure`]; what
/// it did is undone when it fails, and it is run again when it lost against another transaction.
macro_rules! in_transaction {
    ($scheduler:expr, |$tx:ident| $body:block) => {{
        let mut reruns = 0;
        loop {
            let mut transaction = $scheduler.db().begin_write().await.map_err($crate::status::db)?;
            let result: Result<_, $crate::transaction::Failure> = async {
                let $tx = &mut transaction;
                $body
            }
            .await;
            let result = match result {
                Ok((value, hints)) => {
                    let hints: Vec<orchestrator_db::Hint> = hints;
                    let committed = $scheduler.commit(transaction, &hints).await;
                    committed.map(|()| value).map_err($crate::transaction::Failure::Db)
                }
                Err(failure) => {
                    // A failed rollback leaves a dead connection, which the pool throws away.
                    let _ = transaction.rollback().await;
                    Err(failure)
                }
            };
            match result {
                Err(failure) if reruns < $crate::transaction::MOST_RERUNS && failure.is_contention() => reruns += 1,
                result => break result.map_err(tonic::Status::from),
            }
        }
    }};
}

pub(crate) use in_transaction;
