//! What can be done with queue elements, by users and by robots alike: the services differ in who asks only.

mod change;
mod claim;
mod create;
mod import;
mod list;
mod upload;

use orchestrator_core::actor::Actor;
use orchestrator_core::id::{ElementId, JobId};
use orchestrator_core::queue::{ElementStatus, QueueElement};
use orchestrator_core::text::QueueName;
use orchestrator_db::{AuditRow, DbError, Hint, StatusBy, Tx};
use orchestrator_proto::convert;
use orchestrator_scheduler::{QueueUse, Scheduler};
use tonic::Status;

use crate::auth::{JobIdentity, User};
use crate::status;

pub(crate) use claim::{Claim, Claimed};
pub(crate) use create::{MOST_OF_ROBOT, NewElements};
pub(crate) use upload::receive;

/// Elements, as one caller may treat them.
#[derive(Debug)]
pub(crate) struct Elements<'a> {
    scheduler: &'a Scheduler,
    by: StatusBy,
    /// Who the audit names. Robots' work is told by the elements themselves: a row for each would double every write.
    audited: Option<Actor>,
}

impl<'a> Elements<'a> {
    pub(crate) fn of_user(scheduler: &'a Scheduler, user: &User) -> Self {
        let actor = Actor::new(orchestrator_core::actor::ActorKind::User, user.name.clone());
        Self { scheduler, by: StatusBy::Operator, audited: Some(actor) }
    }

    pub(crate) fn of_job(scheduler: &'a Scheduler, job: &JobIdentity) -> Self {
        Self { scheduler, by: StatusBy::Job(job.job_id), audited: None }
    }

    fn job(&self) -> Option<JobId> {
        match self.by {
            StatusBy::Job(job) => Some(job),
            StatusBy::Operator => None,
        }
    }

    /// The queue that is meant by a name.
    async fn queue(&self, asked: QueueName, wanted: QueueUse) -> Result<QueueName, Status> {
        self.scheduler.queue_meant(asked, wanted).await.map_err(status::db)
    }

    async fn begin_read(&self) -> Result<Tx, Status> {
        self.scheduler.db().begin_read().await.map_err(status::db)
    }

    async fn audit(&self, tx: &mut Tx, rows: impl FnOnce(&Actor) -> Vec<AuditRow>) -> Result<(), DbError> {
        match &self.audited {
            Some(actor) => tx.audit_insert(&rows(actor), self.scheduler.now()).await,
            None => Ok(()),
        }
    }

    /// The element that someone means: only a part of an id has to be looked up.
    async fn id(&self, field: &'static str, text: &str) -> Result<ElementId, Status> {
        let key = convert::key(field, text).map_err(status::decode)?;
        match key.parse() {
            Ok(id) => Ok(id),
            Err(_) => Box::pin(self.look_up(&key)).await,
        }
    }

    async fn look_up(&self, key: &str) -> Result<ElementId, Status> {
        Ok(self.begin_read().await?.element_find(key).await.map_err(status::db)?.id)
    }

    /// One element.
    pub(crate) async fn get(&self, text: &str) -> Result<QueueElement, Status> {
        let id = self.id("element", text).await?;
        self.begin_read().await?.element_get(id).await.map_err(status::db)
    }
}

/// Whoever waits for elements of a queue hears of those that are new.
fn hints_of<'a>(elements: impl IntoIterator<Item = &'a QueueElement>) -> Vec<Hint> {
    let mut queues: Vec<&str> = elements
        .into_iter()
        .filter(|element| element.status == ElementStatus::New)
        .map(|element| element.queue_name.as_str())
        .collect();
    queues.sort_unstable();
    queues.dedup();
    queues.into_iter().map(|name| Hint::Queue { name: name.to_owned() }).collect()
}
