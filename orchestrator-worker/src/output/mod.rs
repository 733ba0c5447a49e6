//! What a robot writes: read at once, always, from both pipes, and passed on in order as far as the limit allows.
//!
//! A robot never waits for the reader of its output. What the reader has not taken yet is kept here, up to
//! [`OutputLimit::head_bytes`]; what comes after goes to a ring that holds the last [`OutputLimit::tail_bytes`] and is
//! passed on at the end, after a marker for each stream that says exactly how many of its bytes are missing. One job's
//! output therefore takes at most about twice the two limits plus half a MiB of memory, whatever the robot writes.
//!
//! Chunks are at most [`CHUNK_LIMIT`] long and leave within 200 ms of being written. They end at a line's end where that
//! is possible within that time; a character may be cut in two, so a reader joins the chunks of one stream as bytes.

mod buffer;
mod drain;

use bytes::Bytes;
use orchestrator_core::clock::Timestamp;

pub use drain::Drain;

/// The most bytes in one chunk.
pub const CHUNK_LIMIT: usize = 64 * 1024;

/// Which pipe was written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OutputStream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

impl OutputStream {
    const ALL: [Self; 2] = [Self::Stdout, Self::Stderr];

    fn index(self) -> usize {
        match self {
            Self::Stdout => 0,
            Self::Stderr => 1,
        }
    }
}

/// How much of a job's output is kept, both streams together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutputLimit {
    /// From the beginning.
    pub head_bytes: usize,
    /// From the end.
    pub tail_bytes: usize,
}

impl Default for OutputLimit {
    /// 1 MiB each.
    fn default() -> Self {
        Self { head_bytes: 1024 * 1024, tail_bytes: 1024 * 1024 }
    }
}

/// A piece of a job's output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputChunk {
    /// Its place among the chunks of the job, from 0, without gaps.
    pub seq: u64,
    /// Where it was written to.
    pub stream: OutputStream,
    /// When its first byte was read.
    pub at: Timestamp,
    /// What was written.
    pub content: OutputContent,
}

/// What a chunk holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OutputContent {
    /// Bytes as they were written.
    Bytes(Bytes),
    /// Here so many bytes of the stream were dropped.
    Lost {
        /// Exactly how many.
        byte_count: u64,
    },
}

/// What became of a job's output.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OutputSummary {
    /// Bytes written to standard output.
    pub stdout_byte_count: u64,
    /// Bytes written to standard error.
    pub stderr_byte_count: u64,
    /// Bytes of both that were dropped for the limit.
    pub lost_byte_count: u64,
    /// Chunks passed on, markers included.
    pub chunk_count: u64,
}
