//! What callers of our server do.

use orchestrator_proto::v1;
use tonic::Request;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::Channel;
use v1::queue_service_client::QueueServiceClient;
use v1::robot_service_client::RobotServiceClient;

use super::load::{Called, Caller};

/// The bearer, made once.
pub(crate) type Bearer = MetadataValue<Ascii>;

fn with<T>(bearer: &Bearer, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("authorization", bearer.clone());
    request
}

/// Claims, and says with the next claim that what it got is done, where it rides.
#[derive(Debug)]
pub(crate) struct Claiming {
    client: QueueServiceClient<Channel>,
    bearer: Bearer,
    request: v1::ClaimElementsRequest,
    rides: bool,
    taken: Vec<String>,
}

impl Claiming {
    pub(crate) fn new(channel: Channel, bearer: &Bearer, queue: &str, count: u32, rides: bool) -> Self {
        let request = v1::ClaimElementsRequest { queue_name: queue.to_owned(), count, ..Default::default() };
        let client = QueueServiceClient::new(channel);
        Self { client, bearer: bearer.clone(), request, rides, taken: Vec::new() }
    }
}

impl Caller for Claiming {
    async fn call(&mut self) -> anyhow::Result<Called> {
        let request = with(&self.bearer, self.request.clone());
        let answer = self.client.claim(request).await?.into_inner();
        if let Some(refused) = answer.completed.iter().find(|result| !result.error_code.is_empty()) {
            anyhow::bail!("an element could not be completed: {}", refused.error_message);
        }
        self.request.complete.clear();
        if answer.elements.is_empty() {
            return Ok(Called::Empty);
        }
        if self.rides {
            self.request.complete.extend(answer.elements.iter().map(|element| v1::SetElementStatusRequest {
                element: element.id.clone(),
                status: "DONE".to_owned(),
                message: None,
                lease_token: Some(element.lease_token),
            }));
        }
        let count = answer.elements.len();
        self.taken.extend(answer.elements.into_iter().map(|element| element.id));
        Ok(Called::Did(count))
    }

    fn taken(self) -> Vec<String> {
        self.taken
    }
}

/// Creates elements one by one.
#[derive(Debug)]
pub(crate) struct Creating {
    client: QueueServiceClient<Channel>,
    bearer: Bearer,
    request: v1::CreateElementRequest,
    taken: Vec<String>,
}

impl Creating {
    pub(crate) fn new(channel: Channel, bearer: &Bearer, queue: &str, payload: &str) -> Self {
        let element = v1::NewElement { data: Some(payload.to_owned()), ..v1::NewElement::default() };
        let request =
            v1::CreateElementRequest { queue_name: queue.to_owned(), element: Some(element), ..Default::default() };
        Self { client: QueueServiceClient::new(channel), bearer: bearer.clone(), request, taken: Vec::new() }
    }
}

impl Caller for Creating {
    async fn call(&mut self) -> anyhow::Result<Called> {
        let created = self.client.create(with(&self.bearer, self.request.clone())).await?.into_inner().element;
        self.taken.extend(created.map(|element| element.id));
        Ok(Called::Did(1))
    }

    fn taken(self) -> Vec<String> {
        self.taken
    }
}

/// Creates an element and claims one, in turns, so that the queue stays short.
#[derive(Debug)]
pub(crate) struct InTurns {
    create: Creating,
    claim: Claiming,
}

impl InTurns {
    pub(crate) fn new(channel: Channel, bearer: &Bearer, queue: &str, payload: &str) -> Self {
        let create = Creating::new(channel.clone(), bearer, queue, payload);
        Self { create, claim: Claiming::new(channel, bearer, queue, 1, true) }
    }
}

impl Caller for InTurns {
    async fn call(&mut self) -> anyhow::Result<Called> {
        self.create.call().await?;
        // Another may have been faster; its own element is there soon.
        match self.claim.call().await? {
            Called::Empty => Ok(Called::Did(0)),
            did @ Called::Did(_) => Ok(did),
        }
    }

    fn taken(self) -> Vec<String> {
        self.claim.taken
    }
}

/// Writes log lines as a worker hands them on: many a call, each with an id and a time.
#[derive(Debug)]
pub(crate) struct Logging {
    client: RobotServiceClient<Channel>,
    bearer: Bearer,
    request: v1::LogRequest,
    prefix: usize,
    calls: u64,
}

impl Logging {
    pub(crate) fn new(channel: Channel, bearer: &Bearer, payload: &str, lines: usize, prefix: usize) -> Self {
        let line = v1::NewLog {
            log_time: Some(prost_types::Timestamp { seconds: 1_790_000_000, nanos: 0 }),
            log_level: "INFO".to_owned(),
            log_message: payload.to_owned(),
            ..v1::NewLog::default()
        };
        let request = v1::LogRequest { logs: vec![line; lines] };
        Self { client: RobotServiceClient::new(channel), bearer: bearer.clone(), request, prefix, calls: 0 }
    }

    /// Begins the development job whose lines these are.
    pub(crate) async fn begin(channel: Channel, bearer: &Bearer) -> anyhow::Result<()> {
        let begin = v1::GetContextRequest { process_name: "bench".to_owned(), process_args: String::new() };
        RobotServiceClient::new(channel).get_context(with(bearer, begin)).await?;
        Ok(())
    }
}

impl Caller for Logging {
    async fn call(&mut self) -> anyhow::Result<Called> {
        self.calls += 1;
        for (number, line) in self.request.logs.iter_mut().enumerate() {
            // Version 7, and growing.
            line.id = format!("01990000-{:04x}-7{:03x}-8000-{number:012x}", self.calls, self.prefix);
        }
        self.client.log(with(&self.bearer, self.request.clone())).await?;
        Ok(Called::Did(self.request.logs.len()))
    }

    fn taken(self) -> Vec<String> {
        Vec::new()
    }
}

/// Creates so many elements in one call.
pub(crate) async fn bulk(
    channel: Channel,
    bearer: &Bearer,
    queue: &str,
    count: usize,
    payload: &str,
) -> anyhow::Result<()> {
    let element = v1::NewElement { data: Some(payload.to_owned()), ..v1::NewElement::default() };
    let mut parts = Vec::with_capacity(count / PART + 1);
    let mut left = count;
    while left > 0 {
        let elements = vec![element.clone(); left.min(PART)];
        left -= elements.len();
        parts.push(v1::BulkCreateRequest { queue_name: queue.to_owned(), elements, repeat: false });
    }
    let request = with(bearer, tokio_stream::iter(parts));
    let created = QueueServiceClient::new(channel).bulk_create(request).await?.into_inner().created_count;
    anyhow::ensure!(usize::try_from(created)? == count, "{created} of {count} elements were created");
    Ok(())
}

/// Elements of one message.
const PART: usize = 1000;
