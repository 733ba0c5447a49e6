//! Claims of more than one answer holds: what the caller could not read must not be held for it.

use orchestrator_core::clock::Timestamp;
use orchestrator_core::queue::{ElementStatus, QueueElement};

use super::Granted;
use crate::answer::{Bulk, fitting};
use crate::error::DbError;
use crate::queue::status::{StatusBy, moved};
use crate::tx::Tx;

impl Granted {
    /// What was granted in one statement.
    pub(crate) fn anew(elements: Vec<QueueElement>) -> Self {
        Self { elements, is_known: false, given_back: 0 }
    }

    /// Whether it is more than one answer holds.
    pub(crate) fn is_too_large(&self) -> bool {
        fitting(self.elements.iter().map(Bulk::bytes)) < self.elements.len()
    }

    /// Takes the newest off until the rest fits. One element always does.
    fn split_off(&mut self) -> Vec<QueueElement> {
        let fitting = fitting(self.elements.iter().map(Bulk::bytes));
        let rest = self.elements.split_off(fitting);
        self.given_back += rest.len();
        rest
    }
}

impl Tx {
    /// Gives back what is too much for one answer each, as if it had not been claimed: only the token stays raised. No
    /// statement is made where all of it fits.
    pub(crate) async fn fit_into_answers(
        &mut self,
        granted: impl Iterator<Item = &mut Granted>,
        now: Timestamp,
    ) -> Result<Vec<QueueElement>, DbError> {
        let too_much: Vec<QueueElement> = granted.flat_map(Granted::split_off).collect();
        if too_much.is_empty() {
            return Ok(too_much);
        }
        // What an earlier call was granted may have moved on.
        let mut locked = self.elements_lock(too_much.iter().map(|element| element.id)).await?;
        let still = |element: &QueueElement| {
            let now = locked.remove(&element.id)?.ok()?.element;
            let is_same = now.status == ElementStatus::InProgress && now.lease_token == element.lease_token;
            is_same.then_some(now)
        };
        let held: Vec<QueueElement> = too_much.iter().filter_map(still).collect();
        let unclaimed = |element: QueueElement| {
            let attempt = element.attempt.saturating_sub(1);
            let new = moved(&element, ElementStatus::New, StatusBy::Operator, now);
            (element, QueueElement { attempt, ..new })
        };
        let changes: Vec<(QueueElement, QueueElement)> = held.into_iter().map(unclaimed).collect();
        self.elements_write(&changes).await?;
        Ok(changes.into_iter().map(|(_, after)| after).collect())
    }
}
