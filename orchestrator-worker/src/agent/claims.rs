//! Asking for jobs, with slots in hand.

use std::sync::Arc;
use std::time::Duration;

use orchestrator_core::id::RequestId;
use orchestrator_core::lease::LEASE;
use orchestrator_proto::v1;
use tokio::sync::OwnedSemaphorePermit;

use super::call::{Failure, failure, pauses};
use super::held::{LeaseEnd, Sent};
use super::job;
use super::run::Inner;
use super::session::duration;

/// How long the server may wait with its answer.
const WAIT: Duration = Duration::from_secs(25);

/// Beyond the wait, how long the answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Asks for jobs until the agent stops. Slots that come free while an earlier call waits get a call of their own.
pub(super) async fn run(agent: Arc<Inner>) {
    loop {
        agent.until_unpaused().await;
        let Some(slots) = free_slots(&agent).await else { return };
        let agent = agent.clone();
        agent.clone().tasks.spawn(async move {
            let soft = agent.stopping.soft.clone();
            tokio::select! {
                () = soft.cancelled() => {}
                () = agent.paused() => {}
                () = ask(&agent, slots) => {}
            }
        });
    }
}

/// Waits for a free slot and takes all there are; `None` once the agent stops.
async fn free_slots(agent: &Inner) -> Option<Vec<OwnedSemaphorePermit>> {
    let first = tokio::select! {
        () = agent.stopping.soft.cancelled() => return None,
        first = agent.slots.clone().acquire_owned() => first.ok()?,
    };
    let mut slots = vec![first];
    while let Ok(more) = agent.slots.clone().try_acquire_owned() {
        slots.push(more);
    }
    Some(slots)
}

async fn ask(agent: &Arc<Inner>, slots: Vec<OwnedSemaphorePermit>) {
    let request_id = RequestId::generate().to_string();
    let mut pauses = pauses();
    let mut repeat = false;
    let assignments = loop {
        let session = agent.sessions.current().await;
        let mut request = tonic::Request::new(v1::ClaimJobsRequest {
            session_id: session.id.to_string(),
            free_slots: u32::try_from(slots.len()).unwrap_or(u32::MAX),
            wait: prost_types::Duration::try_from(WAIT).ok(),
            call: Some(v1::Call { request_id: request_id.clone(), repeat }),
        });
        request.set_timeout(WAIT + PATIENCE);
        match agent.client.clone().claim_jobs(request).await {
            Ok(answer) => break answer.into_inner().assignments,
            Err(status) => {
                match failure(&status) {
                    Failure::SessionOver => agent.sessions.renew(session.id, &agent.held).await,
                    Failure::Away => repeat = true,
                    Failure::LeaseLost | Failure::Refused => {
                        tracing::error!(error = status.message(), "the server refuses to give jobs");
                    }
                }
                tokio::time::sleep(pauses.next().unwrap_or(PATIENCE)).await;
            }
        }
    };
    for (assignment, slot) in assignments.into_iter().zip(slots) {
        accept(agent, assignment, slot);
    }
}

fn accept(agent: &Arc<Inner>, assignment: v1::Assignment, slot: OwnedSemaphorePermit) {
    let granted = match job::Granted::try_from(assignment) {
        Ok(granted) => granted,
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "an assignment cannot be read; its lease expires by itself");
            return;
        }
    };
    // The server's answer may have waited for up to 25 s; the lease began when it was granted, at the latest then. The
    // next heartbeat makes it exact.
    let lease = LeaseEnd::after(Sent::now(), duration(granted.lease.as_ref(), LEASE));
    let Some(watch) = agent.held.add(granted.job, granted.token, lease) else { return };
    agent.beat_now.notify_one();
    let agent = agent.clone();
    agent.clone().tasks.spawn(async move {
        job::run(&agent, granted, watch).await;
        drop(slot);
    });
}
