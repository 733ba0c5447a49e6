//! The services for callers within the program: the pages of the administrators.
//!
//! A page's call is the same gRPC call that everyone makes, through the same table, handlers and audit; only the network
//! is left out. Who calls is given by the page, which the gate has found out for it.

use std::convert::Infallible;
use std::future::ready;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body;
use http::{Request, Response};
use tonic::Status;
use tower::{Service, ServiceExt as _};
use tracing::Instrument as _;

use crate::auth::{Admitted, Identity, unknown_method};
use crate::authorize;

/// The services, without a caller yet.
#[derive(Debug, Clone)]
pub struct InProcess {
    services: axum::Router,
}

impl InProcess {
    /// In front of these services, which take only calls that were admitted.
    pub(crate) fn new(services: axum::Router) -> Self {
        Self { services }
    }

    /// A channel for the generated clients, whose calls are those of `identity`.
    pub fn as_caller(&self, identity: Identity) -> Channel {
        Channel { services: self.services.clone(), identity }
    }
}

/// What generated clients call the services through.
#[derive(Debug, Clone)]
pub struct Channel {
    services: axum::Router,
    identity: Identity,
}

impl Channel {
    fn admit(&self, path: &str) -> Result<Admitted, Status> {
        let rule = authorize::rule(path).ok_or_else(|| unknown_method(path))?;
        authorize::permit(rule, &self.identity)?;
        Ok(Admitted(path.to_owned()))
    }
}

impl Service<Request<tonic::body::Body>> for Channel {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<tonic::body::Body>) -> Self::Future {
        let admitted = match self.admit(request.uri().path()) {
            Ok(admitted) => admitted,
            Err(status) => return Box::pin(ready(Ok(status.into_http()))),
        };
        let span = tracing::info_span!("call", rpc.path = admitted.0, caller = %self.identity.actor());
        request.extensions_mut().insert(self.identity.clone());
        request.extensions_mut().insert(admitted);
        let services = self.services.clone();
        Box::pin(services.oneshot(request.map(Body::new)).instrument(span))
    }
}
