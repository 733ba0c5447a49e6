//! A server that gives prepared answers and remembers what it was asked.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};

use orchestrator_proto::v1 as pb;
use pb::job_service_server::{JobService, JobServiceServer};
use pb::queue_service_server::{QueueService, QueueServiceServer};
use pb::trigger_service_server::{TriggerService, TriggerServiceServer};
use prost::Message;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio_stream::wrappers::TcpListenerStream;
use tokio_stream::{Stream, StreamExt as _};
use tonic::{Request, Response, Status, Streaming};

use crate::program::{Outcome, Program, token};

/// Serves until it is dropped.
pub(crate) struct FakeServer {
    _runtime: Runtime,
    address: SocketAddr,
    token: String,
    book: Book,
}

#[derive(Clone, Default)]
struct Book(Arc<Mutex<Pages>>);

#[derive(Default)]
struct Pages {
    answers: HashMap<&'static str, VecDeque<Result<Vec<u8>, Status>>>,
    calls: Vec<(&'static str, Vec<u8>)>,
    bearers: Vec<String>,
}

impl FakeServer {
    pub(crate) fn new() -> Self {
        let runtime = Runtime::new().expect("threads");
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a free port");
        let address = listener.local_addr().expect("an address");
        let book = Book::default();
        let server = tonic::transport::Server::builder()
            .add_service(TriggerServiceServer::new(book.clone()))
            .add_service(JobServiceServer::new(book.clone()))
            .add_service(QueueServiceServer::new(book.clone()))
            .serve_with_incoming(TcpListenerStream::new(listener));
        drop(runtime.spawn(server));
        Self { _runtime: runtime, address, token: token(), book }
    }

    /// Where it listens, on 127.0.0.1.
    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// The next answer to calls of this method; the last one is given again and again.
    pub(crate) fn answers(&self, method: &'static str, answer: &impl Message) {
        self.book.pages().answers.entry(method).or_default().push_back(Ok(answer.encode_to_vec()));
    }

    /// As [`FakeServer::answers`], but the call is refused.
    pub(crate) fn refuses(&self, method: &'static str, status: Status) {
        self.book.pages().answers.entry(method).or_default().push_back(Err(status));
    }

    /// What calls of this method carried.
    pub(crate) fn calls<M: Message + Default>(&self, method: &'static str) -> Vec<M> {
        let pages = self.book.pages();
        let calls = pages.calls.iter().filter(|(called, _)| *called == method);
        calls.map(|(_, bytes)| M::decode(bytes.as_slice()).expect("a message of this type")).collect()
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Outcome {
        self.run_in(&Program::new(), arguments)
    }

    pub(crate) fn run_in(&self, program: &Program, arguments: &[&str]) -> Outcome {
        let url = format!("http://{}", self.address);
        let outcome =
            program.run_with(arguments, &[("ORCHESTRATOR_URL", &url), ("ORCHESTRATOR_TOKEN", &self.token)], "");
        let expected = format!("Bearer {}", self.token);
        assert!(self.book.pages().bearers.iter().all(|bearer| *bearer == expected));
        outcome
    }
}

impl Book {
    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.0.lock().expect("no test panicked here")
    }

    fn answer<Q: Message, A: Message + Default>(
        &self,
        method: &'static str,
        request: Request<Q>,
    ) -> Result<Response<A>, Status> {
        let bearer = bearer_of(&request);
        self.note(method, bearer, &request.into_inner());
        self.next(method).map(Response::new)
    }

    fn note(&self, method: &'static str, bearer: String, request: &impl Message) {
        let mut pages = self.pages();
        pages.bearers.push(bearer);
        pages.calls.push((method, request.encode_to_vec()));
    }

    fn next<A: Message + Default>(&self, method: &'static str) -> Result<A, Status> {
        let mut pages = self.pages();
        let answers = pages.answers.get_mut(method).ok_or_else(|| Status::unimplemented(method))?;
        let answer = if answers.len() > 1 { answers.pop_front() } else { answers.front().cloned() };
        let bytes = answer.ok_or_else(|| Status::unimplemented(method))??;
        Ok(A::decode(bytes.as_slice()).expect("an answer of this method"))
    }
}

fn bearer_of<T>(request: &Request<T>) -> String {
    let value = request.metadata().get("authorization").and_then(|value| value.to_str().ok());
    value.unwrap_or_default().to_owned()
}

/// A service whose unary methods are answered from the book, under the name in quotes; what follows are the other items
/// of its trait.
macro_rules! from_the_book {
    ($service:ident { $($method:ident($request:ident) -> $reply:ident = $name:literal,)+ } $($more:tt)*) => {
        #[tonic::async_trait]
        impl $service for Book {
            $($more)*

            $(async fn $method(&self, request: Request<pb::$request>) -> Result<Response<pb::$reply>, Status> {
                self.answer($name, request)
            })+
        }
    };
}

from_the_book!(TriggerService {
    create(CreateTriggerRequest) -> CreateTriggerResponse = "create",
    get(GetTriggerRequest) -> GetTriggerResponse = "get",
    list(ListTriggersRequest) -> ListTriggersResponse = "list",
    update(UpdateTriggerRequest) -> UpdateTriggerResponse = "update",
    delete(DeleteTriggerRequest) -> DeleteTriggerResponse = "delete",
    enable(EnableTriggerRequest) -> EnableTriggerResponse = "enable",
    disable(DisableTriggerRequest) -> DisableTriggerResponse = "disable",
    run_now(RunNowRequest) -> RunNowResponse = "run_now",
    kill(KillTriggerRequest) -> KillTriggerResponse = "kill",
    preview_schedule(PreviewScheduleRequest) -> PreviewScheduleResponse = "preview_schedule",
    list_decisions(ListDecisionsRequest) -> ListDecisionsResponse = "list_decisions",
    list_planned_runs(ListPlannedRunsRequest) -> ListPlannedRunsResponse = "list_planned_runs",
});

from_the_book!(JobService {
    list(ListJobsRequest) -> ListJobsResponse = "job list",
    get(GetJobRequest) -> GetJobResponse = "job get",
    kill(KillJobRequest) -> KillJobResponse = "job kill",
    retry(RetryJobRequest) -> RetryJobResponse = "job retry",
    dismiss(DismissJobRequest) -> DismissJobResponse = "job dismiss",
    end_development(EndDevelopmentRequest) -> EndDevelopmentResponse = "end_development",
    read_output(ReadOutputRequest) -> ReadOutputResponse = "read_output",
}
    type WatchOutputStream = Pin<Box<dyn Stream<Item = Result<pb::WatchOutputResponse, Status>> + Send>>;

    /// One prepared message a stream, and then its end.
    async fn watch_output(
        &self,
        request: Request<pb::WatchOutputRequest>,
    ) -> Result<Response<Self::WatchOutputStream>, Status> {
        let message: Response<pb::WatchOutputResponse> = self.answer("watch_output", request)?;
        Ok(Response::new(Box::pin(tokio_stream::once(Ok(message.into_inner())))))
    }
);

from_the_book!(QueueService {
    list_queues(ListQueuesRequest) -> ListQueuesResponse = "list_queues",
    get_queue(GetQueueRequest) -> GetQueueResponse = "get_queue",
    get_history(GetQueueHistoryRequest) -> GetQueueHistoryResponse = "queue history",
    create(CreateElementRequest) -> CreateElementResponse = "element create",
    claim(ClaimElementsRequest) -> ClaimElementsResponse = "claim",
    set_status(SetElementStatusRequest) -> SetElementStatusResponse = "set_status",
    set_statuses(SetElementStatusesRequest) -> SetElementStatusesResponse = "set_statuses",
    list(ListElementsRequest) -> ListElementsResponse = "element list",
    list_of_job(ListElementsOfJobRequest) -> ListElementsOfJobResponse = "element list_of_job",
    get(GetElementRequest) -> GetElementResponse = "element get",
    update(UpdateElementRequest) -> UpdateElementResponse = "element update",
    delete(DeleteElementRequest) -> DeleteElementResponse = "element delete",
    retry(RetryElementsRequest) -> RetryElementsResponse = "element retry",
    update_settings(UpdateQueueSettingsRequest) -> UpdateQueueSettingsResponse = "update_settings",
    pause(PauseQueueRequest) -> PauseQueueResponse = "queue pause",
    resume(ResumeQueueRequest) -> ResumeQueueResponse = "queue resume",
    delete_queue(DeleteQueueRequest) -> DeleteQueueResponse = "queue delete",
}
    async fn bulk_create(
        &self,
        request: Request<Streaming<pb::BulkCreateRequest>>,
    ) -> Result<Response<pb::BulkCreateResponse>, Status> {
        let bearer = bearer_of(&request);
        let mut messages = request.into_inner();
        while let Some(message) = messages.next().await {
            self.note("bulk_create", bearer.clone(), &message?);
        }
        self.next("bulk_create").map(Response::new)
    }
    async fn import(
        &self,
        request: Request<Streaming<pb::ImportElementsRequest>>,
    ) -> Result<Response<pb::ImportElementsResponse>, Status> {
        let bearer = bearer_of(&request);
        let mut messages = request.into_inner();
        while let Some(message) = messages.next().await {
            self.note("import", bearer.clone(), &message?);
        }
        self.next("import").map(Response::new)
    }
);
