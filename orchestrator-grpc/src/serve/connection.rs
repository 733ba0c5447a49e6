//! One connection: its version of HTTP, its requests, its end.

use std::net::SocketAddr;
use std::pin::Pin;
use std::time::Duration;

use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::task::TaskTracker;

use super::calls::{Calls, Connection, together};
use super::first_bytes::{Begun, Version, begin};
use super::front::{Front, FrontOf};
use super::options::{ServeOptions, Shutdown};

/// How often a quiet HTTP/2 peer is asked whether it is there, and how long it may take to answer.
const PING_EVERY: Duration = Duration::from_secs(20);
const PING_TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes in flight towards us, for one stream and for all of one connection. Set by hand: the adaptive window drops
/// connections under load.
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 4 << 20;
/// All headers of one request.
const HEADER_BYTES: u32 = 32 << 10;

/// Where a connection comes from and where it arrived.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ends {
    pub(super) peer: SocketAddr,
    pub(super) arrived_at: SocketAddr,
}

/// Serves the requests of connections.
#[derive(Debug)]
pub(super) struct Connections {
    front: Front,
    http1: http1::Builder,
    handshake_timeout: Duration,
    max_concurrent_streams: u32,
    shutdown: Shutdown,
    tasks: TaskTracker,
}

impl Connections {
    pub(super) fn new(options: &ServeOptions, front: Front, shutdown: Shutdown, tasks: TaskTracker) -> Self {
        let mut http1 = http1::Builder::new();
        http1.timer(TokioTimer::new()).header_read_timeout(options.header_timeout).max_headers(64);
        Self {
            front,
            http1,
            handshake_timeout: options.handshake_timeout,
            max_concurrent_streams: options.max_concurrent_streams,
            shutdown,
            tasks,
        }
    }

    /// HTTP/2 whose calls go to `calls`.
    fn http2(&self, calls: Calls) -> http2::Builder<Calls> {
        let mut http2 = http2::Builder::new(calls);
        http2
            .timer(TokioTimer::new())
            // No gRPC caller reads it, and whoever is connected for long keeps the dates of one answer after the other.
            .auto_date_header(false)
            .keep_alive_interval(PING_EVERY)
            .keep_alive_timeout(PING_TIMEOUT)
            .max_concurrent_streams(self.max_concurrent_streams)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_header_list_size(HEADER_BYTES);
        http2
    }

    /// Serves one connection to its end: the peer's, an error, or the server's.
    pub(super) async fn serve<I>(&self, io: I, ends: Ends)
    where
        I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let begun = Box::pin(tokio::time::timeout(self.handshake_timeout, begin(io)));
        let Some(Ok(Ok((io, version)))) = self.shutdown.soft.run_until_cancelled(begun).await else {
            return;
        };
        let io = TokioIo::new(io);
        let service = FrontOf { front: self.front.clone(), ends };
        let (soft, hard) = (&self.shutdown.soft, &self.shutdown.hard);
        // The connection is polled on after the graceful shutdown was begun, until its calls have ended or it is cut.
        let ended = match version {
            Version::One => {
                // Tokens of its own: one for all is a lock that every poll of every connection takes.
                let (soft, hard) = (soft.child_token(), hard.child_token());
                let mut connection = Box::pin(self.http1.serve_connection(io, service));
                tokio::select! {
                    ended = &mut connection => ended,
                    () = soft.cancelled() => {
                        connection.as_mut().graceful_shutdown();
                        hard.run_until_cancelled(connection).await.unwrap_or(Ok(()))
                    }
                }
            }
            Version::Two => {
                let calls = Calls::new(self.tasks.clone());
                let connection = self.http2(calls.clone()).serve_connection(io, service);
                together(connection, calls, &self.shutdown).await.unwrap_or(Ok(()))
            }
        };
        if let Err(error) = ended {
            tracing::debug!(peer = %ends.peer, %error, "a connection ended with an error");
        }
    }
}

impl<I> Connection for http2::Connection<TokioIo<Begun<I>>, FrontOf, Calls>
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    fn graceful_shutdown(self: Pin<&mut Self>) {
        http2::Connection::graceful_shutdown(self);
    }
}
