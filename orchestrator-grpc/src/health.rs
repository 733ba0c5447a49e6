//! Whether the server is up and its database answers and takes writes: for load balancers in plain words, for gRPC by its standard.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use http::StatusCode;
use orchestrator_scheduler::Scheduler;
use tokio::sync::Mutex;
use tokio::time::Instant;
use tokio_stream::{Stream, StreamExt as _};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_server::Health;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

use crate::authorize::TABLE;

/// How long the database may take to answer before it counts as away.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long an answer of the database is told again: anyone may ask, and must not keep the database busy by it.
const TOLD_AGAIN: Duration = Duration::from_millis(500);

/// Answers questions about health.
#[derive(Debug, Clone)]
pub(crate) struct HealthService {
    scheduler: Scheduler,
    stop: CancellationToken,
    /// When the database was asked last, and whether it can be worked with. One question at a time.
    last: Arc<Mutex<Option<(Instant, bool)>>>,
}

impl HealthService {
    pub(crate) fn new(scheduler: Scheduler, stop: CancellationToken) -> Self {
        Self { scheduler, stop, last: Arc::default() }
    }

    /// Whether calls can be served: the database answers and takes writes, and the server is not stopping.
    async fn is_ready(&self) -> bool {
        !self.stop.is_cancelled() && self.database_works().await
    }

    async fn database_works(&self) -> bool {
        let mut last = self.last.lock().await;
        if let Some((_, works)) = last.filter(|(asked_at, _)| asked_at.elapsed() < TOLD_AGAIN) {
            return works;
        }
        let asked = tokio::time::timeout(PATIENCE, self.scheduler.database_outage()).await;
        let works = asked.is_ok_and(|outage| outage.is_none());
        *last = Some((Instant::now(), works));
        works
    }

    async fn status(&self) -> HealthCheckResponse {
        let status = if self.is_ready().await { ServingStatus::Serving } else { ServingStatus::NotServing };
        HealthCheckResponse { status: status.into() }
    }
}

fn is_known(service: &str) -> bool {
    service.is_empty() || TABLE.iter().any(|(name, _)| *name == service)
}

#[tonic::async_trait]
impl Health for HealthService {
    async fn check(&self, request: Request<HealthCheckRequest>) -> Result<Response<HealthCheckResponse>, Status> {
        if !is_known(&request.get_ref().service) {
            return Err(Status::not_found("there is no such service"));
        }
        Ok(Response::new(self.status().await))
    }

    type WatchStream = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

    /// Tells the state now and is quiet until the server stops, which ends every stream: to look at the database for each
    /// open stream would let anyone keep it busy.
    async fn watch(&self, request: Request<HealthCheckRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let first = if is_known(&request.get_ref().service) {
            self.status().await
        } else {
            HealthCheckResponse { status: ServingStatus::ServiceUnknown.into() }
        };
        let stream = tokio_stream::once(Ok(first)).chain(tokio_stream::pending());
        Ok(Response::new(Box::pin(stream)))
    }
}

/// `GET /healthz`: the process is up.
pub(crate) async fn healthz() -> &'static str {
    "ok\n"
}

/// `GET /readyz`: calls can be served.
pub(crate) async fn readyz(State(health): State<HealthService>) -> (StatusCode, &'static str) {
    if health.is_ready().await {
        (StatusCode::OK, "ok\n")
    } else {
        (
            StatusCode::SERVICE_UNAVAILABLE,
            "the database does not answer or takes no writes, or the server is stopping\n",
        )
    }
}
