//! A server whose every answer a test decides.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use orchestrator_core::id::SessionId;
use orchestrator_proto::v1;
use orchestrator_proto::v1::worker_service_server::{WorkerService, WorkerServiceServer};
use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc, watch};
use tokio_stream::Stream;
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tokio_util::task::TaskTracker;
use tonic::{Code, Request, Response, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

/// What was called, with what.
#[derive(Debug, Clone)]
pub(crate) enum Call {
    Register(v1::RegisterRequest),
    Claim(v1::ClaimJobsRequest),
    Start(v1::StartJobRequest),
    Beat(v1::HeartbeatRequest),
    Finish(v1::FinishJobRequest),
    Output(v1::AppendOutputRequest),
    Leave,
}

impl Call {
    fn verb(&self) -> &'static str {
        match self {
            Self::Register(_) => "register",
            Self::Claim(_) => "claim",
            Self::Start(_) => "start",
            Self::Beat(_) => "beat",
            Self::Finish(_) => "finish",
            Self::Output(_) => "output",
            Self::Leave => "leave",
        }
    }
}

/// What becomes of a call instead of its usual answer.
#[derive(Debug, Clone)]
pub(crate) enum Trouble {
    /// The call has its effect, and the answer is lost.
    Lost,
    /// The call is refused.
    Refused(Code, &'static str),
    /// The answer never comes.
    Silent,
}

#[derive(Debug, Default)]
struct State {
    calls: Vec<Call>,
    /// The next troubles of each verb.
    troubles: HashMap<&'static str, VecDeque<Trouble>>,
    /// Trouble of a verb until it is taken back.
    standing: HashMap<&'static str, Trouble>,
    jobs: VecDeque<v1::Assignment>,
    granted: HashMap<String, Vec<v1::Assignment>>,
    kills: Vec<v1::KillOrder>,
    gone: Vec<v1::HeldJob>,
    start_lease: Option<Duration>,
    session: String,
    lease: Option<Duration>,
    heartbeat: Option<Duration>,
    commands: Option<mpsc::Sender<Order>>,
}

type Order = Result<v1::CommandsResponse, Status>;

/// The server.
#[derive(Debug, Clone)]
pub(crate) struct Fake {
    state: Arc<Mutex<State>>,
    changed: Arc<watch::Sender<u64>>,
    new_job: Arc<Notify>,
    tasks: TaskTracker,
    pub(crate) address: SocketAddr,
}

impl Fake {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let fake = Self {
            state: Arc::default(),
            changed: Arc::new(watch::channel(0).0),
            new_job: Arc::default(),
            tasks: TaskTracker::new(),
            address: listener.local_addr().expect("an address"),
        };
        fake.serve(listener);
        fake
    }

    fn serve(&self, listener: TcpListener) {
        let service = WorkerServiceServer::new(self.clone());
        let server = tonic::transport::Server::builder().add_service(service);
        self.tasks.spawn(async move {
            server.serve_with_incoming(TcpListenerStream::new(listener)).await.expect("it serves");
        });
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The job goes to the next claim.
    pub(crate) fn offer(&self, job: v1::Assignment) {
        self.state().jobs.push_back(job);
        self.new_job.notify_waiters();
    }

    /// The next call of this kind meets trouble.
    pub(crate) fn once(&self, verb: &'static str, trouble: Trouble) {
        self.state().troubles.entry(verb).or_default().push_back(trouble);
    }

    /// All calls of this kind meet trouble.
    pub(crate) fn always(&self, verb: &'static str, trouble: Trouble) {
        self.state().standing.insert(verb, trouble);
    }

    /// Calls of this kind are answered again.
    pub(crate) fn heal(&self, verb: &'static str) {
        self.state().standing.remove(verb);
    }

    /// No call is answered.
    pub(crate) fn go_away(&self) {
        for verb in ["register", "claim", "start", "beat", "finish", "output", "leave"] {
            self.always(verb, Trouble::Refused(Code::Unavailable, "GONE"));
        }
    }

    pub(crate) fn come_back(&self) {
        self.state().standing.clear();
    }

    /// Jobs are to be killed; told with the heartbeats.
    pub(crate) fn kill(&self, job: &v1::Assignment) {
        self.state().kills.push(kill_order(job));
    }

    /// Jobs are to be killed; told at once.
    pub(crate) async fn kill_at_once(&self, job: &v1::Assignment) {
        let order = v1::commands_response::Command::Kill(kill_order(job));
        self.eventually("a stream of commands", |fake| fake.state().commands.is_some()).await;
        let sender = self.state().commands.clone().expect("a stream");
        sender.send(Ok(v1::CommandsResponse { command: Some(order) })).await.expect("it listens");
    }

    /// The worker does not hold the job any more.
    pub(crate) fn take_away(&self, job: &v1::Assignment) {
        self.state().gone.push(v1::HeldJob { job_id: job.job_id.clone(), lease_token: job.lease_token });
    }

    /// What sessions and starts are told of leases.
    pub(crate) fn leases(&self, lease: Duration, start: Duration, heartbeat: Duration) {
        let mut state = self.state();
        (state.lease, state.start_lease, state.heartbeat) = (Some(lease), Some(start), Some(heartbeat));
    }

    /// Ends the session: every call that names it is refused from now on.
    pub(crate) fn end_session(&self) {
        "over".clone_into(&mut self.state().session);
    }

    /// All calls so far of which `wanted` makes something.
    pub(crate) fn calls<T>(&self, wanted: impl Fn(&Call) -> Option<T>) -> Vec<T> {
        self.state().calls.iter().filter_map(wanted).collect()
    }

    pub(crate) fn count(&self, verb: &str) -> usize {
        self.calls(|call| (call.verb() == verb).then_some(())).len()
    }

    pub(crate) fn starts(&self) -> Vec<v1::StartJobRequest> {
        self.calls(|call| if let Call::Start(start) = call { Some(start.clone()) } else { None })
    }

    pub(crate) fn registrations(&self) -> Vec<v1::RegisterRequest> {
        self.calls(|call| if let Call::Register(register) = call { Some(register.clone()) } else { None })
    }

    /// What each heartbeat listed.
    pub(crate) fn beats(&self) -> Vec<Vec<v1::HeldJob>> {
        self.calls(|call| if let Call::Beat(beat) = call { Some(beat.held.clone()) } else { None })
    }

    pub(crate) fn finishes(&self) -> Vec<v1::FinishJobRequest> {
        self.calls(|call| if let Call::Finish(finish) = call { Some(finish.clone()) } else { None })
    }

    /// What was written, in the order of its numbers, each once; `None` when a number is missing.
    pub(crate) fn output(&self, stream: &str) -> Option<String> {
        let chunks =
            self.calls(|call| if let Call::Output(output) = call { Some(output.chunks.clone()) } else { None });
        let mut by_seq: Vec<v1::OutputChunk> = chunks.into_iter().flatten().collect();
        by_seq.sort_by_key(|chunk| chunk.seq);
        by_seq.dedup_by_key(|chunk| chunk.seq);
        let complete = by_seq.iter().map(|chunk| chunk.seq).eq(1..=i64::try_from(by_seq.len()).ok()?);
        let bytes = by_seq.into_iter().filter(|chunk| chunk.stream == stream).flat_map(|chunk| chunk.content);
        complete.then(|| String::from_utf8(bytes.collect()).expect("text"))
    }

    /// What the agent has remarked on one job.
    pub(crate) fn remarks_on(&self, job: &str) -> String {
        let of_job = |call: &Call| match call {
            Call::Output(output) if output.job_id == job => Some(output.chunks.clone()),
            _ => None,
        };
        let chunks = self.calls(of_job).into_iter().flatten().filter(|chunk| chunk.stream == "SYSTEM");
        String::from_utf8(chunks.flat_map(|chunk| chunk.content).collect()).expect("text")
    }

    /// Waits until it is so. Looks again after every call.
    pub(crate) async fn eventually(&self, what: &str, mut is_so: impl FnMut(&Self) -> bool) {
        let mut changed = self.changed.subscribe();
        let waiting = async {
            loop {
                changed.borrow_and_update();
                if is_so(self) {
                    return;
                }
                changed.changed().await.expect("the server lives");
            }
        };
        let waited = tokio::time::timeout(Duration::from_secs(40), waiting).await;
        assert!(waited.is_ok(), "not in time: {what}; called: {:#?}", self.state().calls);
    }

    /// Waits for the first end that is told.
    pub(crate) async fn ended(&self) -> v1::FinishJobRequest {
        self.eventually("an end", |fake| !fake.finishes().is_empty()).await;
        self.finishes().remove(0)
    }

    /// Notes the call; the trouble that it meets.
    async fn called(&self, call: Call) -> Result<bool, Status> {
        let trouble = {
            let mut state = self.state();
            let verb = call.verb();
            let next = state.troubles.get_mut(verb).and_then(VecDeque::pop_front);
            let trouble = next.or_else(|| state.standing.get(verb).cloned());
            // A call that is refused has no effect, and one of an output is not kept.
            let is_refused = matches!(trouble, Some(Trouble::Refused(..)));
            if !(is_refused && matches!(call, Call::Output(_))) {
                state.calls.push(call);
            }
            trouble
        };
        self.changed.send_modify(|count| *count += 1);
        match trouble {
            None => Ok(false),
            Some(Trouble::Lost) => Ok(true),
            Some(Trouble::Refused(code, reason)) => Err(refusal(code, reason)),
            Some(Trouble::Silent) => std::future::pending().await,
        }
    }

    fn check_session(&self, session: &str) -> Result<(), Status> {
        if self.state().session == session { Ok(()) } else { Err(refusal(Code::FailedPrecondition, "SESSION_OVER")) }
    }
}

fn kill_order(job: &v1::Assignment) -> v1::KillOrder {
    v1::KillOrder { job_id: job.job_id.clone(), lease_token: job.lease_token }
}

fn refusal(code: Code, reason: &str) -> Status {
    let details = ErrorDetails::with_error_info(reason, "orchestrator", HashMap::new());
    Status::with_error_details(code, reason, details)
}

fn unless_lost<T>(lost: bool, answer: T) -> Result<Response<T>, Status> {
    if lost { Err(Status::unavailable("the answer was lost")) } else { Ok(Response::new(answer)) }
}

fn wire(duration: Option<Duration>) -> Option<prost_types::Duration> {
    duration.map(|duration| prost_types::Duration::try_from(duration).expect("a duration"))
}

#[tonic::async_trait]
impl WorkerService for Fake {
    async fn register(&self, request: Request<v1::RegisterRequest>) -> Result<Response<v1::RegisterResponse>, Status> {
        let lost = self.called(Call::Register(request.into_inner())).await?;
        let mut state = self.state();
        state.session = SessionId::generate().to_string();
        let answer = v1::RegisterResponse {
            session_id: state.session.clone(),
            lease: wire(state.lease),
            heartbeat_interval: wire(state.heartbeat),
            gone: state.gone.clone(),
            worker_name: "fake-worker".to_owned(),
        };
        unless_lost(lost, answer)
    }

    async fn claim_jobs(
        &self,
        request: Request<v1::ClaimJobsRequest>,
    ) -> Result<Response<v1::ClaimJobsResponse>, Status> {
        let message = request.into_inner();
        self.check_session(&message.session_id)?;
        let call = message.call.clone().unwrap_or_default();
        let lost = self.called(Call::Claim(message)).await?;
        loop {
            let new_job = self.new_job.notified();
            {
                let mut state = self.state();
                if let Some(granted) = state.granted.get(&call.request_id).filter(|_| call.repeat) {
                    return unless_lost(lost, v1::ClaimJobsResponse { assignments: granted.clone() });
                }
                if let Some(job) = state.jobs.pop_front() {
                    state.granted.insert(call.request_id.clone(), vec![job.clone()]);
                    return unless_lost(lost, v1::ClaimJobsResponse { assignments: vec![job] });
                }
            }
            new_job.await;
        }
    }

    async fn start_job(&self, request: Request<v1::StartJobRequest>) -> Result<Response<v1::StartJobResponse>, Status> {
        let message = request.into_inner();
        self.check_session(&message.session_id)?;
        let lost = self.called(Call::Start(message)).await?;
        unless_lost(lost, v1::StartJobResponse { lease: wire(self.state().start_lease), kill_requested: false })
    }

    async fn heartbeat(
        &self,
        request: Request<v1::HeartbeatRequest>,
    ) -> Result<Response<v1::HeartbeatResponse>, Status> {
        let message = request.into_inner();
        self.check_session(&message.session_id)?;
        let lost = self.called(Call::Beat(message.clone())).await?;
        let state = self.state();
        let gone = message.held.into_iter().filter(|held| state.gone.contains(held)).collect();
        let answer = v1::HeartbeatResponse { kills: state.kills.clone(), gone, ..v1::HeartbeatResponse::default() };
        drop(state);
        unless_lost(lost, answer)
    }

    async fn finish_job(
        &self,
        request: Request<v1::FinishJobRequest>,
    ) -> Result<Response<v1::FinishJobResponse>, Status> {
        let message = request.into_inner();
        let status = message.outcome.clone();
        let lost = self.called(Call::Finish(message)).await?;
        unless_lost(lost, v1::FinishJobResponse { status })
    }

    async fn append_output(
        &self,
        request: Request<v1::AppendOutputRequest>,
    ) -> Result<Response<v1::AppendOutputResponse>, Status> {
        let lost = self.called(Call::Output(request.into_inner())).await?;
        unless_lost(lost, v1::AppendOutputResponse {})
    }

    type CommandsStream = Pin<Box<dyn Stream<Item = Result<v1::CommandsResponse, Status>> + Send>>;

    async fn commands(&self, request: Request<v1::CommandsRequest>) -> Result<Response<Self::CommandsStream>, Status> {
        self.check_session(&request.into_inner().session_id)?;
        let (sender, receiver) = mpsc::channel(4);
        self.state().commands = Some(sender);
        self.changed.send_modify(|count| *count += 1);
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }

    async fn set_drain(&self, _: Request<v1::SetDrainRequest>) -> Result<Response<v1::SetDrainResponse>, Status> {
        Err(Status::unimplemented("no agent calls this"))
    }

    async fn get_drain(&self, _: Request<v1::GetDrainRequest>) -> Result<Response<v1::GetDrainResponse>, Status> {
        Err(Status::unimplemented("no agent calls this"))
    }

    async fn leave(&self, _: Request<v1::LeaveRequest>) -> Result<Response<v1::LeaveResponse>, Status> {
        let lost = self.called(Call::Leave).await?;
        unless_lost(lost, v1::LeaveResponse {})
    }
}
