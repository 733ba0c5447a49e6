//! Lists of work.

use std::time::Duration;

use chrono::{DateTime, Utc};
use orchestrator_core::id::ElementId;
use orchestrator_core::queue::ElementStatus;
use orchestrator_proto::convert::{timestamp, to_duration};
use orchestrator_proto::v1 as pb;

use super::{all_pages, service};
use crate::Error;
use crate::client::{mark, new_call, present};

service!(
    /// Queues, for integrations and people. Robots work on queues by [`RobotConnection`](crate::RobotConnection), which
    /// gives an element back when its job dies.
    Queues
);

/// A new element.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewElement {
    /// What people search for; at most 100 characters.
    pub reference: Option<String>,
    /// What the robot needs to know; at most 2,000 characters, or what the server allows.
    pub data: Option<String>,
    /// Who or what made it; at most 100 characters.
    pub created_by: Option<String>,
}

impl NewElement {
    /// An element with a reference and data.
    pub fn new(reference: impl Into<String>, data: impl Into<String>) -> Self {
        Self { reference: Some(reference.into()), data: Some(data.into()), created_by: None }
    }

    /// With an id by which a repetition is known.
    pub(crate) fn into_message(self) -> pb::NewElement {
        let Self { reference, data, created_by } = self;
        pb::NewElement { id: ElementId::generate().to_string(), reference, data, created_by }
    }
}

/// Which elements are asked for; all when nothing is set.
#[derive(Debug, Clone, Default)]
pub struct ElementFilter {
    /// Exactly this reference.
    pub reference: Option<String>,
    /// One or more statuses.
    pub statuses: Vec<ElementStatus>,
    /// Created at or after this instant.
    pub created_from: Option<DateTime<Utc>>,
    /// Created before this instant.
    pub created_to: Option<DateTime<Utc>>,
    /// Part of reference, data or message.
    pub search: Option<String>,
    /// Newest first instead of insertion order.
    pub newest_first: bool,
}

impl ElementFilter {
    pub(crate) fn into_request(self, queue: &str) -> pb::ListElementsRequest {
        pb::ListElementsRequest {
            queue_name: queue.to_owned(),
            page: None,
            reference: self.reference,
            statuses: self.statuses.iter().map(ToString::to_string).collect(),
            created_from: self.created_from.map(timestamp),
            created_to: self.created_to.map(timestamp),
            search: self.search.unwrap_or_default(),
            newest_first: self.newest_first,
        }
    }
}

/// How elements are claimed.
#[derive(Debug, Clone, Default)]
pub struct Claim {
    /// Only elements with exactly this reference.
    pub reference: Option<String>,
    /// How many at most; 1 when 0.
    pub count: u32,
    /// The claim ends after this time unless the element is finished before. Without it nothing gives the elements back when
    /// the caller dies.
    pub lease: Option<Duration>,
}

impl Queues<'_> {
    /// Queues with their counts.
    pub async fn list(&self) -> Result<Vec<pb::Queue>, Error> {
        let request = pb::ListQueuesRequest::default();
        all_pages!(
            self.client,
            "/orchestrator.v1.QueueService/ListQueues",
            request,
            pb::ListQueuesResponse,
            queues,
            usize::MAX
        )
    }

    /// How many elements of a queue waited and ended in each quarter of an hour, of the last `hours` (1 to 48).
    pub async fn history(&self, queue: &str, hours: u32) -> Result<Vec<pb::QueueInterval>, Error> {
        let request = pb::GetQueueHistoryRequest { queue_name: queue.to_owned(), hours };
        let path = "/orchestrator.v1.QueueService/GetHistory";
        let answer: pb::GetQueueHistoryResponse = self.client.call(path, request).await?;
        Ok(answer.intervals)
    }

    /// Adds one element.
    pub async fn create(&self, queue: &str, element: NewElement) -> Result<pb::QueueElement, Error> {
        let request = pb::CreateElementRequest {
            queue_name: queue.to_owned(),
            element: Some(element.into_message()),
            repeat: false,
        };
        let path = "/orchestrator.v1.QueueService/Create";
        let answer: pb::CreateElementResponse =
            self.client.call_marked(path, request, |request| request.repeat = true).await?;
        present(self.client.url(), "element", answer.element)
    }

    /// Takes the oldest new elements. Empty when there is none.
    pub async fn claim(&self, queue: &str, claim: Claim) -> Result<Vec<pb::QueueElement>, Error> {
        let request = pb::ClaimElementsRequest {
            queue_name: queue.to_owned(),
            reference: claim.reference,
            count: claim.count,
            lease: claim.lease.map(to_duration),
            peek: false,
            call: Some(new_call()),
            complete: Vec::new(),
        };
        let path = "/orchestrator.v1.QueueService/Claim";
        let answer: pb::ClaimElementsResponse =
            self.client.call_marked(path, request, |request| mark(&mut request.call)).await?;
        Ok(answer.elements)
    }

    /// Sets the status of an element that was claimed here. Refused with [`Code::LeaseLost`](crate::Code::LeaseLost) when
    /// the claim has ended meanwhile.
    pub async fn finish(
        &self,
        element: &pb::QueueElement,
        status: ElementStatus,
        message: Option<&str>,
    ) -> Result<pb::QueueElement, Error> {
        self.change(&element.id, status, message, Some(element.lease_token)).await
    }

    /// Sets the status of any element.
    pub async fn set_status(
        &self,
        element: &str,
        status: ElementStatus,
        message: Option<&str>,
    ) -> Result<pb::QueueElement, Error> {
        self.change(element, status, message, None).await
    }

    async fn change(
        &self,
        element: &str,
        status: ElementStatus,
        message: Option<&str>,
        lease_token: Option<i64>,
    ) -> Result<pb::QueueElement, Error> {
        let request = pb::SetElementStatusRequest {
            element: element.to_owned(),
            status: status.to_string(),
            message: message.map(str::to_owned),
            lease_token,
        };
        let path = "/orchestrator.v1.QueueService/SetStatus";
        let answer: pb::SetElementStatusResponse = self.client.call(path, request).await?;
        present(self.client.url(), "element", answer.element)
    }

    /// Elements of a queue in insertion order, `most` of them.
    pub async fn elements(
        &self,
        queue: &str,
        filter: ElementFilter,
        most: usize,
    ) -> Result<Vec<pb::QueueElement>, Error> {
        all_pages!(
            self.client,
            "/orchestrator.v1.QueueService/List",
            filter.into_request(queue),
            pb::ListElementsResponse,
            elements,
            most
        )
    }

    /// One element.
    pub async fn get(&self, element: &str) -> Result<pb::QueueElement, Error> {
        let request = pb::GetElementRequest { element: element.to_owned() };
        let answer: pb::GetElementResponse = self.client.call("/orchestrator.v1.QueueService/Get", request).await?;
        present(self.client.url(), "element", answer.element)
    }

    /// Removes an element for good.
    pub async fn delete(&self, element: &str) -> Result<(), Error> {
        let request = pb::DeleteElementRequest { element: element.to_owned() };
        let answer = self.client.call_removing("/orchestrator.v1.QueueService/Delete", request).await?;
        let pb::DeleteElementResponse {} = answer;
        Ok(())
    }

    /// Makes ended elements new again. Returns how many.
    pub async fn retry(&self, elements: &[&str]) -> Result<i64, Error> {
        let request = pb::RetryElementsRequest { elements: elements.iter().map(|id| (*id).to_owned()).collect() };
        let answer: pb::RetryElementsResponse =
            self.client.call("/orchestrator.v1.QueueService/Retry", request).await?;
        Ok(answer.retried_count)
    }
}
