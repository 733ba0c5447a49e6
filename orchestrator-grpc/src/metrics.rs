//! What the server measures about itself, as Prometheus reads it: `GET /metrics`, with the token of any user.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, StatusCode, header};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use orchestrator_scheduler::Scheduler;
use tokio_util::sync::CancellationToken;

use crate::auth::Gate;
use crate::gauges;

/// How often samples are folded into the histograms, so that nobody asking does not fill the memory.
const UPKEEP: Duration = Duration::from_secs(5);

/// How long the database is waited for, each time that it is asked: less than whoever scrapes waits for the answer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(2);

const BATCH_SIZES: [f64; 11] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0];
const SECONDS: [f64; 12] = [0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.5];

/// The recorder is one for the whole program.
static HANDLE: OnceLock<Option<PrometheusHandle>> = OnceLock::new();

/// Begins to measure. Call it before anything that is measured is made; later calls change nothing.
pub fn measure() {
    HANDLE.get_or_init(|| {
        let builder = PrometheusBuilder::new();
        let builder = builder.set_buckets_for_metric(Matcher::Suffix("_size".to_owned()), &BATCH_SIZES).ok()?;
        let builder = builder.set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS).ok()?;
        let recorder = builder.build_recorder();
        let handle = recorder.handle();
        metrics::set_global_recorder(recorder).ok()?;
        Some(handle)
    });
}

fn handle() -> Option<&'static PrometheusHandle> {
    HANDLE.get().and_then(Option::as_ref)
}

/// Folds samples until the server stops.
pub(crate) async fn keep_up(stop: CancellationToken) {
    let Some(handle) = handle() else { return };
    while let Some(()) = stop.run_until_cancelled(tokio::time::sleep(UPKEEP)).await {
        handle.run_upkeep();
    }
}

/// What the answers are made of.
#[derive(Debug, Clone)]
pub(crate) struct Figures(Arc<Sources>);

#[derive(Debug)]
struct Sources {
    gate: Arc<Gate>,
    scheduler: Scheduler,
    /// What the log has been told last.
    database_is_up: AtomicBool,
}

impl Figures {
    pub(crate) fn new(gate: Arc<Gate>, scheduler: Scheduler) -> Self {
        Self(Arc::new(Sources { gate, scheduler, database_is_up: AtomicBool::new(true) }))
    }

    /// How things stand, as far as the database tells.
    async fn standing(&self) -> String {
        let read = match tokio::time::timeout(PATIENCE, gauges::render(&self.0.scheduler)).await {
            Ok(read) => read.map_err(|error| error.to_string()),
            Err(_) => Err(format!("no answer within {} s", PATIENCE.as_secs())),
        };
        let was_up = self.0.database_is_up.swap(read.is_ok(), Ordering::Relaxed);
        match &read {
            // Once, not for each scrape.
            Err(error) if was_up => tracing::warn!(%error, "figures are shown without those of the database"),
            Err(error) => tracing::debug!(%error, "figures are shown without those of the database"),
            Ok(_) if !was_up => tracing::info!("figures are shown with those of the database again"),
            Ok(_) => {}
        }
        let outage = tokio::time::timeout(PATIENCE, self.0.scheduler.database_outage());
        let is_up = read.is_ok() && matches!(outage.await, Ok(None));
        format!("{}{}", gauges::database_up(is_up), read.unwrap_or_default())
    }
}

/// The answer: what was measured, and how things stand. It names queues, which every user may see, and no secrets.
pub(crate) async fn show(State(figures): State<Figures>, headers: HeaderMap) -> Response {
    match figures.0.gate.reader(&headers).await {
        Ok(()) => {}
        Err(status) => {
            let code = if status.code() == tonic::Code::Unavailable {
                StatusCode::SERVICE_UNAVAILABLE
            } else {
                StatusCode::UNAUTHORIZED
            };
            let challenge = [(header::WWW_AUTHENTICATE, "Bearer")];
            return (code, challenge, format!("{}\n", status.message())).into_response();
        }
    }
    let Some(handle) = handle() else {
        return (StatusCode::NOT_FOUND, "this server measures nothing\n").into_response();
    };
    let text = format!("{}{}", handle.render(), figures.standing().await);
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}
