//! One port for everything: gRPC, JSON, and pages.
//!
//! A connection passes these rooms: a place among [`ServeOptions::max_connections`] → TLS, with a time limit → its first
//! bytes, which tell HTTP/1 from HTTP/2 → requests, through the host check and the gate, to their handlers. Shutdown has
//! two stages: at the first the port is closed, streams end and calls finish; at the second, or when
//! [`ServeOptions::drain`] has passed, what is left is cut.

mod accept;
mod app;
mod calls;
mod connection;
mod ending;
mod first_bytes;
mod front;
mod options;
mod tls;
mod undecodable;

pub use options::{ServeError, ServeOptions, Shutdown, TlsError, TlsFiles};

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::auth::Gate;
use crate::metrics;
use crate::services::Services;
use crate::ticks::Ticks;

/// A server that runs.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    tasks: TaskTracker,
    shutdown: Shutdown,
    /// Cut what is left of this server, and nothing else of the program.
    cut: CancellationToken,
    drain: std::time::Duration,
}

impl Server {
    /// Where it listens: the port that was chosen, where port 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until the server has stopped. It begins to when the soft token of its [`Shutdown`] is cancelled.
    pub async fn stopped(self) {
        self.shutdown.soft.cancelled().await;
        let cut_early = tokio::select! {
            () = self.tasks.wait() => return,
            () = tokio::time::sleep(self.drain) => false,
            () = self.shutdown.hard.cancelled() => true,
        };
        tracing::warn!(tasks.count = self.tasks.len(), cut_early, "cutting what has not ended");
        self.cut.cancel();
        self.tasks.wait().await;
    }
}

/// Opens the port and serves from now on.
pub async fn serve(options: ServeOptions, services: Services, shutdown: Shutdown) -> Result<Server, ServeError> {
    options.check()?;
    let tls = options.tls.as_ref().map(tls::acceptor).transpose()?;
    let listener = TcpListener::bind(options.listen)
        .await
        .map_err(|source| ServeError::Bind { address: options.listen, source })?;
    let address = listener.local_addr().map_err(|source| ServeError::Bind { address: options.listen, source })?;

    let tasks = TaskTracker::new();
    let gate = Arc::new(Gate::new(services.accounts.clone()));
    let changes = services.scheduler.changes();
    let (ticks, hints) = (Ticks::new(), services.scheduler.changes());
    let elements = services.scheduler.element_changes();
    let front = app::app(&options, address, services, &gate, &ticks, &shutdown)?;
    let until = shutdown.soft.clone();
    tasks.spawn(async move { ticks.run(hints, elements, until).await });
    let stop = shutdown.soft.clone();
    tasks.spawn(async move { gate.run(changes, stop).await });
    tasks.spawn(metrics::keep_up(shutdown.soft.clone()));
    let cut = shutdown.hard.child_token();
    let stages = Shutdown { soft: shutdown.soft.clone(), hard: cut.clone() };
    let acceptor = accept::Acceptor::new(&options, front, tls, stages, tasks.clone());
    tasks.spawn(acceptor.run(listener));
    tasks.close();
    Ok(Server { address, tasks, shutdown, cut, drain: options.drain })
}
