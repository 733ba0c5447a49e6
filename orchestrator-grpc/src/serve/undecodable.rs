//! Messages that are none of their method.

use http::Response;
use tonic::{Code, Status};

use crate::status::{Refusal, reason};

/// How the codec's own words begin.
const UNDECODABLE: &str = "failed to decode Protobuf message";

/// Tells a caller who sent bytes that are no message of the method, such as text that is not UTF-8, that the mistake is
/// theirs: the codec calls it one of the server.
pub(super) async fn tell(response: axum::response::Response) -> axum::response::Response {
    checked(response).unwrap_or_else(|status| status.into_http())
}

/// The response, or the refusal that goes in its place.
pub(super) fn checked<B>(response: Response<B>) -> Result<Response<B>, Box<Status>> {
    match Status::from_header_map(response.headers()) {
        Some(status) if status.code() == Code::Internal && status.message().starts_with(UNDECODABLE) => {
            let refusal = Refusal::new(Code::InvalidArgument, reason::INVALID_MESSAGE, status.message());
            Err(Box::new(refusal.status()))
        }
        _ => Ok(response),
    }
}
