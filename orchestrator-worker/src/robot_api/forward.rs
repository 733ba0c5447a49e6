//! Calls of the server in the name of a job.

use std::time::Duration;

use bytes::{Buf as _, BufMut as _, Bytes};
use orchestrator_core::secret::ApiToken;
use tonic::client::Grpc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::metadata::{Ascii, MetadataValue};
use tonic::{Request, Status};

use super::method::Method;
use crate::agent::Connection;

/// Where a worker puts the token of the job for which it calls.
const JOB_TOKEN: &str = "x-orchestrator-job-token";

/// The largest answer that is read.
const ANSWER_BYTES: usize = 64 << 20;

/// The way to the server.
#[derive(Debug, Clone)]
pub(super) struct Forward {
    connection: Connection,
    calls_as: CallsAs,
}

/// By what the server knows in whose name a call is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CallsAs {
    /// A worker's token, with that of the job beside it.
    Worker,
    /// A user's token alone, which stands for its development job.
    Developer,
}

impl Forward {
    pub(super) fn new(connection: Connection, calls_as: CallsAs) -> Self {
        Self { connection, calls_as }
    }

    /// One call, made once.
    pub(super) async fn call(
        &self,
        token: &ApiToken,
        method: Method,
        message: Bytes,
        limit: Duration,
    ) -> Result<Bytes, Status> {
        let mut request = Request::new(message);
        request.set_timeout(limit);
        if self.calls_as == CallsAs::Worker {
            let mut job: MetadataValue<Ascii> =
                token.expose().parse().map_err(|_| Status::internal("a token that no header can carry"))?;
            job.set_sensitive(true);
            request.metadata_mut().insert(JOB_TOKEN, job);
        }
        let mut grpc = Grpc::new(self.connection.clone()).max_decoding_message_size(ANSWER_BYTES);
        grpc.ready().await.map_err(|error| Status::unavailable(format!("the server cannot be reached: {error}")))?;
        Ok(grpc.unary(request, method.path(), Raw).await?.into_inner())
    }
}

/// Messages as the bytes that they are.
#[derive(Debug, Clone, Copy, Default)]
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, message: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(message);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}
