//! What robots print: a part of it, or all of it as it comes.

use std::time::Duration;

use futures_util::stream;
use orchestrator_core::id::JobId;
use orchestrator_core::job::{Job, OutputChunk};
use orchestrator_db::{DbError, Hint, Tx};
use orchestrator_proto::{convert, v1};
use orchestrator_scheduler::Scheduler;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio_stream::Stream;
use tonic::Status;

use crate::status;

/// Bytes of content after which a message is full: a client takes 4 MiB by default, and a batch may come on top.
const FULL: usize = 3 << 19;

/// Chunks that are read from the database at once; 64 KiB each at most.
const BATCH: u32 = 32;

/// How often a watched job is looked at, whatever was or was not heard.
const POLL: Duration = Duration::from_secs(5);

/// A part of a job's output, with the job as it stood.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) chunks: Vec<OutputChunk>,
    job: Job,
    /// There was nothing more.
    at_end: bool,
}

impl Part {
    /// Whether the job has ended and this is the last of its output.
    pub(super) fn is_complete(&self) -> bool {
        self.at_end && !self.job.state.status().is_active()
    }
}

/// Reads the last chunks: at most `limit`, and no more than fit into one message.
pub(super) async fn read_last(tx: &mut Tx, job: JobId, limit: u32) -> Result<Part, DbError> {
    let job = tx.job_get(job).await?;
    let mut chunks = tx.output_last(job.id, limit.min(BATCH)).await?.rows;
    let mut bytes = 0;
    let kept = chunks.iter().rev().take_while(|chunk| {
        bytes += chunk.content.len();
        bytes <= FULL
    });
    let dropped = chunks.len() - kept.count();
    chunks.drain(..dropped);
    Ok(Part { job, chunks, at_end: true })
}

/// Reads chunks after a number: at most `limit`, and no more than fit into one message.
pub(super) async fn read(tx: &mut Tx, job: JobId, after: i64, limit: u32) -> Result<Part, DbError> {
    // The job first: what it printed before it ended is there when its end is.
    let mut part = Part { job: tx.job_get(job).await?, chunks: Vec::new(), at_end: false };
    let (mut bytes, mut after, mut left) = (0, after, limit);
    while left > 0 && bytes < FULL {
        let wanted = left.min(BATCH);
        let chunks = tx.output_read(job, after, wanted).await?.rows;
        let read = u32::try_from(chunks.len()).unwrap_or(u32::MAX);
        after = chunks.last().map_or(after, |chunk| chunk.seq);
        bytes += chunks.iter().map(|chunk| chunk.content.len()).sum::<usize>();
        part.chunks.extend(chunks);
        left = left.saturating_sub(read);
        if read < wanted {
            part.at_end = true;
            break;
        }
    }
    Ok(part)
}

/// A job's output from a number on, until the job has ended.
struct Watch {
    scheduler: Scheduler,
    changes: Receiver<Hint>,
    job: JobId,
    after: i64,
}

/// The output after a number, then what comes; the last message holds the job as it ended.
pub(super) fn watch(
    scheduler: Scheduler,
    job: JobId,
    after: i64,
) -> impl Stream<Item = Result<v1::WatchOutputResponse, Status>> + Send {
    // Listening begins before the first look, so that nothing falls between.
    let changes = scheduler.changes();
    let watch = Watch { scheduler, changes, job, after };
    stream::unfold(Some(watch), |watch| async {
        let mut watch = watch?;
        match watch.next().await {
            Ok(message) if message.ended.is_some() => Some((Ok(message), None)),
            Ok(message) => Some((Ok(message), Some(watch))),
            Err(error) => Some((Err(status::db(error)), None)),
        }
    })
}

impl Watch {
    /// Waits for the next message: chunks, or the end.
    async fn next(&mut self) -> Result<v1::WatchOutputResponse, DbError> {
        loop {
            let mut tx = self.scheduler.db().begin_read().await?;
            let part = read(&mut tx, self.job, self.after, 1000).await?;
            tx.rollback().await?;
            if !part.chunks.is_empty() || part.is_complete() {
                self.after = part.chunks.last().map_or(self.after, |chunk| chunk.seq);
                let ended = part.is_complete().then(|| convert::job(&part.job, None));
                let chunks = part.chunks.into_iter().map(convert::to_output_chunk).collect();
                return Ok(v1::WatchOutputResponse { chunks, ended });
            }
            // Word may be lost; the poll is the promise.
            let _ = tokio::time::timeout(POLL, self.word_of_the_job()).await;
        }
    }

    async fn word_of_the_job(&mut self) {
        loop {
            match self.changes.recv().await {
                Ok(Hint::Job { id }) if id == self.job => return,
                Ok(_) => {}
                Err(RecvError::Lagged(_)) => return,
                // There will be no more word: only the poll is left.
                Err(RecvError::Closed) => std::future::pending().await,
            }
        }
    }
}
