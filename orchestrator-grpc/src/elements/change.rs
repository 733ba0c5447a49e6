use orchestrator_core::id::ElementId;
use orchestrator_core::queue::QueueElement;
use orchestrator_core::text::{Limits, Message};
use orchestrator_db::{
    ClaimRequest, ElementAnswer, ElementCall, ElementEdit, Hint, StatusChange, StatusError, StatusSet,
};
use orchestrator_proto::convert::{self, DecodeError};
use orchestrator_proto::v1;
use tonic::Status;
use tonic_types::StatusExt as _;

use super::{Elements, hints_of};
use crate::audit;
use crate::page::at_most;
use crate::status;
use crate::transaction::in_transaction;

/// The most changes of status of one call.
const MOST_CHANGED: usize = 1000;

/// The most elements of one retry.
const MOST_RETRIED: usize = 1000;

impl Elements<'_> {
    /// Sets an element's status.
    pub(crate) async fn set_status(&self, message: &v1::SetElementStatusRequest) -> Result<QueueElement, Status> {
        let change = self.change(message).await?;
        let id = change.id;
        let call = ElementCall { changes: vec![change], claim: None, actor: self.audited.clone(), with_data: true };
        let answer = self.scheduler.lanes().elements(call).await.map_err(status::lane)?;
        let set = answer.changed.into_iter().next().unwrap_or(Err(StatusError::NotFound(id)));
        Ok(set.map_err(status::element)?.element)
    }

    /// Sets the statuses of several elements, each on its own.
    pub(crate) async fn set_statuses(
        &self,
        messages: &[v1::SetElementStatusRequest],
    ) -> Result<Vec<v1::StatusResult>, Status> {
        let changes = self.changes("changes", messages).await?;
        let ids: Vec<ElementId> = changes.iter().map(|change| change.id).collect();
        let answer = self.call(changes, None).await?;
        Ok(results(&ids, answer.changed))
    }

    /// Reads several changes of status. All must be readable, and exist.
    pub(super) async fn changes(
        &self,
        field: &'static str,
        messages: &[v1::SetElementStatusRequest],
    ) -> Result<Vec<StatusChange>, Status> {
        at_most(field, messages.len(), MOST_CHANGED).map_err(status::decode)?;
        let mut changes = Vec::with_capacity(messages.len());
        for message in messages {
            changes.push(self.change(message).await?);
        }
        Ok(changes)
    }

    async fn change(&self, message: &v1::SetElementStatusRequest) -> Result<StatusChange, Status> {
        let new = convert::new_status(message).map_err(status::decode)?;
        let id = self.id("element", &message.element).await?;
        Ok(StatusChange { id, status: new.status, message: new.message, by: self.by, token: new.token })
    }

    /// Sets statuses and claims, together with what others ask for at this moment.
    pub(super) async fn call(
        &self,
        changes: Vec<StatusChange>,
        claim: Option<ClaimRequest>,
    ) -> Result<ElementAnswer, Status> {
        let call = ElementCall { changes, claim, actor: self.audited.clone(), with_data: false };
        self.scheduler.lanes().elements(call).await.map_err(status::lane)
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
            Ok((after, vec![Hint::Elements]))
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
            Ok(((), vec![Hint::Elements]))
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

/// What became of several changes, for their caller.
pub(super) fn results(ids: &[ElementId], changed: Vec<Result<StatusSet, StatusError>>) -> Vec<v1::StatusResult> {
    let result = |(id, changed): (&ElementId, Result<StatusSet, StatusError>)| match changed {
        Ok(set) => v1::StatusResult {
            element: id.to_string(),
            status: set.element.status.to_string(),
            ..v1::StatusResult::default()
        },
        Err(error) => {
            let refusal = status::element(error);
            let reason = refusal.get_details_error_info().map(|info| info.reason);
            v1::StatusResult {
                element: id.to_string(),
                status: String::new(),
                error_code: reason.unwrap_or_default(),
                error_message: refusal.message().to_owned(),
            }
        }
    };
    ids.iter().zip(changed).map(result).collect()
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
