//! Lines as they are written.
//!
//! Lines carry the instant at which they were written, and arrive a little later, out of order between servers and
//! robots. So a follower looks back a little each time and leaves out what it has shown already.

use std::collections::HashMap;
use std::time::Duration;

use chrono::TimeDelta;
use futures_util::stream;
use orchestrator_core::clock::Timestamp;
use orchestrator_core::id::LogId;
use orchestrator_core::log::LogLine;
use orchestrator_db::{DbError, Hint, LogFilter, LogPosition, PageRequest, fitting};
use orchestrator_proto::{convert, v1};
use orchestrator_scheduler::Scheduler;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio_stream::Stream;
use tonic::Status;
use uuid::Uuid;

use crate::status;

/// How late a line may arrive after the newest one that was shown.
const LOOK_BACK: TimeDelta = TimeDelta::seconds(5);
/// The most lines of one message.
const BATCH: u32 = 500;
/// How often to look, whatever was or was not heard: other servers do not tell of lines.
const POLL: Duration = Duration::from_secs(1);
/// The least time between two looks: a busy log is read in batches.
const PAUSE: Duration = Duration::from_millis(100);

struct Tail {
    scheduler: Scheduler,
    changes: Receiver<Hint>,
    filter: LogFilter,
    newest: Timestamp,
    /// Lines within the time that is looked back on, which were shown or were there before.
    shown: HashMap<LogId, Timestamp>,
}

/// What a line takes in a message, at most.
fn bytes(line: &LogLine) -> usize {
    200 + line.process_name.as_str().len() + line.message.as_str().len()
}

/// Lines from now on, oldest first.
pub(super) async fn begin(
    scheduler: Scheduler,
    filter: LogFilter,
) -> Result<impl Stream<Item = Result<v1::TailLogsResponse, Status>> + Send, DbError> {
    // Listening begins before the first look, so that nothing falls between.
    let changes = scheduler.changes();
    let newest = scheduler.now();
    let mut tail = Tail { scheduler, changes, filter, newest, shown: HashMap::new() };
    tail.pass_over_what_is_there().await?;
    Ok(stream::try_unfold(tail, |mut tail| async {
        let logs = tail.next().await.map_err(status::db)?;
        Ok(Some((v1::TailLogsResponse { logs: logs.iter().map(convert::log).collect() }, tail)))
    }))
}

impl Tail {
    async fn pass_over_what_is_there(&mut self) -> Result<(), DbError> {
        let mut tx = self.scheduler.db().begin_read().await?;
        let latest = tx.log_list(&self.filter, &PageRequest::first(1)).await?.0.rows;
        drop(tx);
        // A worker's clock may be ahead of ours.
        self.newest = latest.iter().map(|line| line.log_time).fold(self.newest, Timestamp::max);
        while !self.look().await?.is_empty() {}
        Ok(())
    }

    async fn next(&mut self) -> Result<Vec<LogLine>, DbError> {
        loop {
            let lines = self.look().await?;
            if !lines.is_empty() {
                return Ok(lines);
            }
            tokio::time::sleep(PAUSE).await;
            // Word may be lost; the poll is the promise.
            let _ = tokio::time::timeout(POLL, self.word_of_lines()).await;
        }
    }

    /// Lines that were not shown yet, at most a batch.
    async fn look(&mut self) -> Result<Vec<LogLine>, DbError> {
        let since = self.newest - LOOK_BACK;
        let mut after = LogPosition { log_time: since, id: LogId::from_uuid(Uuid::nil()) };
        let mut tx = self.scheduler.db().begin_read().await?;
        let mut new = Vec::new();
        loop {
            let lines = tx.log_after(&self.filter, Some(after), BATCH).await?.rows;
            let Some(last) = lines.last() else { break };
            after = LogPosition { log_time: last.log_time, id: last.id };
            let full = lines.len() >= BATCH as usize;
            new.extend(lines.into_iter().filter(|line| !self.shown.contains_key(&line.id)));
            if !full || !new.is_empty() {
                break;
            }
        }
        drop(tx);
        // What is too much for one message is found again by the next look.
        new.truncate(fitting(new.iter().map(bytes)));
        for line in &new {
            self.newest = self.newest.max(line.log_time);
            self.shown.insert(line.id, line.log_time);
        }
        let since = self.newest - LOOK_BACK;
        self.shown.retain(|_, log_time| *log_time >= since);
        Ok(new)
    }

    async fn word_of_lines(&mut self) {
        loop {
            match self.changes.recv().await {
                Ok(Hint::Logs) | Err(RecvError::Lagged(_)) => return,
                Ok(_) => {}
                // There will be no more word: only the poll is left.
                Err(RecvError::Closed) => std::future::pending().await,
            }
        }
    }
}
