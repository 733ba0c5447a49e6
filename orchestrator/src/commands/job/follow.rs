//! Watching a job until it ends, through restarts of the server.

use std::time::Duration;

use orchestrator_proto::v1 as pb;
use tonic::Status;

use super::output::{self, Sink};
use crate::app::App;
use crate::commands::stopped::Stopped;
use crate::connection::Client;
use crate::error::{CliError, Result, answer_was_lost};
use crate::output::{stdout_bytes, to_line};

/// How long a server may be away before we give up.
const PATIENCE: u32 = 60;
const PAUSE: Duration = Duration::from_secs(1);

/// What happens with the output while we wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Watch {
    /// It is printed.
    Print(Sink),
    /// Each message of the stream is printed as a line of JSON.
    Lines,
    /// Nothing.
    Wait,
}

impl Watch {
    /// For a command whose result is the output itself.
    pub(crate) fn of_command(app: &App) -> Self {
        if app.printer.format().is_json() { Self::Lines } else { Self::Print(Sink::of_stdout()) }
    }
}

/// Waits until the job has ended, and returns what became of it.
pub(crate) async fn until_end(app: &App, client: &Client, job: &str, watch: Watch) -> Result<pb::Job> {
    let watching = keep_watching(app, client, job, watch);
    tokio::select! {
        biased;
        ended = watching => ended,
        Ok(()) = tokio::signal::ctrl_c() => {
            let note = format!("stopped watching; the job goes on: orchestrator job logs {job} --follow");
            Err(CliError::Interrupted { note: Some(note) })
        }
    }
}

async fn keep_watching(app: &App, client: &Client, job: &str, watch: Watch) -> Result<pb::Job> {
    let mut after_seq = 0;
    let mut failures = 0;
    loop {
        let before = after_seq;
        let lost = match watch_once(client, job, watch, &mut after_seq).await {
            Ok(Some(ended)) => return Ok(ended),
            // A server that shuts down ends its streams.
            Ok(None) => Status::unavailable("the server ended the stream before the job had ended"),
            Err(Stopped::Stream(status)) if answer_was_lost(&status) => status,
            Err(Stopped::Stream(status)) => return Err(status.into()),
            Err(Stopped::Here(error)) => return Err(error),
        };
        failures = if after_seq > before { 1 } else { failures + 1 };
        if failures > PATIENCE {
            return Err(lost.into());
        }
        if failures == 1 {
            app.printer.note("The server went away; waiting for it …");
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn watch_once(client: &Client, job: &str, watch: Watch, after_seq: &mut i64) -> Result<Option<pb::Job>, Stopped> {
    let request = pb::WatchOutputRequest { job: job.to_owned(), after_seq: *after_seq };
    let mut stream = client.jobs().watch_output(request).await?.into_inner();
    while let Some(message) = stream.message().await? {
        show(&message, watch)?;
        if let Some(last) = message.chunks.last() {
            *after_seq = last.seq;
        }
        if message.ended.is_some() {
            return Ok(message.ended);
        }
    }
    Ok(None)
}

fn show(message: &pb::WatchOutputResponse, watch: Watch) -> Result {
    match watch {
        Watch::Print(sink) => output::print(&message.chunks, sink),
        Watch::Lines => stdout_bytes(format!("{}\n", to_line(message)?).as_bytes()),
        Watch::Wait => Ok(()),
    }
}

/// An error (exit code 7) unless the job is DONE.
pub(crate) fn ended_well(job: &pb::Job) -> Result {
    if job.status == "DONE" {
        return Ok(());
    }
    let reason = match (job.reason.as_str(), job.exit_code) {
        ("", Some(code)) => format!("exit code {code}"),
        (reason, _) => reason.to_owned(),
    };
    Err(CliError::JobFailed { job: job.id.clone(), status: job.status.clone(), reason })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_done_job_ended_well() {
        let job = |status: &str| pb::Job { status: status.to_owned(), exit_code: Some(3), ..pb::Job::default() };
        assert!(ended_well(&job("DONE")).is_ok());
        for status in ["FAILED", "KILLED", "TIMED_OUT", "CANCELLED"] {
            let error = ended_well(&job(status)).unwrap_err();
            assert_eq!((error.exit_code(), error.why().as_deref()), (7, Some("exit code 3")), "{status}");
        }
    }
}
