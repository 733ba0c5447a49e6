//! Messages that are none of their method.

use axum::response::Response;
use tonic::{Code, Status};

use crate::status::{Refusal, reason};

/// How the codec's own words begin.
const UNDECODABLE: &str = "failed to decode Protobuf message";

/// Tells a caller who sent bytes that are no message of the method, such as text that is not UTF-8, that the mistake is
/// theirs: the codec calls it one of the server.
pub(super) async fn tell(response: Response) -> Response {
    match Status::from_header_map(response.headers()) {
        Some(status) if status.code() == Code::Internal && status.message().starts_with(UNDECODABLE) => {
            Refusal::new(Code::InvalidArgument, reason::INVALID_MESSAGE, status.message()).status().into_http()
        }
        _ => response,
    }
}
