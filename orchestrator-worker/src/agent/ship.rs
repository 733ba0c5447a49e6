//! Sending a job's output while it is written.

use std::time::Duration;

use orchestrator_core::clock::{Clock as _, SystemClock, Timestamp};
use orchestrator_core::lease::HEARTBEAT;
use orchestrator_proto::v1;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::call::{Failure, failure, pauses, said};
use super::granted::Granted;
use super::run::Inner;
use crate::output::{OutputChunk, OutputContent, OutputStream};

/// Chunks that wait for the server. What does not fit is kept, within its limit, where the output is read.
pub(super) const WAITING_CHUNKS: usize = 16;

/// The most bytes of one call; a message may have 4 MiB.
const CALL_BYTES: usize = 1024 * 1024;

/// The longest one try may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is to be sent.
#[derive(Debug)]
pub(super) struct Shipment {
    /// The output as it is read.
    pub(super) chunks: mpsc::Receiver<OutputChunk>,
    /// The agent's own last remark, if it has any.
    pub(super) closing: oneshot::Receiver<String>,
}

/// Tells when all of a job's output has been sent, or cannot be.
#[derive(Debug, Clone, Default)]
pub(super) struct Shipped(CancellationToken);

impl Shipped {
    /// Of a job that never wrote anything.
    pub(super) fn nothing() -> Self {
        let shipped = Self::default();
        shipped.0.cancel();
        shipped
    }

    /// To be held until everything is sent.
    pub(super) fn when_dropped(&self) -> tokio_util::sync::DropGuard {
        self.0.clone().drop_guard()
    }

    pub(super) async fn done(&self) {
        self.0.cancelled().await;
    }
}

/// Sends output until there is no more. A server that is away is waited for; one that refuses gets no more, and what it
/// did not get is counted.
pub(super) async fn run(agent: &Inner, granted: &Granted, mut shipment: Shipment) {
    let mut last_seq = 0;
    let mut unsent = Unsent::default();
    while let Some(first) = shipment.chunks.recv().await {
        let batch = batch(first, &mut shipment.chunks);
        last_seq = batch.last().map_or(last_seq, |chunk| chunk.seq);
        unsent.send(agent, granted, batch).await;
    }
    if let Ok(text) = shipment.closing.await {
        unsent.send(agent, granted, vec![remark(last_seq + 1, text)]).await;
    }
    if let Some(bytes) = unsent.0 {
        tracing::warn!(job.id = %granted.job, lost_bytes = bytes, "output of a job was not taken by the server");
    }
}

/// The chunk and what else there is already, as far as it fits into one call.
fn batch(first: OutputChunk, chunks: &mut mpsc::Receiver<OutputChunk>) -> Vec<v1::OutputChunk> {
    let mut batch = vec![message(first)];
    let mut bytes = batch[0].content.len();
    while bytes < CALL_BYTES
        && let Ok(chunk) = chunks.try_recv()
    {
        let chunk = message(chunk);
        bytes += chunk.content.len();
        batch.push(chunk);
    }
    batch
}

/// How many bytes the server did not take since it began to refuse them.
#[derive(Debug, Default)]
struct Unsent(Option<usize>);

impl Unsent {
    async fn send(&mut self, agent: &Inner, granted: &Granted, chunks: Vec<v1::OutputChunk>) {
        let bytes: usize = chunks.iter().map(|chunk| chunk.content.len()).sum();
        if self.0.is_some() || !send(agent, granted, chunks).await {
            *self.0.get_or_insert(0) += bytes;
        }
    }
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
            Failure::Away | Failure::NotAllowed => {}
            Failure::SessionOver => agent.sessions.renew(session.id, &agent.held).await,
            Failure::LeaseLost | Failure::Refused => {
                tracing::warn!(job.id = %granted.job, error = said(&status), "the server takes no more output of a job");
                return false;
            }
        }
        agent.sessions.contact.pause(pauses.next().unwrap_or(HEARTBEAT)).await;
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
    // Numbers begin with 1 on the wire.
    let seq = i64::try_from(chunk.seq).unwrap_or(i64::MAX).saturating_add(1);
    v1::OutputChunk { seq, stream: stream.to_owned(), at: Some(instant(chunk.at)), content }
}

fn remark(seq: i64, text: String) -> v1::OutputChunk {
    v1::OutputChunk {
        seq,
        stream: "SYSTEM".to_owned(),
        at: Some(instant(SystemClock.now())),
        content: text.into_bytes(),
    }
}

/// An instant as messages carry it.
pub(super) fn instant(at: Timestamp) -> prost_types::Timestamp {
    let nanos = i32::try_from(at.timestamp_subsec_nanos()).unwrap_or(0);
    prost_types::Timestamp { seconds: at.timestamp(), nanos }
}
