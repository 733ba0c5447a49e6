use std::time::Duration;

use orchestrator_core::id::{ElementId, RequestId};
use orchestrator_core::queue::QueueElement;
use orchestrator_core::text::{QueueName, Reference};
use orchestrator_db::ClaimRequest;
use orchestrator_proto::convert::{self, DecodeError};
use orchestrator_proto::v1;
use orchestrator_scheduler::QueueUse;
use tonic::Status;

use super::Elements;
use super::change::results;
use crate::status;

/// The longest lease that a claim may ask for.
const LONGEST_LEASE: Duration = Duration::from_hours(24 * 366);

/// What a caller wants of a queue.
#[derive(Debug)]
pub(crate) struct Claim {
    queue: QueueName,
    reference: Option<Reference>,
    count: u32,
    lease: Option<Duration>,
    peek: bool,
    request: RequestId,
    repeat: bool,
    complete: Vec<v1::SetElementStatusRequest>,
}

/// What was taken, and what became of the changes that rode along.
#[derive(Debug)]
pub(crate) struct Claimed {
    pub(crate) elements: Vec<QueueElement>,
    pub(crate) completed: Vec<v1::StatusResult>,
}

impl Claim {
    pub(crate) fn read(message: v1::ClaimElementsRequest) -> Result<Self, DecodeError> {
        let (request, repeat) = convert::call(message.call)?;
        Ok(Self {
            queue: QueueName::parse(&message.queue_name)?,
            reference: convert::reference(message.reference.as_deref())?,
            count: convert::limit("count", message.count, 1)?,
            lease: convert::optional_duration("lease", message.lease)?.map(lease).transpose()?,
            peek: message.peek,
            request,
            repeat,
            complete: message.complete,
        })
    }

    pub(crate) fn read_of_robot(message: v1::RobotClaimElementRequest) -> Result<Self, DecodeError> {
        let v1::RobotClaimElementRequest { queue_name, reference, peek, call } = message;
        Self::read(v1::ClaimElementsRequest { queue_name, reference, count: 1, peek, call, ..Default::default() })
    }
}

fn lease(given: Duration) -> Result<Duration, DecodeError> {
    if given < Duration::from_secs(1) || given > LONGEST_LEASE {
        let (value, most) = (given.as_secs().into(), LONGEST_LEASE.as_secs().into());
        return Err(DecodeError::OutOfRange { field: "lease", value, least: 1, most });
    }
    Ok(given)
}

impl Elements<'_> {
    /// Takes the oldest new elements, or only looks at them, after setting the statuses that ride along.
    pub(crate) async fn claim(&self, mut claim: Claim) -> Result<Claimed, Status> {
        claim.queue = self.queue(claim.queue, QueueUse::Look).await?;
        if claim.peek {
            return Box::pin(self.peek(&claim)).await;
        }
        let changes = self.changes("complete", &claim.complete).await?;
        let ids: Vec<ElementId> = changes.iter().map(|change| change.id).collect();
        let request = ClaimRequest {
            queue: claim.queue,
            reference: claim.reference,
            count: claim.count,
            job: self.job(),
            request: claim.request,
            repeat: claim.repeat,
            lease: claim.lease,
        };
        let answer = self.call(changes, Some(request)).await?;
        let elements = answer.claimed.map_err(status::element_claim)?.elements;
        Ok(Claimed { elements, completed: results(&ids, answer.changed) })
    }

    async fn peek(&self, claim: &Claim) -> Result<Claimed, Status> {
        if !claim.complete.is_empty() {
            let (value, field) = (claim.complete.len() as i128, "complete");
            return Err(status::decode(DecodeError::OutOfRange { field, value, least: 0, most: 0 }));
        }
        let mut tx = self.begin_read().await?;
        let elements = tx.element_peek(&claim.queue, claim.reference.as_ref(), claim.count).await;
        Ok(Claimed { elements: elements.map_err(status::db)?, completed: Vec::new() })
    }
}
