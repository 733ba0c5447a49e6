//! What worker agents say. The worker is always the one whose token calls.

mod decode;

use std::pin::{Pin, pin};

use futures_util::stream;
use orchestrator_core::lease::{HEARTBEAT, LEASE};
use orchestrator_core::text::Reason;
use orchestrator_proto::v1;
use orchestrator_proto::v1::worker_service_server::WorkerService;
use orchestrator_proto::{convert, v1::commands_response::Command as Order};
use orchestrator_scheduler::{Command, Condition, Scheduler};
use tokio_stream::Stream;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};

use crate::admin_service::{drain_of_worker, set_drain_of_worker};
use crate::auth::identity;
use crate::status;

/// The service.
#[derive(Debug, Clone)]
pub(crate) struct Workers {
    scheduler: Scheduler,
    stop: CancellationToken,
}

impl Workers {
    pub(crate) fn new(scheduler: Scheduler, stop: CancellationToken) -> Self {
        Self { scheduler, stop }
    }
}

#[tonic::async_trait]
impl WorkerService for Workers {
    async fn register(&self, request: Request<v1::RegisterRequest>) -> Result<Response<v1::RegisterResponse>, Status> {
        let worker = identity(&request)?.worker()?.name.clone();
        let registration = decode::registration(worker.clone(), request.into_inner()).map_err(status::decode)?;
        let registered = self.scheduler.register(registration).await.map_err(status::register)?;
        Ok(Response::new(v1::RegisterResponse {
            session_id: registered.session.to_string(),
            lease: Some(convert::to_duration(LEASE)),
            heartbeat_interval: Some(convert::to_duration(HEARTBEAT)),
            gone: registered.gone.into_iter().map(convert::to_held).collect(),
            worker_name: worker.into_string(),
        }))
    }

    async fn claim_jobs(
        &self,
        request: Request<v1::ClaimJobsRequest>,
    ) -> Result<Response<v1::ClaimJobsResponse>, Status> {
        let worker = identity(&request)?.worker()?.name.clone();
        let claim = decode::claim(worker, request.into_inner()).map_err(status::decode)?;
        // A claim that waits when the server stops is repeated elsewhere; what it was granted meanwhile, too.
        let claiming = pin!(self.scheduler.claim_jobs(claim));
        let claimed = self.stop.run_until_cancelled(claiming).await;
        let grants = claimed.ok_or_else(status::shutting_down)?.map_err(status::claim)?;
        let now = self.scheduler.now();
        let assignments = grants.iter().map(|grant| decode::assignment(grant, now)).collect();
        Ok(Response::new(v1::ClaimJobsResponse { assignments }))
    }

    async fn start_job(&self, request: Request<v1::StartJobRequest>) -> Result<Response<v1::StartJobResponse>, Status> {
        let worker = identity(&request)?.worker()?.name.clone();
        let start = decode::Start::read(request.into_inner()).map_err(status::decode)?;
        let (job, token) = start.held;
        let started = self
            .scheduler
            .start_job(&worker, start.session, job, token, &start.token_hash, start.commit.as_deref())
            .await
            .map_err(status::start)?;
        Ok(Response::new(v1::StartJobResponse {
            lease: Some(convert::to_duration(LEASE)),
            kill_requested: started.kill_requested,
        }))
    }

    async fn heartbeat(
        &self,
        request: Request<v1::HeartbeatRequest>,
    ) -> Result<Response<v1::HeartbeatResponse>, Status> {
        let worker = identity(&request)?.worker()?.name.clone();
        let message = request.into_inner();
        let session = convert::id("session_id", &message.session_id).map_err(status::decode)?;
        let held = decode::all_held(&message.held).map_err(status::decode)?;
        let trouble = Some(message.trouble).filter(|trouble| !trouble.is_empty()).map(|trouble| Reason::cut(&trouble));
        let condition = Condition { draining: message.draining, trouble };
        let beaten = self.scheduler.heartbeat(&worker, session, &held, condition).await;
        let answer = beaten.map_err(status::heartbeat)?;
        Ok(Response::new(v1::HeartbeatResponse {
            kills: answer.kills.into_iter().map(kill).collect(),
            gone: answer.gone.into_iter().map(convert::to_held).collect(),
            pausing: answer.pausing.into_iter().map(|job| job.to_string()).collect(),
            drain: answer.drain,
        }))
    }

    async fn set_drain(&self, request: Request<v1::SetDrainRequest>) -> Result<Response<v1::SetDrainResponse>, Status> {
        let caller = identity(&request)?;
        let (name, drain) = (&caller.worker()?.name, request.get_ref().drain);
        let worker = set_drain_of_worker(&self.scheduler, &caller.actor(), name.as_str(), drain).await?;
        Ok(Response::new(v1::SetDrainResponse { active_jobs: worker.active_jobs }))
    }

    async fn get_drain(&self, request: Request<v1::GetDrainRequest>) -> Result<Response<v1::GetDrainResponse>, Status> {
        let name = &identity(&request)?.worker()?.name;
        Ok(Response::new(drain_of_worker(&self.scheduler, name).await?))
    }

    async fn finish_job(
        &self,
        request: Request<v1::FinishJobRequest>,
    ) -> Result<Response<v1::FinishJobResponse>, Status> {
        let worker = identity(&request)?.worker()?.name.clone();
        let finish = decode::finish(worker, request.into_inner()).map_err(status::decode)?;
        let ended = self.scheduler.finish_job(finish).await.map_err(status::finish)?;
        Ok(Response::new(v1::FinishJobResponse { status: ended.to_string() }))
    }

    async fn append_output(
        &self,
        request: Request<v1::AppendOutputRequest>,
    ) -> Result<Response<v1::AppendOutputResponse>, Status> {
        let worker = identity(&request)?.worker()?.name.clone();
        let message = request.into_inner();
        let job = convert::id("job_id", &message.job_id).map_err(status::decode)?;
        let token = orchestrator_core::lease::LeaseToken::new(message.lease_token);
        let chunks: Result<Vec<_>, _> = message.chunks.into_iter().map(convert::output_chunk).collect();
        let chunks = chunks.map_err(status::decode)?;
        self.scheduler.append_output(&worker, job, token, chunks).await.map_err(status::output)?;
        Ok(Response::new(v1::AppendOutputResponse {}))
    }

    type CommandsStream = Pin<Box<dyn Stream<Item = Result<v1::CommandsResponse, Status>> + Send>>;

    async fn commands(&self, request: Request<v1::CommandsRequest>) -> Result<Response<Self::CommandsStream>, Status> {
        let worker = identity(&request)?.worker()?.name.clone();
        let session = convert::id("session_id", &request.get_ref().session_id).map_err(status::decode)?;
        let commands = self.scheduler.commands(worker, session);
        let batches = stream::try_unfold(commands, |mut commands| async {
            let batch = commands.next().await.map_err(status::db)?;
            Ok::<_, Status>(batch.map(|batch| (stream::iter(batch.into_iter().map(|it| Ok(order(it)))), commands)))
        });
        Ok(Response::new(Box::pin(futures_util::TryStreamExt::try_flatten(batches))))
    }

    async fn leave(&self, request: Request<v1::LeaveRequest>) -> Result<Response<v1::LeaveResponse>, Status> {
        let worker = identity(&request)?.worker()?.name.clone();
        let session = convert::id("session_id", &request.get_ref().session_id).map_err(status::decode)?;
        self.scheduler.leave(&worker, session).await.map_err(status::db)?;
        Ok(Response::new(v1::LeaveResponse {}))
    }
}

fn kill((job, token): convert::HeldJob) -> v1::KillOrder {
    v1::KillOrder { job_id: job.to_string(), lease_token: token.value() }
}

fn order(command: Command) -> v1::CommandsResponse {
    let command = match command {
        Command::Kill(job, token) => Order::Kill(kill((job, token))),
        Command::SessionOver => Order::SessionOver(v1::SessionOver {}),
        Command::Drain => Order::Drain(v1::DrainOrder {}),
        Command::Resume => Order::Resume(v1::ResumeOrder {}),
    };
    v1::CommandsResponse { command: Some(command) }
}
