//! The port on which robots are answered.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use axum::serve::ListenerExt as _;
use tokio::net::TcpListener;

use super::service::RobotApi;

/// A port of this machine, not answered yet.
#[derive(Debug)]
pub(crate) struct Endpoint {
    listener: TcpListener,
    url: String,
}

impl Endpoint {
    /// Takes the port.
    pub(crate) async fn bind(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let url = format!("http://{}", listener.local_addr()?);
        Ok(Self { listener, url })
    }

    /// What robots are given.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Answers until it is dropped.
    pub(crate) async fn serve(self, api: Arc<RobotApi>) {
        let app = axum::Router::new().fallback(answer).with_state(api);
        // A robot waits for each answer before it goes on.
        let listener = self.listener.tap_io(|connection| {
            if let Err(error) = connection.set_nodelay(true) {
                tracing::debug!(%error, "small answers to a robot may be slow");
            }
        });
        if let Err(error) = axum::serve(listener, app).await {
            tracing::error!(%error, "robots cannot be answered any more");
        }
    }
}

async fn answer(State(api): State<Arc<RobotApi>>, request: Request) -> Response {
    api.answer(request).await
}
