//! What of a file cannot be read, and where it can be read again: a damaged length says nothing of where the next record is.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};

use super::record::{Claim, Found, PROLOGUE, claimed, next};

/// How much is read at once, in bytes.
const CHUNK: u64 = 64 << 10;

/// Bytes between whole records, or behind the last of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Gap {
    /// How many records are lost in it, as far as that can be told. None: it is one record that a crash has torn off.
    pub(super) records: u64,
    /// Where the next whole record begins, or the file ends.
    pub(super) end: u64,
    /// Nothing whole follows.
    pub(super) is_last: bool,
}

impl Gap {
    /// Looks at what stands from a place on where no whole record begins. Moves the file's position.
    ///
    /// Each record is on disk before the next is written, so a crash tears off the last alone: it has its true length
    /// and lacks some of its bytes, or they are all zeros. Anything else was whole once.
    pub(super) fn behind(file: &File, start: u64) -> io::Result<Self> {
        let end = file.metadata()?.len();
        let mut window = Window { file, bytes: Vec::new(), from: 0 };
        let (mut records, mut at) = (0, start);
        let (mut is_inside, mut is_zero, mut is_one_frame) = (false, true, false);
        while at < end {
            let seen = window.at(at)?;
            is_zero &= seen.first() == Some(&0);
            match claimed(seen) {
                Claim::Record(bytes) if at + bytes <= end => {
                    let mut file = file;
                    file.seek(SeekFrom::Start(at))?;
                    if matches!(next(&mut file.take(bytes))?, Found::Whole(..)) {
                        return Ok(Self { records, end: at, is_last: false });
                    }
                    is_zero = false;
                    is_one_frame = at == start && at + bytes == end;
                    records += 1;
                    is_inside = false;
                    at += bytes;
                    continue;
                }
                // The beginning of one that a crash has torn off.
                Claim::Record(_) | Claim::Unclear if !is_inside => break,
                Claim::Record(_) | Claim::Unclear | Claim::Nothing => {
                    records += u64::from(!is_inside);
                    is_inside = true;
                }
            }
            at += 1;
        }
        let is_torn = is_zero || is_one_frame;
        Ok(Self { records: if is_torn { 0 } else { records }, end, is_last: true })
    }
}

/// A part of a file.
struct Window<'a> {
    file: &'a File,
    bytes: Vec<u8>,
    /// Where it begins in the file.
    from: u64,
}

impl Window<'_> {
    /// What stands at a place: enough of it to tell whether it begins like a record, unless the file ends.
    fn at(&mut self, at: u64) -> io::Result<&[u8]> {
        let offset = at.checked_sub(self.from).and_then(|offset| usize::try_from(offset).ok());
        let offset = if let Some(offset) = offset.filter(|offset| offset + PROLOGUE <= self.bytes.len()) {
            offset
        } else {
            let mut file = self.file;
            file.seek(SeekFrom::Start(at))?;
            self.bytes.clear();
            file.take(CHUNK).read_to_end(&mut self.bytes)?;
            self.from = at;
            0
        };
        let seen = self.bytes.get(offset..).unwrap_or_default();
        Ok(&seen[..seen.len().min(PROLOGUE)])
    }
}
