//! What is behind the port: the services, JSON in front of them, health, and the layers that every request passes.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::Request;
use axum::middleware::{from_fn, from_fn_with_state, map_response};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use http::StatusCode;
use tower::ServiceExt as _;

use super::front::Front;
use super::options::{ServeError, ServeOptions, Shutdown};
use super::undecodable;
use crate::auth::{Gate, admit, is_grpc, only_admitted, unknown_method};
use crate::health::{self, HealthService};
use crate::host::{self, AllowedHosts};
use crate::in_process::InProcess;
use crate::json::{self, JsonLimits, Transcoder};
use crate::metrics;
use crate::pages::Inside;
use crate::services::{MessageLimits, Services};
use crate::ticks::Ticks;

/// Puts everything together.
pub(super) fn app(
    options: &ServeOptions,
    address: SocketAddr,
    services: Services,
    gate: &Arc<Gate>,
    ticks: &Ticks,
    shutdown: &Shutdown,
) -> Result<Front, ServeError> {
    let limits = MessageLimits { usual: options.max_message_bytes, bulk: options.max_bulk_message_bytes };
    let health = HealthService::new(services.scheduler.clone(), shutdown.soft.clone());
    let pages = services.pages.clone();
    let clock = services.clock.clone();
    let (zone, accounts) = (services.scheduler.zone(), services.accounts.clone());
    let figures = metrics::Figures::new(gate.clone(), services.scheduler.clone());
    let busy = services.busy(limits, shutdown.soft.clone());
    let grpc = services
        .routes(limits, health.clone(), busy.clone(), options.machine.clone())?
        .into_axum_router()
        .reset_fallback()
        .layer(map_response(undecodable::tell))
        .layer(from_fn(only_admitted));
    let transcoder = Transcoder::new(grpc.clone(), JsonLimits { usual: limits.usual, bulk: limits.bulk })
        .map_err(|error| ServeError::Descriptors(Box::new(error)))?;
    let hosts = Arc::new(AllowedHosts::new(address, &options.allowed_hosts));
    let pages = pages.map(|pages| {
        let calls = InProcess::new(grpc.clone());
        pages.make(Inside {
            calls,
            accounts,
            ticks: ticks.clone(),
            clock: clock.clone(),
            zone,
            tls: options.tls.is_some(),
        })
    });
    let app = axum::Router::new()
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz).with_state(health))
        .route("/metrics", get(metrics::show).with_state(figures))
        .route("/rpc/{service}/{method}", post(json::call).with_state(Arc::new(transcoder)))
        .merge(grpc);
    let router = app
        .fallback(move |request| elsewhere(pages.clone(), request))
        .layer(from_fn_with_state(gate.clone(), admit))
        .layer(from_fn_with_state(hosts, host::check));
    Ok(Front::new(gate.clone(), busy, router, clock, shutdown.soft.clone()))
}

/// What is no call of a method is a page. gRPC callers are told in gRPC that there is nothing.
async fn elsewhere(pages: Option<axum::Router>, request: Request) -> Response {
    if is_grpc(request.headers()) {
        return unknown_method(request.uri().path()).into_http();
    }
    if let Some(pages) = pages {
        return match pages.oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        };
    }
    (StatusCode::NOT_FOUND, "there is nothing here\n").into_response()
}
