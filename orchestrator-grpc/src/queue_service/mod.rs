//! Work data, for people and integrations.

mod history;
mod hold;

use orchestrator_core::text::QueueName;
use orchestrator_db::{DbError, Hint, QueuePage, QueueSettings, QueueSummary, Tx};
use orchestrator_proto::convert::{self, DecodeError};
use orchestrator_proto::v1;
use orchestrator_proto::v1::queue_service_server::QueueService;
use orchestrator_scheduler::{QueueUse, Scheduler};
use serde_json::json;
use tonic::{Request, Response, Status, Streaming};

use self::history::Lately;
use crate::audit;
use crate::auth::identity;
use crate::elements::{Claim, Claimed, Elements, receive};
use crate::page::page;
use crate::status;
use crate::transaction::in_transaction;

/// The most queues of one answer, whose depths fit into it, too.
const MOST_LISTED: u32 = 1000;

/// The service.
#[derive(Debug, Clone)]
pub(crate) struct Queues {
    scheduler: Scheduler,
}

impl Queues {
    pub(crate) fn new(scheduler: Scheduler) -> Self {
        Self { scheduler }
    }

    /// The queue that is meant by a name.
    async fn meant(&self, name: QueueName, wanted: QueueUse) -> Result<QueueName, Status> {
        self.scheduler.queue_meant(name, wanted).await.map_err(status::db)
    }

    /// Elements, as the user who calls may treat them.
    fn elements<T>(&self, request: &Request<T>) -> Result<Elements<'_>, Status> {
        Ok(Elements::of_user(&self.scheduler, identity(request)?.user()?))
    }
}

#[tonic::async_trait]
impl QueueService for Queues {
    async fn list_queues(
        &self,
        request: Request<v1::ListQueuesRequest>,
    ) -> Result<Response<v1::ListQueuesResponse>, Status> {
        let v1::ListQueuesRequest { with_depths, page: asked } = request.into_inner();
        // Who knows of no pages gets as many as one has: what is rarely all of them is bounded all the same.
        let asked = asked.unwrap_or_else(|| v1::Page { limit: MOST_LISTED, ..v1::Page::default() });
        let asked = page(Some(asked)).map_err(status::decode)?;
        let mut tx = self.scheduler.db().begin_read().await.map_err(status::db)?;
        let QueuePage { queues, total, next } = tx.queue_page(&asked).await.map_err(status::db)?;
        let depths = with_depths.then(|| history::step(total));
        let mut lately = Lately::read(&mut tx, &queues, depths, self.scheduler.now()).await.map_err(status::db)?;
        let shown = |summary: &QueueSummary| lately.add_to(queue(summary), summary.done_total);
        Ok(Response::new(v1::ListQueuesResponse {
            queues: queues.iter().map(shown).collect(),
            next_cursor: next.unwrap_or_default(),
        }))
    }

    async fn get_queue(&self, request: Request<v1::GetQueueRequest>) -> Result<Response<v1::GetQueueResponse>, Status> {
        let name = self.meant(name(&request.get_ref().queue_name)?, QueueUse::Look).await?;
        let mut tx = self.scheduler.db().begin_read().await.map_err(status::db)?;
        let summary = known(&mut tx, &name).await.map_err(status::db)?;
        let lately = Lately::read(&mut tx, std::slice::from_ref(&summary), None, self.scheduler.now()).await;
        let shown = lately.map_err(status::db)?.add_to(queue(&summary), summary.done_total);
        Ok(Response::new(v1::GetQueueResponse { queue: Some(shown) }))
    }

    async fn get_history(
        &self,
        request: Request<v1::GetQueueHistoryRequest>,
    ) -> Result<Response<v1::GetQueueHistoryResponse>, Status> {
        let (name, hours) = history::asked(request.get_ref()).map_err(status::decode)?;
        let name = self.meant(name, QueueUse::Look).await?;
        let mut tx = self.scheduler.db().begin_read().await.map_err(status::db)?;
        let intervals = history::of(&mut tx, &name, hours, self.scheduler.now()).await.map_err(status::db)?;
        Ok(Response::new(v1::GetQueueHistoryResponse { intervals }))
    }

    async fn create(
        &self,
        request: Request<v1::CreateElementRequest>,
    ) -> Result<Response<v1::CreateElementResponse>, Status> {
        let element = self.elements(&request)?.create_one(request.get_ref()).await?;
        Ok(Response::new(v1::CreateElementResponse { element: Some(convert::element(&element)) }))
    }

    async fn bulk_create(
        &self,
        request: Request<Streaming<v1::BulkCreateRequest>>,
    ) -> Result<Response<v1::BulkCreateResponse>, Status> {
        let elements = self.elements(&request)?;
        let new = receive(request.into_inner(), self.scheduler.limits()).await?;
        Ok(Response::new(v1::BulkCreateResponse { created_count: elements.create(new).await? }))
    }

    async fn import(
        &self,
        request: Request<Streaming<v1::ImportElementsRequest>>,
    ) -> Result<Response<v1::ImportElementsResponse>, Status> {
        let elements = self.elements(&request)?;
        let imported = receive(request.into_inner(), self.scheduler.limits()).await?;
        Ok(Response::new(v1::ImportElementsResponse { created_count: elements.import(imported).await? }))
    }

    async fn claim(
        &self,
        request: Request<v1::ClaimElementsRequest>,
    ) -> Result<Response<v1::ClaimElementsResponse>, Status> {
        let elements = self.elements(&request)?;
        let claim = Claim::read(request.into_inner()).map_err(status::decode)?;
        let Claimed { elements, completed } = elements.claim(claim).await?;
        let elements = elements.iter().map(convert::element).collect();
        Ok(Response::new(v1::ClaimElementsResponse { elements, completed }))
    }

    async fn set_status(
        &self,
        request: Request<v1::SetElementStatusRequest>,
    ) -> Result<Response<v1::SetElementStatusResponse>, Status> {
        let after = self.elements(&request)?.set_status(request.get_ref()).await?;
        Ok(Response::new(v1::SetElementStatusResponse { element: Some(convert::element(&after)) }))
    }

    async fn set_statuses(
        &self,
        request: Request<v1::SetElementStatusesRequest>,
    ) -> Result<Response<v1::SetElementStatusesResponse>, Status> {
        let results = self.elements(&request)?.set_statuses(&request.get_ref().changes).await?;
        Ok(Response::new(v1::SetElementStatusesResponse { results }))
    }

    async fn list(
        &self,
        request: Request<v1::ListElementsRequest>,
    ) -> Result<Response<v1::ListElementsResponse>, Status> {
        let elements = self.elements(&request)?;
        Ok(Response::new(elements.list(request.into_inner()).await?))
    }

    async fn list_of_job(
        &self,
        request: Request<v1::ListElementsOfJobRequest>,
    ) -> Result<Response<v1::ListElementsOfJobResponse>, Status> {
        Ok(Response::new(self.elements(&request)?.list_of_job(request.get_ref()).await?))
    }

    async fn get(&self, request: Request<v1::GetElementRequest>) -> Result<Response<v1::GetElementResponse>, Status> {
        let element = self.elements(&request)?.get(&request.get_ref().element).await?;
        Ok(Response::new(v1::GetElementResponse { element: Some(convert::element(&element)) }))
    }

    async fn update(
        &self,
        request: Request<v1::UpdateElementRequest>,
    ) -> Result<Response<v1::UpdateElementResponse>, Status> {
        let after = self.elements(&request)?.update(request.get_ref()).await?;
        Ok(Response::new(v1::UpdateElementResponse { element: Some(convert::element(&after)) }))
    }

    async fn delete(
        &self,
        request: Request<v1::DeleteElementRequest>,
    ) -> Result<Response<v1::DeleteElementResponse>, Status> {
        self.elements(&request)?.delete(&request.get_ref().element).await?;
        Ok(Response::new(v1::DeleteElementResponse {}))
    }

    async fn retry(
        &self,
        request: Request<v1::RetryElementsRequest>,
    ) -> Result<Response<v1::RetryElementsResponse>, Status> {
        let retried = self.elements(&request)?.retry(&request.get_ref().elements).await?;
        Ok(Response::new(v1::RetryElementsResponse { retried_count: i64::try_from(retried).unwrap_or(i64::MAX) }))
    }

    async fn update_settings(
        &self,
        request: Request<v1::UpdateQueueSettingsRequest>,
    ) -> Result<Response<v1::UpdateQueueSettingsResponse>, Status> {
        let actor = identity(&request)?.actor();
        let (name, settings) = settings(request.get_ref()).map_err(status::decode)?;
        let name = self.meant(name, QueueUse::Make).await?;
        let now = self.scheduler.now();
        let summary = in_transaction!(self.scheduler, |tx| {
            let before = tx.queue_settings_get(&name).await?;
            tx.queue_settings_set(&name, settings, &actor, now).await?;
            let document = |settings: QueueSettings| json!({ "max_attempts": settings.max_attempts });
            let documents = (before.map(document), Some(document(settings)));
            let row = audit::row(&actor, "queue.update_settings", "queue", &name, documents);
            tx.audit_insert(&[row], now).await?;
            Ok((tx.queue_get(&name).await?, vec![Hint::Elements]))
        })?;
        Ok(Response::new(v1::UpdateQueueSettingsResponse { queue: Some(queue(&summary)) }))
    }

    async fn pause(&self, request: Request<v1::PauseQueueRequest>) -> Result<Response<v1::PauseQueueResponse>, Status> {
        let (actor, name) = (identity(&request)?.actor(), name(&request.get_ref().queue_name)?);
        let name = self.meant(name, QueueUse::Look).await?;
        let summary = hold::set_paused(&self.scheduler, &actor, name, true).await?;
        Ok(Response::new(v1::PauseQueueResponse { queue: Some(queue(&summary)) }))
    }

    async fn resume(
        &self,
        request: Request<v1::ResumeQueueRequest>,
    ) -> Result<Response<v1::ResumeQueueResponse>, Status> {
        let (actor, name) = (identity(&request)?.actor(), name(&request.get_ref().queue_name)?);
        let name = self.meant(name, QueueUse::Look).await?;
        let summary = hold::set_paused(&self.scheduler, &actor, name, false).await?;
        Ok(Response::new(v1::ResumeQueueResponse { queue: Some(queue(&summary)) }))
    }

    async fn delete_queue(
        &self,
        request: Request<v1::DeleteQueueRequest>,
    ) -> Result<Response<v1::DeleteQueueResponse>, Status> {
        let actor = identity(&request)?.actor();
        // Nobody means to delete a queue of another name.
        let name = name(&request.get_ref().queue_name)?;
        let deleted = hold::delete(&self.scheduler, &actor, name).await?;
        self.scheduler.forget_queue_names();
        Ok(Response::new(deleted))
    }
}

fn name(text: &str) -> Result<QueueName, Status> {
    QueueName::parse(text).map_err(|error| status::decode(error.into()))
}

/// A queue that has elements, settings or a trigger; anything else is a name with a typing error.
async fn known(tx: &mut Tx, name: &QueueName) -> Result<QueueSummary, DbError> {
    let summary = tx.queue_get(name).await?;
    if summary.counts.total() == 0
        && tx.queue_settings_get(name).await?.is_none()
        && tx.trigger_names_watching(name, 1).await?.is_empty()
    {
        return Err(DbError::not_found("queue", name));
    }
    Ok(summary)
}

fn settings(message: &v1::UpdateQueueSettingsRequest) -> Result<(QueueName, QueueSettings), DecodeError> {
    let name = QueueName::parse(&message.queue_name)?;
    let max_attempts = message.max_attempts;
    if !(1..=100).contains(&max_attempts) {
        return Err(DecodeError::OutOfRange { field: "max_attempts", value: max_attempts.into(), least: 1, most: 100 });
    }
    Ok((name, QueueSettings { max_attempts }))
}

fn queue(queue: &QueueSummary) -> v1::Queue {
    v1::Queue {
        queue_name: queue.name.as_str().to_owned(),
        new_count: queue.counts.new,
        in_progress_count: queue.counts.in_progress,
        done_count: queue.counts.done,
        failed_count: queue.counts.failed,
        abandoned_count: queue.counts.abandoned,
        max_attempts: queue.settings.max_attempts,
        paused: queue.paused,
        ..v1::Queue::default()
    }
}
