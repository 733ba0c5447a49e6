//! What one running job may do. Everything is done in its name; whose it is was found before the handler runs.

use orchestrator_core::actor::Actor;
use orchestrator_core::constant::Constant;
use orchestrator_core::credential::Credential;
use orchestrator_core::id::TokenId;
use orchestrator_core::job::Job;
use orchestrator_core::text::{ConstantValue, ProcessArgs, ProcessName, WorkerName};
use orchestrator_core::trigger::Hold;
use orchestrator_db::{Hint, Tx};
use orchestrator_proto::convert;
use orchestrator_proto::v1;
use orchestrator_proto::v1::robot_service_server::RobotService;
use orchestrator_scheduler::Scheduler;
use serde_json::Value;
use tonic::{Code, Request, Response, Status};

use crate::auth::{Identity, JobIdentity, KnownBy, User, identity};
use crate::elements::{Claim, Elements, MOST_OF_ROBOT, NewElements};
use crate::page::at_most;
use crate::status::{Refusal, reason};
use crate::transaction::in_transaction;
use crate::{audit, constant_service, credential_service, secret, status};

/// The service.
#[derive(Debug, Clone)]
pub(crate) struct Robots {
    scheduler: Scheduler,
}

/// A job that calls, and who the audit names for it.
struct Caller {
    job: JobIdentity,
    actor: Actor,
}

/// What an audit row says was done: the documents before and after, with the robot beside the latter.
fn documents(job: &JobIdentity, before: Option<Value>, after: Option<Value>) -> (Option<Value>, Option<Value>) {
    let mut document = after.unwrap_or_else(|| Value::Object(serde_json::Map::default()));
    if let Value::Object(fields) = &mut document {
        fields.insert("by".to_owned(), audit::robot(job));
    }
    (before, Some(document))
}

/// A development job belongs to a token: a person's browser has none to give to a program.
pub(crate) fn token_of(user: &User) -> Result<TokenId, Status> {
    match user.by {
        KnownBy::Token { id, .. } => Ok(id),
        KnownBy::Session { .. } => Err(Refusal::new(
            Code::Unauthenticated,
            reason::TOKEN_MISSING,
            "a development job is begun with a user token; a browser's session is for pages only",
        )
        .status()),
    }
}

/// Refuses a user whose token has no development job (any more).
pub(crate) fn no_development_job() -> Status {
    let message = "this token has no such development job: call GetContext first, with the name of the process; a \
                   development job ends with its program, after an hour without a call, and when it is begun again or killed";
    Refusal::new(Code::FailedPrecondition, reason::NO_DEVELOPMENT_JOB, message).status()
}

impl Robots {
    pub(crate) fn new(scheduler: Scheduler) -> Self {
        Self { scheduler }
    }

    /// The job that calls. A user is taken for the development job that was begun with the same token.
    async fn caller<T: Sync>(&self, request: &Request<T>) -> Result<Caller, Status> {
        let identity = identity(request)?;
        let identity = match identity {
            Identity::User(user) => Identity::Job(self.development_job(user).await?),
            Identity::Job(_) | Identity::Worker(_) => identity.clone(),
        };
        Ok(Caller { job: identity.job()?.clone(), actor: identity.actor() })
    }

    async fn development_job(&self, user: &User) -> Result<JobIdentity, Status> {
        let found = self.scheduler.development_job(token_of(user)?).await.map_err(status::db)?;
        let job = found.ok_or_else(no_development_job)?;
        Ok(JobIdentity::of_developer(job, user))
    }

    async fn begin_development(&self, user: &User, request: &v1::GetContextRequest) -> Result<Job, Status> {
        let name = ProcessName::parse(&request.process_name).map_err(|error| status::decode(error.into()))?;
        let args = Some(request.process_args.as_str()).filter(|args| !args.is_empty());
        let limit = self.scheduler.limits().process_args;
        let args = args.map(|args| ProcessArgs::parse(args, limit)).transpose();
        let args = args.map_err(|error| status::decode(error.into()))?;
        let actor = Identity::User(user.clone()).actor();
        self.scheduler.begin_development(&actor, token_of(user)?, name, args).await.map_err(status::db)
    }

    async fn elements<T: Sync>(&self, request: &Request<T>) -> Result<Elements<'_>, Status> {
        Ok(Elements::of_job(&self.scheduler, &self.caller(request).await?.job))
    }

    async fn begin_read(&self) -> Result<Tx, Status> {
        self.scheduler.db().begin_read().await.map_err(status::db)
    }
}

#[tonic::async_trait]
impl RobotService for Robots {
    async fn get_context(
        &self,
        request: Request<v1::GetContextRequest>,
    ) -> Result<Response<v1::GetContextResponse>, Status> {
        let is_development = matches!(identity(&request)?, Identity::User(_));
        let job = match identity(&request)? {
            Identity::User(user) => self.begin_development(user, request.get_ref()).await?,
            identity => self.begin_read().await?.job_get(identity.job()?.job_id).await.map_err(status::db)?,
        };
        let args = &job.snapshot.process.args;
        Ok(Response::new(v1::GetContextResponse {
            job_id: job.id.to_string(),
            trigger_id: job.trigger_id.to_string(),
            trigger_name: job.trigger_name.as_str().to_owned(),
            process_name: job.process_name.as_str().to_owned(),
            process_args: args.as_ref().map(|args| args.as_str().to_owned()).unwrap_or_default(),
            worker_name: job.worker_name.map(WorkerName::into_string).unwrap_or_default(),
            trigger_type: if is_development { String::new() } else { job.snapshot.trigger_type.as_str().to_owned() },
        }))
    }

    async fn log(&self, request: Request<v1::LogRequest>) -> Result<Response<v1::LogResponse>, Status> {
        let Caller { job, .. } = self.caller(&request).await?;
        let now = self.scheduler.now();
        let logs = &request.get_ref().logs;
        at_most("logs", logs.len(), MOST_OF_ROBOT).map_err(status::decode)?;
        let lines = convert::new_logs(logs, &job.process_name, job.job_id, now).map_err(status::decode)?;
        if !lines.is_empty() {
            self.scheduler.lanes().log(lines).await.map_err(status::lane)?;
        }
        Ok(Response::new(v1::LogResponse {}))
    }

    async fn get_constant(
        &self,
        request: Request<v1::RobotGetConstantRequest>,
    ) -> Result<Response<v1::RobotGetConstantResponse>, Status> {
        let Caller { job, actor } = self.caller(&request).await?;
        let name = constant_service::name(&request.get_ref().name)?;
        let constant = in_transaction!(self.scheduler, |tx| {
            let constant = tx.constant_meant(&name).await?;
            let row = audit::row(&actor, "constant.read", "constant", &constant.name, documents(&job, None, None));
            tx.audit_insert(&[row], self.scheduler.now()).await?;
            Ok((constant, Vec::new()))
        })?;
        Ok(Response::new(v1::RobotGetConstantResponse { constant: Some(convert::constant(&constant)) }))
    }

    async fn update_constant(
        &self,
        request: Request<v1::RobotUpdateConstantRequest>,
    ) -> Result<Response<v1::RobotUpdateConstantResponse>, Status> {
        let Caller { job, actor } = self.caller(&request).await?;
        let name = constant_service::name(&request.get_ref().name)?;
        let value = ConstantValue::parse(&request.get_ref().value, self.scheduler.limits().constant_value);
        let value = value.map_err(|error| status::decode(error.into()))?;
        let now = self.scheduler.now();
        let given = Constant { name, value, changed_at: now, changed_by: Some(actor.name.clone()) };
        let constant = in_transaction!(self.scheduler, |tx| {
            let before = tx.constant_meant(&given.name).await?;
            let constant = Constant { name: before.name.clone(), ..given.clone() };
            tx.constant_update(&constant).await?;
            let (before, after) = (constant_service::document(&before), constant_service::document(&constant));
            let documents = documents(&job, Some(before), Some(after));
            let row = audit::row(&actor, "constant.update", "constant", &constant.name, documents);
            tx.audit_insert(&[row], now).await?;
            Ok((constant, vec![Hint::Access]))
        })?;
        Ok(Response::new(v1::RobotUpdateConstantResponse { constant: Some(convert::constant(&constant)) }))
    }

    async fn get_credential(
        &self,
        request: Request<v1::RobotGetCredentialRequest>,
    ) -> Result<Response<v1::RobotGetCredentialResponse>, Status> {
        let Caller { job, actor } = self.caller(&request).await?;
        let name = credential_service::name(&request.get_ref().name)?;
        // Nothing leaves before the trail of it is durable.
        let (credential, password) = in_transaction!(self.scheduler, |tx| {
            let credential = tx.credential_meant(&name).await?;
            let password = secret::open(self.scheduler.keys(), &credential)?;
            let row =
                audit::row(&actor, "credential.read", "credential", &credential.name, documents(&job, None, None));
            tx.audit_insert(&[row], self.scheduler.now()).await?;
            Ok(((credential, password), Vec::new()))
        })?;
        Ok(Response::new(v1::RobotGetCredentialResponse {
            name: credential.name.into_string(),
            username: credential.username.into_string(),
            password: password.expose().to_owned(),
            changed_at: Some(convert::timestamp(credential.changed_at)),
        }))
    }

    async fn update_credential(
        &self,
        request: Request<v1::RobotUpdateCredentialRequest>,
    ) -> Result<Response<v1::RobotUpdateCredentialResponse>, Status> {
        let Caller { job, actor } = self.caller(&request).await?;
        let v1::RobotUpdateCredentialRequest { name, username, password } = request.into_inner();
        let asked = credential_service::name(&name)?;
        let username = credential_service::username(&username)?;
        // A password is sealed for the name under which it is kept.
        let name = self.begin_read().await?.credential_meant(&asked).await.map_err(status::db)?.name;
        let sealed_password = secret::seal(self.scheduler.keys(), &name, password)?;
        let now = self.scheduler.now();
        let changed_by = Some(actor.name.clone());
        let credential = Credential { name, username, sealed_password, changed_at: now, changed_by };
        in_transaction!(self.scheduler, |tx| {
            let before = tx.credential_get(&credential.name).await?;
            tx.credential_update(&credential).await?;
            let (before, after) = (credential_service::document(&before), credential_service::document(&credential));
            let documents = documents(&job, Some(before), Some(after));
            let row = audit::row(&actor, "credential.update", "credential", &credential.name, documents);
            tx.audit_insert(&[row], now).await?;
            Ok(((), vec![Hint::Access]))
        })?;
        Ok(Response::new(v1::RobotUpdateCredentialResponse {}))
    }

    async fn create_queue_element(
        &self,
        request: Request<v1::CreateElementRequest>,
    ) -> Result<Response<v1::CreateElementResponse>, Status> {
        let element = self.elements(&request).await?.create_one(request.get_ref()).await?;
        Ok(Response::new(v1::CreateElementResponse { element: Some(convert::element(&element)) }))
    }

    async fn bulk_create_queue_elements(
        &self,
        request: Request<v1::RobotBulkCreateRequest>,
    ) -> Result<Response<v1::RobotBulkCreateResponse>, Status> {
        let elements = self.elements(&request).await?;
        let message = request.get_ref();
        let limits = self.scheduler.limits();
        let new = NewElements::read(&message.queue_name, &message.elements, message.repeat, limits, MOST_OF_ROBOT);
        let created_count = elements.create(new.map_err(status::decode)?).await?;
        Ok(Response::new(v1::RobotBulkCreateResponse { created_count }))
    }

    async fn claim_queue_element(
        &self,
        request: Request<v1::RobotClaimElementRequest>,
    ) -> Result<Response<v1::RobotClaimElementResponse>, Status> {
        let elements = self.elements(&request).await?;
        let claim = Claim::read_of_robot(request.into_inner()).map_err(status::decode)?;
        let element = elements.claim(claim).await?.elements.first().map(convert::element);
        Ok(Response::new(v1::RobotClaimElementResponse { element }))
    }

    async fn list_queue_elements(
        &self,
        request: Request<v1::ListElementsRequest>,
    ) -> Result<Response<v1::ListElementsResponse>, Status> {
        let elements = self.elements(&request).await?;
        Ok(Response::new(elements.list(request.into_inner()).await?))
    }

    async fn set_queue_element_status(
        &self,
        request: Request<v1::SetElementStatusRequest>,
    ) -> Result<Response<v1::SetElementStatusResponse>, Status> {
        let after = self.elements(&request).await?.set_status(request.get_ref()).await?;
        Ok(Response::new(v1::SetElementStatusResponse { element: Some(convert::element(&after)) }))
    }

    async fn delete_queue_element(
        &self,
        request: Request<v1::DeleteElementRequest>,
    ) -> Result<Response<v1::DeleteElementResponse>, Status> {
        self.elements(&request).await?.delete(&request.get_ref().element).await?;
        Ok(Response::new(v1::DeleteElementResponse {}))
    }

    async fn is_pausing(
        &self,
        request: Request<v1::IsPausingRequest>,
    ) -> Result<Response<v1::IsPausingResponse>, Status> {
        let caller = self.caller(&request).await?.job;
        let mut tx = self.begin_read().await?;
        let job = tx.job_get(caller.job_id).await.map_err(status::db)?;
        let hold = tx.trigger_get(caller.trigger_id).await.map_err(status::db)?.trigger.hold;
        // Who starts a job by hand on a held trigger wants it to run.
        let is_held = hold != Hold::None && hold != job.snapshot.hold;
        Ok(Response::new(v1::IsPausingResponse { pausing: job.kill_requested || is_held }))
    }

    async fn pause(&self, request: Request<v1::PauseRequest>) -> Result<Response<v1::PauseResponse>, Status> {
        let Caller { job, actor } = self.caller(&request).await?;
        if job.developer.is_some() {
            let message = "a development job has no trigger that could be held; end the program instead";
            return Err(Refusal::new(Code::FailedPrecondition, reason::NO_TRIGGER, message).status());
        }
        self.scheduler.disable_trigger(&actor, job.trigger_id).await.map_err(status::trigger)?;
        Ok(Response::new(v1::PauseResponse {}))
    }
}
