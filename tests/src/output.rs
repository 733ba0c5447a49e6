//! What robots wrote, as the server kept it.

use anyhow::Result;
use orchestrator_proto::v1 as pb;

use crate::world::World;

/// The kept output of a job, by stream.
#[derive(Debug, Default, Clone)]
pub struct Output {
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// Remarks of the worker.
    pub system: String,
    /// Whether the job has ended and this is all.
    pub complete: bool,
    /// The numbers of the chunks, in the order in which they came.
    pub numbers: Vec<i64>,
}

impl World {
    /// Reads all that was kept of a job's output so far.
    pub async fn output(&self, job: &str) -> Result<Output> {
        let mut output = Output::default();
        let mut streams = [Vec::new(), Vec::new(), Vec::new()];
        loop {
            let after_seq = output.numbers.last().copied().unwrap_or(0);
            let request = pb::ReadOutputRequest { job: job.to_owned(), after_seq, limit: 256, last: false };
            let answer = self.api().jobs().read_output(request).await?.into_inner();
            output.complete = answer.complete;
            if answer.chunks.is_empty() {
                break;
            }
            for chunk in answer.chunks {
                let stream = match chunk.stream.as_str() {
                    "STDOUT" => 0,
                    "STDERR" => 1,
                    _ => 2,
                };
                streams[stream].extend(chunk.content);
                output.numbers.push(chunk.seq);
            }
            if output.complete {
                break;
            }
        }
        let [stdout, stderr, system] = streams.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        Ok(Output { stdout, stderr, system, ..output })
    }
}
