//! The stream of orders that cannot wait for the next heartbeat.

use std::sync::Arc;

use orchestrator_core::lease::{HEARTBEAT, LeaseToken};
use orchestrator_proto::v1;
use v1::commands_response::Command;

use super::call::pauses;
use super::held::Order;
use super::run::Inner;
use super::session::Session;

/// Listens for as long as the agent lives.
pub(super) async fn run(agent: Arc<Inner>) {
    let mut waits = pauses();
    loop {
        let session = agent.sessions.current().await;
        if let Ok(true) = listen(&agent, &session).await {
            waits = pauses();
        }
        tokio::time::sleep(waits.next().unwrap_or(HEARTBEAT)).await;
    }
}

/// Listens until the stream ends; true when it brought something.
async fn listen(agent: &Inner, session: &Session) -> Result<bool, tonic::Status> {
    let request = v1::CommandsRequest { session_id: session.id.to_string() };
    let mut stream = agent.client.clone().commands(request).await?.into_inner();
    let mut heard = false;
    while let Some(answer) = stream.message().await? {
        heard = true;
        match answer.command {
            Some(Command::Kill(kill)) => {
                if let Ok(job) = kill.job_id.parse() {
                    agent.held.order(job, LeaseToken::new(kill.lease_token), Order::Kill);
                }
            }
            Some(Command::SessionOver(_)) => {
                agent.sessions.renew(session.id, &agent.held).await;
                return Ok(true);
            }
            Some(Command::Drain(_)) => agent.set_paused(true),
            Some(Command::Resume(_)) => agent.set_paused(false),
            // A newer server's order that this agent does not know.
            None => {}
        }
    }
    Ok(heard)
}
