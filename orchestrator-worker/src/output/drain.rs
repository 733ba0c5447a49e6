//! Reading both pipes of a process until they end or are closed.

use std::sync::Arc;
use std::time::Duration;

use orchestrator_core::clock::Clock;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::buffer::OutputBuffer;
use super::{CHUNK_LIMIT, OutputChunk, OutputLimit, OutputStream, OutputSummary};

/// How long output waits for the end of its line; an unfinished line waits twice.
const FLUSH_PERIOD: Duration = Duration::from_millis(100);
/// How long a pipe that is being closed may pause before it counts as empty.
const CLOSE_PAUSE: Duration = Duration::from_millis(20);
/// How long a pipe that is being closed is read at most: who was left alive may go on writing.
const CLOSE_TIME: Duration = Duration::from_millis(100);
/// The most that is read from each pipe while it is being closed: more than any pipe holds.
const CLOSE_READ_LIMIT: usize = 1024 * 1024;

/// A task that reads a job's output.
#[derive(Debug)]
pub struct Drain {
    task: JoinHandle<OutputSummary>,
    close: CancellationToken,
}

impl Drain {
    /// Starts to read both pipes and to pass chunks on to `sender`. If nobody receives, reading goes on.
    pub fn start(
        tasks: &TaskTracker,
        stdout: impl AsyncRead + Unpin + Send + 'static,
        stderr: impl AsyncRead + Unpin + Send + 'static,
        limit: OutputLimit,
        clock: Arc<dyn Clock>,
        sender: mpsc::Sender<OutputChunk>,
    ) -> Self {
        let close = CancellationToken::new();
        let reader =
            Reader { stdout: Pipe::new(stdout), stderr: Pipe::new(stderr), buffer: OutputBuffer::new(limit), clock };
        let task = tasks.spawn(reader.run(sender, close.clone()));
        Self { task, close }
    }

    /// Waits until both pipes end and all chunks are taken. After `patience` the pipes are closed even if a process still
    /// holds them: what they contain at that moment is still read.
    pub async fn end(mut self, patience: Duration) -> OutputSummary {
        let outcome = if let Ok(outcome) = timeout(patience, &mut self.task).await {
            outcome
        } else {
            self.close.cancel();
            self.task.await
        };
        outcome.unwrap_or_else(|error| {
            tracing::error!(%error, "failed to read the output of a job to its end");
            OutputSummary::default()
        })
    }
}

/// One end of a pipe, and room for one read.
struct Pipe<R> {
    source: R,
    room: Vec<u8>,
    is_open: bool,
}

impl<R: AsyncRead + Unpin> Pipe<R> {
    fn new(source: R) -> Self {
        Self { source, room: vec![0; CHUNK_LIMIT], is_open: true }
    }

    /// What can be read now; empty at the end. An error ends a pipe as well: there is nothing more to be had from it.
    async fn read(&mut self) -> &[u8] {
        let length = self.source.read(&mut self.room).await.unwrap_or(0);
        self.is_open = length > 0;
        &self.room[..length]
    }
}

struct Reader<O, E> {
    stdout: Pipe<O>,
    stderr: Pipe<E>,
    buffer: OutputBuffer,
    clock: Arc<dyn Clock>,
}

impl<O: AsyncRead + Unpin, E: AsyncRead + Unpin> Reader<O, E> {
    async fn run(mut self, sender: mpsc::Sender<OutputChunk>, close: CancellationToken) -> OutputSummary {
        self.read_until_end(&sender, &close).await;
        let (chunks, summary) = self.buffer.finish();
        for chunk in chunks {
            if sender.send(chunk).await.is_err() {
                break;
            }
        }
        summary
    }

    async fn read_until_end(&mut self, sender: &mpsc::Sender<OutputChunk>, close: &CancellationToken) {
        let mut flush_at: Option<Instant> = None;
        let mut is_read = true;
        while self.stdout.is_open || self.stderr.is_open {
            tokio::select! {
                () = close.cancelled() => return self.read_rest().await,
                bytes = self.stdout.read(), if self.stdout.is_open => {
                    self.buffer.push(OutputStream::Stdout, bytes, self.clock.now());
                }
                bytes = self.stderr.read(), if self.stderr.is_open => {
                    self.buffer.push(OutputStream::Stderr, bytes, self.clock.now());
                }
                () = sleep_until(flush_at.unwrap_or_else(Instant::now)), if flush_at.is_some() => {
                    flush_at = None;
                    self.buffer.flush_lines();
                }
                permit = sender.reserve(), if is_read && self.buffer.has_chunk() => match permit {
                    Ok(permit) => if let Some(chunk) = self.buffer.next_chunk() { permit.send(chunk) },
                    Err(_) => is_read = false,
                },
            }
            if !is_read {
                self.buffer.discard();
            }
            if self.buffer.has_pending() {
                flush_at.get_or_insert_with(|| Instant::now() + FLUSH_PERIOD);
            }
        }
    }

    /// Reads what the pipes hold now, and no more.
    async fn read_rest(&mut self) {
        let now = self.clock.now();
        read_rest(&mut self.stdout, |bytes| self.buffer.push(OutputStream::Stdout, bytes, now)).await;
        read_rest(&mut self.stderr, |bytes| self.buffer.push(OutputStream::Stderr, bytes, now)).await;
    }
}

async fn read_rest(pipe: &mut Pipe<impl AsyncRead + Unpin>, mut take: impl FnMut(&[u8])) {
    let deadline = Instant::now() + CLOSE_TIME;
    let mut left = CLOSE_READ_LIMIT;
    while pipe.is_open && left > 0 && Instant::now() < deadline {
        let Ok(bytes) = timeout(CLOSE_PAUSE, pipe.read()).await else { return };
        left = left.saturating_sub(bytes.len());
        take(bytes);
    }
}
