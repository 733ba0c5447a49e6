//! A worker played by the scenario itself, for calls that a real one would never make.

use std::time::Duration;

use orchestrator_core::secret::{ApiToken, TokenKind};
use orchestrator_proto::v1 as pb;
use pb::robot_service_client::RobotServiceClient;
use tonic::Status;
use tonic::service::interceptor::InterceptedService;
use uuid::Uuid;

use crate::api::{Api, RobotTokens, Service, duration};
use crate::world::World;

/// A registered worker.
#[derive(Debug, Clone)]
pub struct FakeWorker {
    api: Api,
    token: String,
    session: String,
}

impl World {
    /// Registers a worker with so many slots.
    ///
    /// # Panics
    ///
    /// When the server refuses.
    pub async fn fake_worker(&self, name: &str, slots: u32) -> FakeWorker {
        let token = self.worker_token(name).await;
        let api = Api::new(&self.server().url(), &token);
        let request = pb::RegisterRequest {
            instance_id: Uuid::new_v4().to_string(),
            slots,
            version: "0".to_owned(),
            ..pb::RegisterRequest::default()
        };
        let session = api.worker().register(request).await.expect("the worker registers").into_inner().session_id;
        FakeWorker { api, token, session }
    }
}

impl FakeWorker {
    /// The same worker and session, talking to another server.
    #[must_use]
    pub fn at(&self, url: &str) -> Self {
        Self { api: Api::new(url, &self.token), ..self.clone() }
    }

    /// Its clients.
    pub fn api(&self) -> &Api {
        &self.api
    }

    /// Its session.
    pub fn session(&self) -> &str {
        &self.session
    }

    /// Asks for jobs.
    pub async fn claim(&self, free_slots: u32, wait: Duration) -> Result<Vec<pb::Assignment>, Status> {
        self.claim_as(free_slots, wait, pb::Call { request_id: Uuid::new_v4().to_string(), repeat: false }).await
    }

    /// Asks for jobs with a call of one's own.
    pub async fn claim_as(
        &self,
        free_slots: u32,
        wait: Duration,
        call: pb::Call,
    ) -> Result<Vec<pb::Assignment>, Status> {
        let request = pb::ClaimJobsRequest {
            session_id: self.session.clone(),
            free_slots,
            wait: Some(duration(wait)),
            call: Some(call),
        };
        Ok(self.api.worker().claim_jobs(request).await?.into_inner().assignments)
    }

    /// Starts a job, and plays its robot.
    ///
    /// # Panics
    ///
    /// When the system gives no random bytes.
    pub async fn start(&self, job: &pb::Assignment) -> Result<FakeRobot, Status> {
        let token = ApiToken::generate(TokenKind::Job).expect("random bytes");
        let robot = self.robot(token.expose());
        self.start_again(job, &robot).await?;
        Ok(robot)
    }

    /// Starts a job whose robot has its token already: repeats the call whose answer was lost.
    ///
    /// # Panics
    ///
    /// When the robot's token is none.
    pub async fn start_again(&self, job: &pb::Assignment, robot: &FakeRobot) -> Result<(), Status> {
        let token = ApiToken::parse(&robot.token).expect("a token");
        let request = pb::StartJobRequest {
            session_id: self.session.clone(),
            job_id: job.job_id.clone(),
            lease_token: job.lease_token,
            job_token_hash: token.hash().as_bytes().to_vec(),
            commit: String::new(),
        };
        self.api.worker().start_job(request).await?;
        Ok(())
    }

    /// Speaks for a robot with this token.
    pub fn robot(&self, token: &str) -> FakeRobot {
        FakeRobot { service: self.api.for_robot(token), token: token.to_owned() }
    }

    /// Ends a job; returns the status that the server has for it.
    pub async fn finish(&self, job: &pb::Assignment, outcome: &str) -> Result<String, Status> {
        let request = pb::FinishJobRequest {
            session_id: self.session.clone(),
            job_id: job.job_id.clone(),
            lease_token: job.lease_token,
            outcome: outcome.to_owned(),
            ..pb::FinishJobRequest::default()
        };
        Ok(self.api.worker().finish_job(request).await?.into_inner().status)
    }

    /// Renews the leases of these jobs.
    pub async fn heartbeat(&self, held: &[pb::Assignment]) -> Result<pb::HeartbeatResponse, Status> {
        let held = held.iter().map(|job| pb::HeldJob { job_id: job.job_id.clone(), lease_token: job.lease_token });
        let request = pb::HeartbeatRequest {
            session_id: self.session.clone(),
            held: held.collect(),
            draining: false,
            trouble: String::new(),
        };
        Ok(self.api.worker().heartbeat(request).await?.into_inner())
    }
}

/// A running job that the scenario plays.
#[derive(Debug, Clone)]
pub struct FakeRobot {
    service: InterceptedService<Service, RobotTokens>,
    token: String,
}

impl FakeRobot {
    /// What robots may do.
    pub fn calls(&self) -> RobotServiceClient<InterceptedService<Service, RobotTokens>> {
        RobotServiceClient::new(self.service.clone())
    }

    /// Its token.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Takes an element.
    pub async fn claim(&self, queue: &str, call: pb::Call) -> Result<Option<pb::QueueElement>, Status> {
        let request = pb::RobotClaimElementRequest {
            queue_name: queue.to_owned(),
            call: Some(call),
            ..pb::RobotClaimElementRequest::default()
        };
        Ok(self.calls().claim_queue_element(request).await?.into_inner().element)
    }
}
