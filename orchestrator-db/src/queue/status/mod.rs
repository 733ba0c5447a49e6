mod alone;
mod at_once;
mod ended;

use std::collections::HashSet;

use orchestrator_core::clock::Timestamp;
use orchestrator_core::id::{ElementId, JobId};
use orchestrator_core::lease::LeaseToken;
use orchestrator_core::queue::{ElementStatus, QueueElement};
use orchestrator_core::text::Message;

use super::change::Locked;
use crate::error::{Corrupt, DbError};
use crate::tx::Tx;

pub(crate) use at_once::elements_end_at_once;
pub(super) use ended::{ELEMENTS_END, flat_end};

/// Who sets a status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatusBy {
    /// A robot, for its job.
    Job(JobId),
    /// A person or an integration.
    Operator,
}

/// A status to set.
#[derive(Debug, Clone)]
pub struct StatusChange {
    /// The element.
    pub id: ElementId,
    /// Its new status.
    pub status: ElementStatus,
    /// A message with it; the old one stays when absent.
    pub message: Option<Message>,
    /// Who sets it.
    pub by: StatusBy,
    /// The token of the caller's claim, where it has one: refused when it is stale.
    pub token: Option<LeaseToken>,
}

/// A status that was set, or was that already.
#[derive(Debug, Clone)]
pub struct StatusSet {
    /// The status before.
    pub before: ElementStatus,
    /// The message before.
    pub message_before: Option<Message>,
    /// The element as it is now.
    pub element: QueueElement,
}

/// Why a status was not set.
#[derive(Debug, thiserror::Error)]
pub enum StatusError {
    /// There is no such element.
    #[error("queue element '{0}' does not exist")]
    NotFound(ElementId),
    /// Another job holds it.
    #[error("queue element {id} is held by job {job}, which still runs")]
    HeldByOther {
        /// The element.
        id: ElementId,
        /// The job that holds it.
        job: JobId,
    },
    /// A job holds what an operator wants to delete.
    #[error(
        "queue element {id} is held by job {job}, which still runs: wait for its end or kill it, or set the element to FAILED first; then \
         delete it"
    )]
    DeletedUnderJob {
        /// The element.
        id: ElementId,
        /// The job that holds it.
        job: JobId,
    },
    /// The claim that the token came from is over.
    #[error("the lease of queue element {0} is gone")]
    LeaseLost(ElementId),
    /// The job that asks has ended.
    #[error("job {0} does not run any more")]
    JobEnded(JobId),
    /// The element's row cannot be read.
    #[error(transparent)]
    Corrupt(#[from] Corrupt),
}

impl Tx {
    /// Sets statuses, in order. A job may set any status of any element that no other live job holds; an operator of any.
    /// The status that an element already has is no error. What a job itself sets to In Progress stays so when it ends.
    pub async fn element_set_status(
        &mut self,
        changes: &[StatusChange],
        now: Timestamp,
    ) -> Result<Vec<Result<QueueElement, StatusError>>, DbError> {
        let live = self.live_jobs(changes.iter().filter_map(|change| change.by.job())).await?;
        let changes: Vec<&StatusChange> = changes.iter().collect();
        let results = self.element_set_status_of(&changes, &live, true, now).await?;
        Ok(results.into_iter().map(|result| result.map(|set| set.element)).collect())
    }

    /// The same, for jobs of which it is known, and locked, that they live. Without `with_data` the elements may come without
    /// what they carry.
    pub(crate) async fn element_set_status_of(
        &mut self,
        changes: &[&StatusChange],
        live: &HashSet<JobId>,
        with_data: bool,
        now: Timestamp,
    ) -> Result<Vec<Result<StatusSet, StatusError>>, DbError> {
        let mut ended = self.elements_end(changes, live, with_data, now).await?;
        let left: Vec<&StatusChange> =
            changes.iter().copied().filter(|change| !ended.contains_key(&change.id)).collect();
        let mut decided = self.statuses_decided(&left, live, now).await?.into_iter();
        let result = |change: &&StatusChange| match ended.remove(&change.id) {
            Some(set) => Some(Ok(set)),
            None => decided.next(),
        };
        Ok(changes.iter().filter_map(result).collect())
    }

    /// Each change on its own, on elements that were read and locked before.
    async fn statuses_decided(
        &mut self,
        changes: &[&StatusChange],
        live: &HashSet<JobId>,
        now: Timestamp,
    ) -> Result<Vec<Result<StatusSet, StatusError>>, DbError> {
        if changes.is_empty() {
            return Ok(Vec::new());
        }
        let mut locked = self.elements_lock(changes.iter().map(|change| change.id)).await?;
        let before: Vec<QueueElement> = locked.values().flatten().map(|locked| locked.element.clone()).collect();
        let mut results = Vec::with_capacity(changes.len());
        for change in changes {
            if let Some(job) = change.by.job().filter(|job| !live.contains(job)) {
                results.push(Err(StatusError::JobEnded(job)));
                continue;
            }
            results.push(if let Some(Ok(locked)) = locked.get_mut(&change.id) {
                // A later change of the same call sees what this one did.
                decide(locked, change, now).map(|after| {
                    locked.job_lives &= after.job_id == locked.element.job_id;
                    locked.job_lives |= after.job_id.is_some_and(|job| live.contains(&job));
                    let before = std::mem::replace(&mut locked.element, after.clone());
                    StatusSet { before: before.status, message_before: before.message, element: after }
                })
            } else {
                let unreadable = locked.remove(&change.id).and_then(Result::err);
                Err(unreadable.map_or(StatusError::NotFound(change.id), StatusError::Corrupt))
            });
        }
        let written: Vec<(QueueElement, QueueElement)> = before
            .into_iter()
            .filter_map(|before| Some((locked.remove(&before.id)?.ok()?.element, before)))
            .map(|(after, before)| (before, after))
            .collect();
        self.elements_write(&written).await?;
        Ok(results)
    }
}

impl StatusBy {
    pub(crate) fn job(self) -> Option<JobId> {
        match self {
            Self::Job(job) => Some(job),
            Self::Operator => None,
        }
    }
}

/// The element after a change, or why it is refused.
pub(super) fn decide(locked: &Locked, change: &StatusChange, now: Timestamp) -> Result<QueueElement, StatusError> {
    let element = &locked.element;
    if let Some(job) = held_by_other(locked, change.by) {
        return Err(StatusError::HeldByOther { id: element.id, job });
    }
    let same = element.status == change.status;
    // An element that was taken back is in nobody's hands, whatever its counter says.
    let given_back = matches!(element.status, ElementStatus::New | ElementStatus::Abandoned) && !same;
    if change.token.is_some_and(|token| token != element.lease_token || given_back) {
        return Err(StatusError::LeaseLost(element.id));
    }
    let message = change.message.clone().or_else(|| element.message.clone());
    if same {
        let parked = element.parked || is_parked(change.status, change.by);
        return Ok(QueueElement { message, parked, ..element.clone() });
    }
    Ok(QueueElement { message, ..moved(element, change.status, change.by, now) })
}

/// Whether an element stays in progress when the job of who set it ends. What a robot says itself is its state; what it only
/// claimed is not.
fn is_parked(status: ElementStatus, by: StatusBy) -> bool {
    status == ElementStatus::InProgress && by.job().is_some()
}

/// The job that keeps others from touching the element.
fn held_by_other(locked: &Locked, by: StatusBy) -> Option<JobId> {
    let StatusBy::Job(caller) = by else { return None };
    locked.element.job_id.filter(|holder| *holder != caller && locked.is_held())
}

/// The element in another status, with everything that follows from it.
pub(super) fn moved(element: &QueueElement, status: ElementStatus, by: StatusBy, now: Timestamp) -> QueueElement {
    let moved = QueueElement {
        status,
        times: element.times.on(status, now),
        lease_expires_at: None,
        parked: is_parked(status, by),
        ..element.clone()
    };
    match status {
        ElementStatus::New => {
            let attempt = if by == StatusBy::Operator { 0 } else { element.attempt };
            QueueElement { job_id: None, attempt, ..moved }
        }
        // Taken without a claim: a grant nevertheless, which raises the token.
        ElementStatus::InProgress => {
            let lease_token = LeaseToken::new(element.lease_token.value() + 1);
            QueueElement { job_id: by.job(), lease_token, attempt: element.attempt + 1, ..moved }
        }
        ElementStatus::Done | ElementStatus::Failed | ElementStatus::Abandoned => {
            QueueElement { job_id: by.job().or(element.job_id), ..moved }
        }
    }
}

#[cfg(test)]
mod tests;

#[cfg(test)]
crate::statements::statements![; alone, at_once, ended];
