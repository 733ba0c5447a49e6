//! Calls that are kept while the server is away: checked as far as this worker can, and answered for the time being.

use bytes::Bytes;
use orchestrator_core::clock::Timestamp;
use orchestrator_core::queue::ElementStatus;
use orchestrator_core::text::{ConstantName, ConstantValue, Limits, Message, ProcessName, QueueName, TextError};
use orchestrator_proto::convert::{self, DecodeError};
use orchestrator_proto::refusal::Refusal;
use orchestrator_proto::v1;
use prost::Message as _;
use tonic::Code;

use super::line::Line;
use super::method::Method;

/// The most lines or elements of one call, as the server has it.
const MOST: usize = 10_000;

/// What a server may allow at most: this worker does not know what its own does.
const LIMITS: Limits = Limits { data: Limits::MOST, process_args: Limits::MOST, constant_value: Limits::MOST };

/// A call that the server can be expected to take.
#[derive(Debug)]
pub(super) struct Kept {
    /// What the robot is answered.
    pub(super) answer: Bytes,
    /// Lines of the log in it: they may be counted instead of kept.
    pub(super) log_lines: Option<u64>,
}

/// Checks a call, and makes its answer.
pub(super) fn check(line: &Line, method: Method, message: Bytes, now: Timestamp) -> Result<Kept, Refusal> {
    let answer = match method {
        Method::Log => {
            let log: v1::LogRequest = decode(message)?;
            at_most("logs", log.logs.len())?;
            let process = ProcessName::from_stored(line.head.process_name.clone());
            convert::new_logs(&log.logs, &process, line.job, now).map_err(invalid)?;
            return Ok(Kept { answer: Bytes::new(), log_lines: Some(log.logs.len() as u64) });
        }
        Method::UpdateConstant => constant(decode(message)?, line, now).map_err(invalid)?,
        Method::CreateQueueElement => element(decode(message)?, now).map_err(invalid)?,
        Method::BulkCreateQueueElements => {
            let bulk: v1::RobotBulkCreateRequest = decode(message)?;
            at_most("elements", bulk.elements.len())?;
            QueueName::parse(&bulk.queue_name).map_err(|error| invalid(error.into()))?;
            for (index, new) in bulk.elements.iter().enumerate() {
                convert::new_element(new, LIMITS).map_err(|error| invalid(error.in_item("elements", index)))?;
            }
            let created_count = i64::try_from(bulk.elements.len()).unwrap_or(i64::MAX);
            v1::RobotBulkCreateResponse { created_count }.encode_to_vec()
        }
        Method::SetQueueElementStatus => status(decode(message)?).map_err(invalid)?,
        Method::DeleteQueueElement => {
            let delete: v1::DeleteElementRequest = decode(message)?;
            convert::key("element", &delete.element).map_err(invalid)?;
            Vec::new()
        }
        _ => Vec::new(),
    };
    Ok(Kept { answer: answer.into(), log_lines: None })
}

fn constant(update: v1::RobotUpdateConstantRequest, line: &Line, now: Timestamp) -> Result<Vec<u8>, DecodeError> {
    ConstantName::parse(&update.name)?;
    ConstantValue::parse(&update.value, LIMITS.constant_value)?;
    let constant = v1::Constant {
        name: update.name,
        value: update.value,
        changed_at: Some(convert::timestamp(now)),
        changed_by: line.head.process_name.clone(),
    };
    Ok(v1::RobotUpdateConstantResponse { constant: Some(constant) }.encode_to_vec())
}

fn element(create: v1::CreateElementRequest, now: Timestamp) -> Result<Vec<u8>, DecodeError> {
    QueueName::parse(&create.queue_name)?;
    let new = create.element.ok_or(DecodeError::Missing { field: "element" })?;
    convert::new_element(&new, LIMITS)?;
    let element = v1::QueueElement {
        id: new.id,
        queue_name: create.queue_name,
        status: ElementStatus::New.to_string(),
        data: new.data,
        reference: new.reference,
        created_date: Some(convert::timestamp(now)),
        created_by: new.created_by,
        ..v1::QueueElement::default()
    };
    Ok(v1::CreateElementResponse { element: Some(element) }.encode_to_vec())
}

fn status(set: v1::SetElementStatusRequest) -> Result<Vec<u8>, DecodeError> {
    convert::key("element", &set.element)?;
    let new = convert::new_status(&set)?;
    let element = v1::QueueElement {
        id: set.element,
        status: new.status.to_string(),
        message: new.message.map(Message::into_string),
        ..v1::QueueElement::default()
    };
    Ok(v1::SetElementStatusResponse { element: Some(element) }.encode_to_vec())
}

fn decode<M: prost::Message + Default>(message: Bytes) -> Result<M, Refusal> {
    M::decode(message)
        .map_err(|error| Refusal::new(Code::Internal, "INTERNAL", format!("a message cannot be read: {error}")))
}

fn at_most(field: &'static str, length: usize) -> Result<(), Refusal> {
    if length <= MOST {
        return Ok(());
    }
    let (value, most) = (length as i128, MOST as i128);
    Err(invalid(DecodeError::OutOfRange { field, value, least: 0, most }))
}

/// As the server says it.
fn invalid(error: DecodeError) -> Refusal {
    let refusal = Refusal::new(Code::InvalidArgument, "INVALID_FIELD", error.to_string()).with("field", &error.field());
    details(refusal, error)
}

fn details(refusal: Refusal, error: DecodeError) -> Refusal {
    match error {
        DecodeError::Item { index, source, .. } => details(refusal.with("index", &index), *source),
        DecodeError::Text(TextError::TooLong { limit, length, .. }) => {
            refusal.with("limit", &limit).with("length", &length)
        }
        DecodeError::Text(TextError::ControlCharacter { position, .. }) => refusal.with("position", &position),
        DecodeError::Name { source, .. } => refusal.with("value", &source.value).with("expected", &source.expected),
        DecodeError::Id { value, .. } => refusal.with("value", &value),
        _ => refusal,
    }
}
