use std::collections::BTreeMap;

use orchestrator_core::text::{Limits, Message, QueueName};
use orchestrator_db::{DbError, Hint, ImportedElement, NewElement};
use orchestrator_proto::convert::{self, DecodeError};
use orchestrator_proto::v1;
use orchestrator_scheduler::QueueUse;
use serde_json::json;
use tonic::{Code, Status};

use super::Elements;
use super::upload::{MOST, Upload};
use crate::audit;
use crate::page::at_most;
use crate::status::{Refusal, reason};
use crate::transaction::{Failure, in_transaction};

/// Elements of another system, all of one queue.
#[derive(Debug)]
pub(crate) struct ImportedElements {
    queue: QueueName,
    elements: Vec<ImportedElement>,
}

impl ImportedElements {
    fn read(&self, message: &v1::ImportedElement, limits: Limits) -> Result<ImportedElement, DecodeError> {
        let element = message.element.as_ref().ok_or(DecodeError::Missing { field: "element" })?;
        // Without an id of the caller's a repetition would add it once more.
        if element.id.is_empty() {
            return Err(DecodeError::Missing { field: "id" });
        }
        let convert::NewElement { id, reference, data, created_by } = convert::new_element(element, limits)?;
        let new = NewElement { id, queue_name: self.queue.clone(), reference, data, created_by };
        let status = convert::name("status", &message.status)?;
        Ok(ImportedElement { new, status, message: message.message.as_deref().map(Message::cut) })
    }

    fn move_to(&mut self, queue: QueueName) {
        for element in &mut self.elements {
            element.new.queue_name = queue.clone();
        }
        self.queue = queue;
    }

    /// How many there are of each status, for the audit.
    fn counts(&self) -> BTreeMap<&'static str, usize> {
        let mut counts = BTreeMap::new();
        for element in &self.elements {
            *counts.entry(element.status.as_str()).or_default() += 1;
        }
        counts
    }
}

impl Upload for ImportedElements {
    type Part = v1::ImportElementsRequest;

    fn begin(first: &v1::ImportElementsRequest) -> Result<Self, DecodeError> {
        Ok(Self { queue: QueueName::parse(&first.queue_name)?, elements: Vec::new() })
    }

    fn add(&mut self, part: v1::ImportElementsRequest, limits: Limits) -> Result<(), DecodeError> {
        at_most("elements", self.elements.len() + part.elements.len(), MOST)?;
        for message in part.elements {
            let index = self.elements.len();
            let element = self.read(&message, limits).map_err(|error| error.in_item("elements", index))?;
            self.elements.push(element);
        }
        Ok(())
    }
}

impl Elements<'_> {
    /// Creates what is not there yet, with its status. How many that were.
    pub(crate) async fn import(&self, mut imported: ImportedElements) -> Result<i64, Status> {
        if imported.elements.is_empty() {
            return Ok(0);
        }
        let queue = self.queue(imported.queue.clone(), QueueUse::Make).await?;
        if queue != imported.queue {
            imported.move_to(queue);
        }
        let created = in_transaction!(self.scheduler, |tx| {
            let created = tx.element_import(&imported.elements, self.scheduler.now()).await.map_err(refuse)?;
            if created > 0 {
                self.audit(tx, |actor| {
                    let after = json!({ "queue": imported.queue, "count": created, "given": imported.counts() });
                    let subject = imported.queue.to_string();
                    vec![audit::row(actor, "element.import", audit::QUEUE, &subject, (None, Some(after)))]
                })
                .await?;
            }
            Ok((created, vec![Hint::Queue { name: imported.queue.as_str().to_owned() }]))
        })?;
        Ok(i64::try_from(created).unwrap_or(i64::MAX))
    }
}

fn refuse(error: DbError) -> Failure {
    match error {
        DbError::Conflict { .. } => Refusal::new(
            Code::AlreadyExists,
            reason::CONFLICT,
            "an element of another queue has one of these ids; nothing was added",
        )
        .status()
        .into(),
        other => other.into(),
    }
}
