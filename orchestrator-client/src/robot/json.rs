//! Messages as the JSON that workers speak.

use std::collections::BTreeMap;

use http::StatusCode;
use orchestrator_proto::DESCRIPTORS;
use prost::Message as _;
use prost_reflect::{DescriptorPool, DeserializeOptions, DynamicMessage, MethodDescriptor};
use serde::Deserialize;

use crate::repeat::Failure;
use crate::{Code, Refusal};

const SERVICE: &str = "orchestrator.v1.RobotService";

/// The descriptions of all messages.
pub(super) struct Messages(DescriptorPool);

impl Messages {
    pub(super) fn new() -> Result<Self, String> {
        DescriptorPool::decode(DESCRIPTORS).map(Self).map_err(|error| error.to_string())
    }

    fn method(&self, path: &str) -> Result<MethodDescriptor, String> {
        let unknown = || format!("there is no method {path}");
        let name = path.rsplit('/').next().ok_or_else(unknown)?;
        let service = self.0.get_service_by_name(SERVICE).ok_or_else(unknown)?;
        service.methods().find(|method| method.name() == name).ok_or_else(unknown)
    }

    /// A request.
    pub(super) fn write_json(&self, path: &str, message: &[u8]) -> Result<Vec<u8>, String> {
        let message = DynamicMessage::decode(self.method(path)?.input(), message).map_err(|error| error.to_string())?;
        serde_json::to_vec(&message).map_err(|error| error.to_string())
    }

    /// An answer. Fields that only a newer worker knows are skipped.
    pub(super) fn read_json(&self, path: &str, text: &[u8]) -> Result<Vec<u8>, String> {
        let options = DeserializeOptions::new().deny_unknown_fields(false);
        let mut reader = serde_json::Deserializer::from_slice(text);
        let message = DynamicMessage::deserialize_with_options(self.method(path)?.output(), &mut reader, &options);
        Ok(message.map_err(|error| error.to_string())?.encode_to_vec())
    }
}

#[derive(Deserialize)]
struct Said {
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
    #[serde(default)]
    details: Vec<Detail>,
}

#[derive(Deserialize)]
struct Detail {
    #[serde(default)]
    reason: String,
    #[serde(default)]
    metadata: BTreeMap<String, String>,
}

/// Reads `{"code": "not_found", "message": "…", "details": [{"reason": "…", "metadata": {…}}]}`.
pub(super) fn refusal(status: StatusCode, body: &[u8]) -> Failure {
    let Ok(said) = serde_json::from_slice::<Said>(body) else {
        return Failure::Answer(format!("HTTP status {status} without a reason"));
    };
    let detail = said.details.into_iter().next();
    let (reason, metadata) = detail.map(|detail| (detail.reason, detail.metadata)).unwrap_or_default();
    let code = Code::from_text(&reason);
    match said.code.as_str() {
        // The worker has waited for its server long enough; to wait again would be to wait for ever.
        "unavailable" if code == Code::ServerAway => {
            Failure::Refused(Refusal { code, message: said.message, metadata })
        }
        "unavailable" | "deadline_exceeded" => Failure::Away(said.message),
        "resource_exhausted" if code == Code::Overloaded => Failure::Away(said.message),
        _ => Failure::Refused(Refusal { code, message: said.message, metadata }),
    }
}

#[cfg(test)]
mod tests {
    use orchestrator_proto::v1 as pb;

    use super::*;

    #[test]
    fn messages_travel_as_json_and_back() {
        let messages = Messages::new().unwrap();
        let path = "/orchestrator.v1.RobotService/ClaimQueueElement";
        let request = pb::RobotClaimElementRequest { queue_name: "q".to_owned(), peek: true, ..Default::default() };
        let json = messages.write_json(path, &request.encode_to_vec()).unwrap();
        assert_eq!(String::from_utf8(json).unwrap(), r#"{"queueName":"q","peek":true}"#);
        let answer = messages.read_json(path, br#"{"element": {"id": "7", "leaseToken": "12", "news": 1}}"#).unwrap();
        let answer = pb::RobotClaimElementResponse::decode(answer.as_slice()).unwrap();
        assert_eq!(answer.element.map(|element| (element.id, element.lease_token)), Some(("7".to_owned(), 12)));
    }

    #[test]
    fn a_refusal_keeps_its_code_and_its_values() {
        let body = br#"{"code": "not_found", "message": "no", "details": [{"reason": "CONSTANT_NOT_FOUND", "domain": "orchestrator", "metadata": {"name": "x"}}]}"#;
        let Failure::Refused(found) = refusal(StatusCode::NOT_FOUND, body) else { panic!("it is a refusal") };
        assert_eq!((found.code, found.message.as_str()), (Code::NotFound("CONSTANT".to_owned()), "no"));
        assert_eq!(found.metadata["name"], "x");
        assert!(matches!(refusal(StatusCode::BAD_GATEWAY, b"<html>"), Failure::Answer(_)));
        let busy = br#"{"code": "unavailable", "message": "busy", "details": []}"#;
        assert!(matches!(refusal(StatusCode::SERVICE_UNAVAILABLE, busy), Failure::Away(_)));
    }
}
