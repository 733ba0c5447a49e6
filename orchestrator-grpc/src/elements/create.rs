use orchestrator_core::queue::QueueElement;
use orchestrator_core::text::{Limits, QueueName};
use orchestrator_db::{CreateCall, CreateError, Created, DbError, Hint, NewElement, Tx};
use orchestrator_proto::convert::{self, DecodeError};
use orchestrator_proto::v1;
use orchestrator_scheduler::QueueUse;
use serde_json::json;
use tonic::Status;

use super::Elements;
use super::upload::{MOST, Upload};
use crate::audit;
use crate::page::at_most;
use crate::status;
use crate::transaction::{Failure, in_transaction};

/// The most elements of a call that shares its transaction with others, which wait for all of it.
const MOST_SHARED: usize = 100;
/// The most elements of one call of a robot.
pub(crate) const MOST_OF_ROBOT: usize = 10_000;

/// Elements to create in one queue, all or none.
#[derive(Debug)]
pub(crate) struct NewElements {
    queue: QueueName,
    elements: Vec<NewElement>,
    repeat: bool,
}

impl NewElements {
    fn in_queue(queue: &str, repeat: bool) -> Result<Self, DecodeError> {
        Ok(Self { queue: QueueName::parse(queue)?, elements: Vec::new(), repeat })
    }

    /// Reads what one message carries.
    pub(crate) fn read(
        queue: &str,
        elements: &[v1::NewElement],
        repeat: bool,
        limits: Limits,
        most: usize,
    ) -> Result<Self, DecodeError> {
        let mut new = Self::in_queue(queue, repeat)?;
        new.add_up_to(elements, limits, most)?;
        Ok(new)
    }

    fn add_up_to(&mut self, elements: &[v1::NewElement], limits: Limits, most: usize) -> Result<(), DecodeError> {
        at_most("elements", self.elements.len() + elements.len(), most)?;
        for message in elements {
            let index = self.elements.len();
            self.add_one(message, limits).map_err(|error| error.in_item("elements", index))?;
        }
        Ok(())
    }

    fn add_one(&mut self, message: &v1::NewElement, limits: Limits) -> Result<(), DecodeError> {
        if self.repeat && message.id.is_empty() {
            return Err(DecodeError::Missing { field: "id" });
        }
        let new = convert::new_element(message, limits)?;
        self.elements.push(NewElement {
            id: new.id,
            queue_name: self.queue.clone(),
            reference: new.reference,
            data: new.data,
            created_by: new.created_by,
        });
        Ok(())
    }

    fn hint(&self) -> Hint {
        Hint::Queue { name: self.queue.as_str().to_owned() }
    }
}

impl Upload for NewElements {
    type Part = v1::BulkCreateRequest;

    fn begin(first: &v1::BulkCreateRequest) -> Result<Self, DecodeError> {
        Self::in_queue(&first.queue_name, first.repeat)
    }

    fn add(&mut self, part: v1::BulkCreateRequest, limits: Limits) -> Result<(), DecodeError> {
        self.add_up_to(&part.elements, limits, MOST)
    }
}

impl Elements<'_> {
    /// Creates elements, all or none, and wakes the triggers of their queue. How many there are now: a repeated call
    /// creates only those that are not there yet.
    pub(crate) async fn create(&self, new: NewElements) -> Result<i64, Status> {
        let new = self.in_its_queue(new).await?;
        if (1..=MOST_SHARED).contains(&new.elements.len()) {
            let created_count = i64::try_from(new.elements.len()).unwrap_or(i64::MAX);
            self.create_shared(new).await?;
            return Ok(created_count);
        }
        in_transaction!(self.scheduler, |tx| {
            self.store(tx, &new).await?;
            Ok(((), vec![new.hint()]))
        })?;
        Ok(i64::try_from(new.elements.len()).unwrap_or(i64::MAX))
    }

    /// Creates one element, and gives it as it is stored.
    pub(crate) async fn create_one(&self, message: &v1::CreateElementRequest) -> Result<QueueElement, Status> {
        let mut new = NewElements::in_queue(&message.queue_name, message.repeat).map_err(status::decode)?;
        let element = message.element.clone().unwrap_or_default();
        new.add_one(&element, self.scheduler.limits()).map_err(status::decode)?;
        let missing = || status::decode(DecodeError::Missing { field: "element" });
        let new = self.in_its_queue(new).await?;
        self.create_shared(new).await?.one.ok_or_else(missing)
    }

    /// The same in the queue that is meant.
    async fn in_its_queue(&self, mut new: NewElements) -> Result<NewElements, Status> {
        if new.elements.is_empty() {
            return Ok(new);
        }
        let queue = self.queue(new.queue.clone(), QueueUse::Make).await?;
        if queue != new.queue {
            for element in &mut new.elements {
                element.queue_name = queue.clone();
            }
            new.queue = queue;
        }
        Ok(new)
    }

    /// Creates a few elements, together with what others create at this moment.
    async fn create_shared(&self, new: NewElements) -> Result<Created, Status> {
        let call = CreateCall { elements: new.elements, repeat: new.repeat, actor: self.audited.clone() };
        let created = self.scheduler.lanes().create(call).await.map_err(status::lane)?;
        created.map_err(status::create)
    }

    async fn store(&self, tx: &mut Tx, new: &NewElements) -> Result<(), Failure> {
        let created = tx.element_insert(&new.elements, new.repeat, self.scheduler.now()).await.map_err(refuse)?;
        if created == 0 {
            return Ok(());
        }
        self.audit(tx, |actor| {
            let after = json!({ "queue": new.queue, "count": created });
            let (kind, subject) = match new.elements.as_slice() {
                [one] => (audit::ELEMENT, one.id.to_string()),
                _ => (audit::QUEUE, new.queue.to_string()),
            };
            vec![audit::row(actor, "element.create", kind, &subject, (None, Some(after)))]
        })
        .await?;
        Ok(())
    }
}

fn refuse(error: DbError) -> Failure {
    match error {
        DbError::Conflict { .. } => status::create(CreateError::Exists).into(),
        other => other.into(),
    }
}
