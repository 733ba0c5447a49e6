//! Queues: named lists of work, handed out one element to one holder.

mod state;

use crate::clock::Timestamp;
use crate::id::{ElementId, JobId};
use crate::lease::LeaseToken;
use crate::text::{CreatedBy, ElementData, Message, QueueName, Reference};

pub use state::{ElementStatus, ElementTimes};

/// One piece of work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueElement {
    /// Its id, made by the caller or the server.
    pub id: ElementId,
    /// The queue it is in.
    pub queue_name: QueueName,
    /// Where it stands.
    pub status: ElementStatus,
    /// What the robot needs to know.
    pub data: Option<ElementData>,
    /// What people search for.
    pub reference: Option<Reference>,
    /// Creation, start and end.
    pub times: ElementTimes,
    /// The latest message of a status change.
    pub message: Option<Message>,
    /// Who or what created it.
    pub created_by: Option<CreatedBy>,
    /// The job that holds or held it.
    pub job_id: Option<JobId>,
    /// The fencing counter.
    pub lease_token: LeaseToken,
    /// Until when a claim outside a job holds, where it asked for a lease.
    pub lease_expires_at: Option<Timestamp>,
    /// Whether a robot itself set it to In Progress, so that it stays so when the job ends. False in every other status.
    pub parked: bool,
    /// How often it was claimed since it was last new by a person's hand.
    pub attempt: u32,
}
