//! What robots wrote to their standard output and standard error.

use std::io::IsTerminal as _;

use orchestrator_proto::v1 as pb;

use crate::app::App;
use crate::connection::Client;
use crate::error::Result;
use crate::output::{printable_lines, stderr_bytes, stdout_bytes, to_line};

/// Chunks of 64 KiB at most, so that an answer has some 16 MiB at most.
const CHUNKS: u32 = 256;

/// Prints what was kept so far.
pub(super) async fn print_kept(app: &App, job: String) -> Result {
    let client = app.connect().await?;
    let mut all = pb::ReadOutputResponse::default();
    let mut after_seq = 0;
    let json = app.printer.format().is_json();
    loop {
        let request = pb::ReadOutputRequest { job: job.clone(), after_seq, limit: CHUNKS, last: false };
        let reply = client.jobs().read_output(request).await?.into_inner();
        let Some(last) = reply.chunks.last() else {
            all.complete = reply.complete;
            break;
        };
        after_seq = last.seq;
        all.complete = reply.complete;
        if json {
            all.chunks.extend(reply.chunks);
        } else {
            print(&reply.chunks, Sink::of_stdout())?;
        }
        if all.complete {
            break;
        }
    }
    if json { stdout_bytes(format!("{}\n", to_line(&all)?).as_bytes()) } else { Ok(()) }
}

/// Prints what the worker has remarked of late on a job that runs: why it is not over, say.
pub(super) async fn print_remarks(client: &Client, job: String) -> Result {
    let request = pb::ReadOutputRequest { job, after_seq: 0, limit: CHUNKS, last: true };
    let mut chunks = client.jobs().read_output(request).await?.into_inner().chunks;
    chunks.retain(|chunk| chunk.stream == "SYSTEM");
    print(&chunks, Sink::of_stdout())
}

/// Where the robot's standard output goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sink {
    /// To ours, as it is.
    Stdout,
    /// To ours, which is a terminal that it must not steer.
    Terminal,
    /// To standard error: ours is for the answer.
    Stderr,
}

impl Sink {
    /// Standard output, terminal or not.
    pub(crate) fn of_stdout() -> Self {
        if std::io::stdout().is_terminal() { Self::Terminal } else { Self::Stdout }
    }
}

/// Prints chunks in order; what the robot wrote to standard error goes to ours.
pub(super) fn print(chunks: &[pb::OutputChunk], sink: Sink) -> Result {
    for chunk in chunks {
        match (chunk.stream.as_str(), sink) {
            ("STDOUT", Sink::Stdout) => stdout_bytes(&chunk.content)?,
            ("STDOUT", Sink::Terminal) => stdout_bytes(tame(&chunk.content).as_bytes())?,
            ("STDOUT" | "STDERR", _) => stderr_bytes(tame(&chunk.content).as_bytes()),
            // A remark of the worker.
            (_, _) => stderr_bytes(format!("{}\n", tame(&chunk.content).trim_end()).as_bytes()),
        }
    }
    Ok(())
}

/// Carriage returns before line feeds are how some systems end lines, and steer nothing.
fn tame(content: &[u8]) -> String {
    printable_lines(&String::from_utf8_lossy(content).replace("\r\n", "\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_cannot_steer_the_terminal() {
        assert_eq!(tame(b"a\r\nb\x1b[2Jc\xff"), "a\nb\\u{1b}[2Jc\u{fffd}");
    }
}
