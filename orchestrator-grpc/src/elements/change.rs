use orchestrator_core::id::ElementId;
use orchestrator_core::queue::{ElementStatus, QueueElement};
use orchestrator_core::text::{Limits, Message};
use orchestrator_db::{ElementEdit, StatusChange};
use orchestrator_proto::convert::{self, DecodeError};
use orchestrator_proto::v1;
use tonic::Status;

use super::{Elements, hints_of};
use crate::audit;
use crate::page::at_most;
use crate::status;
use crate::transaction::in_transaction;

/// The most elements of one retry.
const MOST_RETRIED: usize = 1000;

impl Elements<'_> {
    /// Sets an element's status.
    pub(crate) async fn set_status(&self, message: &v1::SetElementStatusRequest) -> Result<QueueElement, Status> {
        let new = convert::new_status(message).map_err(status::decode)?;
        let id = self.id("element", &message.element).await?;
        let change = StatusChange { id, status: new.status, message: new.message, by: self.by, token: new.token };
        in_transaction!(self.scheduler, |tx| {
            let before = match self.audited {
                Some(_) => Some(tx.element_get(id).await?),
                None => None,
            };
            let results = tx.element_set_status(std::slice::from_ref(&change), self.scheduler.now()).await?;
            let missing = || Err(orchestrator_db::StatusError::NotFound(id));
            let after = results.into_iter().next().unwrap_or_else(missing).map_err(status::element)?;
            self.audit(tx, |actor| {
                let documents = (before.as_ref().map(audit::element), Some(audit::element(&after)));
                vec![audit::row(actor, "element.set_status", audit::ELEMENT, &id, documents)]
            })
            .await?;
            let renewed = before.is_none_or(|before| before.status != ElementStatus::New);
            let hints = hints_of(Some(&after).filter(|_| renewed));
            Ok((after, hints))
        })
    }

    /// Changes what an element carries.
    pub(crate) async fn update(&self, message: &v1::UpdateElementRequest) -> Result<QueueElement, Status> {
        let edit = edit(message, self.scheduler.limits()).map_err(status::decode)?;
        let id = self.id("element", &message.element).await?;
        in_transaction!(self.scheduler, |tx| {
            let (before, after) = tx.element_update(id, edit.clone()).await?;
            self.audit(tx, |actor| {
                let documents = (Some(audit::element(&before)), Some(audit::element(&after)));
                vec![audit::row(actor, "element.update", audit::ELEMENT, &id, documents)]
            })
            .await?;
            Ok((after, Vec::new()))
        })
    }

    /// Removes an element for good.
    pub(crate) async fn delete(&self, text: &str) -> Result<(), Status> {
        let id = self.id("element", text).await?;
        in_transaction!(self.scheduler, |tx| {
            let before = tx.element_delete(id, self.by).await?.map_err(status::element)?;
            self.audit(tx, |actor| {
                vec![audit::row(actor, "element.delete", audit::ELEMENT, &id, (Some(audit::element(&before)), None))]
            })
            .await?;
            Ok(((), Vec::new()))
        })
    }

    /// Makes ended elements new again. How many were ended.
    pub(crate) async fn retry(&self, texts: &[String]) -> Result<usize, Status> {
        at_most("elements", texts.len(), MOST_RETRIED).map_err(status::decode)?;
        let mut ids: Vec<ElementId> = Vec::with_capacity(texts.len());
        for text in texts {
            ids.push(self.get(text).await?.id);
        }
        in_transaction!(self.scheduler, |tx| {
            let retried = tx.element_retry(&ids, self.scheduler.now()).await?;
            self.audit(tx, |actor| {
                let row = |element: &QueueElement| {
                    let document = audit::element(element);
                    audit::row(actor, "element.retry", audit::ELEMENT, &element.id, (None, Some(document)))
                };
                retried.iter().map(row).collect()
            })
            .await?;
            Ok((retried.len(), hints_of(&retried)))
        })
    }
}

/// An absent field stays, an empty one is cleared.
fn edit(message: &v1::UpdateElementRequest, limits: Limits) -> Result<ElementEdit, DecodeError> {
    let given = |text: &Option<String>| text.as_ref().map(|text| Some(text.clone()).filter(|text| !text.is_empty()));
    Ok(ElementEdit {
        reference: given(&message.reference).map(|text| convert::reference(text.as_deref())).transpose()?,
        data: given(&message.data).map(|text| convert::data(text.as_deref(), limits)).transpose()?,
        message: given(&message.message).map(|text| text.as_deref().map(Message::cut)),
    })
}
