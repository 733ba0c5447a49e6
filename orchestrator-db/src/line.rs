//! One connection that is kept between transactions and carries one of them at a time.
//!
//! A pool asks a connection whether it lives when it is taken and again when it is put back: two round trips a
//! transaction, which whoever writes all the time need not pay. Here a connection that ended its last transaction well is
//! simply used again, and one that did not, or that nobody used for a while, is looked at first.

use std::fmt::Debug;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;

use sqlx::{Connection, Database, Executor};
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::time::Instant;

/// How long to wait for the line to be free.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long to wait for it where somebody who has it for longer is as good an answer: what is refused is given back sooner.
const BRIEFLY: Duration = Duration::from_millis(500);

/// How long a connection that may be broken has to answer.
const SIGN_OF_LIFE: Duration = Duration::from_secs(2);

/// How long a connection must have been idle before it is asked whether it is still there: what stands between two machines
/// forgets connections on which nothing happens, and does not say so.
const TRUSTED: Duration = Duration::from_secs(10);

type Options<DB> = <<DB as Database>::Connection as Connection>::Options;

/// A connection with a fair queue in front of it.
#[derive(Debug)]
pub(crate) struct Line<DB: Database<Connection: Debug>> {
    options: Arc<Options<DB>>,
    slot: Arc<Mutex<Slot<DB>>>,
}

/// What is behind the queue.
#[derive(Debug)]
struct Slot<DB: Database<Connection: Debug>> {
    connection: Option<DB::Connection>,
    /// The last transaction's end failed: it is undone and the connection looked at before the next.
    is_unsure: bool,
    used_at: Instant,
}

impl<DB: Database<Connection: Debug>> Clone for Line<DB> {
    fn clone(&self) -> Self {
        Self { options: self.options.clone(), slot: self.slot.clone() }
    }
}

impl<DB> Line<DB>
where
    DB: Database<Connection: Debug>,
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
{
    /// A line that connects when it is first used.
    pub(crate) fn new(options: Options<DB>) -> Self {
        Self {
            options: Arc::new(options),
            slot: Arc::new(Mutex::new(Slot { connection: None, is_unsure: false, used_at: Instant::now() })),
        }
    }

    /// Waits for the line and takes it, connected, for what is done outside transactions, such as migrating.
    pub(crate) async fn take(&self) -> Result<OnLine<DB>, sqlx::Error> {
        let waiting = tokio::time::timeout(PATIENCE, self.slot.clone().lock_owned());
        self.connected(waiting.await.map_err(|_| sqlx::Error::PoolTimedOut)?).await
    }

    async fn connected(&self, mut slot: OwnedMutexGuard<Slot<DB>>) -> Result<OnLine<DB>, sqlx::Error> {
        // In boxes, which are seldom made: everything that takes the line would keep room for them in place, and much does.
        if slot.is_unsure {
            Box::pin(slot.make_sure()).await;
        } else if slot.used_at.elapsed() >= TRUSTED {
            Box::pin(slot.look()).await;
        }
        if slot.connection.is_none() {
            Box::pin(slot.connect(&self.options)).await?;
        }
        Ok(OnLine { slot, is_open: false })
    }

    /// Begins a transaction. A connection that broke while nothing happened on it is made anew.
    pub(crate) async fn begin(&self, statement: &'static str) -> Result<OnLine<DB>, sqlx::Error> {
        let line = self.take().await?;
        self.begun(line, statement).await
    }

    /// Begins a transaction, unless somebody has the line for long: then nothing.
    pub(crate) async fn begin_if_free(&self, statement: &'static str) -> Result<Option<OnLine<DB>>, sqlx::Error> {
        let Ok(slot) = tokio::time::timeout(BRIEFLY, self.slot.clone().lock_owned()).await else { return Ok(None) };
        let line = self.connected(slot).await?;
        self.begun(line, statement).await.map(Some)
    }

    async fn begun(&self, mut line: OnLine<DB>, statement: &'static str) -> Result<OnLine<DB>, sqlx::Error> {
        line.is_open = true;
        line.slot.is_unsure = true;
        match line.execute(statement).await {
            Err(error) if has_gone(&error) => {
                line.slot.connection = None;
                Box::pin(line.slot.connect(&self.options)).await?;
                line.execute(statement).await?;
            }
            begun => drop(begun?),
        }
        Ok(line)
    }

    /// Waits for the line and takes it for a text that begins a transaction and ends it.
    pub(crate) async fn take_for_text(&self) -> Result<OnLine<DB>, sqlx::Error> {
        let mut line = self.take().await?;
        line.is_open = true;
        line.slot.is_unsure = true;
        Ok(line)
    }

    /// Waits for the line and takes it for one statement that is its own transaction, after which it is kept. What is dropped
    /// in the middle of it leaves no connection of which nobody knows what it is doing.
    pub(crate) async fn take_for_statement(&self) -> Result<OnLine<DB>, sqlx::Error> {
        let mut line = self.take().await?;
        line.is_open = true;
        Ok(line)
    }

    /// Closes the connection; what begins later makes it anew.
    pub(crate) async fn close(&self) {
        let connection = self.slot.lock().await.connection.take();
        if let Some(connection) = connection {
            // There is nobody left to be told.
            let _ = connection.close().await;
        }
    }
}

/// Whether a connection is not there any more, which nothing that was begun can have noticed.
fn has_gone(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::WorkerCrashed => true,
        // The server said goodbye: it was restarted, or told to.
        sqlx::Error::Database(error) => matches!(error.code().as_deref(), Some("57P01" | "57P02" | "57P05")),
        _ => false,
    }
}

impl<DB> Slot<DB>
where
    DB: Database<Connection: Debug>,
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
{
    /// Undoes what a transaction may have left, or gives the connection up.
    async fn make_sure(&mut self) {
        self.is_unsure = false;
        let Some(mut connection) = self.connection.take() else { return };
        // An error may mean that nothing is left to undo: SQLite undoes a transaction by itself when the disk is full.
        let undone = tokio::time::timeout(SIGN_OF_LIFE, connection.execute("ROLLBACK")).await;
        if undone.is_ok() && matches!(tokio::time::timeout(SIGN_OF_LIFE, connection.ping()).await, Ok(Ok(()))) {
            self.connection = Some(connection);
        }
    }

    /// Gives the connection up if it does not answer.
    async fn look(&mut self) {
        let Some(mut connection) = self.connection.take() else { return };
        if matches!(tokio::time::timeout(SIGN_OF_LIFE, connection.ping()).await, Ok(Ok(()))) {
            self.connection = Some(connection);
        }
    }

    async fn connect(&mut self, options: &Options<DB>) -> Result<(), sqlx::Error> {
        let connecting = tokio::time::timeout(PATIENCE, DB::Connection::connect_with(options));
        self.connection = Some(connecting.await.map_err(|_| sqlx::Error::PoolTimedOut)??);
        Ok(())
    }
}

/// The line in someone's hands: a transaction, once one was begun. Dropped before its end it is undone.
#[derive(Debug)]
pub(crate) struct OnLine<DB: Database<Connection: Debug>> {
    slot: OwnedMutexGuard<Slot<DB>>,
    is_open: bool,
}

impl<DB> OnLine<DB>
where
    DB: Database<Connection: Debug>,
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
{
    pub(crate) async fn commit(mut self) -> Result<(), sqlx::Error> {
        self.end("COMMIT").await
    }

    pub(crate) async fn rollback(mut self) -> Result<(), sqlx::Error> {
        self.end("ROLLBACK").await
    }

    /// Gives the line back after a text that ended its transaction, or failed before it did.
    pub(crate) async fn after_text<T>(mut self, outcome: Result<T, sqlx::Error>) -> Result<T, sqlx::Error> {
        match outcome {
            Ok(_) => self.slot.is_unsure = false,
            // An error may mean that nothing is left to undo. The connection is looked at before it is used again.
            Err(_) => drop(self.execute("ROLLBACK").await),
        }
        self.is_open = false;
        outcome
    }

    async fn end(&mut self, statement: &'static str) -> Result<(), sqlx::Error> {
        self.execute(statement).await?;
        self.is_open = false;
        self.slot.is_unsure = false;
        Ok(())
    }
}

impl<DB: Database<Connection: Debug>> OnLine<DB> {
    /// Gives the line back after a statement that was answered.
    pub(crate) fn keep(mut self) {
        self.is_open = false;
    }
}

impl<DB: Database<Connection: Debug>> Drop for OnLine<DB> {
    fn drop(&mut self) {
        // Locks must not be kept until someone comes by to undo: both databases do when the connection goes.
        if self.is_open {
            self.slot.connection = None;
        }
        self.slot.used_at = Instant::now();
    }
}

impl<DB: Database<Connection: Debug>> Deref for OnLine<DB> {
    type Target = DB::Connection;

    #[expect(clippy::expect_used, reason = "a line that was taken is connected until it is given back")]
    fn deref(&self) -> &DB::Connection {
        self.slot.connection.as_ref().expect("a taken line is connected")
    }
}

impl<DB: Database<Connection: Debug>> DerefMut for OnLine<DB> {
    #[expect(clippy::expect_used, reason = "a line that was taken is connected until it is given back")]
    fn deref_mut(&mut self) -> &mut DB::Connection {
        self.slot.connection.as_mut().expect("a taken line is connected")
    }
}
