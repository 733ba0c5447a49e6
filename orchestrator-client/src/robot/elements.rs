//! What a robot does with queues.

use orchestrator_core::queue::ElementStatus;
use orchestrator_proto::v1 as pb;

use super::RobotConnection;
use crate::client::{mark, new_call, present};
use crate::{ElementFilter, Error, NewElement};

/// The most elements that a page holds.
const PAGE: usize = 1000;

impl RobotConnection {
    /// Takes the oldest new element of a queue; none when there is none.
    pub async fn get_next_queue_element(&self, queue: &str) -> Result<Option<pb::QueueElement>, Error> {
        self.claim(queue, None, false).await
    }

    /// Takes the oldest new element with exactly this reference.
    pub async fn get_next_queue_element_with_reference(
        &self,
        queue: &str,
        reference: &str,
    ) -> Result<Option<pb::QueueElement>, Error> {
        self.claim(queue, Some(reference), false).await
    }

    /// Looks at the oldest new element without taking it.
    pub async fn peek_queue_element(&self, queue: &str) -> Result<Option<pb::QueueElement>, Error> {
        self.claim(queue, None, true).await
    }

    async fn claim(&self, queue: &str, reference: Option<&str>, peek: bool) -> Result<Option<pb::QueueElement>, Error> {
        let request = pb::RobotClaimElementRequest {
            queue_name: queue.to_owned(),
            reference: reference.map(str::to_owned),
            peek,
            call: (!peek).then(new_call),
        };
        let path = "/orchestrator.v1.RobotService/ClaimQueueElement";
        let answer: pb::RobotClaimElementResponse =
            self.transport.call(path, request, |request| mark(&mut request.call)).await?;
        Ok(answer.element)
    }

    /// Sets the status of an element. A message that is too long is cut in the middle, and says so.
    pub async fn set_queue_element_status(
        &self,
        element: &str,
        status: ElementStatus,
        message: Option<&str>,
    ) -> Result<(), Error> {
        let request = pb::SetElementStatusRequest {
            element: element.to_owned(),
            status: status.to_string(),
            message: message.map(str::to_owned),
            lease_token: None,
        };
        let path = "/orchestrator.v1.RobotService/SetQueueElementStatus";
        self.transport.call::<_, pb::SetElementStatusResponse>(path, request, |_| ()).await.map(drop)
    }

    /// Adds an element.
    pub async fn create_queue_element(&self, queue: &str, element: NewElement) -> Result<pb::QueueElement, Error> {
        let request = pb::CreateElementRequest {
            queue_name: queue.to_owned(),
            element: Some(element.into_message()),
            repeat: false,
        };
        let path = "/orchestrator.v1.RobotService/CreateQueueElement";
        let answer: pb::CreateElementResponse =
            self.transport.call(path, request, |request: &mut pb::CreateElementRequest| request.repeat = true).await?;
        present(path, "element", answer.element)
    }

    /// Adds many elements, at most 10,000: all or none.
    pub async fn bulk_create_queue_elements(
        &self,
        queue: &str,
        elements: impl IntoIterator<Item = NewElement>,
    ) -> Result<(), Error> {
        let elements = elements.into_iter().map(NewElement::into_message).collect();
        let request = pb::RobotBulkCreateRequest { queue_name: queue.to_owned(), elements, repeat: false };
        let path = "/orchestrator.v1.RobotService/BulkCreateQueueElements";
        let mark = |request: &mut pb::RobotBulkCreateRequest| request.repeat = true;
        self.transport.call::<_, pb::RobotBulkCreateResponse>(path, request, mark).await.map(drop)
    }

    /// Elements of a queue in insertion order, `most` of them.
    pub async fn get_queue_elements(
        &self,
        queue: &str,
        filter: ElementFilter,
        most: usize,
    ) -> Result<Vec<pb::QueueElement>, Error> {
        let mut request = filter.into_request(queue);
        let mut elements = Vec::new();
        let mut cursor = String::new();
        loop {
            let limit = u32::try_from(most.saturating_sub(elements.len()).min(PAGE)).unwrap_or(1000);
            if limit == 0 {
                return Ok(elements);
            }
            request.page = Some(pb::Page { limit, cursor });
            let path = "/orchestrator.v1.RobotService/ListQueueElements";
            let answer: pb::ListElementsResponse = self.transport.call(path, request.clone(), |_| ()).await?;
            elements.extend(answer.elements);
            cursor = answer.next_cursor;
            if cursor.is_empty() {
                return Ok(elements);
            }
        }
    }

    /// Removes an element for good.
    pub async fn delete_queue_element(&self, element: &str) -> Result<(), Error> {
        let request = pb::DeleteElementRequest { element: element.to_owned() };
        let path = "/orchestrator.v1.RobotService/DeleteQueueElement";
        let pb::DeleteElementResponse {} = self.transport.call_removing(path, request).await?;
        Ok(())
    }
}
