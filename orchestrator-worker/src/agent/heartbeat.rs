//! Renewing leases, and hearing what became of them.

use std::sync::Arc;
use std::time::Duration;

use orchestrator_core::id::JobId;
use orchestrator_core::lease::LeaseToken;
use orchestrator_proto::v1;

use super::call::{Failure, failure};
use super::held::Order;
use super::lease::{LeaseEnd, Sent};
use super::run::Inner;
use super::session::{Session, pair, pairs};

/// The longest a heartbeat may take.
const PATIENCE: Duration = Duration::from_secs(4);

/// Before the next try when the server did not answer.
const SOON: Duration = Duration::from_secs(1);

/// Sends heartbeats for as long as the agent lives.
pub(super) async fn run(agent: Arc<Inner>) {
    loop {
        let session = agent.sessions.current().await;
        let beaten = match tokio::time::timeout(PATIENCE, beat(&agent, &session)).await {
            Ok(beaten) => beaten,
            Err(_) => Err(tonic::Status::deadline_exceeded("no answer to a heartbeat in time")),
        };
        let pause = match beaten {
            Ok(()) => {
                agent.sessions.contact.is_well();
                session.heartbeat
            }
            Err(status) if failure(&status) == Failure::SessionOver => {
                tracing::warn!("the session is over; registering again");
                agent.sessions.renew(session.id, &agent.held).await;
                continue;
            }
            Err(status) => {
                agent.sessions.contact.is_bad(&status);
                SOON
            }
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = agent.beat_now.notified() => {}
        }
    }
}

/// One heartbeat at once, for what the server has to know before anything else is said. One that fails is made up for by those
/// that follow.
pub(super) async fn tell(agent: &Inner) {
    let session = agent.sessions.current().await;
    if !matches!(tokio::time::timeout(PATIENCE, beat(agent, &session)).await, Ok(Ok(()))) {
        agent.beat_now.notify_one();
    }
}

async fn beat(agent: &Inner, session: &Session) -> Result<(), tonic::Status> {
    let held = agent.held.list();
    let sent = Sent::now();
    let request = v1::HeartbeatRequest {
        session_id: session.id.to_string(),
        held: held.iter().copied().map(pair).collect(),
        draining: agent.stopping.soft.is_cancelled(),
        trouble: agent.fitness.trouble(),
    };
    let answer = agent.client.clone().heartbeat(request).await?.into_inner();
    let gone = pairs(&answer.gone);
    let kept: Vec<(JobId, LeaseToken)> = held.into_iter().filter(|pair| !gone.contains(pair)).collect();
    agent.held.renewed(&kept, LeaseEnd::after(sent, session.lease));
    for (job, token) in gone {
        agent.held.order(job, token, Order::Gone);
    }
    for kill in &answer.kills {
        if let Ok(job) = kill.job_id.parse() {
            agent.held.order(job, LeaseToken::new(kill.lease_token), Order::Kill);
        }
    }
    agent.set_paused(answer.drain);
    Ok(())
}
