//! The records of a spool file, each with its length and a checksum: what a crash has torn off is noticed.

use std::fmt;
use std::io::{self, Read};

use bytes::Bytes;
use prost::Message as _;
use sha2::{Digest as _, Sha256};

/// Length and checksum.
const FRAME: usize = 4 + CHECK;
const CHECK: usize = 8;

/// No record is longer: the largest request, and what is around it.
const LONGEST: usize = 64 << 20;

/// Whose file it is. The first record.
#[derive(Clone, PartialEq, prost::Message)]
#[prost(skip_debug)]
pub(crate) struct Head {
    #[prost(string, tag = "1")]
    pub(crate) job_id: String,
    #[prost(string, tag = "2")]
    pub(crate) process_name: String,
    /// The server takes what the job wrote only with it.
    #[prost(string, tag = "3")]
    pub(crate) job_token: String,
    #[prost(int64, tag = "4")]
    pub(crate) lease_token: i64,
}

impl fmt::Debug for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Head")
            .field("job_id", &self.job_id)
            .field("lease_token", &self.lease_token)
            .finish_non_exhaustive()
    }
}

/// One call that waits.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Entry {
    #[prost(uint64, tag = "1")]
    pub(crate) seq: u64,
    /// The method's name.
    #[prost(string, tag = "2")]
    pub(crate) method: String,
    /// The request.
    #[prost(bytes = "bytes", tag = "3")]
    pub(crate) message: Bytes,
    /// The id of the line that is logged when the server refuses the call.
    #[prost(string, tag = "4")]
    pub(crate) id: String,
    /// When the robot was answered.
    #[prost(message, optional, tag = "5")]
    pub(crate) at: Option<prost_types::Timestamp>,
}

/// Lines that had no room.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct LostLines {
    /// How many at least.
    #[prost(uint64, tag = "1")]
    pub(super) count: u64,
    /// The id of the line that tells of them.
    #[prost(string, tag = "2")]
    pub(super) id: String,
    /// When the first of them was written.
    #[prost(message, optional, tag = "3")]
    pub(super) since: Option<prost_types::Timestamp>,
}

/// Records that the disk has damaged.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct DamagedRecords {
    /// How many; none once they were announced.
    #[prost(uint64, tag = "1")]
    pub(super) count: u64,
    /// The id of the line that tells of them.
    #[prost(string, tag = "2")]
    pub(super) id: String,
    /// When the entry before them was written.
    #[prost(message, optional, tag = "3")]
    pub(super) since: Option<prost_types::Timestamp>,
    /// Of all damaged records that stand in the file before this one, how many it takes note of.
    #[prost(uint64, tag = "4")]
    pub(super) noted: u64,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub(super) enum Record {
    #[prost(message, tag = "1")]
    Head(Head),
    #[prost(message, tag = "2")]
    Entry(Entry),
    /// Everything up to this number was delivered.
    #[prost(uint64, tag = "3")]
    Delivered(u64),
    #[prost(message, tag = "4")]
    Lost(LostLines),
    #[prost(message, tag = "5")]
    Damaged(DamagedRecords),
}

#[derive(Clone, PartialEq, prost::Message)]
struct Container {
    #[prost(oneof = "Record", tags = "1, 2, 3, 4, 5")]
    record: Option<Record>,
}

/// A record as it is written.
pub(super) fn framed(record: Record) -> Vec<u8> {
    let payload = Container { record: Some(record) }.encode_to_vec();
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    let mut frame = Vec::with_capacity(FRAME + payload.len());
    frame.extend_from_slice(&length.to_le_bytes());
    frame.extend_from_slice(&check(&payload));
    frame.extend_from_slice(&payload);
    frame
}

fn check(payload: &[u8]) -> [u8; CHECK] {
    let mut check = [0; CHECK];
    check.copy_from_slice(&Sha256::digest(payload)[..CHECK]);
    check
}

/// What stands at a place of a file.
#[derive(Debug)]
pub(super) enum Found {
    /// A record, and how many bytes it takes.
    Whole(Record, u64),
    /// Nothing more.
    End,
    /// A record that is not what was written.
    Damaged,
    /// The beginning of a record whose rest was never written, or bytes that are none.
    Torn,
}

/// How many bytes it takes at most to tell whether something begins like a record.
pub(super) const PROLOGUE: usize = FRAME + 1 + 10;

/// What the first bytes of something say that it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Claim {
    /// A record of so many bytes with its frame, whatever became of its content.
    Record(u64),
    /// The file ends before that can be told.
    Unclear,
    /// No record, or one whose length is damaged.
    Nothing,
}

/// Reads what the first bytes claim. A record has its length twice, in its frame and in its payload: they must agree.
pub(super) fn claimed(bytes: &[u8]) -> Claim {
    let (Some(frame), Some(tag)) = (bytes.first_chunk::<4>(), bytes.get(FRAME)) else { return Claim::Unclear };
    let varint = &bytes[FRAME + 1..];
    let mut behind = varint;
    let Ok(value) = prost::decode_length_delimiter(&mut behind) else {
        return if bytes.len() < PROLOGUE { Claim::Unclear } else { Claim::Nothing };
    };
    let around = 1 + varint.len() - behind.len();
    let payload = match *tag {
        // A number: `Delivered`.
        0x18 => Some(around),
        0x0a | 0x12 | 0x22 | 0x2a => value.checked_add(around),
        _ => None,
    };
    let length = u32::from_le_bytes(*frame) as usize;
    if payload == Some(length) && length <= LONGEST { Claim::Record((FRAME + length) as u64) } else { Claim::Nothing }
}

/// Reads the next record.
pub(super) fn next(file: &mut impl Read) -> io::Result<Found> {
    let mut frame = [0; FRAME];
    match fill(file, &mut frame)? {
        0 => return Ok(Found::End),
        FRAME => {}
        _ => return Ok(Found::Torn),
    }
    let (length, expected) = frame.split_at(4);
    let length = u32::from_le_bytes([length[0], length[1], length[2], length[3]]) as usize;
    if length > LONGEST {
        return Ok(Found::Torn);
    }
    let mut payload = vec![0; length];
    if fill(file, &mut payload)? < length {
        return Ok(Found::Torn);
    }
    let bytes = (FRAME + length) as u64;
    if check(&payload) != *expected {
        return Ok(Found::Damaged);
    }
    let record = Container::decode(Bytes::from(payload)).ok().and_then(|container| container.record);
    Ok(record.map_or(Found::Damaged, |record| Found::Whole(record, bytes)))
}

/// Reads until the buffer is full or the file ends.
fn fill(file: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(seq: u64) -> Record {
        Record::Entry(Entry { seq, method: "Log".to_owned(), message: Bytes::from_static(b"line"), ..Entry::default() })
    }

    #[test]
    fn what_was_written_is_read_until_the_end() {
        let mut bytes = framed(entry(1));
        bytes.extend(framed(Record::Delivered(1)));
        let mut file = bytes.as_slice();
        assert!(matches!(next(&mut file).unwrap(), Found::Whole(Record::Entry(Entry { seq: 1, .. }), _)));
        assert!(matches!(next(&mut file).unwrap(), Found::Whole(Record::Delivered(1), _)));
        assert!(matches!(next(&mut file).unwrap(), Found::End));
    }

    #[test]
    fn whatever_is_torn_off_or_changed_is_noticed() {
        let whole = framed(entry(1));
        for length in 1..whole.len() {
            assert!(matches!(next(&mut &whole[..length]).unwrap(), Found::Torn), "{length} bytes");
        }
        for position in 0..whole.len() {
            let mut changed = whole.clone();
            changed[position] ^= 1;
            let found = next(&mut changed.as_slice()).unwrap();
            assert!(matches!(found, Found::Torn | Found::Damaged), "byte {position}");
        }
    }

    #[test]
    fn every_kind_of_record_tells_its_length_twice() {
        let long = Entry { message: Bytes::from(vec![7; 300]), ..Entry::default() };
        let kinds = [
            Record::Head(Head { job_id: "job".to_owned(), ..Head::default() }),
            entry(1),
            Record::Entry(long),
            Record::Delivered(0),
            Record::Delivered(u64::MAX),
            Record::Lost(LostLines { count: 3, ..LostLines::default() }),
            Record::Damaged(DamagedRecords::default()),
        ];
        for record in kinds {
            let mut whole = framed(record.clone());
            assert_eq!(claimed(&whole), Claim::Record(whole.len() as u64), "{record:?}");
            whole[0] ^= 4;
            assert_eq!(claimed(&whole), Claim::Nothing, "{record:?}");
            assert_eq!(claimed(&whole[..FRAME]), Claim::Unclear, "{record:?}");
        }
    }

    #[test]
    fn a_token_is_not_shown() {
        let head = Head { job_token: "orc_job_secret".to_owned(), ..Head::default() };
        assert!(!format!("{:?}", Record::Head(head)).contains("secret"));
    }
}
