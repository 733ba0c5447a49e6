//! One job, from its grant to its acknowledged end: prepare, start, execute, report, clean up.

use std::pin::pin;

use orchestrator_core::lease::LEASE;
use orchestrator_core::secret::{ApiToken, TokenKind};
use orchestrator_proto::v1;
use tokio_util::sync::CancellationToken;

use super::call::{Failure, failure, pauses, said};
use super::execute::execute;
use super::granted::Granted;
use super::held::{Orders, Watch};
use super::lease::{LeaseEnd, Sent};
use super::outcome::{Outcome, report};
use super::prepare::{Prepared, make_package_whole, prepare, remove};
use super::run::Inner;
use super::session::duration;
use super::ship::Shipped;
use crate::robot_api::{Line, Opened};
use crate::state_file::RunningJob;

/// Runs a granted job. Returns when its end is acknowledged and nothing of it is left.
pub(super) async fn run(agent: &Inner, granted: &Granted, mut watch: Watch) {
    tracing::info!(job.id = %granted.job, process = granted.process_name, "claimed");
    let (outcome, shipped, checkout, opened) = match begin_unless_ordered(agent, granted, &mut watch).await {
        Ok((prepared, lease)) => {
            let opened = agent.robots.open(line(granted, &prepared, agent.sessions.current().await.worker_name));
            let (outcome, shipped) = execute(agent, granted, &prepared, &mut watch, lease).await;
            opened.close();
            (outcome, shipped, prepared.checkout, Some(opened))
        }
        Err(outcome) => (outcome, Shipped::nothing(), None, None),
    };
    if let Some(outcome) = outcome.as_ref().filter(|outcome| outcome.is_of_machine) {
        agent.is_unfit(&outcome.reason).await;
    }
    // The folder may be large, and nobody waits for it.
    tokio::join!(tell(agent, granted, &mut watch, outcome, (&shipped, opened)), remove(checkout));
    if let Err(error) = agent.state.remove(granted.job).await {
        tracing::error!(error = %error, "the state file could not be written");
    }
}

/// Tells the server how the job ended, unless it is not ours (any more).
async fn tell(
    agent: &Inner,
    granted: &Granted,
    watch: &mut Watch,
    outcome: Option<Outcome>,
    (shipped, opened): (&Shipped, Option<Opened>),
) {
    let Some(outcome) = outcome else {
        tracing::warn!(job.id = %granted.job, "the job is not this worker's any more; nothing of it was left running");
        return;
    };
    tracing::info!(job.id = %granted.job, outcome = outcome.name, "ended");
    tokio::select! {
        () = async {
            // What the robot wrote comes before its end.
            if let Some(opened) = &opened {
                opened.settled().await;
            }
            report(agent, (granted.job, granted.token), &outcome, shipped).await;
        } => {}
        // Its end was taken and the answer lost, or the server has given it to another.
        _ = watch.until(|orders| orders.gone) => {}
    }
}

/// What the robot's calls need to know.
fn line(granted: &Granted, prepared: &Prepared, worker_name: String) -> Line {
    let context = v1::GetContextResponse {
        job_id: granted.job.to_string(),
        trigger_id: granted.trigger_id.to_string(),
        trigger_name: granted.trigger_name.clone(),
        process_name: granted.process_name.clone(),
        process_args: granted.process_args.clone(),
        worker_name,
        trigger_type: granted.trigger_type.clone(),
    };
    Line::new(granted.job, granted.token, prepared.job_token.clone(), context)
}

type Begun = Result<(Prepared, LeaseEnd), Option<Outcome>>;

/// Prepares and starts the job; an order that comes first ends that.
async fn begin_unless_ordered(agent: &Inner, granted: &Granted, watch: &mut Watch) -> Begun {
    let cancel = CancellationToken::new();
    let mut begun = pin!(begin(agent, granted, &cancel));
    tokio::select! {
        biased;
        orders = watch.until(Orders::any) => {
            cancel.cancel();
            if let Ok((prepared, _)) = begun.await {
                remove(prepared.checkout).await;
            }
            Err(unstarted(orders))
        }
        begun = &mut begun => begun,
    }
}

/// What is said of a job that was ordered to end before it was started.
pub(super) fn unstarted(orders: Orders) -> Option<Outcome> {
    if orders.gone {
        None
    } else if orders.kill {
        Some(Outcome::killed(None))
    } else {
        Some(Outcome::never_started("the worker was stopped"))
    }
}

/// Prepares the job and asks the server's leave to start it. `Err(None)`: the job is not ours any more.
async fn begin(agent: &Inner, granted: &Granted, cancel: &CancellationToken) -> Begun {
    let listing = async {
        agent
            .state
            .insert(RunningJob::granted(granted.cookie))
            .await
            .map_err(|error| Some(Outcome::unfit(error.to_string())))
    };
    // A job must be on disk before its first process: git's, or the robot's. Where there is no git, the disk and the
    // server can work at the same time.
    if granted.is_git_repo {
        listing.await?;
        return prepare_and_start(agent, granted, cancel).await;
    }
    let (listed, begun) = tokio::join!(listing, prepare_and_start(agent, granted, cancel));
    listed.and(begun)
}

async fn prepare_and_start(agent: &Inner, granted: &Granted, cancel: &CancellationToken) -> Begun {
    let token = match ApiToken::generate(TokenKind::Job) {
        Ok(token) => token,
        Err(error) => return Err(Some(Outcome::never_started(error.to_string()))),
    };
    let prepared = prepare(agent, granted, &token, cancel).await.map_err(Some)?;
    // The package is looked through while the server notes the start: neither waits for the other.
    let starting = async { tokio::join!(start(agent, granted, &token, &prepared), make_package_whole(&agent.python)) };
    let started = cancel.run_until_cancelled(starting).await;
    match started.map(|(started, whole)| started.and_then(|lease| whole.map(|()| lease).map_err(Some))) {
        Some(Ok(lease)) => Ok((prepared, lease)),
        failed => {
            remove(prepared.checkout).await;
            Err(failed.and_then(Result::err).flatten())
        }
    }
}

/// Tells the server that the job is about to start, again and again while it is away.
async fn start(
    agent: &Inner,
    granted: &Granted,
    token: &ApiToken,
    prepared: &Prepared,
) -> Result<LeaseEnd, Option<Outcome>> {
    let mut pauses = pauses();
    loop {
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
            Ok(answer) => {
                let lease = LeaseEnd::after(sent, duration(answer.lease.as_ref(), LEASE));
                agent.held.renewed(&[(granted.job, granted.token)], lease);
                return Ok(lease);
            }
            Err(status) => match failure(&status) {
                Failure::Away | Failure::NotAllowed => {
                    agent.sessions.contact.pause(pauses.next().unwrap_or(LEASE)).await;
                }
                Failure::SessionOver => agent.sessions.renew(session.id, &agent.held).await,
                Failure::LeaseLost => return Err(None),
                Failure::Refused => return Err(Some(Outcome::never_started(said(&status)))),
            },
        }
    }
}
