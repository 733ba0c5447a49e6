//! Administration of constants.

use orchestrator_core::constant::Constant;
use orchestrator_core::text::{ConstantName, ConstantValue};
use orchestrator_db::{DbError, Hint};
use orchestrator_proto::convert::{self, DecodeError};
use orchestrator_proto::v1;
use orchestrator_proto::v1::constant_service_server::ConstantService;
use orchestrator_scheduler::Scheduler;
use serde_json::{Value, json};
use tonic::{Request, Response, Status};

use crate::audit;
use crate::auth::identity;
use crate::page::page;
use crate::status;
use crate::transaction::in_transaction;

/// The service.
#[derive(Debug, Clone)]
pub(crate) struct Constants {
    scheduler: Scheduler,
}

impl Constants {
    pub(crate) fn new(scheduler: Scheduler) -> Self {
        Self { scheduler }
    }

    fn read(&self, message: &v1::SetConstantRequest) -> Result<(ConstantName, ConstantValue), DecodeError> {
        let limit = self.scheduler.limits().constant_value;
        Ok((ConstantName::parse(&message.name)?, ConstantValue::parse(&message.value, limit)?))
    }
}

#[tonic::async_trait]
impl ConstantService for Constants {
    async fn list(
        &self,
        request: Request<v1::ListConstantsRequest>,
    ) -> Result<Response<v1::ListConstantsResponse>, Status> {
        let page = page(request.into_inner().page).map_err(status::decode)?;
        let mut tx = self.scheduler.db().begin_read().await.map_err(status::db)?;
        let (constants, next) = tx.constant_list(&page).await.map_err(status::db)?;
        Ok(Response::new(v1::ListConstantsResponse {
            constants: constants.rows.iter().map(convert::constant).collect(),
            next_cursor: next.unwrap_or_default(),
        }))
    }

    async fn get(&self, request: Request<v1::GetConstantRequest>) -> Result<Response<v1::GetConstantResponse>, Status> {
        let name = name(&request.get_ref().name)?;
        let mut tx = self.scheduler.db().begin_read().await.map_err(status::db)?;
        let constant = tx.constant_meant(&name).await.map_err(status::db)?;
        Ok(Response::new(v1::GetConstantResponse { constant: Some(convert::constant(&constant)) }))
    }

    async fn set(&self, request: Request<v1::SetConstantRequest>) -> Result<Response<v1::SetConstantResponse>, Status> {
        let actor = identity(&request)?.actor();
        let (name, value) = self.read(request.get_ref()).map_err(status::decode)?;
        let create_only = request.get_ref().create_only;
        let now = self.scheduler.now();
        let given = Constant { name, value, changed_at: now, changed_by: Some(actor.name.clone()) };
        let constant = in_transaction!(self.scheduler, |tx| {
            let mut constant = given.clone();
            let before = match tx.constant_meant(&given.name).await {
                Ok(before) if create_only => {
                    let (asked, existing) = (given.name.as_str(), before.name.as_str());
                    return Err(status::name_exists_as("constant", asked, existing).into());
                }
                Ok(before) => {
                    constant.name = before.name.clone();
                    Some(document(&before))
                }
                Err(DbError::NotFound { .. }) => None,
                Err(error) => return Err(error.into()),
            };
            if create_only {
                let created = tx.constant_create(&constant).await;
                created.map_err(|error| status::created("constant", &constant.name, error))?;
            } else {
                tx.constant_set(&constant).await?;
            }
            let documents = (before, Some(document(&constant)));
            let row = audit::row(&actor, "constant.set", "constant", &constant.name, documents);
            tx.audit_insert(&[row], now).await?;
            Ok((constant, vec![Hint::Access]))
        })?;
        Ok(Response::new(v1::SetConstantResponse { constant: Some(convert::constant(&constant)) }))
    }

    async fn delete(
        &self,
        request: Request<v1::DeleteConstantRequest>,
    ) -> Result<Response<v1::DeleteConstantResponse>, Status> {
        let actor = identity(&request)?.actor();
        let name = name(&request.get_ref().name)?;
        in_transaction!(self.scheduler, |tx| {
            let before = tx.constant_meant(&name).await?;
            tx.constant_delete(&before.name).await?;
            let row = audit::row(&actor, "constant.delete", "constant", &before.name, (Some(document(&before)), None));
            tx.audit_insert(&[row], self.scheduler.now()).await?;
            Ok(((), vec![Hint::Access]))
        })?;
        Ok(Response::new(v1::DeleteConstantResponse {}))
    }
}

/// Reads the name of a constant.
pub(crate) fn name(text: &str) -> Result<ConstantName, Status> {
    ConstantName::parse(text).map_err(|error| status::decode(error.into()))
}

/// A constant as the audit keeps it.
pub(crate) fn document(constant: &Constant) -> Value {
    json!({ "value": constant.value })
}
