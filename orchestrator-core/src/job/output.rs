use crate::clock::Timestamp;
use crate::states::named_states;

named_states!(
    /// Where a piece of output came from.
    OutputStream, "output stream" {
        /// The robot's standard output.
        Stdout = "STDOUT",
        /// The robot's standard error.
        Stderr = "STDERR",
        /// A remark of the worker.
        System = "SYSTEM",
    }
);

/// A piece of a robot's output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputChunk {
    /// Counts up from 1 within a job; made by the worker.
    pub seq: i64,
    /// Where it came from.
    pub stream: OutputStream,
    /// When the worker read it.
    pub at: Timestamp,
    /// Bytes as the robot wrote them, of any encoding.
    pub content: Vec<u8>,
}
