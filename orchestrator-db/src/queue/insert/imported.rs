//! Elements that come from another system with the status that they have there.

use std::collections::BTreeMap;

use orchestrator_core::clock::Timestamp;
use orchestrator_core::id::ElementId;
use orchestrator_core::queue::{ElementStatus, QueueElement};
use orchestrator_core::text::Message;

use super::NewElement;
use crate::error::DbError;
use crate::queue::status::{StatusBy, moved};
use crate::tx::Tx;

/// An element as another system had it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportedElement {
    /// What a new one carries; its id is always the same for the same element there.
    pub new: NewElement,
    /// Its status. One in progress is held by nobody.
    pub status: ElementStatus,
    /// What was said of it last.
    pub message: Option<Message>,
}

impl ImportedElement {
    /// The element when it was just created, and as it is from then on.
    fn as_stored(&self, now: Timestamp) -> (QueueElement, QueueElement) {
        let created = self.new.as_stored(now);
        let moved = match self.status {
            ElementStatus::New => created.clone(),
            status => moved(&created, status, StatusBy::Operator, now),
        };
        (created, QueueElement { message: self.message.clone(), ..moved })
    }
}

impl Tx {
    /// Creates the elements of one queue whose ids are not there yet, with their status, so that none of them is ever seen as new
    /// that is not. Those that are there stay as they are. How many were created; a conflict when another queue has one of
    /// the ids.
    pub async fn element_import(&mut self, elements: &[ImportedElement], now: Timestamp) -> Result<usize, DbError> {
        let new: Vec<&NewElement> = elements.iter().map(|element| &element.new).collect();
        let mut created = self.element_insert_missing(&new, now).await?;
        let count = created.len();
        if count < elements.len() && self.element_any_elsewhere(&new).await? {
            return Err(DbError::Conflict { constraint: "queues.id".to_owned() });
        }
        // Of an id that was given twice the first is meant. In the order of their ids, in which everyone locks elements.
        let added: BTreeMap<ElementId, &ImportedElement> = elements
            .iter()
            .filter(|element| created.remove(&element.new.id))
            .map(|element| (element.new.id, element))
            .collect();
        let changes: Vec<_> = added.values().map(|element| element.as_stored(now)).collect();
        self.elements_write(&changes).await?;
        Ok(count)
    }
}
