use orchestrator_core::id::JobId;
use orchestrator_core::job::{Outcome, OutputChunk};
use orchestrator_core::lease::LeaseToken;

use super::DecodeError;
use super::value::{id, instant, name, required, timestamp};
use crate::v1;

/// The most bytes of one piece of output.
pub const OUTPUT_CHUNK_BYTES: usize = 64 << 10;

/// A job with the token of its lease.
pub type HeldJob = (JobId, LeaseToken);

/// Reads a job that a worker says it holds.
pub fn held(message: &v1::HeldJob) -> Result<HeldJob, DecodeError> {
    Ok((id("job_id", &message.job_id)?, LeaseToken::new(message.lease_token)))
}

/// A held job as messages carry it.
pub fn to_held((job, token): HeldJob) -> v1::HeldJob {
    v1::HeldJob { job_id: job.to_string(), lease_token: token.value() }
}

/// Reads the SHA-256 of a job token.
pub fn token_hash(bytes: &[u8]) -> Result<[u8; 32], DecodeError> {
    bytes.try_into().map_err(|_| DecodeError::Form { field: "job_token_hash", expected: "32 bytes" })
}

/// What a worker says about the end of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Report {
    /// It is over.
    Ended(Outcome),
    /// Its robot was never started.
    NeverStarted,
}

/// Reads how a job ended. CANCELLED is the server's to say.
pub fn outcome(text: &str) -> Result<Report, DecodeError> {
    match text {
        "DONE" => Ok(Report::Ended(Outcome::Done)),
        "FAILED" => Ok(Report::Ended(Outcome::Failed)),
        "KILLED" => Ok(Report::Ended(Outcome::Killed)),
        "TIMED_OUT" => Ok(Report::Ended(Outcome::TimedOut)),
        "NEVER_STARTED" => Ok(Report::NeverStarted),
        "" => Err(DecodeError::Missing { field: "outcome" }),
        _ => Err(DecodeError::Form { field: "outcome", expected: "DONE, FAILED, KILLED, TIMED_OUT or NEVER_STARTED" }),
    }
}

/// Reads a piece of output.
pub fn output_chunk(message: v1::OutputChunk) -> Result<OutputChunk, DecodeError> {
    if message.seq < 1 {
        let (value, most) = (message.seq.into(), i64::MAX.into());
        return Err(DecodeError::OutOfRange { field: "chunks.seq", value, least: 1, most });
    }
    let stream = name("chunks.stream", &message.stream)?;
    if message.content.len() > OUTPUT_CHUNK_BYTES {
        return Err(DecodeError::Form { field: "chunks.content", expected: "at most 64 KiB" });
    }
    let at = instant("chunks.at", required("chunks.at", message.at)?)?;
    Ok(OutputChunk { seq: message.seq, stream, at, content: message.content })
}

/// A piece of output as messages carry it.
pub fn to_output_chunk(chunk: OutputChunk) -> v1::OutputChunk {
    v1::OutputChunk {
        seq: chunk.seq,
        stream: chunk.stream.to_string(),
        at: Some(timestamp(chunk.at)),
        content: chunk.content,
    }
}
