//! HTTP as plain as it gets: what is sent is exactly what a test says.

use std::fmt::Write as _;
use std::time::Duration;

use orchestrator_core::clock::Clock as _;
use orchestrator_proto::v1;
use orchestrator_proto::v1::queue_service_client::QueueServiceClient;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tower::ServiceExt as _;

use crate::world::{Presents, World, world, world_with};

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    pub(crate) fn parse(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((text, ""));
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or_default();
        Self { status, head: head.to_ascii_lowercase(), body: body.to_owned() }
    }
}

/// Sends bytes and reads until the server closes.
pub(crate) async fn exchange(world: &World, bytes: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(world.address).await.unwrap();
    // The server may answer and close before it has read everything.
    let _ = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    Answer::parse(&String::from_utf8_lossy(&answer))
}

/// Posts JSON.
pub(crate) async fn post(world: &World, path: &str, presents: &Presents, body: &str) -> Answer {
    let mut head = format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n",
        body.len()
    );
    if let Some(token) = &presents.bearer {
        write!(head, "authorization: Bearer {token}\r\n").unwrap();
    }
    if let Some(token) = &presents.job {
        write!(head, "x-orchestrator-job-token: {token}\r\n").unwrap();
    }
    exchange(world, format!("{head}\r\n{body}").as_bytes()).await
}

async fn get(world: &World, path: &str, host: &str) -> Answer {
    exchange(world, format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n").as_bytes()).await
}

#[tokio::test]
async fn health_answers_whoever_asks_by_whatever_name() {
    let world = world().await;
    for path in ["/healthz", "/readyz"] {
        let answer = get(&world, path, "balancer.example").await;
        assert_eq!((answer.status, answer.body.as_str()), (200, "ok\n"), "{path}");
    }
    world.scheduler.db().close().await;
    assert_eq!(get(&world, "/healthz", "localhost").await.status, 200);
    let away = async {
        while get(&world, "/readyz", "localhost").await.status != 503 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), away).await.unwrap();
}

#[tokio::test]
async fn a_database_that_takes_no_writes_is_not_ready_though_it_answers() {
    orchestrator_grpc::metrics::measure();
    for world in [world().await, crate::world::postgres_world().await] {
        let viewer = world.user(orchestrator_core::identity::Role::Viewer).await;
        let world = world.read_only().await;
        let ready = get(&world, "/readyz", "localhost").await;
        assert_eq!(ready.status, 503, "{}", world.url);
        assert!(ready.body.contains("takes no writes"), "{}", ready.body);
        let shown = figures(&world, &viewer).await;
        assert!(shown.body.lines().any(|line| line == "orchestrator_database_up 0"), "{}", shown.body);
        assert!(shown.body.contains("orchestrator_jobs"), "what can be read is shown: {}", shown.body);
        let status = post(&world, "/rpc/orchestrator.v1.AdminService/GetStatus", &viewer, "{}").await;
        assert_eq!(status.json()["databaseOutage"], "NO_WRITES", "{}", status.body);
    }
}

#[tokio::test]
async fn a_host_that_is_not_allowed_is_refused_before_anything_else() {
    let world = world_with(|options| options.allowed_hosts = vec!["robots.example".to_owned()]).await;
    let port = world.address.port();
    for host in ["localhost".to_owned(), format!("127.0.0.1:{port}"), format!("Robots.Example:{port}")] {
        assert_eq!(get(&world, "/nothing", &host).await.status, 404, "{host}");
    }
    for host in ["evil.example", "localhost.evil.example", "192.0.2.1"] {
        let answer = get(&world, "/nothing", host).await;
        assert_eq!(answer.status, 421, "{host}");
        assert_eq!(answer.json()["details"][0]["reason"], "HOST_NOT_ALLOWED");
    }
    let two = exchange(
        &world,
        b"GET /nothing HTTP/1.1\r\nhost: localhost\r\nhost: evil.example\r\nconnection: close\r\n\r\n",
    );
    assert!(matches!(two.await.status, 400 | 421));
}

#[tokio::test]
async fn a_connection_that_says_nothing_or_dribbles_is_closed() {
    let world = world_with(|options| {
        options.handshake_timeout = Duration::from_millis(100);
        options.header_timeout = Duration::from_millis(100);
    })
    .await;
    for start in ["", "PRI * HTTP/2.0\r\n", "GET / HTTP/1.1\r\nhost: local"] {
        let mut stream = TcpStream::connect(world.address).await.unwrap();
        stream.write_all(start.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let read = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut answer)).await;
        assert!(read.is_ok(), "'{start}' is still open");
    }
}

async fn figures(world: &World, presents: &Presents) -> Answer {
    let token = presents.bearer.as_deref().map(|token| format!("authorization: Bearer {token}\r\n"));
    let head =
        format!("GET /metrics HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{}\r\n", token.unwrap_or_default());
    exchange(world, head.as_bytes()).await
}

#[tokio::test]
async fn figures_of_the_lanes_are_shown_while_the_database_is_away() {
    orchestrator_grpc::metrics::measure();
    let world = world().await;
    let operator = world.user(orchestrator_core::identity::Role::Operator).await;
    let stranger = world.user(orchestrator_core::identity::Role::Viewer).await;
    let line = serde_json::json!({ "queueName": "q", "element": { "data": "x" } }).to_string();
    assert_eq!(post(&world, "/rpc/orchestrator.v1.QueueService/Create", &operator, &line).await.status, 200);
    assert_eq!(figures(&world, &operator).await.status, 200);
    world.scheduler.db().close().await;
    // What was remembered of tokens is long too old by then.
    world.clock.advance(chrono::TimeDelta::hours(1));
    let shown = figures(&world, &operator).await;
    assert_eq!(shown.status, 200, "{}", shown.body);
    assert!(shown.body.lines().any(|line| line == "orchestrator_database_up 0"), "{}", shown.body);
    assert!(shown.body.contains("orchestrator_lane_batch_size_bucket{lane=\"create\",le=\"1\"}"), "{}", shown.body);
    assert!(!shown.body.contains("orchestrator_jobs"), "what is not known is not told: {}", shown.body);
    assert_eq!(figures(&world, &stranger).await.status, 503);
    world.clock.advance(chrono::TimeDelta::hours(24));
    assert_eq!(figures(&world, &operator).await.status, 503);
}

#[tokio::test]
async fn figures_are_shown_to_users_and_to_nobody_else() {
    orchestrator_grpc::metrics::measure();
    let world = world().await;
    let ask = async |presents: &Presents| figures(&world, presents).await;
    let viewer = world.user(orchestrator_core::identity::Role::Viewer).await;
    assert_eq!(ask(&Presents::default()).await.status, 401);
    assert_eq!(ask(&Presents::bearer("orc_user_wrong")).await.status, 401);
    assert_eq!(ask(&world.worker().await).await.status, 401);
    let line = serde_json::json!({ "queueName": "q", "element": { "data": "x" } }).to_string();
    let operator = world.user(orchestrator_core::identity::Role::Operator).await;
    assert_eq!(post(&world, "/rpc/orchestrator.v1.QueueService/Create", &operator, &line).await.status, 200);
    let shown = ask(&viewer).await;
    assert_eq!(shown.status, 200);
    assert!(shown.body.contains("orchestrator_lane_batch_size_bucket{lane=\"create\",le=\"1\"}"), "{}", shown.body);
    assert!(shown.body.contains("orchestrator_lane_wait_seconds_count{lane=\"create\"}"), "{}", shown.body);
    for line in [
        "orchestrator_database_up 1",
        "orchestrator_queue_new_elements{queue=\"q\"} 1",
        "orchestrator_jobs{status=\"LOST\"} 0",
    ] {
        assert!(shown.body.lines().any(|there| there == line), "no {line} in {}", shown.body);
    }
}

#[tokio::test]
async fn answers_say_when_they_were_made_except_to_callers_of_grpc() {
    let world = world().await;
    let made = world.clock.now().format("%a, %d %b %Y %H:%M:%S GMT").to_string();
    let channel = world.channel().await;
    let page =
        http::Request::get(format!("http://{}/healthz", world.address)).body(tonic::body::Body::empty()).unwrap();
    let page = channel.clone().oneshot(page).await.unwrap();
    assert_eq!(page.version(), http::Version::HTTP_2);
    assert_eq!(page.headers().get("date").map(|date| date.to_str().unwrap().to_owned()), Some(made.clone()));
    assert!(get(&world, "/healthz", "localhost").await.head.contains(&format!("date: {}", made.to_ascii_lowercase())));

    // Each second's date would be one more entry in what both ends of a connection remember of headers.
    let operator = world.user(orchestrator_core::identity::Role::Operator).await;
    let mut queues = QueueServiceClient::new(channel);
    let listed = queues.list_queues(operator.on(v1::ListQueuesRequest::default())).await.unwrap();
    let claim = v1::ClaimElementsRequest {
        queue_name: "q".to_owned(),
        peek: true,
        count: 1,
        ..v1::ClaimElementsRequest::default()
    };
    let claimed = queues.claim(operator.on(claim)).await.unwrap();
    for answered in [listed.metadata(), claimed.metadata()] {
        assert!(answered.get("content-type").is_some() && answered.get("date").is_none(), "{answered:?}");
    }
}
