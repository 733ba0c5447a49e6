//! Users, tokens, workers, the audit trail and the server's own state.

mod job_history;
mod sessions;
mod show;
mod status_report;
mod tokens;
mod users;
mod workers;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::extract::ConnectInfo;
use orchestrator_core::secret::Plaintext;
use orchestrator_db::AuditFilter;
use orchestrator_proto::convert::{self, DecodeError};
use orchestrator_proto::v1;
use orchestrator_proto::v1::admin_service_server::AdminService;
use orchestrator_scheduler::Scheduler;
use tonic::{Request, Response, Status};

use crate::accounts::{Accounts, Visitor};
use crate::auth::{Identity, identity};
use crate::disk::{Machine, disks};
use crate::page::{page, searched};
use crate::status;

pub(crate) use users::document as user_document;
pub(crate) use workers::{drain_of as drain_of_worker, set_drain as set_drain_of_worker};

/// The service.
#[derive(Debug, Clone)]
pub(crate) struct Admin {
    scheduler: Scheduler,
    accounts: Accounts,
    machine: Machine,
}

impl Admin {
    pub(crate) fn new(scheduler: Scheduler, accounts: Accounts, machine: Machine) -> Self {
        Self { scheduler, accounts, machine }
    }
}

#[tonic::async_trait]
impl AdminService for Admin {
    async fn create_token(
        &self,
        request: Request<v1::CreateTokenRequest>,
    ) -> Result<Response<v1::CreateTokenResponse>, Status> {
        let actor = identity(&request)?.actor();
        let wanted = tokens::Wanted::read(request.get_ref()).map_err(status::decode)?;
        Ok(Response::new(tokens::create(&self.scheduler, &actor, wanted).await?))
    }

    async fn list_tokens(
        &self,
        request: Request<v1::ListTokensRequest>,
    ) -> Result<Response<v1::ListTokensResponse>, Status> {
        let mut tx = self.scheduler.db().begin_read().await.map_err(status::db)?;
        let listed = tx.token_list(request.get_ref().include_ended, self.scheduler.now()).await.map_err(status::db)?;
        Ok(Response::new(v1::ListTokensResponse { tokens: listed.rows.iter().map(show::token).collect() }))
    }

    async fn revoke_token(
        &self,
        request: Request<v1::RevokeTokenRequest>,
    ) -> Result<Response<v1::RevokeTokenResponse>, Status> {
        let actor = identity(&request)?.actor();
        let token = tokens::revoke(&self.scheduler, &actor, &request.get_ref().token).await?;
        Ok(Response::new(v1::RevokeTokenResponse { token: Some(token) }))
    }

    async fn list_audit(
        &self,
        request: Request<v1::ListAuditRequest>,
    ) -> Result<Response<v1::ListAuditResponse>, Status> {
        let message = request.into_inner();
        let page = page(message.page).map_err(status::decode)?;
        let filter = AuditFilter {
            actor: searched("actor", message.actor).map_err(status::decode)?,
            action: searched("action", message.action).map_err(status::decode)?,
            subject: searched("subject", message.subject).map_err(status::decode)?,
            since: convert::optional_instant("since", message.since).map_err(status::decode)?,
            until: convert::optional_instant("until", message.until).map_err(status::decode)?,
            search: searched("search", message.search).map_err(status::decode)?,
        };
        let mut tx = self.scheduler.db().begin_read().await.map_err(status::db)?;
        let (entries, next) = tx.audit_list(&filter, &page).await.map_err(status::db)?;
        Ok(Response::new(v1::ListAuditResponse {
            entries: entries.rows.into_iter().map(show::audit_entry).collect(),
            next_cursor: next.unwrap_or_default(),
        }))
    }

    async fn get_status(
        &self,
        _request: Request<v1::GetStatusRequest>,
    ) -> Result<Response<v1::GetStatusResponse>, Status> {
        let report = status_report::of(&self.scheduler).await.map_err(status::db)?;
        let certificate_ends_at = self.machine.certificate_ends_at.map(convert::timestamp);
        let disks = disks(self.machine.places.clone()).await;
        Ok(Response::new(v1::GetStatusResponse { certificate_ends_at, disks, ..report }))
    }

    async fn get_job_history(
        &self,
        request: Request<v1::GetJobHistoryRequest>,
    ) -> Result<Response<v1::GetJobHistoryResponse>, Status> {
        let hours = job_history::hours(request.into_inner()).map_err(status::decode)?;
        Ok(Response::new(job_history::of(&self.scheduler, hours).await.map_err(status::db)?))
    }

    async fn sign_in(&self, request: Request<v1::SignInRequest>) -> Result<Response<v1::SignInResponse>, Status> {
        let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip());
        let v1::SignInRequest { name, password, client } = request.into_inner();
        let password = Plaintext::new(password);
        if name.is_empty() {
            return Err(status::decode(DecodeError::Missing { field: "name" }));
        }
        let visitor = Visitor { address: peer.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)), user_agent: client };
        let (token, secret) = self.accounts.sign_in_for_token(&name, password, &visitor).await?;
        Ok(Response::new(v1::SignInResponse { token: Some(show::token(&token)), secret: secret.expose().to_owned() }))
    }

    async fn sign_out(&self, request: Request<v1::SignOutRequest>) -> Result<Response<v1::SignOutResponse>, Status> {
        let caller = identity(&request)?;
        let ended = self.accounts.end_token(caller.user()?, &caller.actor()).await?;
        Ok(Response::new(v1::SignOutResponse { ended }))
    }

    async fn who_am_i(&self, request: Request<v1::WhoAmIRequest>) -> Result<Response<v1::WhoAmIResponse>, Status> {
        let caller = identity(&request)?;
        let (role, user_id) = match caller {
            Identity::User(user) => (user.role.to_string(), user.person().map(|person| person.to_string())),
            Identity::Worker(_) | Identity::Job(_) => (String::new(), None),
        };
        let (kind, name) = (caller.kind().to_string(), caller.name().to_owned());
        Ok(Response::new(v1::WhoAmIResponse { kind, name, role, user_id: user_id.unwrap_or_default() }))
    }

    async fn list_workers(
        &self,
        _request: Request<v1::ListWorkersRequest>,
    ) -> Result<Response<v1::ListWorkersResponse>, Status> {
        let mut tx = self.scheduler.db().begin_read().await.map_err(status::db)?;
        let listed = tx.worker_list().await.map_err(status::db)?;
        let workers = listed.iter().map(|(worker, active)| show::worker(worker, *active)).collect();
        Ok(Response::new(v1::ListWorkersResponse { workers }))
    }

    async fn get_worker(
        &self,
        request: Request<v1::GetWorkerRequest>,
    ) -> Result<Response<v1::GetWorkerResponse>, Status> {
        let worker = workers::get(&self.scheduler, &request.get_ref().name).await?;
        Ok(Response::new(v1::GetWorkerResponse { worker: Some(worker) }))
    }

    async fn drain_worker(
        &self,
        request: Request<v1::DrainWorkerRequest>,
    ) -> Result<Response<v1::DrainWorkerResponse>, Status> {
        let actor = identity(&request)?.actor();
        let worker = workers::set_drain(&self.scheduler, &actor, &request.get_ref().name, true).await?;
        Ok(Response::new(v1::DrainWorkerResponse { worker: Some(worker) }))
    }

    async fn resume_worker(
        &self,
        request: Request<v1::ResumeWorkerRequest>,
    ) -> Result<Response<v1::ResumeWorkerResponse>, Status> {
        let actor = identity(&request)?.actor();
        let worker = workers::set_drain(&self.scheduler, &actor, &request.get_ref().name, false).await?;
        Ok(Response::new(v1::ResumeWorkerResponse { worker: Some(worker) }))
    }

    async fn remove_worker(
        &self,
        request: Request<v1::RemoveWorkerRequest>,
    ) -> Result<Response<v1::RemoveWorkerResponse>, Status> {
        let actor = identity(&request)?.actor();
        workers::remove(&self.scheduler, &actor, &request.get_ref().name).await?;
        Ok(Response::new(v1::RemoveWorkerResponse {}))
    }

    async fn create_user(
        &self,
        request: Request<v1::CreateUserRequest>,
    ) -> Result<Response<v1::CreateUserResponse>, Status> {
        let actor = identity(&request)?.actor();
        let user = users::create(&self.accounts, &actor, request.into_inner()).await?;
        Ok(Response::new(v1::CreateUserResponse { user: Some(user) }))
    }

    async fn list_users(
        &self,
        _request: Request<v1::ListUsersRequest>,
    ) -> Result<Response<v1::ListUsersResponse>, Status> {
        let mut tx = self.scheduler.db().begin_read().await.map_err(status::db)?;
        let listed = tx.user_list().await.map_err(status::db)?;
        Ok(Response::new(v1::ListUsersResponse { users: listed.rows.iter().map(show::user).collect() }))
    }

    async fn update_user(
        &self,
        request: Request<v1::UpdateUserRequest>,
    ) -> Result<Response<v1::UpdateUserResponse>, Status> {
        let actor = identity(&request)?.actor();
        let user = users::update(&self.accounts, &actor, request.into_inner()).await?;
        Ok(Response::new(v1::UpdateUserResponse { user: Some(user) }))
    }

    async fn delete_user(
        &self,
        request: Request<v1::DeleteUserRequest>,
    ) -> Result<Response<v1::DeleteUserResponse>, Status> {
        let caller = identity(&request)?;
        let (user, actor) = (caller.user()?, caller.actor());
        Ok(Response::new(users::delete(&self.accounts, user, &actor, request.get_ref()).await?))
    }

    async fn set_password(
        &self,
        request: Request<v1::SetPasswordRequest>,
    ) -> Result<Response<v1::SetPasswordResponse>, Status> {
        let caller = identity(&request)?.clone();
        let user = users::set_password(&self.accounts, caller.user()?, &caller.actor(), request.into_inner()).await?;
        Ok(Response::new(v1::SetPasswordResponse { user: Some(user) }))
    }

    async fn create_sign_in_link(
        &self,
        request: Request<v1::CreateSignInLinkRequest>,
    ) -> Result<Response<v1::CreateSignInLinkResponse>, Status> {
        let actor = identity(&request)?.actor();
        Ok(Response::new(sessions::create_link(&self.accounts, &actor, &request.get_ref().user).await?))
    }

    async fn list_sessions(
        &self,
        request: Request<v1::ListSessionsRequest>,
    ) -> Result<Response<v1::ListSessionsResponse>, Status> {
        let caller = identity(&request)?;
        Ok(Response::new(sessions::list(&self.accounts, caller.user()?, request.get_ref()).await?))
    }

    async fn end_sessions(
        &self,
        request: Request<v1::EndSessionsRequest>,
    ) -> Result<Response<v1::EndSessionsResponse>, Status> {
        let caller = identity(&request)?;
        let ended = sessions::end(&self.accounts, caller.user()?, &caller.actor(), request.get_ref()).await?;
        Ok(Response::new(v1::EndSessionsResponse { ended }))
    }
}
