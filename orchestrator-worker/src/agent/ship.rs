//! Sending a job's output while it is written.

use std::time::Duration;

use orchestrator_core::clock::{Clock as _, SystemClock, Timestamp};
use orchestrator_core::id::JobId;
use orchestrator_core::lease::{HEARTBEAT, LeaseToken};
use orchestrator_proto::v1;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::call::{Failure, failure, pauses, said};
use super::granted::Granted;
use super::run::Inner;
use crate::output::{OutputChunk, OutputContent, OutputStream};

/// Chunks that wait for the server. What does not fit is kept, within its limit, where the output is read.
pub(super) const WAITING_CHUNKS: usize = 16;

/// Remarks that wait for the server. What does not fit is in the agent's log alone.
pub(super) const WAITING_REMARKS: usize = 4;

/// The most bytes of one call; a message may have 4 MiB.
const CALL_BYTES: usize = 1024 * 1024;

/// The longest one try may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is to be sent.
#[derive(Debug)]
pub(super) struct Shipment {
    /// The output as it is read.
    pub(super) chunks: mpsc::Receiver<OutputChunk>,
    /// What the agent remarks while the robot runs.
    pub(super) remarks: mpsc::Receiver<String>,
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
    let job = (granted.job, granted.token);
    let mut numbers = Numbers::default();
    let mut unsent = Unsent::default();
    let (mut has_chunks, mut has_remarks) = (true, true);
    while has_chunks || has_remarks {
        let chunks = tokio::select! {
            biased;
            first = shipment.chunks.recv(), if has_chunks => {
                let Some(first) = first else {
                    has_chunks = false;
                    continue;
                };
                numbers.give(batch(first, &mut shipment.chunks))
            }
            // A robot whose pipes have ended may be held all the same.
            text = shipment.remarks.recv(), if has_remarks => {
                let Some(text) = text else {
                    has_remarks = false;
                    continue;
                };
                vec![numbers.remark(text)]
            }
        };
        unsent.send(agent, job, chunks).await;
    }
    if let Ok(text) = shipment.closing.await {
        unsent.send(agent, job, vec![numbers.remark(text)]).await;
    }
    if let Some(bytes) = unsent.0 {
        tracing::warn!(job.id = %granted.job, lost_bytes = bytes, "output of a job was not taken by the server");
    }
}

/// Sends a remark on a job that an earlier agent ran, whose last number is not known: its own is that of the second, which no
/// robot reaches with what it writes.
pub(super) async fn send_remark(agent: &Inner, job: (JobId, LeaseToken), text: String) {
    let remark = remark(SystemClock.now().timestamp(), text);
    send(agent, job, vec![remark]).await;
}

/// Numbers of what is sent: remarks stand between what the robot has written.
#[derive(Debug, Default)]
struct Numbers {
    last: i64,
    remarks: i64,
}

impl Numbers {
    fn give(&mut self, mut batch: Vec<v1::OutputChunk>) -> Vec<v1::OutputChunk> {
        for chunk in &mut batch {
            chunk.seq = chunk.seq.saturating_add(self.remarks);
            self.last = chunk.seq;
        }
        batch
    }

    fn remark(&mut self, text: String) -> v1::OutputChunk {
        self.remarks += 1;
        self.last += 1;
        remark(self.last, text)
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
    async fn send(&mut self, agent: &Inner, job: (JobId, LeaseToken), chunks: Vec<v1::OutputChunk>) {
        let bytes: usize = chunks.iter().map(|chunk| chunk.content.len()).sum();
        if self.0.is_some() || !send(agent, job, chunks).await {
            *self.0.get_or_insert(0) += bytes;
        }
    }
}

async fn send(agent: &Inner, (job, token): (JobId, LeaseToken), chunks: Vec<v1::OutputChunk>) -> bool {
    let mut pauses = pauses();
    loop {
        let session = agent.sessions.current().await;
        let mut request = tonic::Request::new(v1::AppendOutputRequest {
            session_id: session.id.to_string(),
            job_id: job.to_string(),
            lease_token: token.value(),
            chunks: chunks.clone(),
        });
        request.set_timeout(PATIENCE);
        let Err(status) = agent.client.clone().append_output(request).await else { return true };
        match failure(&status) {
            Failure::Away | Failure::NotAllowed => {}
            Failure::SessionOver => agent.sessions.renew(session.id, &agent.held).await,
            Failure::LeaseLost | Failure::Refused => {
                tracing::warn!(job.id = %job, error = said(&status), "the server takes no more output of a job");
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remarks_stand_between_what_the_robot_has_written() {
        let chunk = |seq| v1::OutputChunk { seq, ..v1::OutputChunk::default() };
        let mut numbers = Numbers::default();
        let mut given: Vec<i64> = Vec::new();
        let mut note = |chunks: &[v1::OutputChunk]| given.extend(chunks.iter().map(|chunk| chunk.seq));
        note(&[numbers.remark("first".to_owned())]);
        note(&numbers.give(vec![chunk(1), chunk(2)]));
        note(&[numbers.remark("second".to_owned())]);
        note(&numbers.give(vec![chunk(3)]));
        note(&[numbers.remark("last".to_owned())]);
        assert_eq!(given, [1, 2, 3, 4, 5, 6]);
    }
}
