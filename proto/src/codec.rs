//! Protobuf with buffers of the size that messages have.

use std::marker::PhantomData;

use prost::Message;
use tonic::codec::{BufferSettings, Codec};
use tonic_prost::ProstCodec;

/// What a call's buffers begin with, in bytes. Most messages fit in; larger ones let them grow. With the usual 8 KiB, two a
/// call, what 256 calls at once touch does not fit into a processor's caches, and a worker that waits costs as much.
const BUFFER: usize = 512;
/// From here on a stream's messages are sent before more are added, in bytes: as usual.
const SEND_FROM: usize = 32 << 10;

/// What generated clients and servers encode and decode with.
#[derive(Debug, Clone)]
pub struct SmallBuffers<T, U> {
    messages: PhantomData<(T, U)>,
}

impl<T, U> Default for SmallBuffers<T, U> {
    fn default() -> Self {
        Self { messages: PhantomData }
    }
}

impl<T, U> Codec for SmallBuffers<T, U>
where
    T: Message + Send + 'static,
    U: Message + Default + Send + 'static,
{
    type Encode = T;
    type Decode = U;
    type Encoder = <ProstCodec<T, U> as Codec>::Encoder;
    type Decoder = <ProstCodec<T, U> as Codec>::Decoder;

    fn encoder(&mut self) -> Self::Encoder {
        ProstCodec::<T, U>::raw_encoder(BufferSettings::new(BUFFER, SEND_FROM))
    }

    fn decoder(&mut self) -> Self::Decoder {
        ProstCodec::<T, U>::raw_decoder(BufferSettings::new(BUFFER, SEND_FROM))
    }
}
