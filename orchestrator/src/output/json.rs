//! The protobuf JSON mapping: every field, 64-bit integers as strings, names in lowerCamelCase.

use std::sync::LazyLock;

use orchestrator_proto::{DESCRIPTORS, v1 as pb};
use prost::Message;
use prost_reflect::{DescriptorError, DescriptorPool, DynamicMessage, SerializeOptions, Value};
use serde_json::Serializer;

static POOL: LazyLock<Result<DescriptorPool, DescriptorError>> = LazyLock::new(|| DescriptorPool::decode(DESCRIPTORS));

/// A message cannot be printed. Means that the program was built from files that do not belong together.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JsonError {
    #[error("the descriptors cannot be read: {0}")]
    Descriptors(&'static DescriptorError),
    #[error("{0} is not in the descriptors")]
    Unknown(&'static str),
    #[error("the message does not fit its descriptor: {0}")]
    Message(#[from] prost::DecodeError),
    #[error("{0}")]
    Json(#[from] serde_json::Error),
}

/// A message that is printed, with its full name.
pub(crate) trait Reply: Message {
    const NAME: &'static str;
}

macro_rules! replies {
    ($($name:ident),+ $(,)?) => {
        $(impl Reply for pb::$name {
            const NAME: &'static str = concat!("orchestrator.v1.", stringify!($name));
        })+

        #[cfg(test)]
        const NAMES: &[&str] = &[$(<pb::$name as Reply>::NAME),+];
    };
}

replies!(
    AuditEntry,
    CreateSignInLinkResponse,
    CreateUserResponse,
    EndSessionsResponse,
    ListAuditResponse,
    ListSessionsResponse,
    ListUsersResponse,
    SetPasswordResponse,
    UpdateUserResponse,
    DeleteUserResponse,
    ClaimElementsResponse,
    CreateElementResponse,
    BulkCreateResponse,
    CreateTokenResponse,
    CreateTriggerResponse,
    DeleteConstantResponse,
    DeleteCredentialResponse,
    DeleteElementResponse,
    DeleteQueueResponse,
    DeleteTriggerResponse,
    DisableTriggerResponse,
    DismissJobResponse,
    DrainWorkerResponse,
    EnableTriggerResponse,
    GetConstantResponse,
    GetCredentialResponse,
    GetElementResponse,
    GetJobResponse,
    GetKeysResponse,
    GetQueueHistoryResponse,
    GetQueueResponse,
    GetStatusResponse,
    GetTriggerResponse,
    GetWorkerResponse,
    KillJobResponse,
    KillTriggerResponse,
    ListConstantsResponse,
    ListCredentialsResponse,
    ListDecisionsResponse,
    ListElementsResponse,
    ListJobsResponse,
    ListLogsResponse,
    ListQueuesResponse,
    ListTokensResponse,
    ListTriggersResponse,
    ListWorkersResponse,
    PauseQueueResponse,
    PreviewScheduleResponse,
    QueueElement,
    ReadOutputResponse,
    ReencryptResponse,
    RemoveWorkerResponse,
    ResumeQueueResponse,
    ResumeWorkerResponse,
    RetryElementsResponse,
    RetryJobResponse,
    RevealCredentialResponse,
    RevokeTokenResponse,
    RunNowResponse,
    SetConstantResponse,
    SetCredentialResponse,
    SetElementStatusResponse,
    TailLogsResponse,
    UpdateQueueSettingsResponse,
    UpdateTriggerResponse,
    WatchOutputResponse,
    WhoAmIResponse,
    SignInResponse,
);

/// The message as a part of a document.
pub(crate) fn to_value<M: Reply>(message: &M) -> Result<serde_json::Value, JsonError> {
    Ok(serde_json::from_str(&to_line(message)?)?)
}

fn dynamic<M: Reply>(message: &M) -> Result<DynamicMessage, JsonError> {
    let pool = POOL.as_ref().map_err(JsonError::Descriptors)?;
    let descriptor = pool.get_message_by_name(M::NAME).ok_or(JsonError::Unknown(M::NAME))?;
    Ok(DynamicMessage::decode(descriptor, message.encode_to_vec().as_slice())?)
}

fn options() -> SerializeOptions {
    SerializeOptions::new().skip_default_fields(false)
}

fn line(message: &DynamicMessage) -> Result<String, JsonError> {
    let mut bytes = Vec::new();
    message.serialize_with_options(&mut Serializer::new(&mut bytes), &options())?;
    // What serde_json writes is UTF-8.
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Several lines, for `-o json`.
pub(crate) fn to_pretty<M: Reply>(message: &M) -> Result<String, JsonError> {
    let mut bytes = Vec::new();
    dynamic(message)?.serialize_with_options(&mut Serializer::pretty(&mut bytes), &options())?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// One line.
pub(crate) fn to_line<M: Reply>(message: &M) -> Result<String, JsonError> {
    line(&dynamic(message)?)
}

/// One line for each item of the message's first list of messages.
pub(crate) fn to_item_lines<M: Reply>(message: &M) -> Result<Vec<String>, JsonError> {
    for (_, value) in dynamic(message)?.fields() {
        if let Value::List(items) = value {
            return items.iter().filter_map(Value::as_message).map(line).collect();
        }
    }
    Ok(Vec::new())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reply_is_in_the_descriptors() {
        let pool = POOL.as_ref().unwrap();
        for name in NAMES {
            assert!(pool.get_message_by_name(name).is_some(), "{name}");
        }
    }

    #[test]
    fn an_empty_list_says_so() {
        let json = to_line(&pb::ListTriggersResponse::default()).unwrap();
        assert_eq!(json, r#"{"triggers":[],"nextCursor":""}"#);
    }

    #[test]
    fn every_field_is_printed_and_wide_integers_are_texts() {
        let queue = pb::Queue { queue_name: "demo".to_owned(), new_count: 3, ..pb::Queue::default() };
        let reply = pb::ListQueuesResponse { queues: vec![queue], ..Default::default() };
        insta::assert_snapshot!(to_pretty(&reply).unwrap());
        assert_eq!(to_item_lines(&reply).unwrap().len(), 1);
    }

    #[test]
    fn a_list_of_lines_has_one_object_a_line() {
        let job = |id: &str| pb::Job { id: id.to_owned(), ..pb::Job::default() };
        let reply = pb::ListJobsResponse { jobs: vec![job("1"), job("2")], next_cursor: "x".to_owned() };
        let lines = to_item_lines(&reply).unwrap();
        assert_eq!(lines.len(), 2);
        assert!(lines[1].starts_with(r#"{"id":"2","#), "{}", lines[1]);
    }
}
