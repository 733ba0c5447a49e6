//! Making a call repeatable: what names its effect is made here where the robot left it out.

use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use chrono::TimeDelta;
use orchestrator_core::clock::{Clock as _, SystemClock, Timestamp};
use orchestrator_core::id::{ElementId, LogId, RequestId};
use orchestrator_proto::convert::timestamp;
use orchestrator_proto::refusal::Refusal;
use orchestrator_proto::v1;
use prost::Message as _;
use tonic::{Code, Status};

use super::method::Method;

/// A request that may be sent more than once and has its effect once.
#[derive(Debug, Clone)]
pub(crate) struct Repeatable {
    method: Method,
    message: Message,
    was_sent: bool,
}

/// Messages that carry ids of their effects; the others are as they are.
#[derive(Debug, Clone)]
enum Message {
    Create(v1::CreateElementRequest),
    BulkCreate(v1::RobotBulkCreateRequest),
    Claim(v1::RobotClaimElementRequest),
    Plain(Bytes),
}

impl Repeatable {
    /// Reads the bytes of a request, and adds what is missing.
    pub(crate) fn read(method: Method, bytes: Bytes) -> Result<Self, Refusal> {
        let message = match method {
            Method::Log => Message::Plain(with_log_ids(decode(bytes)?).encode_to_vec().into()),
            Method::CreateQueueElement => {
                let mut message: v1::CreateElementRequest = decode(bytes)?;
                with_id(message.element.get_or_insert_default());
                Message::Create(message)
            }
            Method::BulkCreateQueueElements => {
                let mut message: v1::RobotBulkCreateRequest = decode(bytes)?;
                message.elements.iter_mut().for_each(with_id);
                Message::BulkCreate(message)
            }
            Method::ClaimQueueElement => {
                let mut message: v1::RobotClaimElementRequest = decode(bytes)?;
                let call = message.call.get_or_insert_default();
                // A repeat without an id is the caller's mistake, which the server names.
                if call.request_id.is_empty() && !call.repeat {
                    call.request_id = RequestId::generate().to_string();
                }
                Message::Claim(message)
            }
            _ => Message::Plain(bytes),
        };
        Ok(Self { method, message, was_sent: false })
    }

    pub(crate) fn method(&self) -> Method {
        self.method
    }

    /// As it goes over the wire.
    pub(crate) fn bytes(&self) -> Bytes {
        match &self.message {
            Message::Create(message) => message.encode_to_vec().into(),
            Message::BulkCreate(message) => message.encode_to_vec().into(),
            Message::Claim(message) => message.encode_to_vec().into(),
            Message::Plain(bytes) => bytes.clone(),
        }
    }

    /// It was sent, and nobody knows what became of it.
    pub(crate) fn mark_as_repeat(&mut self) {
        self.was_sent = true;
        match &mut self.message {
            Message::Create(message) => message.repeat = true,
            Message::BulkCreate(message) => message.repeat = true,
            Message::Claim(message) => message.call.get_or_insert_default().repeat = true,
            Message::Plain(_) => {}
        }
    }

    /// Whether a refusal says that an earlier try of the same call has had its effect: what was to be deleted is not there.
    pub(crate) fn is_done_by_an_earlier_try(&self, status: &Status) -> bool {
        self.was_sent && self.method == Method::DeleteQueueElement && status.code() == Code::NotFound
    }
}

fn decode<M: prost::Message + Default>(bytes: Bytes) -> Result<M, Refusal> {
    M::decode(bytes)
        .map_err(|error| Refusal::new(Code::Internal, "INTERNAL", format!("a message cannot be read: {error}")))
}

fn with_id(element: &mut v1::NewElement) {
    if element.id.is_empty() {
        element.id = ElementId::generate().to_string();
    }
}

/// Lines without an instant are written now, each a little after the one before it: lists are in order of time.
fn with_log_ids(mut message: v1::LogRequest) -> v1::LogRequest {
    for line in &mut message.logs {
        if line.id.is_empty() {
            line.id = LogId::generate().to_string();
        }
        if line.log_time.is_none() {
            line.log_time = Some(timestamp(next_instant()));
        }
    }
    message
}

/// Now, and a microsecond after every instant that was given before at least.
fn next_instant() -> Timestamp {
    static LAST: Mutex<Timestamp> = Mutex::new(Timestamp::UNIX_EPOCH);

    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    *last = SystemClock.now().max(*last + TimeDelta::microseconds(1));
    *last
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(method: Method, message: &impl prost::Message) -> Repeatable {
        Repeatable::read(method, message.encode_to_vec().into()).unwrap()
    }

    #[test]
    fn what_names_the_effect_of_a_call_is_made_once_and_kept() {
        let mut claim = read(Method::ClaimQueueElement, &v1::RobotClaimElementRequest::default());
        let first = v1::RobotClaimElementRequest::decode(claim.bytes()).unwrap().call.unwrap();
        claim.mark_as_repeat();
        let second = v1::RobotClaimElementRequest::decode(claim.bytes()).unwrap().call.unwrap();
        assert!(!first.request_id.is_empty() && !first.repeat && second.repeat);
        assert_eq!(first.request_id, second.request_id);

        let mut create = read(Method::CreateQueueElement, &v1::CreateElementRequest::default());
        let first = v1::CreateElementRequest::decode(create.bytes()).unwrap();
        create.mark_as_repeat();
        let second = v1::CreateElementRequest::decode(create.bytes()).unwrap();
        assert!(!first.repeat && second.repeat);
        assert_eq!((first.element.unwrap().id.len(), second.element.unwrap().id.len()), (36, 36));
    }

    #[test]
    fn what_the_robot_made_is_kept() {
        let id = ElementId::generate().to_string();
        let elements = vec![v1::NewElement { id: id.clone(), ..v1::NewElement::default() }, v1::NewElement::default()];
        let bulk = v1::RobotBulkCreateRequest { elements, ..v1::RobotBulkCreateRequest::default() };
        let sent = v1::RobotBulkCreateRequest::decode(read(Method::BulkCreateQueueElements, &bulk).bytes()).unwrap();
        assert_eq!(sent.elements[0].id, id);
        assert!(!sent.elements[1].id.is_empty() && sent.elements[1].id != id);
    }

    #[test]
    fn lines_of_one_call_are_in_order_of_time_and_of_ids() {
        let log = v1::LogRequest { logs: vec![v1::NewLog::default(); 50] };
        let sent = v1::LogRequest::decode(read(Method::Log, &log).bytes()).unwrap();
        let key = |line: &v1::NewLog| (line.log_time.map(|at| (at.seconds, at.nanos)), line.id.clone());
        assert!(sent.logs.is_sorted_by(|one, next| key(one) < key(next)));
    }

    #[test]
    fn only_a_repeated_delete_may_find_nothing() {
        let mut delete = read(Method::DeleteQueueElement, &v1::DeleteElementRequest::default());
        let gone = Status::not_found("queue element");
        assert!(!delete.is_done_by_an_earlier_try(&gone));
        delete.mark_as_repeat();
        assert!(delete.is_done_by_an_earlier_try(&gone));
        assert!(!delete.is_done_by_an_earlier_try(&Status::unavailable("gone")));
    }
}
