//! The first room behind a connection. What robots, workers and integrations call all day goes from here through the gate
//! to its service; everything else goes to the router. The router would do both, with the same answers: each of its layers
//! costs a call a box or two, which together is more than most calls cost themselves.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;

use axum::extract::ConnectInfo;
use http::{HeaderValue, Request, Response};
use hyper::body::Incoming;
use orchestrator_core::clock::{Clock, Timestamp};
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tonic::{Code, Status};
use tower::{Service as _, ServiceExt as _};
use tracing::Instrument as _;

use super::connection::Ends;
use super::{ending, undecodable};
use crate::auth::{Gate, is_grpc};
use crate::host::ArrivedAt;
use crate::services::{Busy, BusyService};

type Answer = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

/// What serves requests.
#[derive(Debug, Clone)]
pub(super) struct Front {
    gate: Arc<Gate>,
    busy: Busy,
    router: axum::Router,
    clock: Arc<dyn Clock>,
    stop: Arc<CancellationToken>,
}

/// The same, for the requests of one connection.
#[derive(Debug)]
pub(super) struct FrontOf {
    pub(super) front: Front,
    pub(super) ends: Ends,
}

impl Front {
    pub(super) fn new(
        gate: Arc<Gate>,
        busy: Busy,
        router: axum::Router,
        clock: Arc<dyn Clock>,
        stop: CancellationToken,
    ) -> Self {
        Self { gate, busy, router, clock, stop: Arc::new(stop) }
    }
}

impl hyper::service::Service<Request<Incoming>> for FrontOf {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answer;

    fn call(&self, mut request: Request<Incoming>) -> Answer {
        let stop = self.front.stop.clone();
        let service = if is_grpc(request.headers()) { self.front.busy.service_of(request.uri().path()) } else { None };
        if let Some(service) = service {
            return Box::pin(call(self.front.gate.clone(), stop, service, request));
        }
        request.extensions_mut().insert(ConnectInfo(self.ends.peer));
        request.extensions_mut().insert(ArrivedAt(self.ends.arrived_at));
        let (router, clock) = (self.front.router.clone(), self.front.clock.clone());
        Box::pin(async move {
            let mut response = router.oneshot(request).await?;
            // Of no use to gRPC callers; HTTP asks it of everything else, and connections do not say it by themselves.
            if !is_grpc(response.headers())
                && let Ok(date) = HeaderValue::try_from(http_date(clock.now()))
            {
                response.headers_mut().entry(http::header::DATE).or_insert(date);
            }
            Ok(ending::with(stop, response.map(Body::new)))
        })
    }
}

/// An instant as HTTP says it, to the second.
fn http_date(at: Timestamp) -> String {
    at.format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// One call of a service that is called often.
#[expect(
    clippy::manual_async_fn,
    reason = "that would keep room for the request twice: as it came, and as it is handed on"
)]
fn call(
    gate: Arc<Gate>,
    stop: Arc<CancellationToken>,
    mut service: BusyService,
    mut request: Request<Incoming>,
) -> impl Future<Output = Result<Response<Body>, Infallible>> + Send {
    async move {
        let path = request.uri().path().to_owned();
        if let Err(status) = gate.let_in(&path, &mut request).await {
            return Ok(ending::with(stop, status.into_http()));
        }
        // Not at the level that is usually on: a span a call is a twentieth of what most calls cost. What fails says so below.
        let span = tracing::debug_span!("call", rpc.path = path);
        let call = match &mut service {
            BusyService::Queues(service) => service.call(request),
            BusyService::Robots(service) => service.call(request),
            BusyService::Workers(service) => service.call(request),
        };
        let response = match call.instrument(span).await {
            Ok(response) => undecodable::checked(response).unwrap_or_else(|status| status.into_http()),
            Err(never) => match never {},
        };
        if let Some(status) =
            Status::from_header_map(response.headers()).filter(|status| status.code() == Code::Internal)
        {
            tracing::error!(rpc.path = path, "a call was answered with an internal error: {}", status.message());
        }
        Ok(ending::with(stop, response))
    }
}
