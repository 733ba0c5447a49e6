use std::time::Duration;

use orchestrator_core::id::RequestId;
use orchestrator_core::queue::QueueElement;
use orchestrator_core::text::{QueueName, Reference};
use orchestrator_db::ClaimRequest;
use orchestrator_proto::convert::{self, DecodeError};
use orchestrator_proto::v1;
use serde_json::json;
use tonic::Status;

use super::Elements;
use crate::audit;
use crate::status;
use crate::transaction::in_transaction;

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
        })
    }

    pub(crate) fn read_of_robot(message: v1::RobotClaimElementRequest) -> Result<Self, DecodeError> {
        let v1::RobotClaimElementRequest { queue_name, reference, peek, call } = message;
        Self::read(v1::ClaimElementsRequest { queue_name, reference, count: 1, lease: None, peek, call })
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
    /// Takes the oldest new elements, or only looks at them.
    pub(crate) async fn claim(&self, claim: Claim) -> Result<Vec<QueueElement>, Status> {
        if claim.peek {
            let mut tx = self.begin_read().await?;
            let peeked = tx.element_peek(&claim.queue, claim.reference.as_ref(), claim.count).await;
            return peeked.map_err(status::db);
        }
        let request = ClaimRequest {
            queue: claim.queue,
            reference: claim.reference,
            count: claim.count,
            job: self.job(),
            request: claim.request,
            repeat: claim.repeat,
            lease: claim.lease,
            mark: None,
        };
        in_transaction!(self.scheduler, |tx| {
            let answers = tx.element_claim(std::slice::from_ref(&request), self.scheduler.now()).await?;
            let taken = answers.into_iter().next().unwrap_or_else(|| Ok(Vec::new())).map_err(status::element_claim)?;
            if !taken.is_empty() && !request.repeat {
                self.audit(tx, |actor| {
                    let ids: Vec<_> = taken.iter().map(|element| element.id).collect();
                    let after = json!({ "elements": ids });
                    vec![audit::row(actor, "element.claim", "queue", &request.queue, (None, Some(after)))]
                })
                .await?;
            }
            Ok((taken, Vec::new()))
        })
    }
}
