//! Workers that have nothing to do, each on a connection of its own: what they cost the server.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use orchestrator_proto::v1;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tonic::transport::{Channel, Endpoint};
use v1::admin_service_client::AdminServiceClient;
use v1::worker_service_client::WorkerServiceClient;

use crate::machine::Machine;

/// How often an agent is heard of.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// How long the server is watched.
const WATCHED: Duration = Duration::from_secs(20);

/// Registrations at the same time.
const AT_ONCE: usize = 32;

/// What the workers cost.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cost {
    /// Of the server's memory, for each.
    pub(crate) kibibytes: f64,
    /// Of one core, for all.
    pub(crate) cpu_percent: f64,
    /// Transactions of the database in a second, for all; on PostgreSQL only.
    pub(crate) transactions: Option<f64>,
}

/// Connects so many, and watches the server while they wait and are heard of every five seconds.
pub(crate) async fn cost(machine: &Machine, count: usize) -> anyhow::Result<Cost> {
    let before = machine.server_memory()?;
    let permits = Arc::new(Semaphore::new(AT_ONCE));
    let mut joining = JoinSet::new();
    for number in 0..count {
        let (permits, address) = (permits.clone(), machine.address().to_owned());
        let request = machine.request(v1::CreateTokenRequest {
            kind: "WORKER".to_owned(),
            name: format!("idle-{number}"),
            ..v1::CreateTokenRequest::default()
        })?;
        let mut admin = AdminServiceClient::new(machine.channel());
        joining.spawn(async move {
            let _permit = permits.acquire_owned().await?;
            let secret = admin.create_token(request).await?.into_inner().secret;
            Agent::join(&address, &secret, number).await
        });
    }
    let mut agents = JoinSet::new();
    while let Some(joined) = joining.join_next().await {
        let agent = joined??;
        agents.spawn(async move { agent.idle().await });
    }
    // Until each has waited and was heard of.
    tokio::time::sleep(2 * HEARTBEAT).await;
    let (cpu, transactions) = (machine.server_cpu()?, machine.transactions()?);
    tokio::time::sleep(WATCHED).await;
    let cpu = machine.server_cpu()?.saturating_sub(cpu);
    let transactions = machine.transactions()?.zip(transactions).map(|(after, before)| after - before);
    let cost = Cost {
        kibibytes: (machine.server_memory()? - before) * 1024.0 / f64::from(u32::try_from(count)?),
        cpu_percent: 100.0 * cpu.as_secs_f64() / WATCHED.as_secs_f64(),
        transactions: transactions.map(|count| count / WATCHED.as_secs_f64()),
    };
    if let Some(ended) = agents.try_join_next() {
        ended?.context("an idle worker did not stay")?;
    }
    agents.shutdown().await;
    Ok(cost)
}

struct Agent {
    client: WorkerServiceClient<Channel>,
    token: String,
    session: String,
    number: usize,
}

impl Agent {
    async fn join(address: &str, token: &str, number: usize) -> anyhow::Result<Self> {
        let channel = Endpoint::from_shared(address.to_owned())?.connect().await?;
        let mut agent =
            Self { client: WorkerServiceClient::new(channel), token: token.to_owned(), session: String::new(), number };
        let request = agent.request(v1::RegisterRequest {
            instance_id: format!("00000000-0000-4000-8000-{number:012}"),
            slots: 1,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            ..v1::RegisterRequest::default()
        })?;
        agent.session = agent.client.register(request).await?.into_inner().session_id;
        Ok(agent)
    }

    fn request<T>(&self, message: T) -> anyhow::Result<tonic::Request<T>> {
        let mut request = tonic::Request::new(message);
        request.metadata_mut().insert("authorization", format!("Bearer {}", self.token).parse()?);
        Ok(request)
    }

    /// Waits for jobs that do not come, listens for orders, and says every five seconds that it is there.
    async fn idle(self) -> anyhow::Result<()> {
        tokio::try_join!(self.wait(), self.listen(), self.beat()).map(drop)
    }

    async fn wait(&self) -> anyhow::Result<()> {
        for call in 0_u64.. {
            let request = self.request(v1::ClaimJobsRequest {
                session_id: self.session.clone(),
                free_slots: 1,
                wait: None,
                call: Some(v1::Call {
                    request_id: format!("{:08x}-0000-4000-8000-{call:012x}", self.number),
                    repeat: false,
                }),
            })?;
            self.client.clone().claim_jobs(request).await?;
        }
        Ok(())
    }

    async fn listen(&self) -> anyhow::Result<()> {
        let request = self.request(v1::CommandsRequest { session_id: self.session.clone() })?;
        let mut orders = self.client.clone().commands(request).await?.into_inner();
        while orders.message().await?.is_some() {}
        Ok(())
    }

    async fn beat(&self) -> anyhow::Result<()> {
        // Spread over the interval, as agents that started at different times are.
        tokio::time::sleep(HEARTBEAT / 1000 * u32::try_from(self.number % 1000)?).await;
        loop {
            let request = self.request(v1::HeartbeatRequest {
                session_id: self.session.clone(),
                ..v1::HeartbeatRequest::default()
            })?;
            self.client.clone().heartbeat(request).await?;
            tokio::time::sleep(HEARTBEAT).await;
        }
    }
}
