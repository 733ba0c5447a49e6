//! Sending a job's output while it is written, and keeping the end of its standard error for the reason of a failure.

use std::time::Duration;

use orchestrator_core::lease::HEARTBEAT;
use orchestrator_proto::v1;
use tokio::sync::mpsc;

use super::call::{Failure, failure, pauses};
use super::job::Granted;
use super::run::Inner;
use crate::output::{OutputChunk, OutputContent, OutputStream};

/// Chunks that wait for the server. What does not fit is kept, within its limit, where the output is read.
pub(super) const WAITING_CHUNKS: usize = 16;

/// The most bytes of one call; a message may have 4 MiB.
const CALL_BYTES: usize = 1024 * 1024;

/// How much of the standard error's end is kept.
const STDERR_TAIL: usize = 2_000;

/// The longest one try may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Sends chunks until there are no more; returns the end of the standard error. A server that is away is waited for; one
/// that refuses gets no more.
pub(super) async fn run(agent: &Inner, granted: &Granted, mut chunks: mpsc::Receiver<OutputChunk>) -> String {
    let mut stderr = Tail::default();
    let mut refused = false;
    while let Some(first) = chunks.recv().await {
        let mut batch = vec![first];
        let mut bytes = 0;
        while bytes < CALL_BYTES
            && let Ok(chunk) = chunks.try_recv()
        {
            bytes += size(&chunk);
            batch.push(chunk);
        }
        for chunk in &batch {
            stderr.note(chunk);
        }
        if !refused {
            refused = !send(agent, granted, batch.into_iter().map(message).collect()).await;
        }
    }
    stderr.text()
}

async fn send(agent: &Inner, granted: &Granted, chunks: Vec<v1::OutputChunk>) -> bool {
    let mut pauses = pauses();
    loop {
        let session = agent.sessions.current().await;
        let mut request = tonic::Request::new(v1::AppendOutputRequest {
            session_id: session.id.to_string(),
            job_id: granted.job.to_string(),
            lease_token: granted.token.value(),
            chunks: chunks.clone(),
        });
        request.set_timeout(PATIENCE);
        let Err(status) = agent.client.clone().append_output(request).await else { return true };
        match failure(&status) {
            Failure::Away => {}
            Failure::SessionOver => agent.sessions.renew(session.id, &agent.held).await,
            Failure::LeaseLost | Failure::Refused => {
                tracing::warn!(job.id = %granted.job, error = status.message(), "the server takes no more output of a job");
                return false;
            }
        }
        tokio::time::sleep(pauses.next().unwrap_or(HEARTBEAT)).await;
    }
}

fn size(chunk: &OutputChunk) -> usize {
    match &chunk.content {
        OutputContent::Bytes(bytes) => bytes.len(),
        OutputContent::Lost { .. } => 0,
    }
}

fn message(chunk: OutputChunk) -> v1::OutputChunk {
    let stream = match chunk.stream {
        OutputStream::Stdout => "STDOUT",
        OutputStream::Stderr => "STDERR",
    };
    let (stream, content) = match chunk.content {
        OutputContent::Bytes(bytes) => (stream, bytes.to_vec()),
        OutputContent::Lost { byte_count } => {
            ("SYSTEM", format!("\n[… {byte_count} bytes of {} cut …]\n", stream.to_lowercase()).into_bytes())
        }
    };
    v1::OutputChunk {
        seq: i64::try_from(chunk.seq).unwrap_or(i64::MAX).saturating_add(1),
        stream: stream.to_owned(),
        at: Some(prost_types::Timestamp {
            seconds: chunk.at.timestamp(),
            nanos: i32::try_from(chunk.at.timestamp_subsec_nanos()).unwrap_or(0),
        }),
        content,
    }
}

/// The last bytes of the standard error.
#[derive(Debug, Default)]
struct Tail(Vec<u8>);

impl Tail {
    fn note(&mut self, chunk: &OutputChunk) {
        let (OutputStream::Stderr, OutputContent::Bytes(bytes)) = (chunk.stream, &chunk.content) else { return };
        self.0.extend_from_slice(bytes);
        let excess = self.0.len().saturating_sub(STDERR_TAIL);
        self.0.drain(..excess);
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0).trim().to_owned()
    }
}
