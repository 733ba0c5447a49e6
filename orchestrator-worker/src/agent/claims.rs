//! Asking for jobs, with slots in hand.

use std::sync::Arc;
use std::time::Duration;

use orchestrator_core::id::{JobId, RequestId};
use orchestrator_core::lease::LeaseToken;
use orchestrator_proto::v1;
use tokio::sync::OwnedSemaphorePermit;

use super::call::{Failure, failure, pauses, said};
use super::granted::Granted;
use super::job;
use super::run::Inner;

/// How long the server may wait with its answer.
const WAIT: Duration = Duration::from_secs(25);

/// Beyond the wait, how long the answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Asks for jobs until the agent stops. Slots that come free while an earlier call waits get a call of their own. A call
/// that waits when an administrator asks to take nothing new is answered by the server, which knows of that.
pub(super) async fn run(agent: Arc<Inner>) {
    let soft = agent.stopping.soft.clone();
    while soft.run_until_cancelled(agent.until_unpaused()).await.is_some() {
        let Some(slots) = soft.run_until_cancelled(free_slots(&agent)).await.flatten() else { return };
        if soft.run_until_cancelled(agent.until_fit()).await.is_none() {
            return;
        }
        let (agent, soft) = (agent.clone(), soft.clone());
        agent.jobs.clone().spawn(async move {
            soft.run_until_cancelled(ask(&agent, slots)).await;
        });
    }
}

/// Waits for a free slot and takes all there are.
async fn free_slots(agent: &Inner) -> Option<Vec<OwnedSemaphorePermit>> {
    let mut slots = vec![agent.slots.clone().acquire_owned().await.ok()?];
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
                    // Heartbeats tell of it.
                    Failure::NotAllowed => {}
                    Failure::LeaseLost | Failure::Refused => agent.complain("the server gives no jobs", &said(&status)),
                }
                agent.sessions.contact.pause(pauses.next().unwrap_or(PATIENCE)).await;
            }
        }
    };
    if repeat && !assignments.is_empty() {
        // Nobody knows how old these grants are.
        agent.beat_now.notify_one();
    }
    for (assignment, slot) in assignments.into_iter().zip(slots) {
        accept(agent, assignment, slot);
    }
}

fn accept(agent: &Arc<Inner>, assignment: v1::Assignment, slot: OwnedSemaphorePermit) {
    let granted = match Granted::read(assignment, agent.installation) {
        Ok(granted) => granted,
        Err(error) => {
            agent.complain("an assignment cannot be read; its lease expires by itself", &error.to_string());
            return;
        }
    };
    let agent = agent.clone();
    agent.jobs.clone().spawn(async move {
        if let Some(watch) = agent.held.take(granted.job, granted.token).await {
            let _held = Holding { agent: agent.clone(), held: (granted.job, granted.token) };
            job::run(&agent, &granted, watch).await;
        }
        drop(slot);
    });
}

/// Lets go of a job however its task ends: a lease that is renewed for nobody would never be noticed.
pub(super) struct Holding {
    pub(super) agent: Arc<Inner>,
    pub(super) held: (JobId, LeaseToken),
}

impl Drop for Holding {
    fn drop(&mut self) {
        let (job, token) = self.held;
        self.agent.held.remove(job, token);
    }
}
