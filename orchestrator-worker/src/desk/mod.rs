//! A robot on a developer's desk: started as a worker starts it, with a user's token, as a development job that the server
//! makes. It shows what the robot writes, and ends with the robot.
//!
//! The robot gets what it would get from a worker: arguments, environment, package, and an endpoint that keeps what it writes
//! while the server is away. What is still kept when the robot has ended is delivered before the program ends.

mod error;
mod start;

use std::sync::Arc;
use std::time::Duration;

use orchestrator_core::clock::SystemClock;
use orchestrator_core::id::InstanceId;
use orchestrator_core::lease::LeaseToken;
use orchestrator_core::secret::{ApiToken, TokenKind};
use orchestrator_core::source::{EntryPoint, GitRef, GitUrl};
use orchestrator_proto::v1 as pb;
use orchestrator_proto::v1::job_service_client::JobServiceClient;
use orchestrator_proto::v1::robot_service_client::RobotServiceClient;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio_util::task::TaskTracker;
use tonic::Code;

pub use error::DeskError;

use crate::agent::{AgentOptions, Connection, Stopping, connection, pauses, said};
use crate::checkout::{Checkout, CheckoutOptions, CheckoutRequest, Checkouts};
use crate::process::{Children, Exit, Grant, JobCookie, Launcher, RunningProcess};
use crate::robot_api::{CallsAs, Endpoint, Line, Opened, RobotApi};
use crate::spool::Spools;
use start::Start;

/// Between the request to stop and the kill, as for jobs.
const STOP_GRACE: Duration = Duration::from_secs(10);
/// Development jobs have a lease, whose token nobody asks for.
const DEVELOPMENT_LEASE: LeaseToken = LeaseToken::new(1);
/// How long it is tried to tell the server how the robot ended.
const END_PATIENCE: Duration = Duration::from_secs(10);
/// How long after the robot's end its output is read, if somebody else still holds it.
const PIPE_PATIENCE: Duration = Duration::from_millis(500);

/// What is to be run.
#[derive(Debug, Clone)]
pub enum DeskSource {
    /// A file of this machine.
    File(std::path::PathBuf),
    /// A repository.
    Repository {
        /// Where it is.
        url: GitUrl,
        /// The branch or tag; the default branch when absent.
        git_ref: Option<GitRef>,
        /// The file to run; `main.py` is looked for when absent.
        entry_point: Option<EntryPoint>,
    },
}

/// A robot to be run on a desk.
#[derive(Debug, Clone)]
pub struct DeskRun {
    /// The server, with a user's token, and how robots are started on this machine.
    pub options: AgentOptions,
    /// What logs and the job show.
    pub process_name: String,
    /// Handed to the robot as one value.
    pub process_args: String,
    /// What is to be run.
    pub source: DeskSource,
}

/// Runs a robot to its end, or stops it when it is told to.
pub async fn run(desk: DeskRun, stopping: Stopping) -> Result<Exit, DeskError> {
    let connection = connection(&desk.options)?;
    let context = begin(&connection, &desk).await?;
    let job = context.job_id.clone();
    tracing::info!(job.id = job, process.name = desk.process_name, "began a development job");
    let exit = run_as(context, &desk, &connection, &stopping).await;
    let told = tokio::time::timeout(END_PATIENCE, tell_end(&connection, job, &exit)).await;
    if let Err(words) = told.unwrap_or_else(|_| Err("the server is away".to_owned())) {
        tracing::warn!("the server did not hear of the robot's end, and ends the job within an hour: {words}");
    }
    exit
}

/// Runs the robot as the job that was begun for it.
async fn run_as(
    context: pb::GetContextResponse,
    desk: &DeskRun,
    connection: &Connection,
    stopping: &Stopping,
) -> Result<Exit, DeskError> {
    let job = context.job_id.parse().map_err(|_| DeskError::Answer { what: "the job's id is none" })?;
    let trigger = context.trigger_id.parse().map_err(|_| DeskError::Answer { what: "the trigger's id is none" })?;
    let folder = tempfile::tempdir().map_err(DeskError::Folder)?;
    let tasks = TaskTracker::new();
    let launcher = Launcher::new().map_err(DeskError::Launcher)?;
    let cookie = JobCookie::new(job, Grant { installation: InstanceId::generate(), lease_token: DEVELOPMENT_LEASE });
    let checkout = check_out(desk, cookie, folder.path(), &launcher, &tasks, stopping).await?;
    // The robot's own: it never sees that of its developer.
    let token = ApiToken::generate(TokenKind::Job)?;
    let address = desk.options.robot_api.listen;
    let endpoint = Endpoint::bind(address).await.map_err(|source| DeskError::Endpoint { address, source })?;
    let start = Start { desk, cookie, trigger, endpoint: endpoint.url(), token: &token };
    let spec = start.command(checkout.as_ref(), folder.path())?;
    let spools = Spools::open(&folder.path().join("spool"), desk.options.robot_api.spool)?;
    let way = (connection.clone(), CallsAs::Developer);
    let api = RobotApi::new(way, spools, desk.options.robot_api, tasks.clone(), stopping.soft.clone())?;
    let api = Arc::new(api);
    let opened = api.open(Line::new(job, DEVELOPMENT_LEASE, token, context));
    let process = launcher.spawn(&spec)?;
    let exit = tokio::select! {
        exit = supervise(process, &tasks, stopping) => exit,
        () = endpoint.serve(api) => Err(DeskError::NotServed),
    };
    settle(&opened, stopping).await;
    if let Some(checkout) = checkout {
        checkout.remove().await?;
    }
    exit
}

/// Tells the server how the robot ended, or why it did not begin.
async fn tell_end(connection: &Connection, job: String, exit: &Result<Exit, DeskError>) -> Result<(), String> {
    let (exit_code, reason) = match exit {
        Ok(exit) if exit.is_success() => (Some(0), String::new()),
        Ok(Exit::Code(code)) => (Some(*code), Exit::Code(*code).to_string()),
        Ok(Exit::Signal(signal)) => (None, Exit::Signal(*signal).to_string()),
        Err(error) => (None, error.to_string()),
    };
    let request = pb::EndDevelopmentRequest { job, exit_code, reason };
    let mut pauses = pauses();
    loop {
        match JobServiceClient::new(connection.clone()).end_development(request.clone()).await {
            Ok(_) => return Ok(()),
            Err(status) if status.code() == Code::Unavailable => {
                tokio::time::sleep(pauses.next().unwrap_or(END_PATIENCE)).await;
            }
            Err(status) => return Err(said(&status)),
        }
    }
}

/// Waits until the server has what the robot wrote; when the program is told to stop, not for long.
async fn settle(opened: &Opened, stopping: &Stopping) {
    opened.close();
    let stop = async {
        stopping.soft.cancelled().await;
        let _ = tokio::time::timeout(STOP_GRACE, stopping.hard.cancelled()).await;
    };
    tokio::select! {
        biased;
        () = opened.settled() => {}
        () = stop => tracing::error!("the server is away: some of what the robot wrote is lost"),
    }
}

/// Has the server make a development job.
async fn begin(connection: &Connection, desk: &DeskRun) -> Result<pb::GetContextResponse, DeskError> {
    let request =
        pb::GetContextRequest { process_name: desk.process_name.clone(), process_args: desk.process_args.clone() };
    let answer = RobotServiceClient::new(connection.clone()).get_context(request).await;
    answer.map(tonic::Response::into_inner).map_err(|status| DeskError::refused(&desk.options.server, &status))
}

async fn check_out(
    desk: &DeskRun,
    cookie: JobCookie,
    folder: &std::path::Path,
    launcher: &Launcher,
    tasks: &TaskTracker,
    stopping: &Stopping,
) -> Result<Option<Checkout>, DeskError> {
    let DeskSource::Repository { url, git_ref, .. } = &desk.source else { return Ok(None) };
    let options = CheckoutOptions {
        root: folder.join("checkouts"),
        allowed_paths: desk.options.allowed_paths.clone(),
        open_file_urls: true,
        git: desk.options.git.clone(),
        mirrors: None,
    };
    let checkouts = Checkouts::new(options, launcher.clone(), Arc::new(SystemClock), tasks.clone());
    let request =
        CheckoutRequest { cookie, url: url.clone(), git_ref: git_ref.clone(), time_limit: desk.options.checkout_limit };
    let checkout = checkouts.check_out(&request, &stopping.soft).await?;
    tracing::info!(commit = checkout.commit(), "checked out");
    Ok(Some(checkout))
}

/// Shows what the robot writes, until it has ended with all that it started.
async fn supervise(mut process: RunningProcess, tasks: &TaskTracker, stopping: &Stopping) -> Result<Exit, DeskError> {
    let shown = process.take_output().map(|(stdout, stderr)| {
        (tasks.spawn(show(stdout, std::io::stdout())), tasks.spawn(show(stderr, std::io::stderr())))
    });
    let ended = tokio::select! {
        exit = process.wait() => Some(exit.map_err(DeskError::Launcher)?),
        () = stopping.soft.cancelled() => None,
    };
    let exit = if let Some(exit) = ended {
        process.sweep(Children::Kill).await;
        Some(exit)
    } else {
        tokio::select! {
            stopped = process.stop(STOP_GRACE) => stopped.exit,
            () = stopping.hard.cancelled() => None,
        }
    };
    let exit = match exit {
        Some(exit) => exit,
        None => process.stop(Duration::ZERO).await.exit.ok_or(DeskError::Survives)?,
    };
    if let Some((stdout, stderr)) = shown {
        let _ = tokio::time::timeout(PIPE_PATIENCE, async { tokio::join!(stdout, stderr) }).await;
    }
    Ok(exit)
}

async fn show(mut from: impl AsyncRead + Unpin, mut to: impl std::io::Write) {
    let mut buffer = vec![0; 8192];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        // Whoever does not want to see it any more does not end the robot.
        let _ = to.write_all(&buffer[..count]).and_then(|()| to.flush());
    }
}
