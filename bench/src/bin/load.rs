//! Closed-loop load on a running server: so many connections, each with one call in flight. Beside it a bare server that
//! answers the same messages from memory, for the limit that gRPC itself sets.
//!
//! `load echo` serves; `load claim --url http://127.0.0.1:8420 --token orc_user_… --connections 256` measures.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::{Parser, ValueEnum};
use orchestrator_proto::v1;
use tokio::task::JoinSet;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Response, Status, Streaming};
use v1::queue_service_client::QueueServiceClient;
use v1::queue_service_server::{QueueService, QueueServiceServer};

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    /// Serve the bare server until killed; prints its URL.
    Echo,
    /// Claims, `--count` elements a call.
    Claim,
    /// Claims whose elements are completed by the next call.
    Cycle,
    /// Claims, then completes with a call of its own.
    TwoCalls,
    /// Creates one element a call.
    Create,
    /// Fills the queue with `--elements` elements in bulk.
    Fill,
}

#[derive(Debug, Parser)]
struct Cli {
    what: What,
    #[arg(long, default_value = "http://127.0.0.1:8420")]
    url: String,
    #[arg(long, default_value = "none")]
    token: String,
    #[arg(long, default_value_t = 256)]
    connections: usize,
    #[arg(long, default_value_t = 1)]
    count: u32,
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    #[arg(long, default_value = "load")]
    queue: String,
    #[arg(long, default_value_t = 100_000)]
    elements: usize,
}

#[tokio::main(flavor = "multi_thread")]
async fn main() -> anyhow::Result<()> {
    let cli = Arc::new(Cli::parse());
    match cli.what {
        What::Echo => return echo().await,
        What::Fill => return fill(&cli).await,
        _ => {}
    }
    let mut clients = JoinSet::new();
    // The first second does not count.
    let from = Instant::now() + Duration::from_secs(1);
    for _ in 0..cli.connections {
        clients.spawn(client(cli.clone(), from));
    }
    let (mut latencies, mut elements, mut ids) = (Vec::new(), 0, std::collections::HashSet::new());
    let mut doubled = 0;
    while let Some(done) = clients.join_next().await {
        let (mine, some, claimed) = done??;
        latencies.extend(mine);
        elements += some;
        doubled += claimed.into_iter().filter(|id| !ids.insert(id.clone())).count();
    }
    latencies.sort_unstable();
    let at = |share: f64| {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "an index"
        )]
        let index = ((latencies.len() as f64) * share) as usize;
        latencies.get(index.min(latencies.len().saturating_sub(1))).copied().unwrap_or_default()
    };
    let report = serde_json::json!({
        "calls_per_second": latencies.len() as u64 / cli.seconds,
        "elements_per_second": elements / cli.seconds,
        "p50_ms": at(0.5).as_secs_f64() * 1000.0,
        "p99_ms": at(0.99).as_secs_f64() * 1000.0,
        "doubled": doubled,
    });
    #[expect(clippy::print_stdout, reason = "the program's answer")]
    {
        println!("{:?} x {} x {}: {report}", cli.what, cli.connections, cli.count);
    }
    Ok(())
}

type Done = (Vec<Duration>, u64, Vec<String>);

async fn connect(cli: &Cli) -> anyhow::Result<QueueServiceClient<Channel>> {
    let channel = Endpoint::from_shared(cli.url.clone())?.tcp_nodelay(true).connect().await?;
    Ok(QueueServiceClient::new(channel).max_decoding_message_size(64 << 20))
}

fn authorized<T>(cli: &Cli, message: T) -> anyhow::Result<Request<T>> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("authorization", format!("Bearer {}", cli.token).parse()?);
    Ok(request)
}

/// One connection, one call at a time. What begins before `from` does not count.
async fn client(cli: Arc<Cli>, from: Instant) -> anyhow::Result<Done> {
    let mut queues = connect(&cli).await?;
    let until = from + Duration::from_secs(cli.seconds);
    let (mut latencies, mut elements, mut ids) = (Vec::new(), 0, Vec::new());
    let mut held: Vec<v1::QueueElement> = Vec::new();
    while Instant::now() < until {
        let began = Instant::now();
        let got = if cli.what == What::Create {
            let element = v1::NewElement { data: Some("x".repeat(200)), ..Default::default() };
            let queue_name = cli.queue.clone();
            let create = v1::CreateElementRequest { queue_name, element: Some(element), repeat: false };
            queues.create(authorized(&cli, create)?).await?;
            Vec::new()
        } else {
            let complete = if cli.what == What::Cycle { held.iter().map(done).collect() } else { Vec::new() };
            let queue_name = cli.queue.clone();
            let claim = v1::ClaimElementsRequest { queue_name, count: cli.count, complete, ..Default::default() };
            queues.claim(authorized(&cli, claim)?).await?.into_inner().elements
        };
        if cli.what == What::TwoCalls {
            for element in &got {
                queues.set_status(authorized(&cli, done(element))?).await?;
            }
        }
        if began >= from {
            latencies.push(began.elapsed());
            elements += got.len() as u64;
        }
        ids.extend(got.iter().filter(|element| !element.id.is_empty()).map(|element| element.id.clone()));
        held = got;
    }
    Ok((latencies, elements, ids))
}

fn done(element: &v1::QueueElement) -> v1::SetElementStatusRequest {
    v1::SetElementStatusRequest {
        element: element.id.clone(),
        status: "DONE".to_owned(),
        message: None,
        lease_token: Some(element.lease_token),
    }
}

async fn fill(cli: &Cli) -> anyhow::Result<()> {
    let mut queues = connect(cli).await?;
    let began = Instant::now();
    let mut left = cli.elements;
    while left > 0 {
        let some = left.min(100_000);
        left -= some;
        let queue = cli.queue.clone();
        let new = || v1::NewElement { data: Some("x".repeat(200)), ..Default::default() };
        let messages = (0..some).step_by(5_000).map(move |from| v1::BulkCreateRequest {
            queue_name: queue.clone(),
            elements: (from..some.min(from + 5_000)).map(|_| new()).collect(),
            repeat: false,
        });
        queues.bulk_create(authorized(cli, tokio_stream::iter(messages.collect::<Vec<_>>()))?).await?;
    }
    let took = began.elapsed().as_secs_f64();
    #[expect(clippy::print_stdout, clippy::cast_precision_loss, reason = "the program's answer")]
    {
        println!("Fill: {:.0} elements/s", cli.elements as f64 / took);
    }
    Ok(())
}

/// The same messages, from memory.
#[derive(Debug)]
struct Echo;

async fn echo() -> anyhow::Result<()> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    #[expect(clippy::print_stdout, reason = "the program's answer")]
    {
        println!("http://{}", listener.local_addr()?);
    }
    let incoming = tonic::transport::server::TcpIncoming::from(listener).with_nodelay(Some(true));
    tonic::transport::Server::builder()
        .add_service(QueueServiceServer::new(Echo))
        .serve_with_incoming(incoming)
        .await
        .context("the bare server ended")
}

type Answer<T> = Result<Response<T>, Status>;

fn not_here<T>() -> Answer<T> {
    Err(Status::unimplemented("the bare server claims and creates only"))
}

fn element() -> v1::QueueElement {
    v1::QueueElement { status: "NEW".to_owned(), data: Some("x".repeat(200)), ..Default::default() }
}

#[tonic::async_trait]
impl QueueService for Echo {
    async fn claim(&self, _: Request<v1::ClaimElementsRequest>) -> Answer<v1::ClaimElementsResponse> {
        Ok(Response::new(v1::ClaimElementsResponse { elements: vec![element()], completed: Vec::new() }))
    }

    async fn create(&self, _: Request<v1::CreateElementRequest>) -> Answer<v1::CreateElementResponse> {
        Ok(Response::new(v1::CreateElementResponse { element: Some(element()) }))
    }

    async fn list_queues(&self, _: Request<v1::ListQueuesRequest>) -> Answer<v1::ListQueuesResponse> {
        not_here()
    }

    async fn bulk_create(&self, _: Request<Streaming<v1::BulkCreateRequest>>) -> Answer<v1::BulkCreateResponse> {
        not_here()
    }

    async fn set_status(&self, _: Request<v1::SetElementStatusRequest>) -> Answer<v1::SetElementStatusResponse> {
        not_here()
    }

    async fn set_statuses(&self, _: Request<v1::SetElementStatusesRequest>) -> Answer<v1::SetElementStatusesResponse> {
        not_here()
    }

    async fn list(&self, _: Request<v1::ListElementsRequest>) -> Answer<v1::ListElementsResponse> {
        not_here()
    }

    async fn get(&self, _: Request<v1::GetElementRequest>) -> Answer<v1::GetElementResponse> {
        not_here()
    }

    async fn update(&self, _: Request<v1::UpdateElementRequest>) -> Answer<v1::UpdateElementResponse> {
        not_here()
    }

    async fn delete(&self, _: Request<v1::DeleteElementRequest>) -> Answer<v1::DeleteElementResponse> {
        not_here()
    }

    async fn retry(&self, _: Request<v1::RetryElementsRequest>) -> Answer<v1::RetryElementsResponse> {
        not_here()
    }

    async fn update_settings(
        &self,
        _: Request<v1::UpdateQueueSettingsRequest>,
    ) -> Answer<v1::UpdateQueueSettingsResponse> {
        not_here()
    }
}
