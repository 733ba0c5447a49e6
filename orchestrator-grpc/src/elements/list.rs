use orchestrator_core::text::QueueName;
use orchestrator_db::ElementFilter;
use orchestrator_proto::convert::{self, DecodeError};
use orchestrator_proto::v1;
use orchestrator_scheduler::QueueUse;
use tonic::Status;

use super::Elements;
use crate::page::{any_of, page, searched};
use crate::status;

impl Elements<'_> {
    /// What a job holds or held last.
    pub(crate) async fn list_of_job(
        &self,
        message: &v1::ListElementsOfJobRequest,
    ) -> Result<v1::ListElementsOfJobResponse, Status> {
        let limit = convert::limit("limit", message.limit, 100).map_err(status::decode)?;
        let job = convert::optional_id("job", &message.job).map_err(status::decode)?;
        let job = convert::required("job", job).map_err(status::decode)?;
        let elements = self.begin_read().await?.element_list_of_job(job, limit).await.map_err(status::db)?;
        Ok(v1::ListElementsOfJobResponse { elements: elements.rows.iter().map(convert::element).collect() })
    }

    /// A page of a queue's elements.
    pub(crate) async fn list(&self, message: v1::ListElementsRequest) -> Result<v1::ListElementsResponse, Status> {
        let page = page(message.page.clone()).map_err(status::decode)?;
        let mut filter = filter(message).map_err(status::decode)?;
        filter.queue = self.queue(filter.queue, QueueUse::Look).await?;
        let (elements, next) = self.begin_read().await?.element_list(&filter, &page).await.map_err(status::db)?;
        Ok(v1::ListElementsResponse {
            elements: elements.rows.iter().map(convert::element).collect(),
            next_cursor: next.unwrap_or_default(),
        })
    }
}

fn filter(message: v1::ListElementsRequest) -> Result<ElementFilter, DecodeError> {
    Ok(ElementFilter {
        queue: QueueName::parse(&message.queue_name)?,
        reference: convert::reference(message.reference.as_deref())?,
        statuses: any_of("statuses", &message.statuses)?,
        created_from: convert::optional_instant("created_from", message.created_from)?,
        created_to: convert::optional_instant("created_to", message.created_to)?,
        search: searched("search", message.search)?,
        newest_first: message.newest_first,
    })
}
