//! What the database says.

use orchestrator_core::id::{ElementId, JobId, RequestId, TriggerId};
use orchestrator_core::job::{Job, JobStatus};
use orchestrator_core::queue::QueueElement;
use orchestrator_core::trigger::{Hold, TriggerStatus};
use orchestrator_db::{
    AuditFilter, ClaimRequest, Decision, JobFilter, LockedJob, NewElement, PageRequest, StoredTrigger,
};

use super::{World, at, queue_name};

impl World {
    pub(crate) async fn stored(&self, id: TriggerId) -> StoredTrigger {
        self.db.begin_read().await.unwrap().trigger_get(id).await.unwrap()
    }

    pub(crate) async fn hold(&self, id: TriggerId) -> Hold {
        self.stored(id).await.trigger.hold
    }

    pub(crate) async fn shown(&self, id: TriggerId) -> TriggerStatus {
        self.stored(id).await.trigger.status
    }

    pub(crate) async fn job(&self, id: JobId) -> Job {
        self.db.begin_read().await.unwrap().job_get(id).await.unwrap()
    }

    pub(crate) async fn locked(&self, id: JobId) -> LockedJob {
        let mut tx = self.db.begin_write().await.unwrap();
        tx.job_lock(&[id]).await.unwrap().remove(0)
    }

    pub(crate) async fn status(&self, id: JobId) -> JobStatus {
        self.job(id).await.state.status()
    }

    pub(super) async fn all_jobs(&self) -> Vec<Job> {
        let mut tx = self.db.begin_read().await.unwrap();
        let (jobs, _) = tx.job_list(&JobFilter::default(), &PageRequest::first(1000)).await.unwrap();
        jobs.rows
    }

    /// Why a queued job waits.
    pub(crate) async fn why(&self, id: JobId) -> String {
        let job = self.job(id).await;
        let mut tx = self.db.begin_read().await.unwrap();
        self.server.waiting_reason(&mut tx, &job).await.unwrap().expect("it waits")
    }

    /// The jobs of a trigger by instant and attempt.
    pub(crate) async fn jobs(&self, id: TriggerId) -> Vec<Job> {
        let mut jobs: Vec<Job> = self.all_jobs().await.into_iter().filter(|job| job.trigger_id == id).collect();
        jobs.sort_by_key(|job| (job.scheduled_at, job.attempt));
        jobs
    }

    /// Status and second of each job of a trigger.
    pub(crate) async fn history(&self, id: TriggerId) -> Vec<(JobStatus, i64)> {
        let jobs = self.jobs(id).await;
        jobs.iter().map(|job| (job.state.status(), (job.scheduled_at - at(0)).num_seconds())).collect()
    }

    /// Decisions not to run, the oldest first.
    pub(crate) async fn decisions(&self, id: TriggerId) -> Vec<Decision> {
        let mut tx = self.db.begin_read().await.unwrap();
        let (mut decisions, _) = tx.decision_list(Some(id), &PageRequest::first(100)).await.unwrap();
        decisions.reverse();
        decisions
    }

    /// What the audit trail says, the oldest first.
    pub(crate) async fn audit(&self) -> Vec<orchestrator_db::AuditEntry> {
        let mut tx = self.db.begin_read().await.unwrap();
        let (mut entries, _) = tx.audit_list(&AuditFilter::default(), &PageRequest::first(100)).await.unwrap();
        entries.rows.reverse();
        entries.rows
    }

    pub(crate) async fn add_elements(&self, queue: &str, count: usize) -> Vec<ElementId> {
        let elements: Vec<NewElement> = (0..count)
            .map(|_| NewElement {
                id: ElementId::generate(),
                queue_name: queue_name(queue),
                reference: None,
                data: None,
                created_by: None,
            })
            .collect();
        let mut tx = self.db.begin_write().await.unwrap();
        tx.element_insert(&elements, false, self.server.now()).await.unwrap();
        tx.commit().await.unwrap();
        elements.iter().map(|element| element.id).collect()
    }

    /// An element that the job's robot takes.
    pub(crate) async fn take_element(&self, queue: &str, job: JobId) -> Option<QueueElement> {
        let mut tx = self.db.begin_write().await.unwrap();
        let request = ClaimRequest { job: Some(job), ..ClaimRequest::new(queue_name(queue), RequestId::generate()) };
        let taken = tx.element_claim(&[request], self.server.now()).await.unwrap().remove(0).unwrap().elements.pop();
        tx.commit().await.unwrap();
        taken
    }

    pub(crate) async fn element(&self, id: ElementId) -> QueueElement {
        self.db.begin_read().await.unwrap().element_get(id).await.unwrap()
    }
}
