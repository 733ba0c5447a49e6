//! One job, from its grant to its acknowledged end: prepare, start, execute, report, clean up.

use std::pin::pin;
use std::time::Duration;

use orchestrator_core::clock::SystemClock;
use orchestrator_core::id::{IdError, JobId, TriggerId};
use orchestrator_core::lease::{LEASE, LeaseToken};
use orchestrator_core::policy::Policies;
use orchestrator_core::secret::{ApiToken, TokenKind};
use orchestrator_proto::v1;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::call::{Failure, failure, pauses};
use super::held::{LeaseEnd, Order, Sent, Watch};
use super::outcome::{Outcome, report};
use super::prepare::{Prepared, prepare, remove};
use super::run::Inner;
use super::session::duration;
use super::ship;
use crate::output::Drain;
use crate::process::{Children, Exit, RunningProcess, Stopped};
use crate::state_file::RunningJob;

/// How long the pipes of an ended robot are read on while something still holds them.
const PIPE_PATIENCE: Duration = Duration::from_millis(500);

/// How long the end of a job waits for its output to be sent before it is told.
const OUTPUT_FIRST: Duration = Duration::from_secs(2);

/// How long before the end of its lease a robot that stops when lost is stopped.
const LEASE_MARGIN: Duration = Duration::from_secs(1);

/// A job that was granted to this worker.
#[derive(Debug, Clone)]
pub(super) struct Granted {
    pub(super) job: JobId,
    pub(super) token: LeaseToken,
    pub(super) lease: Option<prost_types::Duration>,
    pub(super) trigger_id: TriggerId,
    pub(super) process_name: String,
    pub(super) process_path: String,
    pub(super) process_args: String,
    pub(super) is_git_repo: bool,
    pub(super) git_branch: Option<String>,
    pub(super) entry_point: Option<String>,
    pub(super) policies: Policies,
}

impl TryFrom<v1::Assignment> for Granted {
    type Error = IdError;

    fn try_from(given: v1::Assignment) -> Result<Self, IdError> {
        Ok(Self {
            job: given.job_id.parse()?,
            token: LeaseToken::new(given.lease_token),
            lease: given.lease,
            trigger_id: given.trigger_id.parse()?,
            process_name: given.process_name,
            process_path: given.process_path,
            process_args: given.process_args,
            is_git_repo: given.is_git_repo,
            git_branch: given.git_branch,
            entry_point: given.entry_point,
            policies: policies(&given.policies.unwrap_or_default()),
        })
    }
}

/// What a worker needs of the policies.
fn policies(given: &v1::Policies) -> Policies {
    let default = Policies::default();
    Policies {
        timeout: given.timeout.and_then(|given| Duration::try_from(given).ok()),
        stop_grace: duration(given.stop_grace.as_ref(), default.stop_grace),
        kill_grace: duration(given.kill_grace.as_ref(), default.kill_grace),
        keep_children: given.keep_children,
        stop_on_lost: given.stop_on_lost,
        ..default
    }
}

/// Runs a granted job. Returns when its end is acknowledged and nothing of it is left.
pub(super) async fn run(agent: &Inner, granted: Granted, mut watch: Watch) {
    tracing::info!(job.id = %granted.job, process = granted.process_name, "claimed");
    let cancel = CancellationToken::new();
    let prepared = {
        let mut begun = pin!(begin(agent, &granted, &cancel));
        tokio::select! {
            biased;
            begun = &mut begun => begun,
            order = ordered(&mut watch, Order::Stop) => {
                cancel.cancel();
                if let Ok((prepared, _)) = begun.await {
                    remove(prepared.checkout).await;
                }
                Err(unstarted(order))
            }
        }
    };
    let outcome = match prepared {
        Ok((prepared, lease)) => {
            let outcome = execute(agent, &granted, &prepared, &mut watch, lease).await;
            remove(prepared.checkout).await;
            outcome
        }
        Err(outcome) => outcome,
    };
    if let Some(outcome) = outcome {
        tracing::info!(job.id = %granted.job, outcome = outcome.name, "ended");
        report(agent, &granted, &outcome).await;
    }
    agent.held.remove(granted.job, granted.token);
    if let Err(error) = agent.state.remove(granted.job).await {
        tracing::error!(error = %error, "the state file could not be written");
    }
}

/// What is said of a job that was ordered to end before it was started.
fn unstarted(order: Order) -> Option<Outcome> {
    match order {
        Order::Gone => None,
        Order::Kill => Some(Outcome::killed(None)),
        Order::None | Order::Stop | Order::Abort => Some(Outcome::never_started("the worker was stopped")),
    }
}

type Begun = Result<(Prepared, LeaseEnd), Option<Outcome>>;

/// Prepares the job and asks the server's leave to start it. `Err(None)`: the job is not ours any more.
async fn begin(agent: &Inner, granted: &Granted, cancel: &CancellationToken) -> Begun {
    let listed = RunningJob { job_id: granted.job, lease_token: granted.token, process: None };
    if let Err(error) = agent.state.insert(listed).await {
        return Err(Some(Outcome::never_started(error.to_string())));
    }
    let token = match ApiToken::generate(TokenKind::Job) {
        Ok(token) => token,
        Err(error) => return Err(Some(Outcome::never_started(error.to_string()))),
    };
    let prepared = prepare(agent, granted, &token, cancel).await.map_err(Some)?;
    match start(agent, granted, &token, &prepared, cancel).await {
        Ok(lease) => Ok((prepared, lease)),
        Err(outcome) => {
            remove(prepared.checkout).await;
            Err(outcome)
        }
    }
}

/// Tells the server that the job is about to start, again and again while it is away and the lease may hold.
async fn start(
    agent: &Inner,
    granted: &Granted,
    token: &ApiToken,
    prepared: &Prepared,
    cancel: &CancellationToken,
) -> Result<LeaseEnd, Option<Outcome>> {
    let mut pauses = pauses();
    while !cancel.is_cancelled() {
        let session = agent.sessions.current().await;
        let sent = Sent::now();
        let mut request = tonic::Request::new(v1::StartJobRequest {
            session_id: session.id.to_string(),
            job_id: granted.job.to_string(),
            lease_token: granted.token.value(),
            job_token_hash: token.hash().as_bytes().to_vec(),
            commit: prepared.commit(),
        });
        request.set_timeout(LEASE);
        match agent.client.clone().start_job(request).await.map(tonic::Response::into_inner) {
            Ok(answer) if answer.kill_requested => return Err(Some(Outcome::killed(None))),
            Ok(answer) => return Ok(LeaseEnd::after(sent, duration(answer.lease.as_ref(), LEASE))),
            Err(status) => match failure(&status) {
                Failure::Away => tokio::time::sleep(pauses.next().unwrap_or(LEASE)).await,
                Failure::SessionOver => agent.sessions.renew(session.id, &agent.held).await,
                Failure::LeaseLost => return Err(None),
                Failure::Refused => return Err(Some(Outcome::never_started(status.message()))),
            },
        }
    }
    Err(None)
}

/// Starts the robot and sees it to its end. `None`: the job is not ours any more.
async fn execute(
    agent: &Inner,
    granted: &Granted,
    prepared: &Prepared,
    watch: &mut Watch,
    lease: LeaseEnd,
) -> Option<Outcome> {
    if lease.left().is_zero() {
        return Some(Outcome::never_started("the answer to the start came after the lease had ended"));
    }
    let mut process = match agent.launcher.spawn(&prepared.spec) {
        Ok(process) => process,
        Err(error) => return Some(Outcome::failed(None, error.to_string())),
    };
    let listed = RunningJob { job_id: granted.job, lease_token: granted.token, process: Some(process.identity()) };
    if let Err(error) = agent.state.insert(listed).await {
        tracing::error!(error = %error, "the state file could not be written");
    }
    let (sender, chunks) = mpsc::channel(ship::WAITING_CHUNKS);
    let drain = process.take_output().map(|(stdout, stderr)| {
        Drain::start(&agent.tasks, stdout, stderr, agent.options.output, std::sync::Arc::new(SystemClock), sender)
    });
    let shipping = agent.ship(granted.clone(), chunks);
    let outcome = supervise(&mut process, granted, watch).await;
    let drained = agent.tasks.spawn(async move {
        if let Some(drain) = drain {
            drain.end(PIPE_PATIENCE).await;
        }
    });
    let mut shipping = shipping;
    let stderr = timeout(PIPE_PATIENCE + OUTPUT_FIRST, &mut shipping).await;
    drop(drained);
    let stderr = stderr.ok().and_then(Result::ok).unwrap_or_default();
    outcome.map(|outcome| with_stderr(outcome, &stderr))
}

/// A failure without a better reason is explained by the end of the standard error.
fn with_stderr(outcome: Outcome, stderr: &str) -> Outcome {
    if outcome.name != "FAILED" || stderr.is_empty() {
        return outcome;
    }
    Outcome { reason: format!("{}\n{stderr}", outcome.reason), ..outcome }
}

/// Waits for the end of the robot, or brings it about. Nothing of its tree is left when this returns.
async fn supervise(process: &mut RunningProcess, granted: &Granted, watch: &mut Watch) -> Option<Outcome> {
    let policies = &granted.policies;
    let mut lease = watch.lease.clone();
    let timed_out = async {
        match policies.timeout {
            Some(limit) => tokio::time::sleep(limit).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        biased;
        exit = process.wait() => {
            let children = if policies.keep_children { Children::Keep } else { Children::Kill };
            let sweep = process.sweep(children).await;
            log_sweep(granted, &sweep);
            Some(of_exit(exit))
        }
        order = ordered(watch, Order::Stop) => stop(process, granted, watch, order).await,
        () = timed_out => {
            let limit = policies.timeout.unwrap_or_default();
            let (stopped, order) = end(process, policies, watch, Order::Stop).await;
            log_sweep(granted, &stopped.sweep);
            (order != Order::Gone).then(|| Outcome::timed_out(stopped.exit.and_then(code), limit))
        }
        () = lost(&mut lease, policies.stop_on_lost) => {
            let stopped = process.stop(Duration::ZERO).await;
            log_sweep(granted, &stopped.sweep);
            Some(Outcome::failed(stopped.exit.and_then(code), "the server was out of reach, and the trigger says to stop then (stop_on_lost)"))
        }
    }
}

async fn stop(process: &mut RunningProcess, granted: &Granted, watch: &mut Watch, order: Order) -> Option<Outcome> {
    let (stopped, order) = end(process, &granted.policies, watch, order).await;
    log_sweep(granted, &stopped.sweep);
    let exit_code = stopped.exit.and_then(code);
    match order {
        Order::Gone => None,
        Order::Kill => Some(Outcome::killed(exit_code)),
        // A robot that used the grace to end well has ended well.
        Order::Stop if stopped.exit.is_some_and(Exit::is_success) => Some(Outcome::done()),
        Order::None | Order::Stop | Order::Abort => {
            Some(Outcome::failed(exit_code, "the worker was stopped while the robot ran"))
        }
    }
}

/// Ends the tree with the grace that the order allows. A stronger order that comes meanwhile cuts the grace short; returns
/// the strongest.
async fn end(
    process: &mut RunningProcess,
    policies: &Policies,
    watch: &mut Watch,
    mut order: Order,
) -> (Stopped, Order) {
    loop {
        let grace = match order {
            Order::Kill => policies.kill_grace,
            Order::Stop => policies.stop_grace,
            Order::None | Order::Gone | Order::Abort => Duration::ZERO,
        };
        let weaker = order;
        tokio::select! {
            biased;
            stronger = order_that(watch, |order| order > weaker) => order = stronger,
            stopped = process.stop(grace) => return (stopped, order),
        }
    }
}

fn of_exit(exit: std::io::Result<Exit>) -> Outcome {
    match exit {
        Ok(exit) if exit.is_success() => Outcome::done(),
        Ok(exit) => Outcome::failed(code(exit), exit.to_string()),
        Err(error) => Outcome::failed(None, format!("its end could not be seen: {error}")),
    }
}

fn code(exit: Exit) -> Option<i32> {
    match exit {
        Exit::Code(code) => Some(code),
        Exit::Signal(_) => None,
    }
}

/// Waits for an order that is at least this strong.
async fn ordered(watch: &mut Watch, least: Order) -> Order {
    order_that(watch, |order| order >= least).await
}

/// Waits for an order that is enough.
async fn order_that(watch: &mut Watch, enough: impl Fn(Order) -> bool) -> Order {
    let order = watch.order.wait_for(|order| enough(*order)).await.map(|order| *order).ok();
    match order {
        Some(order) => order,
        None => std::future::pending().await,
    }
}

/// Waits until the lease is about to end unrenewed; for ever when nothing follows from that.
async fn lost(lease: &mut tokio::sync::watch::Receiver<LeaseEnd>, matters: bool) {
    if !matters {
        std::future::pending::<()>().await;
    }
    loop {
        let left = lease.borrow_and_update().left().saturating_sub(LEASE_MARGIN);
        if left.is_zero() {
            return;
        }
        // Looked at often, because the machine may have slept.
        tokio::select! {
            () = tokio::time::sleep(left.min(Duration::from_millis(500))) => {}
            changed = lease.changed() => if changed.is_err() { return },
        }
    }
}

fn log_sweep(granted: &Granted, sweep: &crate::process::Sweep) {
    if *sweep != crate::process::Sweep::default() {
        tracing::info!(job.id = %granted.job, ?sweep, "ended what the robot had left behind");
    }
}
