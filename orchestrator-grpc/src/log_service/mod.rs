//! Reading logs.

mod tail;

use std::pin::Pin;

use orchestrator_core::id::JobId;
use orchestrator_core::text::ProcessName;
use orchestrator_db::LogFilter;
use orchestrator_proto::convert::{self, DecodeError};
use orchestrator_proto::v1;
use orchestrator_proto::v1::log_service_server::LogService;
use orchestrator_scheduler::Scheduler;
use tokio_stream::Stream;
use tonic::{Request, Response, Status};

use crate::page::{any_of, given, page, searched};
use crate::status;

/// The service.
#[derive(Debug, Clone)]
pub(crate) struct Logs {
    scheduler: Scheduler,
}

impl Logs {
    pub(crate) fn new(scheduler: Scheduler) -> Self {
        Self { scheduler }
    }

    /// The job that a person means. A whole id need not be that of a job that is still there.
    async fn job(&self, text: String) -> Result<Option<JobId>, Status> {
        let Some(text) = given(text) else { return Ok(None) };
        let key = convert::key("job", &text).map_err(status::decode)?;
        if let Ok(id) = key.parse() {
            return Ok(Some(id));
        }
        let mut tx = self.scheduler.db().begin_read().await.map_err(status::db)?;
        Ok(Some(tx.job_find(&key).await.map_err(status::db)?.id))
    }
}

#[tonic::async_trait]
impl LogService for Logs {
    async fn list(&self, request: Request<v1::ListLogsRequest>) -> Result<Response<v1::ListLogsResponse>, Status> {
        let message = request.into_inner();
        let page = page(message.page).map_err(status::decode)?;
        let mut filter = filter(message.process_name, &message.levels).map_err(status::decode)?;
        filter.since = convert::optional_instant("since", message.since).map_err(status::decode)?;
        filter.until = convert::optional_instant("until", message.until).map_err(status::decode)?;
        filter.search = searched("search", message.search).map_err(status::decode)?;
        filter.job = self.job(message.job).await?;
        let mut tx = self.scheduler.db().begin_read().await.map_err(status::db)?;
        let (lines, next) = tx.log_list(&filter, &page).await.map_err(status::db)?;
        Ok(Response::new(v1::ListLogsResponse {
            logs: lines.rows.iter().map(convert::log).collect(),
            next_cursor: next.unwrap_or_default(),
        }))
    }

    type TailStream = Pin<Box<dyn Stream<Item = Result<v1::TailLogsResponse, Status>> + Send>>;

    async fn tail(&self, request: Request<v1::TailLogsRequest>) -> Result<Response<Self::TailStream>, Status> {
        let message = request.into_inner();
        let mut filter = filter(message.process_name, &message.levels).map_err(status::decode)?;
        filter.job = self.job(message.job).await?;
        let tail = tail::begin(self.scheduler.clone(), filter).await.map_err(status::db)?;
        Ok(Response::new(Box::pin(tail)))
    }
}

fn filter(process_name: String, levels: &[String]) -> Result<LogFilter, DecodeError> {
    Ok(LogFilter {
        process_name: given(process_name).map(|name| ProcessName::parse(&name)).transpose()?,
        levels: any_of("levels", levels)?,
        ..LogFilter::default()
    })
}
