use std::net::SocketAddr;
use std::sync::Arc;

use chrono::{TimeZone as _, Utc};
use orchestrator_core::clock::{Clock as _, ManualClock};
use orchestrator_core::id::TokenId;
use orchestrator_core::identity::{IdentityKind, Role};
use orchestrator_core::secret::{ApiToken, KeyRing, TokenKind};
use orchestrator_core::text::{ActorName, Limits};
use orchestrator_db::{Db, DbOptions, NewToken};
use orchestrator_grpc::accounts::{AccountOptions, Accounts};
use orchestrator_grpc::{ServeOptions, Server, Services, Shutdown, serve};
use orchestrator_proto::v1;
use orchestrator_proto::v1::job_service_client::JobServiceClient;
use orchestrator_proto::v1::trigger_service_client::TriggerServiceClient;
use orchestrator_proto::v1::worker_service_client::WorkerServiceClient;
use orchestrator_scheduler::{Scheduler, SchedulerClock, SchedulerOptions, service};
use tokio_util::task::TaskTracker;
use tonic::metadata::MetadataValue;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};
use tonic_types::StatusExt as _;

use crate::sign_in::pages;

/// A server on loopback, with a database, a clock that tests turn, and tokens.
pub(crate) struct World {
    pub(crate) address: SocketAddr,
    pub(crate) clock: ManualClock,
    pub(crate) scheduler: Scheduler,
    pub(crate) accounts: Accounts,
    pub(crate) shutdown: Shutdown,
    pub(crate) server: Option<Server>,
    /// Where the database is, for what goes past the server.
    pub(crate) url: String,
    _folder: Option<tempfile::TempDir>,
}

/// A token with its row's id.
pub(crate) struct Issued {
    pub(crate) id: TokenId,
    pub(crate) secret: String,
}

/// What a call presents.
#[derive(Debug, Clone, Default)]
pub(crate) struct Presents {
    pub(crate) bearer: Option<String>,
    pub(crate) job: Option<String>,
}

impl Presents {
    pub(crate) fn bearer(token: &str) -> Self {
        Self { bearer: Some(token.to_owned()), job: None }
    }

    pub(crate) fn with_job(&self, token: &str) -> Self {
        Self { bearer: self.bearer.clone(), job: Some(token.to_owned()) }
    }

    /// A request that presents it.
    pub(crate) fn on<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        if let Some(token) = &self.bearer {
            let value = MetadataValue::try_from(format!("Bearer {token}")).unwrap();
            request.metadata_mut().insert("authorization", value);
        }
        if let Some(token) = &self.job {
            request.metadata_mut().insert("x-orchestrator-job-token", MetadataValue::try_from(token).unwrap());
        }
        request
    }
}

pub(crate) async fn world() -> World {
    world_with(|_| {}).await
}

pub(crate) async fn world_with(change: impl FnOnce(&mut ServeOptions)) -> World {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("test.db").display());
    world_on(url, Some(folder), change).await
}

/// The same on PostgreSQL.
pub(crate) async fn postgres_world() -> World {
    let url = orchestrator_test_postgres::database_url_from("orchestrator_db", async |url| {
        Db::open(&DbOptions::new(url)).await.unwrap().close().await;
    })
    .await;
    world_on(url, None, |_| {}).await
}

async fn world_on(url: String, folder: Option<tempfile::TempDir>, change: impl FnOnce(&mut ServeOptions)) -> World {
    let db = Db::open(&DbOptions::new(&url)).await.unwrap();
    world_of(db, url, folder, change).await
}

async fn world_of(
    db: Db,
    url: String,
    folder: Option<tempfile::TempDir>,
    change: impl FnOnce(&mut ServeOptions),
) -> World {
    let clock = ManualClock::at(Utc.with_ymd_and_hms(2026, 11, 22, 12, 0, 0).unwrap());
    let scheduler = Scheduler::new(SchedulerOptions {
        db,
        clock: SchedulerClock::Given(Arc::new(clock.clone())),
        keys: KeyRing::generate().unwrap(),
        limits: Limits::default(),
        zone: chrono_tz::Europe::Copenhagen,
        lanes: orchestrator_db::LaneOptions::default(),
        retention: orchestrator_scheduler::Retention::default(),
    });
    let shutdown = Shutdown::new();
    service::run(&scheduler, &TaskTracker::new(), &shutdown.soft);
    let mut options = ServeOptions::new("127.0.0.1:0".parse().unwrap());
    change(&mut options);
    let accounts = Accounts::new(scheduler.clone(), AccountOptions::default());
    let services = Services {
        scheduler: scheduler.clone(),
        clock: Arc::new(clock.clone()),
        accounts: accounts.clone(),
        pages: Some(pages()),
    };
    let server = serve(options, services, shutdown.clone()).await.unwrap();
    World {
        address: server.address(),
        clock,
        scheduler,
        accounts,
        shutdown,
        server: Some(server),
        url,
        _folder: folder,
    }
}

impl World {
    /// Another server with what this one had, on a database that takes no writes.
    pub(crate) async fn read_only(self) -> Self {
        self.scheduler.db().close().await;
        let (url, folder) = if let Some(file) = self.url.strip_prefix("sqlite:") {
            // The file itself is this server's as long as any of its tasks lives.
            let folder = tempfile::tempdir().unwrap();
            let copy = folder.path().join("copy.db");
            std::fs::copy(file, &copy).unwrap();
            (format!("sqlite:{}?mode=ro", copy.display()), Some(folder))
        } else {
            (format!("{}&options[default_transaction_read_only]=on", self.url), None)
        };
        let db = Db::connect(&DbOptions::new(&url)).await.unwrap();
        world_of(db, url, folder, |_| {}).await
    }

    /// A token that ends after `lifetime`.
    pub(crate) async fn token(
        &self,
        kind: TokenKind,
        role: Option<Role>,
        lifetime: Option<chrono::Duration>,
    ) -> Issued {
        let token = ApiToken::generate(kind).unwrap();
        let now = self.clock.now();
        let (kind, name) = match kind {
            TokenKind::User => (IdentityKind::User, "anna"),
            TokenKind::Worker => (IdentityKind::Worker, "robot-1"),
            TokenKind::Job => panic!("tokens of jobs are kept with their job"),
        };
        let new = NewToken {
            id: TokenId::generate(),
            kind,
            name: ActorName::parse(name).unwrap(),
            role,
            hash: *token.hash().as_bytes(),
            prefix: token.prefix(),
            created_by: None,
            expires_at: lifetime.map(|lifetime| now + lifetime),
            person: None,
        };
        let mut tx = self.scheduler.db().begin_write().await.unwrap();
        tx.token_insert(&new, now).await.unwrap();
        tx.commit().await.unwrap();
        Issued { id: new.id, secret: token.expose().to_owned() }
    }

    pub(crate) async fn user(&self, role: Role) -> Presents {
        Presents::bearer(&self.token(TokenKind::User, Some(role), None).await.secret)
    }

    pub(crate) async fn worker(&self) -> Presents {
        Presents::bearer(&self.token(TokenKind::Worker, None, None).await.secret)
    }

    /// Ends a token in the database, as another server would.
    pub(crate) async fn revoke(&self, token: TokenId) {
        let mut tx = self.scheduler.db().begin_write().await.unwrap();
        assert!(tx.token_revoke(token, self.clock.now()).await.unwrap());
        tx.commit().await.unwrap();
    }

    pub(crate) async fn channel(&self) -> Channel {
        Endpoint::from_shared(format!("http://{}", self.address)).unwrap().connect().await.unwrap()
    }

    pub(crate) async fn triggers(&self) -> TriggerServiceClient<Channel> {
        TriggerServiceClient::new(self.channel().await)
    }

    pub(crate) async fn jobs(&self) -> JobServiceClient<Channel> {
        JobServiceClient::new(self.channel().await)
    }

    pub(crate) async fn workers(&self) -> WorkerServiceClient<Channel> {
        WorkerServiceClient::new(self.channel().await)
    }

    /// A job that runs on `worker`, with its robot's token.
    pub(crate) async fn running_job(&self, worker: &Presents) -> Running {
        let admin = self.user(Role::Admin).await;
        let mut triggers = self.triggers().await;
        let create = v1::CreateTriggerRequest { trigger: Some(single("night")), ..Default::default() };
        triggers.create(admin.on(create)).await.unwrap();
        let mut workers = self.workers().await;
        let session = register(&mut workers, worker).await;
        let claim = v1::ClaimJobsRequest { session_id: session.clone(), free_slots: 1, ..Default::default() };
        let claimed = workers.claim_jobs(worker.on(claim)).await.unwrap().into_inner();
        let assignment = claimed.assignments.into_iter().next().unwrap();
        let token = ApiToken::generate(TokenKind::Job).unwrap();
        let start = v1::StartJobRequest {
            session_id: session.clone(),
            job_id: assignment.job_id.clone(),
            lease_token: assignment.lease_token,
            job_token_hash: token.hash().as_bytes().to_vec(),
            commit: String::new(),
        };
        workers.start_job(worker.on(start)).await.unwrap();
        Running { session, assignment, token: token.expose().to_owned() }
    }

    /// Stops the server and waits for it.
    pub(crate) async fn stop(&mut self) {
        self.shutdown.soft.cancel();
        self.server.take().unwrap().stopped().await;
    }
}

/// A job that a worker runs.
pub(crate) struct Running {
    pub(crate) session: String,
    pub(crate) assignment: v1::Assignment,
    pub(crate) token: String,
}

pub(crate) async fn register(workers: &mut WorkerServiceClient<Channel>, worker: &Presents) -> String {
    let register = v1::RegisterRequest {
        instance_id: orchestrator_core::id::InstanceId::generate().to_string(),
        slots: 2,
        version: "1.0".to_owned(),
        ..Default::default()
    };
    workers.register(worker.on(register)).await.unwrap().into_inner().session_id
}

/// A single trigger that is due at once.
pub(crate) fn single(name: &str) -> v1::Trigger {
    v1::Trigger {
        name: name.to_owned(),
        process_name: "Invoices".to_owned(),
        process_path: "/robots/invoices.py".to_owned(),
        kind: Some(v1::trigger::Kind::Single(v1::SingleKind { next_run: None })),
        ..Default::default()
    }
}

/// The stable code of a refusal.
pub(crate) fn reason(status: &Status) -> String {
    status.get_details_error_info().map(|info| info.reason).unwrap_or_default()
}
