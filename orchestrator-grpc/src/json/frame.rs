//! gRPC's framing of one message: a flag, a length, the bytes.

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use prost::Message as _;
use prost_reflect::DynamicMessage;

/// Flag and length.
const HEADER: usize = 5;

/// One uncompressed message in its frame.
pub(super) fn framed(message: &DynamicMessage) -> Option<Bytes> {
    let length = message.encoded_len();
    let mut buffer = BytesMut::with_capacity(HEADER + length);
    buffer.put_u8(0);
    buffer.put_u32(u32::try_from(length).ok()?);
    message.encode(&mut buffer).ok()?;
    Some(buffer.freeze())
}

/// The message of the only frame. Services within the process neither compress nor split.
pub(super) fn unframed(mut body: Bytes) -> Option<Bytes> {
    if body.len() < HEADER || body.get_u8() != 0 {
        return None;
    }
    let length = usize::try_from(body.get_u32()).ok()?;
    (body.len() == length).then_some(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_single_whole_frame_is_refused() {
        assert_eq!(unframed(Bytes::from_static(&[0, 0, 0, 0, 1, 7])), Some(Bytes::from_static(&[7])));
        for body in [&[][..], &[0, 0, 0, 0], &[1, 0, 0, 0, 1, 7], &[0, 0, 0, 0, 2, 7], &[0, 0, 0, 0, 0, 7]] {
            assert_eq!(unframed(Bytes::copy_from_slice(body)), None, "{body:?}");
        }
    }
}
