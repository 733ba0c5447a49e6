//! Answers that are one element, which robots wait for all day: printed as the protobuf mapping says, without looking up the shape
//! of each field, which took a quarter of the worker's time for a call.

use bytes::Bytes;
use chrono::{DateTime, Datelike as _, SecondsFormat};
use orchestrator_proto::v1;
use prost::Message as _;
use prost_types::Timestamp;
use serde::{Serialize, Serializer};

use super::method::Method;

/// The answer, every field of it; nothing where it is of another shape, or is not as servers send it.
pub(super) fn print(method: Method, answer: &Bytes) -> Option<Vec<u8>> {
    let element = match method {
        Method::ClaimQueueElement => v1::RobotClaimElementResponse::decode(answer.clone()).ok()?.element,
        Method::SetQueueElementStatus => v1::SetElementStatusResponse::decode(answer.clone()).ok()?.element,
        Method::CreateQueueElement => v1::CreateElementResponse::decode(answer.clone()).ok()?.element,
        _ => return None,
    };
    let mut text = Vec::with_capacity(512);
    serde_json::to_writer(&mut text, &Answer { element: element.as_ref().map(Element::of) }).ok()?;
    Some(text)
}

#[derive(Serialize)]
struct Answer<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    element: Option<Element<'a>>,
}

/// In the order of the fields' numbers.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Element<'a> {
    id: &'a str,
    queue_name: &'a str,
    status: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reference: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_date: Option<Instant>,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_date: Option<Instant>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_date: Option<Instant>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_by: Option<&'a str>,
    job_id: &'a str,
    #[serde(serialize_with = "as_text")]
    lease_token: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    lease_expires_at: Option<Instant>,
    attempt: u32,
    parked: bool,
}

impl<'a> Element<'a> {
    fn of(element: &'a v1::QueueElement) -> Self {
        let v1::QueueElement {
            id,
            queue_name,
            status,
            data,
            reference,
            created_date,
            start_date,
            end_date,
            message,
            created_by,
            job_id,
            lease_token,
            lease_expires_at,
            attempt,
            parked,
        } = element;
        Self {
            id,
            queue_name,
            status,
            data: data.as_deref(),
            reference: reference.as_deref(),
            created_date: created_date.map(Instant),
            start_date: start_date.map(Instant),
            end_date: end_date.map(Instant),
            message: message.as_deref(),
            created_by: created_by.as_deref(),
            job_id,
            lease_token: *lease_token,
            lease_expires_at: lease_expires_at.map(Instant),
            attempt: *attempt,
            parked: *parked,
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn as_text<S: Serializer>(number: &i64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(number)
}

struct Instant(Timestamp);

impl Serialize for Instant {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let unusual = || serde::ser::Error::custom("an instant that the mapping has no text for");
        let Timestamp { seconds, nanos } = self.0;
        // Seconds that a leap has are written in more than one way; so are years of five digits, and those before 1 have no text.
        let nanos = u32::try_from(nanos).ok().filter(|nanos| *nanos < 1_000_000_000).ok_or_else(unusual)?;
        let at = DateTime::from_timestamp(seconds, nanos)
            .filter(|at| (1..=9999).contains(&at.year()))
            .ok_or_else(unusual)?;
        serializer.serialize_str(&at.to_rfc3339_opts(SecondsFormat::AutoSi, true))
    }
}
