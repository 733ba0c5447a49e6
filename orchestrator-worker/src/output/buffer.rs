//! The bounded memory of a job's output.

use std::collections::VecDeque;

use bytes::{Buf, BytesMut};
use orchestrator_core::clock::Timestamp;

use super::{CHUNK_LIMIT, OutputChunk, OutputContent, OutputLimit, OutputStream, OutputSummary};

/// The most pieces kept on either side: single bytes written slowly cost more than their length.
const PIECE_LIMIT: usize = 4096;

/// Bytes of one stream that stand together.
#[derive(Debug)]
struct Piece {
    stream: OutputStream,
    at: Timestamp,
    bytes: BytesMut,
}

/// Bytes of one stream that were read and are not yet cut into a piece.
#[derive(Debug, Default)]
struct Pending {
    bytes: Vec<u8>,
    at: Option<Timestamp>,
    /// Was left over at the last flush because its line had not ended.
    is_old: bool,
}

/// Cuts output into pieces, and keeps the first and the last of them.
#[derive(Debug)]
pub(super) struct OutputBuffer {
    limit: OutputLimit,
    pending: [Pending; 2],
    head: VecDeque<Piece>,
    head_left: usize,
    tail: VecDeque<Piece>,
    tail_length: usize,
    read: [u64; 2],
    lost: [u64; 2],
    next_seq: u64,
}

impl OutputBuffer {
    pub(super) fn new(limit: OutputLimit) -> Self {
        Self {
            limit,
            pending: <_>::default(),
            head: VecDeque::new(),
            head_left: limit.head_bytes,
            tail: VecDeque::new(),
            tail_length: 0,
            read: [0; 2],
            lost: [0; 2],
            next_seq: 0,
        }
    }

    /// Takes in what was read from one stream.
    pub(super) fn push(&mut self, stream: OutputStream, mut bytes: &[u8], now: Timestamp) {
        self.read[stream.index()] += count(bytes.len());
        while !bytes.is_empty() {
            let pending = &mut self.pending[stream.index()];
            pending.at.get_or_insert(now);
            let room = CHUNK_LIMIT - pending.bytes.len();
            let (now_in, rest) = bytes.split_at(room.min(bytes.len()));
            pending.bytes.extend_from_slice(now_in);
            bytes = rest;
            if pending.bytes.len() == CHUNK_LIMIT {
                self.flush(stream, CHUNK_LIMIT);
            }
        }
    }

    /// Whether anything waits to be cut.
    pub(super) fn has_pending(&self) -> bool {
        self.pending.iter().any(|pending| !pending.bytes.is_empty())
    }

    /// Cuts what is pending: up to the end of the last line, or all of it if it has waited once before or has no line.
    pub(super) fn flush_lines(&mut self) {
        for stream in OutputStream::ALL {
            let pending = &mut self.pending[stream.index()];
            let end = match pending.bytes.iter().rposition(|byte| *byte == b'\n') {
                Some(line_end) if !pending.is_old => line_end + 1,
                _ => pending.bytes.len(),
            };
            self.flush(stream, end);
            let pending = &mut self.pending[stream.index()];
            pending.is_old = !pending.bytes.is_empty();
        }
    }

    fn flush(&mut self, stream: OutputStream, end: usize) {
        let pending = &mut self.pending[stream.index()];
        let Some(at) = pending.at else { return };
        let bytes = BytesMut::from(&pending.bytes[..end]);
        pending.bytes.drain(..end);
        pending.is_old = false;
        if pending.bytes.is_empty() {
            pending.at = None;
        }
        self.keep(Piece { stream, at, bytes });
    }

    /// Puts a piece where it belongs: what no longer fits into the head goes to the tail, and so does all that follows.
    fn keep(&mut self, mut piece: Piece) {
        if self.head.len() >= PIECE_LIMIT {
            self.head_left = 0;
        }
        let fits = self.head_left.min(piece.bytes.len());
        if fits > 0 {
            self.head_left -= fits;
            let bytes = piece.bytes.split_to(fits);
            self.head.push_back(Piece { bytes, ..piece });
        }
        if !piece.bytes.is_empty() {
            self.tail_length += piece.bytes.len();
            append(&mut self.tail, piece);
            self.trim_tail();
        }
    }

    fn trim_tail(&mut self) {
        while self.tail_length > self.limit.tail_bytes || self.tail.len() > PIECE_LIMIT {
            let Some(front) = self.tail.front_mut() else { break };
            let excess = self.tail_length.saturating_sub(self.limit.tail_bytes);
            let dropped = if excess == 0 { front.bytes.len() } else { excess.min(front.bytes.len()) };
            front.bytes.advance(dropped);
            self.lost[front.stream.index()] += count(dropped);
            self.tail_length -= dropped;
            if front.bytes.is_empty() {
                self.tail.pop_front();
            }
        }
    }

    /// Whether a chunk can be passed on now.
    pub(super) fn has_chunk(&self) -> bool {
        !self.head.is_empty()
    }

    /// The next chunk of the head.
    pub(super) fn next_chunk(&mut self) -> Option<OutputChunk> {
        let piece = self.head.pop_front()?;
        Some(self.chunk(piece))
    }

    /// No one reads any more: nothing needs to be kept.
    pub(super) fn discard(&mut self) {
        self.head.clear();
        self.head_left = 0;
        self.limit.tail_bytes = 0;
        self.trim_tail();
    }

    /// All that has not been passed on, after the pipes are closed: rest of the head, markers of loss, tail.
    pub(super) fn finish(mut self) -> (Vec<OutputChunk>, OutputSummary) {
        for stream in OutputStream::ALL {
            self.flush(stream, self.pending[stream.index()].bytes.len());
        }
        let mut chunks = Vec::with_capacity(self.head.len() + self.tail.len() + 2);
        while let Some(chunk) = self.next_chunk() {
            chunks.push(chunk);
        }
        // Loss is only ever in front of a tail, unless the tail may hold nothing.
        let lost_at = self.tail.front().map(|piece| piece.at).or_else(|| chunks.last().map(|chunk| chunk.at));
        for stream in OutputStream::ALL {
            let byte_count = self.lost[stream.index()];
            if byte_count > 0 {
                let at = lost_at.unwrap_or_default();
                chunks.push(OutputChunk { seq: self.seq(), stream, at, content: OutputContent::Lost { byte_count } });
            }
        }
        while let Some(piece) = self.tail.pop_front() {
            chunks.push(self.chunk(piece));
        }
        let summary = OutputSummary {
            stdout_byte_count: self.read[0],
            stderr_byte_count: self.read[1],
            lost_byte_count: self.lost.iter().sum(),
            chunk_count: self.next_seq,
        };
        (chunks, summary)
    }

    fn chunk(&mut self, piece: Piece) -> OutputChunk {
        let content = OutputContent::Bytes(piece.bytes.freeze());
        OutputChunk { seq: self.seq(), stream: piece.stream, at: piece.at, content }
    }

    fn seq(&mut self) -> u64 {
        let seq = self.next_seq;
        self.next_seq += 1;
        seq
    }
}

/// Joins a piece to the last one of its stream where a chunk can hold both.
fn append(pieces: &mut VecDeque<Piece>, piece: Piece) {
    match pieces.back_mut() {
        Some(last) if last.stream == piece.stream && last.bytes.len() + piece.bytes.len() <= CHUNK_LIMIT => {
            last.bytes.extend_from_slice(&piece.bytes);
        }
        _ => pieces.push_back(piece),
    }
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use OutputStream::{Stderr, Stdout};

    fn limit(head_bytes: usize, tail_bytes: usize) -> OutputLimit {
        OutputLimit { head_bytes, tail_bytes }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_timestamp(second, 0).unwrap()
    }

    /// Chunks as text, a marker of loss as `<n>`.
    fn texts(chunks: &[OutputChunk]) -> Vec<String> {
        let text = |chunk: &OutputChunk| match &chunk.content {
            OutputContent::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            OutputContent::Lost { byte_count } => format!("<{byte_count}>"),
        };
        chunks.iter().map(text).collect()
    }

    #[test]
    fn first_and_last_part_are_kept_and_the_loss_is_counted() {
        let mut buffer = OutputBuffer::new(limit(4, 3));
        for (second, byte) in b"abcdefghij".iter().enumerate() {
            buffer.push(Stdout, &[*byte], at(i64::try_from(second).unwrap()));
            buffer.flush_lines();
        }
        let (chunks, summary) = buffer.finish();
        assert_eq!(texts(&chunks), ["a", "b", "c", "d", "<3>", "hij"]);
        assert!(chunks.iter().map(|chunk| chunk.seq).eq(0..6));
        assert_eq!((summary.stdout_byte_count, summary.lost_byte_count, summary.chunk_count), (10, 3, 6));
    }

    #[test]
    fn the_loss_is_announced_for_each_stream() {
        let mut buffer = OutputBuffer::new(limit(2, 2));
        for (stream, text) in [(Stdout, "aa"), (Stderr, "eee"), (Stdout, "ooooo"), (Stderr, "zz")] {
            buffer.push(stream, text.as_bytes(), at(0));
            buffer.flush_lines();
        }
        let (chunks, summary) = buffer.finish();
        assert_eq!(texts(&chunks), ["aa", "<5>", "<3>", "zz"]);
        assert_eq!((chunks[1].stream, chunks[2].stream), (Stdout, Stderr));
        assert_eq!(summary.lost_byte_count, 8);
    }

    #[test]
    fn nothing_is_announced_when_nothing_is_lost() {
        let mut buffer = OutputBuffer::new(limit(2, 100));
        buffer.push(Stdout, b"hello", at(0));
        let (chunks, summary) = buffer.finish();
        assert_eq!(texts(&chunks), ["he", "llo"]);
        assert_eq!(summary.lost_byte_count, 0);
    }

    #[test]
    fn an_unfinished_line_waits_once_only() {
        let mut buffer = OutputBuffer::new(OutputLimit::default());
        buffer.push(Stdout, b"one\ntw", at(0));
        buffer.flush_lines();
        assert_eq!(texts(&buffer.next_chunk().into_iter().collect::<Vec<_>>()), ["one\n"]);
        buffer.flush_lines();
        assert_eq!(texts(&buffer.next_chunk().into_iter().collect::<Vec<_>>()), ["tw"]);
        assert!(!buffer.has_pending());
    }

    #[test]
    fn no_chunk_is_longer_than_the_limit() {
        let mut buffer = OutputBuffer::new(limit(CHUNK_LIMIT / 2, 10 * CHUNK_LIMIT));
        buffer.push(Stdout, &vec![b'x'; 5 * CHUNK_LIMIT + 7], at(0));
        let (chunks, summary) = buffer.finish();
        let lengths: Vec<usize> = chunks
            .iter()
            .map(|chunk| match &chunk.content {
                OutputContent::Bytes(bytes) => bytes.len(),
                OutputContent::Lost { .. } => 0,
            })
            .collect();
        assert!(lengths.iter().all(|length| *length <= CHUNK_LIMIT));
        assert_eq!((lengths.iter().sum::<usize>(), summary.lost_byte_count), (5 * CHUNK_LIMIT + 7, 0));
    }

    #[test]
    fn single_bytes_that_alternate_between_streams_stay_bounded() {
        let mut buffer = OutputBuffer::new(OutputLimit::default());
        for turn in 0..20_000_u32 {
            buffer.push(if turn % 2 == 0 { Stdout } else { Stderr }, b"x", at(0));
            buffer.flush_lines();
        }
        assert!(buffer.head.len() <= PIECE_LIMIT && buffer.tail.len() <= PIECE_LIMIT);
        let (chunks, summary) = buffer.finish();
        let kept = chunks.iter().filter(|chunk| matches!(chunk.content, OutputContent::Bytes(_))).count();
        assert_eq!(count(kept) + summary.lost_byte_count, 20_000);
    }
}
