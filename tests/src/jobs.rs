//! Triggers, jobs and elements as scenarios speak of them.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use orchestrator_proto::v1 as pb;

use crate::SOON;
use crate::eventually::eventually;
use crate::stage::processes_with;
use crate::trigger::NewTrigger;
use crate::world::World;

/// Whether a job in this status is over.
pub(crate) fn is_over(status: &str) -> bool {
    matches!(status, "DONE" | "FAILED" | "KILLED" | "TIMED_OUT" | "CANCELLED")
}

impl World {
    /// Creates a trigger.
    ///
    /// # Panics
    ///
    /// When the server refuses.
    pub async fn create(&self, trigger: NewTrigger) -> pb::Trigger {
        let request = pb::CreateTriggerRequest { trigger: Some(trigger.message()), ..Default::default() };
        let answer = self.api().triggers().create(request).await;
        answer.expect("the trigger is created").into_inner().trigger.expect("the answer has the trigger")
    }

    /// Makes a job now.
    ///
    /// # Panics
    ///
    /// When the server refuses.
    pub async fn run_now(&self, trigger: &str) -> pb::Job {
        let request = pb::RunNowRequest { trigger: trigger.to_owned(), ..pb::RunNowRequest::default() };
        let answer = self.api().triggers().run_now(request).await;
        answer.expect("the job is made").into_inner().job.expect("the answer has the job")
    }

    /// A trigger as the server shows it.
    pub async fn trigger(&self, name: &str) -> Result<pb::Trigger> {
        let request = pb::GetTriggerRequest { trigger: name.to_owned() };
        self.api().triggers().get(request).await?.into_inner().trigger.context("the answer has no trigger")
    }

    /// A job as the server shows it.
    pub async fn job(&self, id: &str) -> Result<pb::Job> {
        let request = pb::GetJobRequest { job: id.to_owned() };
        self.api().jobs().get(request).await?.into_inner().job.context("the answer has no job")
    }

    /// The jobs of a trigger (of all when the name is empty), newest first.
    pub async fn jobs_of(&self, trigger: &str) -> Result<Vec<pb::Job>> {
        let mut all = Vec::new();
        let mut cursor = String::new();
        loop {
            let request = pb::ListJobsRequest {
                page: Some(pb::Page { limit: 1000, cursor }),
                trigger: trigger.to_owned(),
                ..pb::ListJobsRequest::default()
            };
            let answer = self.api().jobs().list(request).await?.into_inner();
            all.extend(answer.jobs);
            cursor = answer.next_cursor;
            if cursor.is_empty() {
                return Ok(all);
            }
        }
    }

    /// Waits until the trigger has a job, and returns the newest.
    pub async fn first_job_of(&self, trigger: &str) -> pb::Job {
        eventually(&format!("{trigger} has a job"), SOON, async || {
            self.jobs_of(trigger).await?.into_iter().next().context("it has none")
        })
        .await
    }

    /// Waits until a job has this status.
    pub async fn job_becomes(&self, id: &str, status: &str, within: Duration) -> pb::Job {
        eventually(&format!("job {id} becomes {status}"), within, async || {
            let job = self.job(id).await?;
            assert!(job.status == status || !is_over(&job.status), "it became {}: {job:#?}", job.status);
            ensure!(job.status == status, "it is {} ({})", job.status, job.waiting_reason);
            Ok(job)
        })
        .await
    }

    /// Waits until the newest job of a trigger runs.
    pub async fn running_job_of(&self, trigger: &str) -> pb::Job {
        let job = self.first_job_of(trigger).await;
        self.job_becomes(&job.id, "RUNNING", SOON).await
    }

    /// Waits for the end of a job, whatever it is.
    pub async fn ended(&self, id: &str) -> pb::Job {
        self.ended_within(id, SOON).await
    }

    /// The same, for jobs that take longer.
    pub async fn ended_within(&self, id: &str, within: Duration) -> pb::Job {
        eventually(&format!("job {id} ends"), within, async || {
            let job = self.job(id).await?;
            ensure!(is_over(&job.status), "it is {} ({})", job.status, job.waiting_reason);
            Ok(job)
        })
        .await
    }

    /// Waits for the end of the newest job of a trigger.
    pub async fn ended_job_of(&self, trigger: &str) -> pb::Job {
        let job = self.first_job_of(trigger).await;
        self.ended(&job.id).await
    }

    /// Waits until the trigger shows this status.
    pub async fn trigger_becomes(&self, name: &str, status: &str, within: Duration) -> pb::Trigger {
        eventually(&format!("trigger {name} becomes {status}"), within, async || {
            let trigger = self.trigger(name).await?;
            ensure!(trigger.status == status, "it is {}", trigger.status);
            Ok(trigger)
        })
        .await
    }

    /// Recorded decisions of a trigger not to run, newest first.
    pub async fn decisions(&self, trigger: &str) -> Result<Vec<pb::Decision>> {
        let page = Some(pb::Page { limit: 1000, cursor: String::new() });
        let request = pb::ListDecisionsRequest { trigger: trigger.to_owned(), page };
        Ok(self.api().triggers().list_decisions(request).await?.into_inner().decisions)
    }

    /// Adds elements to a queue.
    ///
    /// # Panics
    ///
    /// When the server refuses.
    pub async fn fill(&self, queue: &str, count: usize) {
        let new = |number| pb::NewElement { reference: Some(format!("{number}")), ..pb::NewElement::default() };
        let elements = (0..count).map(new).collect();
        let request = pb::BulkCreateRequest { queue_name: queue.to_owned(), elements, ..Default::default() };
        let answer = self.api().queues().bulk_create(tokio_stream::iter([request])).await;
        assert_eq!(
            answer.expect("the elements are created").into_inner().created_count,
            i64::try_from(count).unwrap_or(0)
        );
    }

    /// The counts of a queue.
    pub async fn queue(&self, name: &str) -> Result<pb::Queue> {
        let queues = self.api().queues().list_queues(pb::ListQueuesRequest::default()).await?.into_inner().queues;
        queues.into_iter().find(|queue| queue.queue_name == name).context("there is no such queue")
    }

    /// The elements of a queue, in insertion order.
    pub async fn elements(&self, queue: &str) -> Result<Vec<pb::QueueElement>> {
        let page = Some(pb::Page { limit: 1000, cursor: String::new() });
        let request =
            pb::ListElementsRequest { queue_name: queue.to_owned(), page, ..pb::ListElementsRequest::default() };
        Ok(self.api().queues().list(request).await?.into_inner().elements)
    }

    /// The messages of a job's log lines, oldest first.
    pub async fn log_of(&self, job: &str) -> Result<Vec<String>> {
        let request = pb::ListLogsRequest { job: job.to_owned(), ..pb::ListLogsRequest::default() };
        let lines = self.api().logs().list(request).await?.into_inner().logs;
        Ok(lines.into_iter().rev().map(|line| line.log_message).collect())
    }

    /// The living processes that carry the job's cookie.
    pub fn processes_of(&self, job: &str) -> Vec<u32> {
        processes_with(&format!("ORCHESTRATOR_JOB_ID={job}"))
    }

    /// Waits until no process of the job lives.
    pub async fn no_process_of(&self, job: &str, within: Duration) {
        eventually(&format!("no process of job {job} lives"), within, async || {
            let left = self.processes_of(job);
            ensure!(left.is_empty(), "{left:?} live");
            Ok(())
        })
        .await;
    }
}
