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
    use std::convert::Infallible;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use bytes::Bytes;
    use http::{HeaderMap, Request, Response};
    use http_body_util::{BodyExt as _, Empty, Full};
    use hyper_util::rt::{TokioExecutor, TokioIo};
    use tokio::io::DuplexStream;

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

    /// One end of a connection. It takes several pieces at once, as a socket does, and counts how often it is given some.
    struct Counted {
        io: DuplexStream,
        writes: Arc<AtomicUsize>,
    }

    impl AsyncRead for Counted {
        fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.io).poll_read(cx, buf)
        }
    }

    impl AsyncWrite for Counted {
        fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
            self.writes.fetch_add(1, Ordering::Relaxed);
            Pin::new(&mut self.io).poll_write(cx, buf)
        }

        fn poll_write_vectored(
            self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            pieces: &[io::IoSlice<'_>],
        ) -> Poll<io::Result<usize>> {
            let all: Vec<u8> = pieces.iter().flat_map(|piece| piece.iter().copied()).collect();
            self.poll_write(cx, &all)
        }

        fn is_write_vectored(&self) -> bool {
            true
        }

        fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.io).poll_flush(cx)
        }

        fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.io).poll_shutdown(cx)
        }
    }

    /// Answers as a call is answered: so many bytes as are asked for, and trailers that say how it went.
    async fn answer(
        request: Request<hyper::body::Incoming>,
    ) -> http::Result<Response<impl http_body::Body<Data = Bytes, Error = Infallible>>> {
        let size: usize = request.uri().path().trim_start_matches('/').parse().unwrap();
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", http::HeaderValue::from_static("0"));
        let body = Full::new(Bytes::from(vec![7; size])).with_trailers(std::future::ready(Some(Ok(trailers))));
        Response::builder().header("content-type", "application/grpc").body(body)
    }

    #[tokio::test]
    async fn an_answer_of_less_than_a_kibibyte_is_one_write_with_its_head_and_its_end() {
        let (near, far) = tokio::io::duplex(1 << 16);
        let writes = Arc::new(AtomicUsize::new(0));
        let far = Counted { io: far, writes: writes.clone() };
        let serving = async {
            let (begun, _) = begin(far).await.unwrap();
            let http2 = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            http2.serve_connection(TokioIo::new(begun), hyper::service::service_fn(answer)).await
        };
        let asking = async {
            let (mut calls, connection) =
                hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(near)).await.unwrap();
            let asking = async {
                let mut written = Vec::new();
                // The first answer comes with what a connection begins with.
                for size in [0, 10, 255, 256, 600, 1000] {
                    let before = writes.load(Ordering::Relaxed);
                    let request = Request::get(format!("http://there/{size}")).body(Empty::<Bytes>::new()).unwrap();
                    let answer = calls.send_request(request).await.unwrap().into_body().collect().await.unwrap();
                    assert!(answer.trailers().is_some_and(|trailers| trailers.contains_key("grpc-status")));
                    assert_eq!(answer.to_bytes().len(), size);
                    written.push((size, writes.load(Ordering::Relaxed) - before));
                }
                written
            };
            tokio::select! { written = asking => written, ended = connection => panic!("it ended: {ended:?}") }
        };
        let written = tokio::select! { written = asking => written, ended = serving => panic!("it ended: {ended:?}") };
        assert_eq!(written[1..], [(10, 1), (255, 1), (256, 1), (600, 1), (1000, 1)]);
    }
}
