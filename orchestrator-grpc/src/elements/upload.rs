//! Streamed calls that add elements: received whole, bounded in elements and bytes, before anything is written.

use orchestrator_core::text::Limits;
use orchestrator_proto::convert::DecodeError;
use prost::Message;
use tokio_stream::{Stream, StreamExt as _};
use tonic::{Code, Status};

use crate::status::{self, Refusal, reason};

/// The most elements of one call.
pub(super) const MOST: usize = 100_000;
/// The most bytes of one call.
const MOST_BYTES: usize = 256 << 20;

/// What a streamed call adds.
pub(crate) trait Upload: Sized {
    /// One message of the call.
    type Part: Message;

    /// Begins with what the first message says of all of them.
    fn begin(first: &Self::Part) -> Result<Self, DecodeError>;

    /// Takes the elements of a message, up to [`MOST`] in all.
    fn add(&mut self, part: Self::Part, limits: Limits) -> Result<(), DecodeError>;
}

/// Receives all of it.
pub(crate) async fn receive<U: Upload>(
    mut parts: impl Stream<Item = Result<U::Part, Status>> + Unpin,
    limits: Limits,
) -> Result<U, Status> {
    let mut upload: Option<U> = None;
    let mut bytes = 0;
    while let Some(part) = parts.next().await {
        let part = part?;
        bytes += part.encoded_len();
        if bytes > MOST_BYTES {
            return Err(too_many_bytes());
        }
        let upload = match &mut upload {
            Some(upload) => upload,
            empty @ None => empty.insert(U::begin(&part).map_err(status::decode)?),
        };
        upload.add(part, limits).map_err(status::decode)?;
    }
    upload.ok_or_else(|| status::decode(DecodeError::Missing { field: "queue_name" }))
}

fn too_many_bytes() -> Status {
    let message = format!("the upload is larger than {MOST_BYTES} bytes; nothing of it was stored");
    Refusal::new(Code::ResourceExhausted, reason::MESSAGE_TOO_LARGE, message).with("limit", &MOST_BYTES).status()
}

#[cfg(test)]
mod tests {
    use orchestrator_proto::v1;
    use tonic_types::StatusExt as _;

    use super::*;

    /// Counts parts, and keeps none.
    #[derive(Debug)]
    struct Parts(usize);

    impl Upload for Parts {
        type Part = v1::BulkCreateRequest;

        fn begin(_first: &v1::BulkCreateRequest) -> Result<Self, DecodeError> {
            Ok(Self(0))
        }

        fn add(&mut self, _part: v1::BulkCreateRequest, _limits: Limits) -> Result<(), DecodeError> {
            self.0 += 1;
            Ok(())
        }
    }

    async fn received(parts: usize, bytes: usize) -> Result<Parts, Status> {
        let part = move |_| Ok(v1::BulkCreateRequest { queue_name: "x".repeat(bytes), ..Default::default() });
        receive(tokio_stream::iter((0..parts).map(part)), Limits::default()).await
    }

    #[tokio::test]
    async fn what_is_too_large_as_a_whole_is_refused_though_each_message_is_not() {
        assert_eq!(received(3, MOST_BYTES / 4).await.unwrap().0, 3);
        let refused = received(4, MOST_BYTES / 4).await.unwrap_err();
        let details = refused.get_error_details();
        assert_eq!(details.error_info().unwrap().reason, reason::MESSAGE_TOO_LARGE);
        assert!(refused.message().contains("268435456 bytes"), "{}", refused.message());
    }

    #[tokio::test]
    async fn a_call_without_a_message_names_no_queue() {
        assert_eq!(received(0, 0).await.unwrap_err().code(), Code::InvalidArgument);
    }
}
