//! What was run.

use orchestrator_proto::v1 as pb;

use super::{all_pages, service};
use crate::client::{mark, new_call, present};
use crate::repeat::{Failure, until_answered};
use crate::{Client, Error};

service!(
    /// Jobs. A job is named by its id, or by any unique end or beginning (at least four characters) of it.
    Jobs
);

/// Which jobs are asked for; all when nothing is set.
#[derive(Debug, Clone, Default)]
pub struct JobFilter {
    /// A trigger's name, id, or unique part of the id.
    pub trigger: Option<String>,
    /// Exactly this process.
    pub process_name: Option<String>,
    /// `QUEUED`, `RUNNING`, `FAILED`, …
    pub statuses: Vec<String>,
    /// Exactly this worker.
    pub worker_name: Option<String>,
}

/// What a robot wrote, as far as it was kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Output {
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: Vec<u8>,
}

impl Jobs<'_> {
    /// Jobs, newest first, `most` of them.
    pub async fn list(&self, filter: JobFilter, most: usize) -> Result<Vec<pb::Job>, Error> {
        let request = pb::ListJobsRequest {
            page: None,
            trigger: filter.trigger.unwrap_or_default(),
            process_name: filter.process_name.unwrap_or_default(),
            statuses: filter.statuses,
            worker_name: filter.worker_name.unwrap_or_default(),
            ..pb::ListJobsRequest::default()
        };
        all_pages!(self.client, "/orchestrator.v1.JobService/List", request, pb::ListJobsResponse, jobs, most)
    }

    /// One job.
    pub async fn get(&self, job: &str) -> Result<pb::Job, Error> {
        let request = pb::GetJobRequest { job: job.to_owned() };
        let answer: pb::GetJobResponse = self.client.call("/orchestrator.v1.JobService/Get", request).await?;
        present(self.client.url(), "job", answer.job)
    }

    /// Asks for the kill of a job; one that waits is cancelled.
    pub async fn kill(&self, job: &str) -> Result<pb::Job, Error> {
        let request = pb::KillJobRequest { job: job.to_owned() };
        let answer: pb::KillJobResponse = self.client.call("/orchestrator.v1.JobService/Kill", request).await?;
        present(self.client.url(), "job", answer.job)
    }

    /// Makes a new job that runs what an ended one ran.
    pub async fn retry(&self, job: &str) -> Result<pb::Job, Error> {
        let request = pb::RetryJobRequest { job: job.to_owned(), call: Some(new_call()) };
        let path = "/orchestrator.v1.JobService/Retry";
        let answer: pb::RetryJobResponse =
            self.client.call_marked(path, request, |request| mark(&mut request.call)).await?;
        present(self.client.url(), "job", answer.job)
    }

    /// Ends a LOST job as FAILED: its robot is known to be gone.
    pub async fn dismiss(&self, job: &str) -> Result<pb::Job, Error> {
        let request = pb::DismissJobRequest { job: job.to_owned() };
        let answer: pb::DismissJobResponse = self.client.call("/orchestrator.v1.JobService/Dismiss", request).await?;
        present(self.client.url(), "job", answer.job)
    }

    /// What the robot has written up to now.
    pub async fn output(&self, job: &str) -> Result<Output, Error> {
        let mut output = Output::default();
        let mut request = pb::ReadOutputRequest { job: job.to_owned(), after_seq: 0, limit: 100, last: false };
        loop {
            let path = "/orchestrator.v1.JobService/ReadOutput";
            let answer: pb::ReadOutputResponse = self.client.call(path, request.clone()).await?;
            let Some(last) = answer.chunks.last() else { return Ok(output) };
            request.after_seq = last.seq;
            for chunk in answer.chunks {
                match chunk.stream.as_str() {
                    "STDOUT" => output.stdout.extend(chunk.content),
                    _ => output.stderr.extend(chunk.content),
                }
            }
        }
    }

    /// Waits until a job has ended, however long that takes. Outages of the server shorter than the client's patience are
    /// waited for.
    pub async fn wait(&self, job: &str) -> Result<pb::Job, Error> {
        loop {
            let ended = until_answered(self.client.url(), self.client.patience(), |_| watch(self.client, job)).await?;
            if let Some(ended) = ended {
                return Ok(ended);
            }
        }
    }
}

/// Follows a job to its end. None when the connection ended first, after it had said something.
async fn watch(client: &Client, job: &str) -> Result<Option<pb::Job>, Failure> {
    let request = pb::WatchOutputRequest { job: job.to_owned(), after_seq: 0 };
    let mut stream: tonic::Streaming<pb::WatchOutputResponse> =
        client.open_stream("/orchestrator.v1.JobService/WatchOutput", request).await?;
    let mut is_answered = false;
    loop {
        match stream.message().await {
            Ok(Some(pb::WatchOutputResponse { ended: Some(ended), .. })) => return Ok(Some(ended)),
            Ok(Some(_)) => is_answered = true,
            Ok(None) => return Err(Failure::Away("the server ended the stream before the job had ended".to_owned())),
            Err(status) => match Failure::from(status) {
                Failure::Away(_) if is_answered => return Ok(None),
                failure => return Err(failure),
            },
        }
    }
}
