use orchestrator_core::id::ElementId;
use orchestrator_core::lease::LeaseToken;
use orchestrator_core::queue::{ElementStatus, ElementTimes, QueueElement};
use orchestrator_core::text::{CreatedBy, ElementData, Limits, Message, QueueName, Reference};

use super::DecodeError;
use super::value::{id, instant, name, optional_id, optional_instant, required, timestamp};
use crate::v1;

/// A queue element as messages carry it.
pub fn element(element: &QueueElement) -> v1::QueueElement {
    v1::QueueElement {
        id: element.id.to_string(),
        queue_name: element.queue_name.as_str().to_owned(),
        status: element.status.to_string(),
        data: element.data.as_ref().map(ToString::to_string),
        reference: element.reference.as_ref().map(ToString::to_string),
        created_date: Some(timestamp(element.times.created_date)),
        start_date: element.times.start_date.map(timestamp),
        end_date: element.times.end_date.map(timestamp),
        message: element.message.as_ref().map(ToString::to_string),
        created_by: element.created_by.as_ref().map(ToString::to_string),
        job_id: element.job_id.map(|job| job.to_string()).unwrap_or_default(),
        lease_token: element.lease_token.value(),
        lease_expires_at: element.lease_expires_at.map(timestamp),
        parked: element.parked,
        attempt: element.attempt,
    }
}

/// Reads an element as a server sent it. Its texts were checked when they were stored, under that server's limits.
pub fn read_element(message: v1::QueueElement) -> Result<QueueElement, DecodeError> {
    let times = ElementTimes {
        created_date: instant("created_date", required("created_date", message.created_date)?)?,
        start_date: optional_instant("start_date", message.start_date)?,
        end_date: optional_instant("end_date", message.end_date)?,
    };
    Ok(QueueElement {
        id: id("id", &message.id)?,
        queue_name: QueueName::parse(&message.queue_name)?,
        status: name("status", &message.status)?,
        data: message.data.map(ElementData::from_stored),
        reference: message.reference.map(Reference::from_stored),
        times,
        message: message.message.map(Message::from_stored),
        created_by: message.created_by.map(CreatedBy::from_stored),
        job_id: optional_id("job_id", &message.job_id)?,
        lease_token: LeaseToken::new(message.lease_token),
        lease_expires_at: optional_instant("lease_expires_at", message.lease_expires_at)?,
        parked: message.parked,
        attempt: message.attempt,
    })
}

/// What a new element carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewElement {
    /// Its id: the caller's, or a new one.
    pub id: ElementId,
    /// What people search for.
    pub reference: Option<Reference>,
    /// What the robot needs to know.
    pub data: Option<ElementData>,
    /// Who or what made it.
    pub created_by: Option<CreatedBy>,
}

/// Reads what a new element carries.
pub fn new_element(message: &v1::NewElement, limits: Limits) -> Result<NewElement, DecodeError> {
    Ok(NewElement {
        id: optional_id("id", &message.id)?.unwrap_or_else(ElementId::generate),
        reference: reference(message.reference.as_deref())?,
        data: data(message.data.as_deref(), limits)?,
        created_by: message
            .created_by
            .as_deref()
            .map(|text| CreatedBy::parse(text, CreatedBy::DEFAULT_LIMIT))
            .transpose()?,
    })
}

/// Reads a reference.
pub fn reference(text: Option<&str>) -> Result<Option<Reference>, DecodeError> {
    Ok(text.map(|text| Reference::parse(text, Reference::DEFAULT_LIMIT)).transpose()?)
}

/// Reads the data of an element.
pub fn data(text: Option<&str>, limits: Limits) -> Result<Option<ElementData>, DecodeError> {
    Ok(text.map(|text| ElementData::parse(text, limits.data)).transpose()?)
}

/// A status that someone sets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewStatus {
    /// The new status.
    pub status: ElementStatus,
    /// A message with it, cut where it is too long.
    pub message: Option<Message>,
    /// The token of the caller's claim, where it has one.
    pub token: Option<LeaseToken>,
}

/// Reads the status that someone sets.
pub fn new_status(message: &v1::SetElementStatusRequest) -> Result<NewStatus, DecodeError> {
    Ok(NewStatus {
        status: name("status", &message.status)?,
        message: message.message.as_deref().map(Message::cut),
        token: message.lease_token.map(LeaseToken::new),
    })
}
