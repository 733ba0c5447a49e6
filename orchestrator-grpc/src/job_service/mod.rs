//! What administrators do with jobs.

mod output;

use std::pin::Pin;

use orchestrator_core::id::TriggerId;
use orchestrator_core::job::{Job, Outcome};
use orchestrator_core::text::{ProcessName, Reason, WorkerName};
use orchestrator_db::{AuditFilter, DbError, JobFilter, PageRequest, Tx};
use orchestrator_proto::convert::{self, DecodeError};
use orchestrator_proto::v1;
use orchestrator_proto::v1::job_service_server::JobService;
use orchestrator_scheduler::{DevelopmentEnd, Scheduler};
use tokio_stream::Stream;
use tonic::{Code, Request, Response, Status};

use crate::auth::identity;
use crate::page::{any_of, given, page};
use crate::robot_service::{no_development_job, token_of};
use crate::status;

/// The service.
#[derive(Debug, Clone)]
pub(crate) struct Jobs {
    scheduler: Scheduler,
}

impl Jobs {
    pub(crate) fn new(scheduler: Scheduler) -> Self {
        Self { scheduler }
    }

    async fn begin_read(&self) -> Result<Tx, Status> {
        self.scheduler.db().begin_read().await.map_err(status::db)
    }

    /// The job that a person means.
    async fn find(&self, text: &str) -> Result<Job, Status> {
        let key = convert::key("job", text).map_err(status::decode)?;
        self.begin_read().await?.job_find(&key).await.map_err(status::db)
    }

    /// A job as it is shown, with why it waits.
    async fn shown(&self, job: &Job) -> Result<v1::Job, Status> {
        let mut tx = self.begin_read().await?;
        let reason = self.scheduler.waiting_reason(&mut tx, job).await.map_err(status::db)?;
        let retried_as = retried_as(&mut tx, job).await.map_err(status::db)?;
        Ok(v1::Job { retried_as, ..convert::job(job, reason) })
    }
}

/// What the trail tells of a job that was made of this one.
async fn retried_as(tx: &mut Tx, job: &Job) -> Result<String, DbError> {
    if job.state.status().is_active() {
        return Ok(String::new());
    }
    let filter = AuditFilter {
        subject: Some(job.id.to_string()),
        action: Some("job.retry".to_owned()),
        ..AuditFilter::default()
    };
    let (entries, _) = tx.audit_list(&filter, &PageRequest::first(1)).await?;
    let made = entries.rows.first().and_then(|entry| entry.after.as_ref()?.get("job")?.as_str().map(ToOwned::to_owned));
    Ok(made.unwrap_or_default())
}

#[tonic::async_trait]
impl JobService for Jobs {
    async fn list(&self, request: Request<v1::ListJobsRequest>) -> Result<Response<v1::ListJobsResponse>, Status> {
        let message = request.into_inner();
        let page = page(message.page.clone()).map_err(status::decode)?;
        let mut filter = filter(&message).map_err(status::decode)?;
        let mut tx = self.begin_read().await?;
        if let Some(text) = given(message.trigger) {
            let key = convert::key("trigger", &text).map_err(status::decode)?;
            filter.trigger_id = Some(trigger_id(&mut tx, &key).await?);
        }
        let (jobs, next) = tx.job_list(&filter, &page).await.map_err(status::db)?;
        let mut reasons = self.scheduler.waiting_reasons(&mut tx, &jobs.rows).await.map_err(status::db)?;
        Ok(Response::new(v1::ListJobsResponse {
            jobs: jobs.rows.iter().map(|job| convert::job(job, reasons.remove(&job.id))).collect(),
            next_cursor: next.unwrap_or_default(),
        }))
    }

    async fn get(&self, request: Request<v1::GetJobRequest>) -> Result<Response<v1::GetJobResponse>, Status> {
        let job = self.find(&request.get_ref().job).await?;
        Ok(Response::new(v1::GetJobResponse { job: Some(self.shown(&job).await?) }))
    }

    async fn kill(&self, request: Request<v1::KillJobRequest>) -> Result<Response<v1::KillJobResponse>, Status> {
        let actor = identity(&request)?.actor();
        let id = self.find(&request.get_ref().job).await?.id;
        let job = self.scheduler.kill_job(&actor, id).await.map_err(status::job)?;
        Ok(Response::new(v1::KillJobResponse { job: Some(convert::job(&job, None)) }))
    }

    async fn retry(&self, request: Request<v1::RetryJobRequest>) -> Result<Response<v1::RetryJobResponse>, Status> {
        let actor = identity(&request)?.actor();
        let message = request.into_inner();
        let (call, repeat) = convert::call(message.call).map_err(status::decode)?;
        let id = self.find(&message.job).await?.id;
        let job = self.scheduler.retry_job(&actor, id, call, repeat).await.map_err(status::job)?;
        Ok(Response::new(v1::RetryJobResponse { job: Some(convert::job(&job, None)) }))
    }

    async fn dismiss(
        &self,
        request: Request<v1::DismissJobRequest>,
    ) -> Result<Response<v1::DismissJobResponse>, Status> {
        let actor = identity(&request)?.actor();
        let id = self.find(&request.get_ref().job).await?.id;
        let job = self.scheduler.dismiss_job(&actor, id).await.map_err(status::job)?;
        Ok(Response::new(v1::DismissJobResponse { job: Some(convert::job(&job, None)) }))
    }

    async fn end_development(
        &self,
        request: Request<v1::EndDevelopmentRequest>,
    ) -> Result<Response<v1::EndDevelopmentResponse>, Status> {
        let token = token_of(identity(&request)?.user()?)?;
        let job = self.find(&request.get_ref().job).await?.id;
        let message = request.into_inner();
        let outcome = if message.exit_code == Some(0) { Outcome::Done } else { Outcome::Failed };
        let reason = given(message.reason).map(|reason| Reason::cut(&reason));
        let end = DevelopmentEnd { job, outcome, exit_code: message.exit_code, reason };
        let ended = self.scheduler.finish_development(token, end).await.map_err(status::db)?;
        let job = ended.ok_or_else(no_development_job)?;
        Ok(Response::new(v1::EndDevelopmentResponse { job: Some(convert::job(&job, None)) }))
    }

    async fn read_output(
        &self,
        request: Request<v1::ReadOutputRequest>,
    ) -> Result<Response<v1::ReadOutputResponse>, Status> {
        let message = request.into_inner();
        let limit = convert::limit("limit", message.limit, 100).map_err(status::decode)?;
        let job = self.find(&message.job).await?.id;
        let mut tx = self.begin_read().await?;
        let part = if message.last {
            output::read_last(&mut tx, job, limit).await
        } else {
            output::read(&mut tx, job, message.after_seq, limit).await
        };
        let part = part.map_err(status::db)?;
        Ok(Response::new(v1::ReadOutputResponse {
            complete: part.is_complete(),
            chunks: part.chunks.into_iter().map(convert::to_output_chunk).collect(),
        }))
    }

    type WatchOutputStream = Pin<Box<dyn Stream<Item = Result<v1::WatchOutputResponse, Status>> + Send>>;

    async fn watch_output(
        &self,
        request: Request<v1::WatchOutputRequest>,
    ) -> Result<Response<Self::WatchOutputStream>, Status> {
        let message = request.into_inner();
        let job = self.find(&message.job).await?.id;
        Ok(Response::new(Box::pin(output::watch(self.scheduler.clone(), job, message.after_seq))))
    }
}

/// The trigger that a person means. Jobs outlive their trigger, so an id, or a part of one, need not be that of a live one.
async fn trigger_id(tx: &mut Tx, key: &str) -> Result<TriggerId, Status> {
    if let Ok(id) = key.parse() {
        return Ok(id);
    }
    match tx.trigger_find(key).await {
        Ok(trigger) => return Ok(trigger.id),
        Err(DbError::NotFound { .. }) => {}
        Err(error) => return Err(status::db(error)),
    }
    tx.trigger_id_ever(key).await.map_err(|error| match error {
        DbError::NotFound { what, key } => {
            let message = format!(
                "trigger '{key}' does not exist; jobs of one that was deleted are found by its id, which each of them shows"
            );
            status::Refusal::new(Code::NotFound, "TRIGGER_NOT_FOUND", message).with("what", what).with("key", &key).status()
        }
        error => status::db(error),
    })
}

fn filter(message: &v1::ListJobsRequest) -> Result<JobFilter, DecodeError> {
    let given = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
    Ok(JobFilter {
        trigger_id: None,
        process_name: given(&message.process_name).map(|name| ProcessName::parse(&name)).transpose()?,
        statuses: any_of("statuses", &message.statuses)?,
        worker_name: given(&message.worker_name).map(|name| WorkerName::parse(&name)).transpose()?,
        queued_from: convert::optional_instant("queued_from", message.queued_from)?,
        queued_to: convert::optional_instant("queued_to", message.queued_to)?,
    })
}
