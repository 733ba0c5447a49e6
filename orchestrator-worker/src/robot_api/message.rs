//! JSON of the protobuf mapping, from and to the bytes of messages.

use bytes::Bytes;
use orchestrator_proto::refusal::Refusal;
use prost::Message as _;
use prost_reflect::{DescriptorPool, DeserializeOptions, DynamicMessage, MethodDescriptor, SerializeOptions};
use tonic::Code;

use super::element;
use super::method::{Method, SERVICE};

/// The shapes of the service's messages.
#[derive(Debug)]
pub(super) struct Messages {
    /// In the order of [`Method::ALL`].
    methods: Vec<MethodDescriptor>,
}

/// The descriptors that this program was built with do not fit it.
#[derive(Debug, thiserror::Error)]
#[error("the descriptors of {SERVICE} cannot be used")]
pub struct UnusableDescriptors;

impl Messages {
    pub(super) fn new() -> Result<Self, UnusableDescriptors> {
        let pool = DescriptorPool::decode(orchestrator_proto::DESCRIPTORS).map_err(|_| UnusableDescriptors)?;
        let service = pool.get_service_by_name(SERVICE).ok_or(UnusableDescriptors)?;
        let find = |method: &Method| service.methods().find(|candidate| candidate.name() == method.name());
        let methods: Option<Vec<_>> = Method::ALL.iter().map(find).collect();
        Ok(Self { methods: methods.ok_or(UnusableDescriptors)? })
    }

    fn of(&self, method: Method) -> &MethodDescriptor {
        &self.methods[method as usize]
    }

    /// Reads a request. No body at all is a request without fields; a field that the request does not have is refused.
    pub(super) fn read(&self, method: Method, body: &[u8]) -> Result<Bytes, Refusal> {
        let shape = self.of(method).input();
        let body = std::str::from_utf8(body).map_err(|error| not_utf8(error.valid_up_to()))?;
        let body = if body.trim().is_empty() { "{}" } else { body };
        let mut json = serde_json::Deserializer::from_str(body);
        let options = DeserializeOptions::new().deny_unknown_fields(true);
        let message = DynamicMessage::deserialize_with_options(shape.clone(), &mut json, &options)
            .and_then(|message| json.end().map(|()| message))
            .map_err(|error| {
                let message = format!("the body is no {}: {error}", shape.name());
                Refusal::new(Code::InvalidArgument, "INVALID_JSON", message)
                    .with("line", &error.line())
                    .with("column", &error.column())
            })?;
        Ok(message.encode_to_vec().into())
    }

    /// A request as people read it.
    pub(super) fn show_request(&self, method: Method, message: Bytes) -> Option<serde_json::Value> {
        let message = DynamicMessage::decode(self.of(method).input(), message).ok()?;
        serde_json::to_value(&message).ok()
    }

    /// Prints an answer, every field of it.
    pub(super) fn print(&self, method: Method, answer: Bytes) -> Result<Vec<u8>, Refusal> {
        match element::print(method, &answer) {
            Some(text) => Ok(text),
            None => self.print_by_shape(method, answer),
        }
    }

    fn print_by_shape(&self, method: Method, answer: Bytes) -> Result<Vec<u8>, Refusal> {
        let message = DynamicMessage::decode(self.of(method).output(), answer).map_err(|_| unreadable())?;
        let options = SerializeOptions::new().skip_default_fields(false);
        let mut text = Vec::with_capacity(256);
        message
            .serialize_with_options(&mut serde_json::Serializer::new(&mut text), &options)
            .map_err(|_| unreadable())?;
        Ok(text)
    }
}

fn not_utf8(position: usize) -> Refusal {
    let message = format!("the body is not UTF-8: byte {position} begins no character; send JSON in UTF-8");
    Refusal::new(Code::InvalidArgument, "INVALID_JSON", message).with("position", &position)
}

fn unreadable() -> Refusal {
    let message = "the server's answer cannot be read; update this worker to the server's version";
    Refusal::new(Code::Internal, "INTERNAL", message)
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use orchestrator_proto::v1;
    use proptest::option;
    use proptest::prelude::*;

    use super::*;

    fn messages() -> Messages {
        Messages::new().unwrap()
    }

    #[test]
    fn a_request_is_read_and_an_answer_printed_with_every_field() {
        let body = r#"{"logs": [{"logLevel": "INFO", "logMessage": "æ"}]}"#;
        let request = v1::LogRequest::decode(messages().read(Method::Log, body.as_bytes()).unwrap()).unwrap();
        assert_eq!(request.logs[0].log_message, "æ");
        let answer = v1::RobotBulkCreateResponse { created_count: 3 };
        let printed = messages().print(Method::BulkCreateQueueElements, answer.encode_to_vec().into()).unwrap();
        assert_eq!(String::from_utf8(printed).unwrap(), r#"{"createdCount":"3"}"#);
        let printed = messages().print(Method::ClaimQueueElement, Bytes::new()).unwrap();
        assert_eq!(printed, b"{}");
    }

    fn instants() -> impl Strategy<Value = Option<prost_types::Timestamp>> {
        let nanos = prop_oneof![
            Just(0),
            (0..1000).prop_map(|n| n * 1_000_000),
            (0..1_000_000).prop_map(|n| n * 1000),
            any::<i32>()
        ];
        // The first second of the years 0, 1 and 10000: the mapping has texts from the second to before the third.
        let ends = prop_oneof![Just(-62_167_219_200), Just(-62_135_596_800), Just(253_402_300_800_i64)];
        let about_an_end = (ends, -1..=1_i64).prop_map(|(end, offset)| end + offset);
        let seconds = prop_oneof![6 => -70_000_000_000..260_000_000_000_i64, 3 => about_an_end, 1 => any::<i64>()];
        option::of((seconds, nanos).prop_map(|(seconds, nanos)| prost_types::Timestamp { seconds, nanos }))
    }

    fn elements() -> impl Strategy<Value = v1::QueueElement> {
        let texts =
            (".{0,20}", ".{0,20}", ".{0,20}", option::of(".{0,40}"), option::of(".{0,20}"), option::of(".{0,20}"));
        let more = (option::of(".{0,20}"), ".{0,20}", any::<i64>(), any::<u32>(), any::<bool>());
        let times = (instants(), instants(), instants(), instants());
        (texts, more, times).prop_map(|(texts, more, times)| {
            let (id, queue_name, status, data, reference, message) = texts;
            let (created_by, job_id, lease_token, attempt, parked) = more;
            let (created_date, start_date, end_date, lease_expires_at) = times;
            v1::QueueElement {
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
            }
        })
    }

    proptest! {
        #[test]
        fn an_element_is_printed_as_the_mapping_says(element in option::of(elements())) {
            // Reading the descriptors takes longer than all the rest of a case.
            static MESSAGES: LazyLock<Messages> = LazyLock::new(messages);
            let messages = &*MESSAGES;
            let answer: Bytes = v1::RobotClaimElementResponse { element }.encode_to_vec().into();
            for method in [Method::ClaimQueueElement, Method::SetQueueElementStatus, Method::CreateQueueElement] {
                let by_shape = messages.print_by_shape(method, answer.clone()).map_err(|refusal| refusal.reason().to_owned());
                let printed = messages.print(method, answer.clone()).map_err(|refusal| refusal.reason().to_owned());
                prop_assert_eq!(printed, by_shape);
            }
        }
    }

    #[test]
    fn an_empty_body_is_a_request_without_fields() {
        for body in ["", " \n", "{}"] {
            assert_eq!(messages().read(Method::IsPausing, body.as_bytes()).unwrap(), Bytes::new());
        }
    }

    #[test]
    fn what_is_no_request_says_why() {
        let cases: [(&[u8], &str); 5] = [
            (b"{", "EOF"),
            (b"{\"nmae\": 1}", "nmae"),
            (b"{\"name\": \"a\xff\"}", "byte 11"),
            (b"{\"name\": \"a\0\"}", "control character"),
            (b"[]", "RobotGetConstantRequest"),
        ];
        for (body, expected) in cases {
            let refusal = messages().read(Method::GetConstant, body).unwrap_err();
            assert_eq!(refusal.reason(), "INVALID_JSON");
            assert!(refusal.message().contains(expected), "{}", refusal.message());
        }
    }
}
