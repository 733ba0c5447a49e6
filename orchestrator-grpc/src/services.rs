//! All services, put together.

use std::sync::Arc;

use orchestrator_core::clock::Clock;
use orchestrator_proto::v1::admin_service_server::AdminServiceServer;
use orchestrator_proto::v1::constant_service_server::ConstantServiceServer;
use orchestrator_proto::v1::credential_service_server::CredentialServiceServer;
use orchestrator_proto::v1::job_service_server::JobServiceServer;
use orchestrator_proto::v1::log_service_server::LogServiceServer;
use orchestrator_proto::v1::queue_service_server::{self, QueueServiceServer};
use orchestrator_proto::v1::robot_service_server::{self, RobotServiceServer};
use orchestrator_proto::v1::trigger_service_server::TriggerServiceServer;
use orchestrator_proto::v1::worker_service_server::{self, WorkerServiceServer};
use orchestrator_scheduler::Scheduler;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use tonic_health::pb::health_server::HealthServer;

use crate::accounts::Accounts;
use crate::admin_service::Admin;
use crate::constant_service::Constants;
use crate::credential_service::Credentials;
use crate::disk::Machine;
use crate::health::HealthService;
use crate::job_service::Jobs;
use crate::log_service::Logs;
use crate::pages::Pages;
use crate::queue_service::Queues;
use crate::robot_service::Robots;
use crate::serve::ServeError;
use crate::trigger_service::Triggers;
use crate::worker_service::Workers;

/// What the services are made of.
#[derive(Debug, Clone)]
pub struct Services {
    /// Decides; holds the database and the keys.
    pub scheduler: Scheduler,
    /// Where `now` comes from.
    pub clock: Arc<dyn Clock>,
    /// Signs people in.
    pub accounts: Accounts,
    /// Pages of the administrators.
    pub pages: Option<Pages>,
}

/// The most bytes of a message.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MessageLimits {
    pub(crate) usual: usize,
    pub(crate) bulk: usize,
}

/// The services that are called all day.
#[derive(Debug, Clone)]
pub(crate) struct Busy {
    queues: QueueServiceServer<Queues>,
    robots: RobotServiceServer<Robots>,
    workers: WorkerServiceServer<Workers>,
}

/// One of them.
#[derive(Debug)]
pub(crate) enum BusyService {
    Queues(QueueServiceServer<Queues>),
    Robots(RobotServiceServer<Robots>),
    Workers(WorkerServiceServer<Workers>),
}

impl Busy {
    /// The service that a method's path names.
    pub(crate) fn service_of(&self, path: &str) -> Option<BusyService> {
        let (service, _) = path.strip_prefix('/')?.split_once('/')?;
        match service {
            queue_service_server::SERVICE_NAME => Some(BusyService::Queues(self.queues.clone())),
            robot_service_server::SERVICE_NAME => Some(BusyService::Robots(self.robots.clone())),
            worker_service_server::SERVICE_NAME => Some(BusyService::Workers(self.workers.clone())),
            _ => None,
        }
    }
}

impl Services {
    /// The services that are called all day. Streams of handlers end by themselves when `stop` is cancelled.
    pub(crate) fn busy(&self, limits: MessageLimits, stop: CancellationToken) -> Busy {
        let queues = QueueServiceServer::new(Queues::new(self.scheduler.clone()));
        let robots = RobotServiceServer::new(Robots::new(self.scheduler.clone()));
        let workers = WorkerServiceServer::new(Workers::new(self.scheduler.clone(), stop));
        Busy {
            queues: queues.max_decoding_message_size(limits.bulk),
            robots: robots.max_decoding_message_size(limits.bulk),
            workers: workers.max_decoding_message_size(limits.usual),
        }
    }

    /// The routes of every gRPC service.
    pub(crate) fn routes(
        self,
        limits: MessageLimits,
        health: HealthService,
        busy: Busy,
        machine: Machine,
    ) -> Result<Routes, ServeError> {
        let reflection = tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(orchestrator_proto::DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
            .build_v1()
            .map_err(|error| ServeError::Descriptors(Box::new(error)))?;
        let triggers = TriggerServiceServer::new(Triggers::new(self.scheduler.clone()));
        let jobs = JobServiceServer::new(Jobs::new(self.scheduler.clone()));
        let logs = LogServiceServer::new(Logs::new(self.scheduler.clone()));
        let constants = ConstantServiceServer::new(Constants::new(self.scheduler.clone()));
        let credentials = CredentialServiceServer::new(Credentials::new(self.scheduler.clone()));
        let admin = AdminServiceServer::new(Admin::new(self.scheduler, self.accounts, machine));
        Ok(Routes::new(HealthServer::new(health))
            .add_service(reflection)
            .add_service(triggers.max_decoding_message_size(limits.usual))
            .add_service(jobs.max_decoding_message_size(limits.usual))
            .add_service(busy.queues)
            .add_service(logs.max_decoding_message_size(limits.usual))
            .add_service(constants.max_decoding_message_size(limits.usual))
            .add_service(credentials.max_decoding_message_size(limits.usual))
            .add_service(admin.max_decoding_message_size(limits.usual))
            .add_service(busy.robots)
            .add_service(busy.workers))
    }
}
