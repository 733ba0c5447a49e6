//! The end of a robot's standard error, which explains a failure even while the server takes no output.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, ReadBuf};
use tokio_util::sync::CancellationToken;

/// How many bytes are kept.
const KEPT: usize = 2_000;

/// The last bytes that were read.
#[derive(Debug, Clone, Default)]
pub(super) struct StderrTail {
    bytes: Arc<Mutex<Vec<u8>>>,
    ended: CancellationToken,
}

impl StderrTail {
    /// Reads from `source`, and keeps the end of it.
    pub(super) fn of<R>(&self, source: R) -> Noted<R> {
        Noted { source, tail: self.clone() }
    }

    /// Waits for the end of what is read, for so long.
    pub(super) async fn complete(&self, patience: Duration) {
        let _ = tokio::time::timeout(patience, self.ended.cancelled()).await;
    }

    /// What was read last.
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.lock()).trim().to_owned()
    }

    fn note(&self, read: &[u8]) {
        let mut bytes = self.lock();
        bytes.extend_from_slice(&read[read.len().saturating_sub(KEPT)..]);
        let excess = bytes.len().saturating_sub(KEPT);
        bytes.drain(..excess);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<u8>> {
        self.bytes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A pipe whose end is kept.
#[derive(Debug)]
pub(super) struct Noted<R> {
    source: R,
    tail: StderrTail,
}

impl<R: AsyncRead + Unpin> AsyncRead for Noted<R> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let outcome = ready!(Pin::new(&mut self.source).poll_read(cx, buf));
        let read = &buf.filled()[before..];
        if read.is_empty() {
            self.tail.ended.cancel();
        } else {
            self.tail.note(read);
        }
        Poll::Ready(outcome)
    }
}

impl<R> Drop for Noted<R> {
    fn drop(&mut self) {
        self.tail.ended.cancel();
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt as _;

    use super::*;

    #[tokio::test]
    async fn the_end_is_kept_and_everything_is_read() {
        let tail = StderrTail::default();
        let written = [vec![b'x'; 10 * KEPT], b"last words\n".to_vec()].concat();
        let mut read = Vec::new();
        tail.of(written.as_slice()).read_to_end(&mut read).await.unwrap();
        tail.complete(Duration::MAX).await;
        assert_eq!(read, written);
        assert!(tail.text().ends_with("xlast words") && tail.text().len() < KEPT);
    }
}
