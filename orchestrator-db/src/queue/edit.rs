use orchestrator_core::clock::Timestamp;
use orchestrator_core::id::ElementId;
use orchestrator_core::queue::{ElementStatus, QueueElement};
use orchestrator_core::text::{ElementData, Message, QueueName, Reference};

use super::count::Deltas;
use super::status::{StatusBy, StatusError, moved};
use crate::dialect::{Sql, sql};
use crate::error::DbError;
use crate::rows::{execute, fetch_scalars};
use crate::tx::Tx;

/// Changes to what an element carries: an absent field stays, `Some(None)` clears it.
#[derive(Debug, Clone, Default)]
pub struct ElementEdit {
    /// What people search for.
    pub reference: Option<Option<Reference>>,
    /// What the robot needs to know.
    pub data: Option<Option<ElementData>>,
    /// The message.
    pub message: Option<Option<Message>>,
}

const ELEMENT_UPDATE: Sql = sql!["UPDATE queues SET reference = $2, data = $3, message = $4 WHERE id = $1"];
const ELEMENT_DELETE: Sql = sql!["DELETE FROM queues WHERE id = $1"];
const JOB_WORK_DELETED: Sql = sql![
    "UPDATE jobs SET work_deleted = TRUE
     WHERE id = (SELECT job_id FROM queues WHERE id = $1) AND NOT work_deleted
         AND (status IN ('ASSIGNED', 'RUNNING', 'LOST')) IS TRUE"
];
const ELEMENTS_DELETE_OF_QUEUE: Sql = sql!["DELETE FROM queues WHERE id" [in_open] "SELECT id FROM queues
         WHERE queue_name = $1 AND status <> 'IN_PROGRESS' ORDER BY created_date, id LIMIT $2" [skip_locked] [in_close] "
     AND status <> 'IN_PROGRESS' RETURNING status"];

impl Tx {
    /// Changes what an element carries. Gives it as it was and as it is.
    pub async fn element_update(
        &mut self,
        id: ElementId,
        edit: ElementEdit,
    ) -> Result<(QueueElement, QueueElement), DbError> {
        let locked = self.elements_lock(std::iter::once(id)).await?.remove(&id);
        let before = locked.ok_or_else(|| DbError::not_found("queue element", id))??.element;
        let mut after = before.clone();
        after.reference = edit.reference.unwrap_or(after.reference);
        after.data = edit.data.unwrap_or(after.data);
        after.message = edit.message.unwrap_or(after.message);
        execute!(
            self,
            "element_update",
            ELEMENT_UPDATE,
            [
                id.as_uuid(),
                after.reference.as_ref().map(Reference::as_str),
                after.data.as_ref().map(ElementData::as_str),
                after.message.as_ref().map(Message::as_str),
            ]
        )?;
        Ok((before, after))
    }

    /// Removes an element for good, unless another live job holds it: its robot would work on what is not there any more. An
    /// operator, who may set its status, sets that first. Gives it as it was.
    pub async fn element_delete(
        &mut self,
        id: ElementId,
        by: StatusBy,
    ) -> Result<Result<QueueElement, StatusError>, DbError> {
        // Jobs are locked before elements are, as everywhere.
        execute!(self, "job_work_deleted", JOB_WORK_DELETED, [id.as_uuid()])?;
        let locked = match self.elements_lock(std::iter::once(id)).await?.remove(&id) {
            None => return Ok(Err(StatusError::NotFound(id))),
            Some(Err(corrupt)) => return Ok(Err(StatusError::Corrupt(corrupt))),
            Some(Ok(locked)) => locked,
        };
        let other = locked.element.job_id.filter(|holder| by.job() != Some(*holder) && locked.is_held());
        if let Some(job) = other {
            return Ok(Err(match by {
                StatusBy::Job(_) => StatusError::HeldByOther { id, job },
                StatusBy::Operator => StatusError::DeletedUnderJob { id, job },
            }));
        }
        execute!(self, "element_delete", ELEMENT_DELETE, [id.as_uuid()])?;
        let mut deltas = Deltas::default();
        deltas.add(&locked.element.queue_name, locked.element.status, -1);
        self.counts_append(deltas).await?;
        Ok(Ok(locked.element))
    }

    /// Removes the oldest elements of a queue that nobody works on, at most `limit`. How many.
    pub async fn element_delete_of_queue(&mut self, queue: &QueueName, limit: u32) -> Result<usize, DbError> {
        let statuses = fetch_scalars!(
            self,
            "element_delete_of_queue",
            ELEMENTS_DELETE_OF_QUEUE,
            as String,
            [queue.as_str(), i64::from(limit)]
        )?;
        let mut deltas = Deltas::default();
        for status in &statuses {
            // A status that a newer server made up is counted by it alone.
            if let Ok(status) = status.parse() {
                deltas.add(queue, status, -1);
            }
        }
        self.counts_append(deltas).await?;
        Ok(statuses.len())
    }

    /// Makes elements that have ended new again, with all their attempts before them; others stay. Gives those that were
    /// changed, as they are now.
    pub async fn element_retry(&mut self, ids: &[ElementId], now: Timestamp) -> Result<Vec<QueueElement>, DbError> {
        let locked = self.elements_lock(ids.iter().copied()).await?;
        let ended = locked.into_values().flatten().map(|locked| locked.element);
        let changes: Vec<(QueueElement, QueueElement)> = ended
            .filter(|element| element.status.is_terminal())
            .map(|element| {
                let after = moved(&element, ElementStatus::New, StatusBy::Operator, now);
                (element, after)
            })
            .collect();
        self.elements_write(&changes).await?;
        Ok(changes.into_iter().map(|(_, after)| after).collect())
    }
}

#[cfg(test)]
crate::statements::statements![ELEMENT_UPDATE, ELEMENT_DELETE, JOB_WORK_DELETED, ELEMENTS_DELETE_OF_QUEUE];
