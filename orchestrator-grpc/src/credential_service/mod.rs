//! Administration of credentials. A password leaves by `Reveal` only, and the audit tells so.

mod keys;

use orchestrator_core::credential::Credential;
use orchestrator_core::text::{CredentialName, Username};
use orchestrator_db::{DbError, Hint};
use orchestrator_proto::convert;
use orchestrator_proto::v1;
use orchestrator_proto::v1::credential_service_server::CredentialService;
use orchestrator_scheduler::Scheduler;
use serde_json::{Value, json};
use tonic::{Request, Response, Status};

use crate::audit;
use crate::auth::identity;
use crate::page::page;
use crate::transaction::in_transaction;
use crate::{secret, status};

/// The service.
#[derive(Debug, Clone)]
pub(crate) struct Credentials {
    scheduler: Scheduler,
}

impl Credentials {
    pub(crate) fn new(scheduler: Scheduler) -> Self {
        Self { scheduler }
    }
}

#[tonic::async_trait]
impl CredentialService for Credentials {
    async fn list(
        &self,
        request: Request<v1::ListCredentialsRequest>,
    ) -> Result<Response<v1::ListCredentialsResponse>, Status> {
        let page = page(request.into_inner().page).map_err(status::decode)?;
        let mut tx = self.scheduler.db().begin_read().await.map_err(status::db)?;
        let (credentials, next) = tx.credential_list(&page).await.map_err(status::db)?;
        Ok(Response::new(v1::ListCredentialsResponse {
            credentials: credentials.rows.iter().map(convert::credential).collect(),
            next_cursor: next.unwrap_or_default(),
        }))
    }

    async fn get(
        &self,
        request: Request<v1::GetCredentialRequest>,
    ) -> Result<Response<v1::GetCredentialResponse>, Status> {
        let name = name(&request.get_ref().name)?;
        let mut tx = self.scheduler.db().begin_read().await.map_err(status::db)?;
        let credential = tx.credential_meant(&name).await.map_err(status::db)?;
        Ok(Response::new(v1::GetCredentialResponse { credential: Some(convert::credential(&credential)) }))
    }

    async fn reveal(
        &self,
        request: Request<v1::RevealCredentialRequest>,
    ) -> Result<Response<v1::RevealCredentialResponse>, Status> {
        let actor = identity(&request)?.actor();
        let name = name(&request.get_ref().name)?;
        // Nothing leaves before the trail of it is durable.
        let (credential, password) = in_transaction!(self.scheduler, |tx| {
            let credential = tx.credential_meant(&name).await?;
            let password = secret::open(self.scheduler.keys(), &credential)?;
            let row = audit::row(&actor, "credential.reveal", "credential", &credential.name, (None, None));
            tx.audit_insert(&[row], self.scheduler.now()).await?;
            Ok(((credential, password), Vec::new()))
        })?;
        Ok(Response::new(v1::RevealCredentialResponse {
            credential: Some(convert::credential(&credential)),
            password: password.expose().to_owned(),
        }))
    }

    async fn set(
        &self,
        request: Request<v1::SetCredentialRequest>,
    ) -> Result<Response<v1::SetCredentialResponse>, Status> {
        let actor = identity(&request)?.actor();
        let v1::SetCredentialRequest { name: text, username, password, create_only } = request.into_inner();
        let asked = name(&text)?;
        // A password is sealed for the name under which it is kept.
        let name = match self.scheduler.db().begin_read().await.map_err(status::db)?.credential_meant(&asked).await {
            Ok(there) if create_only => {
                return Err(status::name_exists_as("credential", asked.as_str(), there.name.as_str()));
            }
            Ok(there) => there.name,
            Err(DbError::NotFound { .. }) => asked,
            Err(error) => return Err(status::db(error)),
        };
        let username = self::username(&username)?;
        let sealed_password = secret::seal(self.scheduler.keys(), &name, password)?;
        let now = self.scheduler.now();
        let credential =
            Credential { name, username, sealed_password, changed_at: now, changed_by: Some(actor.name.clone()) };
        in_transaction!(self.scheduler, |tx| {
            let before = match tx.credential_get(&credential.name).await {
                Ok(_) if create_only => return Err(status::name_exists("credential", credential.name.as_str()).into()),
                Ok(before) => Some(document(&before)),
                Err(DbError::NotFound { .. }) => None,
                Err(error) => return Err(error.into()),
            };
            if create_only {
                let created = tx.credential_create(&credential).await;
                created.map_err(|error| status::created("credential", &credential.name, error))?;
            } else {
                tx.credential_set(&credential).await?;
            }
            let documents = (before, Some(document(&credential)));
            let row = audit::row(&actor, "credential.set", "credential", &credential.name, documents);
            tx.audit_insert(&[row], now).await?;
            Ok(((), vec![Hint::Access]))
        })?;
        Ok(Response::new(v1::SetCredentialResponse { credential: Some(convert::credential(&credential)) }))
    }

    async fn delete(
        &self,
        request: Request<v1::DeleteCredentialRequest>,
    ) -> Result<Response<v1::DeleteCredentialResponse>, Status> {
        let actor = identity(&request)?.actor();
        let name = name(&request.get_ref().name)?;
        in_transaction!(self.scheduler, |tx| {
            let before = tx.credential_meant(&name).await?;
            tx.credential_delete(&before.name).await?;
            let row =
                audit::row(&actor, "credential.delete", "credential", &before.name, (Some(document(&before)), None));
            tx.audit_insert(&[row], self.scheduler.now()).await?;
            Ok(((), vec![Hint::Access]))
        })?;
        Ok(Response::new(v1::DeleteCredentialResponse {}))
    }

    async fn get_keys(&self, _request: Request<v1::GetKeysRequest>) -> Result<Response<v1::GetKeysResponse>, Status> {
        Ok(Response::new(keys::list(&self.scheduler).await?))
    }

    async fn reencrypt(
        &self,
        request: Request<v1::ReencryptRequest>,
    ) -> Result<Response<v1::ReencryptResponse>, Status> {
        let actor = identity(&request)?.actor();
        let limit = convert::limit("limit", request.get_ref().limit, 100).map_err(status::decode)?;
        Ok(Response::new(keys::reencrypt(&self.scheduler, &actor, limit).await?))
    }
}

/// Reads the name of a credential.
pub(crate) fn name(text: &str) -> Result<CredentialName, Status> {
    CredentialName::parse(text).map_err(|error| status::decode(error.into()))
}

/// Reads a user name.
pub(crate) fn username(text: &str) -> Result<Username, Status> {
    Username::parse(text, Username::DEFAULT_LIMIT).map_err(|error| status::decode(error.into()))
}

/// A credential as the audit keeps it: nothing of the password, sealed or not.
pub(crate) fn document(credential: &Credential) -> Value {
    json!({ "username": credential.username, "password": "***" })
}
