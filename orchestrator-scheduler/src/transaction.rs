//! Running a verb's transaction again when it lost against another one.

use orchestrator_db::DbError;

/// How often a transaction that lost against another one is rerun before its error is told.
pub(crate) const MOST_RERUNS: u32 = 8;

/// An error that may mean "the transaction lost, run it again".
pub(crate) trait Contended {
    /// Whether rerunning the transaction at once makes sense.
    fn is_contention(&self) -> bool;
}

impl Contended for DbError {
    fn is_contention(&self) -> bool {
        DbError::is_contention(self)
    }
}

/// Runs `$body` in a write transaction `$tx` and commits it. The body ends with `Ok((value, hints))`; what it did is
/// undone when it ends with an error, and it is run again when it lost against another transaction.
macro_rules! in_transaction {
    ($scheduler:expr, |$tx:ident| $body:block) => {{
        let mut reruns = 0;
        loop {
            let mut transaction = $scheduler.db().begin_hot().await?;
            let result = async {
                let $tx = &mut transaction;
                $body
            }
            .await;
            let result = match result {
                Ok((value, hints)) => {
                    let hints: Vec<orchestrator_db::Hint> = hints;
                    $scheduler.commit(transaction, &hints).await.map(|()| value).map_err(Into::into)
                }
                Err(error) => {
                    // A failed rollback leaves a dead connection, which the pool throws away.
                    let _ = transaction.rollback().await;
                    Err(error)
                }
            };
            match result {
                Err(error)
                    if reruns < $crate::transaction::MOST_RERUNS
                        && $crate::transaction::Contended::is_contention(&error) =>
                {
                    reruns += 1;
                }
                result => break result,
            }
        }
    }};
}

pub(crate) use in_transaction;
