//! One call of a robot, from its request to its answer.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use futures_util::future::join_all;
use http::{HeaderValue, StatusCode, header};
use orchestrator_core::clock::{Clock as _, SystemClock};
use orchestrator_core::secret::ApiToken;
use orchestrator_proto::refusal::Refusal;
use prost::Message as _;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::Code;

use super::deliver::Delivery;
use super::forward::{CallsAs, Forward};
use super::jobs::OpenJobs;
use super::line::{Line, Opened};
use super::message::{Messages, UnusableDescriptors};
use super::method::{Method, SERVICE, Treatment};
use super::options::RobotApiOptions;
use super::repeat::Repeatable;
use super::verdict::{Verdict, verdict};
use super::{body, host, kept};
use crate::agent::{Connection, pauses, said};
use crate::spool::{AppendError, SpoolError, SpoolFile, Spools};

/// Set on answers for which the server was not asked: the call is on the worker's disk, and will be delivered.
const PROVISIONAL: &str = "orchestrator-provisional";

/// How long the server may take for a call that can be kept instead, and so much more for each MiB.
const WRITE_PATIENCE: Duration = Duration::from_secs(5);

/// Answers robots.
#[derive(Debug)]
pub(crate) struct RobotApi {
    jobs: OpenJobs,
    messages: Arc<Messages>,
    forward: Forward,
    spools: Arc<Spools>,
    options: RobotApiOptions,
    tasks: TaskTracker,
    stopping: CancellationToken,
}

/// An answer, and whether the server gave it.
struct Answer {
    message: Bytes,
    is_provisional: bool,
}

impl Answer {
    fn of_server(message: Bytes) -> Self {
        Self { message, is_provisional: false }
    }
}

impl RobotApi {
    pub(crate) fn new(
        (connection, calls_as): (Connection, CallsAs),
        spools: Spools,
        options: RobotApiOptions,
        tasks: TaskTracker,
        stopping: CancellationToken,
    ) -> Result<Self, UnusableDescriptors> {
        Ok(Self {
            jobs: OpenJobs::default(),
            messages: Arc::new(Messages::new()?),
            forward: Forward::new(connection, calls_as),
            spools: Arc::new(spools),
            options,
            tasks,
            stopping,
        })
    }

    /// Lets the robot of a job call.
    pub(crate) fn open(&self, line: Line) -> Opened {
        self.jobs.open(line)
    }

    /// Delivers what an earlier agent left, before the server hears that its jobs are over. Waits for the server.
    pub(crate) async fn deliver_left(&self) -> Result<(), SpoolError> {
        let left = self.spools.left()?;
        let deliveries = left.into_iter().map(|(head, spool)| async {
            let path = spool.path().to_owned();
            let (Ok(job), Ok(token)) = (head.job_id.parse(), ApiToken::parse(&head.job_token)) else {
                tracing::error!(file = %path.display(), "a spool file names no job; it is left as it is");
                return;
            };
            tracing::info!(job.id = head.job_id, "delivering what the robot of an earlier agent had written");
            let line = Arc::new(Line::left(job, token, head, spool));
            line.begin_delivering();
            self.delivery(true).run(line.clone()).await;
            if let Some(spool) = line.spool.get().filter(|spool| spool.is_empty()) {
                spool.remove().await;
            }
        });
        join_all(deliveries).await;
        Ok(())
    }

    fn delivery(&self, is_first: bool) -> Delivery {
        Delivery {
            forward: self.forward.clone(),
            messages: self.messages.clone(),
            spools: self.spools.clone(),
            stopping: self.stopping.clone(),
            is_first,
        }
    }

    /// Answers one request.
    pub(super) async fn answer(self: &Arc<Self>, request: Request) -> Response {
        match self.call(request).await {
            Ok((text, is_provisional)) => json(text, is_provisional),
            Err(refusal) => {
                tracing::debug!(code = refusal.reason(), "refused a robot's call: {}", refusal.message());
                refusal.response().map(Into::into)
            }
        }
    }

    async fn call(self: &Arc<Self>, request: Request) -> Result<(Vec<u8>, bool), Refusal> {
        host::check(request.uri(), request.headers())?;
        let line = self.jobs.of(request.headers())?;
        let method = method(&request)?;
        body::check_content_type(request.headers())?;
        let body = body::read(request.into_body(), method.most_bytes()).await?;
        let message = Repeatable::read(method, self.messages.read(method, &body)?)?;
        tracing::trace!(job.id = %line.job, rpc.method = method.name(), "a robot calls");
        let answer = match method.treatment() {
            Treatment::Known => Answer::of_server(line.context.encode_to_vec().into()),
            Treatment::Waits => Answer::of_server(self.wait(&line, message).await?),
            Treatment::Kept => {
                // On a task of its own: what is half written must not end with its robot's connection.
                let (api, of) = (self.clone(), line.clone());
                let write = line.writes.spawn(async move { api.write(&of, message).await });
                write
                    .await
                    .map_err(|_| Refusal::new(Code::Internal, "INTERNAL", "the worker failed; its log says more"))??
            }
        };
        Ok((self.messages.print(method, answer.message)?, answer.is_provisional))
    }

    /// Forwards a call, behind everything of its job that waits, and repeats it while the server is away, for as long as
    /// robots are asked to be patient.
    async fn wait(&self, line: &Line, mut message: Repeatable) -> Result<Bytes, Refusal> {
        let until = Instant::now() + self.options.patience;
        let mut pauses = pauses();
        let mut words = "what the job had written before is not delivered yet".to_owned();
        loop {
            if timeout_at(until, line.until_clear()).await.is_err() {
                return Err(self.away(&words));
            }
            let left = until.saturating_duration_since(Instant::now());
            let status = match self.forward.call(&line.token, message.method(), message.bytes(), left).await {
                Ok(answer) => return Ok(answer),
                Err(status) => status,
            };
            if message.is_done_by_an_earlier_try(&status) {
                return Ok(Bytes::new());
            }
            if verdict(&status) != Verdict::Away {
                return Err(Refusal::from(&status));
            }
            words = said(&status);
            message.mark_as_repeat();
            let pause = pauses.next().unwrap_or_default();
            if Instant::now() + pause >= until || line.closed.is_cancelled() {
                return Err(self.away(&words));
            }
            tokio::time::sleep(pause).await;
        }
    }

    /// Forwards a call, or keeps it: while the server is away, and while something before it waits.
    async fn write(self: &Arc<Self>, line: &Arc<Line>, mut message: Repeatable) -> Result<Answer, Refusal> {
        if line.is_clear() {
            let bytes = message.bytes();
            let mebibytes = u32::try_from(bytes.len() >> 20).unwrap_or(u32::MAX);
            let limit = WRITE_PATIENCE + Duration::from_secs(1) * mebibytes;
            match self.forward.call(&line.token, message.method(), bytes, limit).await {
                Ok(answer) => return Ok(Answer::of_server(answer)),
                Err(status) if verdict(&status) != Verdict::Away => return Err(Refusal::from(&status)),
                Err(status) => tracing::debug!(job.id = %line.job, error = said(&status), "a call is kept"),
            }
        }
        // The first try may have had its effect.
        message.mark_as_repeat();
        self.keep(line, &message).await
    }

    async fn keep(self: &Arc<Self>, line: &Arc<Line>, message: &Repeatable) -> Result<Answer, Refusal> {
        let now = SystemClock.now();
        let kept = kept::check(line, message.method(), message.bytes(), now)?;
        let spool = self.spool(line).await.map_err(|error| not_kept(&AppendError::Disk(error)))?;
        let appended = spool.append(message.method().name(), message.bytes(), now).await;
        match (appended, kept.log_lines) {
            (Ok(()), _) => {}
            (Err(error), Some(lines)) => {
                tracing::debug!(job.id = %line.job, %error, "log lines are counted only");
                spool.count_lost(lines, now).await;
            }
            (Err(error), None) => {
                tracing::warn!(job.id = %line.job, %error, "a call of a robot could not be kept");
                self.deliver(line);
                let answer = self.wait(line, message.clone()).await;
                return answer
                    .map(Answer::of_server)
                    .map_err(|refusal| if refusal.reason() == "SERVER_AWAY" { not_kept(&error) } else { refusal });
            }
        }
        self.deliver(line);
        Ok(Answer { message: kept.answer, is_provisional: true })
    }

    async fn spool<'a>(&self, line: &'a Line) -> io::Result<&'a SpoolFile> {
        line.spool.get_or_try_init(|| self.spools.create(line.head.clone())).await
    }

    fn deliver(&self, line: &Arc<Line>) {
        if line.begin_delivering() {
            self.tasks.spawn(self.delivery(false).run(line.clone()));
        }
    }

    fn away(&self, words: &str) -> Refusal {
        let seconds = self.options.patience.as_secs();
        let message = format!(
            "the orchestrator server has not answered for {seconds} s ({words}); it is not known whether the call was carried \
             out. Try again later, or let the job fail"
        );
        Refusal::new(Code::Unavailable, "SERVER_AWAY", message).with("patience_seconds", &seconds).retry_after(5)
    }
}

fn not_kept(error: &AppendError) -> Refusal {
    let message = format!(
        "the orchestrator server is away, and this call could not be kept for it: {error}. Nothing was promised; try again \
         later, or let the job fail"
    );
    let refusal = Refusal::new(Code::Unavailable, "SPOOL_FULL", message).retry_after(5);
    match error {
        AppendError::Full { limit, .. } => refusal.with("limit", limit),
        AppendError::Disk(_) => refusal,
    }
    .in_http(StatusCode::INSUFFICIENT_STORAGE)
}

/// The method that a request calls.
fn method(request: &Request) -> Result<Method, Refusal> {
    let path = request.uri().path();
    let name =
        path.strip_prefix("/rpc/").and_then(|rest| rest.strip_prefix(SERVICE)).and_then(|rest| rest.strip_prefix('/'));
    let Some(method) = name.and_then(Method::named) else {
        let methods: Vec<&str> = Method::ALL.iter().map(|method| method.name()).collect();
        let message = format!(
            "there is no method {path}; this is a worker's endpoint for its robots, which offers POST /rpc/{SERVICE}/<method> \
             with the methods {}",
            methods.join(", ")
        );
        return Err(Refusal::new(Code::Unimplemented, "METHOD_UNKNOWN", message));
    };
    if request.method() != http::Method::POST {
        let message = format!("{path} is called with POST, not {}", request.method());
        let refusal = Refusal::new(Code::Unimplemented, "METHOD_UNKNOWN", message);
        return Err(refusal.in_http(StatusCode::METHOD_NOT_ALLOWED));
    }
    Ok(method)
}

fn json(text: Vec<u8>, is_provisional: bool) -> Response {
    let mut response = text.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if is_provisional {
        headers.insert(PROVISIONAL, HeaderValue::from_static("true"));
    }
    response
}
