//! Taking connections, as many as there are places.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::connection::{Connections, Ends};
use super::front::Front;
use super::options::{ServeOptions, Shutdown};

/// Before the next try when the system has no descriptors left.
const BREATHER: Duration = Duration::from_millis(100);

/// Takes connections.
#[derive(Debug)]
pub(super) struct Acceptor {
    connections: Arc<Connections>,
    tls: Option<Arc<Tls>>,
    places: Arc<Semaphore>,
    shutdown: Shutdown,
    tasks: TaskTracker,
}

/// TLS, with the time its handshake may take.
struct Tls {
    acceptor: TlsAcceptor,
    timeout: Duration,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

impl Acceptor {
    pub(super) fn new(
        options: &ServeOptions,
        front: Front,
        tls: Option<TlsAcceptor>,
        shutdown: Shutdown,
        tasks: TaskTracker,
    ) -> Self {
        Self {
            connections: Arc::new(Connections::new(options, front, shutdown.clone(), tasks.clone())),
            tls: tls.map(|acceptor| Arc::new(Tls { acceptor, timeout: options.handshake_timeout })),
            places: Arc::new(Semaphore::new(options.max_connections.min(Semaphore::MAX_PERMITS))),
            shutdown,
            tasks,
        }
    }

    /// Takes connections until the server stops. A failure to take one never ends this.
    pub(super) async fn run(self, listener: TcpListener) {
        let stop = self.shutdown.soft.clone();
        while let Some(Ok(place)) = stop.run_until_cancelled(self.places.clone().acquire_owned()).await {
            match stop.run_until_cancelled(listener.accept()).await {
                None => return,
                Some(Ok((stream, peer))) => {
                    let (connections, tls) = (self.connections.clone(), self.tls.clone());
                    let hard = self.shutdown.hard.clone();
                    self.tasks.spawn(async move {
                        one(connections, tls, stream, peer, hard).await;
                        drop(place);
                    });
                }
                // The peer has gone again.
                Some(Err(error)) if error.kind() == std::io::ErrorKind::ConnectionAborted => {}
                Some(Err(error)) => {
                    tracing::warn!(%error, "no connection can be taken right now");
                    let _ = stop.run_until_cancelled(tokio::time::sleep(BREATHER)).await;
                }
            }
        }
    }
}

/// One connection, from its handshake to its end. `hard` cuts it.
async fn one(
    connections: Arc<Connections>,
    tls: Option<Arc<Tls>>,
    stream: TcpStream,
    peer: SocketAddr,
    hard: CancellationToken,
) {
    let Ok(arrived_at) = stream.local_addr() else { return };
    let ends = Ends { peer, arrived_at };
    // Small answers are not held back to be sent together.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%peer, %error, "TCP_NODELAY cannot be set");
    }
    // In boxes: there are many connections, and each would keep room for what it is not.
    match tls {
        None => Box::pin(connections.serve(stream, ends)).await,
        Some(tls) => Box::pin(over_tls(connections, tls, stream, ends, hard)).await,
    }
}

/// The same, encrypted.
async fn over_tls(
    connections: Arc<Connections>,
    tls: Arc<Tls>,
    stream: TcpStream,
    ends: Ends,
    hard: CancellationToken,
) {
    let Ends { peer, .. } = ends;
    let accepted = Box::pin(tokio::time::timeout(tls.timeout, tls.acceptor.accept(stream)));
    let stream = match hard.run_until_cancelled(accepted).await {
        None => return,
        // In a box as well: this would keep room for it beside what it is moved into.
        Some(Ok(Ok(stream))) => Box::new(stream),
        Some(Ok(Err(error))) => return tracing::debug!(%peer, %error, "a TLS handshake failed"),
        Some(Err(_)) => return tracing::debug!(%peer, "a TLS handshake took too long"),
    };
    Box::pin(connections.serve(stream, ends)).await;
}
