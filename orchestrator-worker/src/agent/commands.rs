//! The stream of orders that cannot wait for the next heartbeat.

use std::sync::Arc;
use std::time::{Duration, Instant};

use orchestrator_core::lease::LeaseToken;
use orchestrator_proto::v1;
use v1::commands_response::Command;

use super::call::pauses;
use super::held::Order;
use super::run::Inner;
use super::session::Session;

/// A stream that stood for so long has worked: the next try is made at once.
const STOOD: Duration = Duration::from_secs(5);

/// Listens for as long as the agent lives.
pub(super) async fn run(agent: Arc<Inner>) {
    let mut waits = pauses();
    loop {
        let session = agent.sessions.current().await;
        let began = Instant::now();
        // Heartbeats tell of trouble with the server.
        let _ = tokio::select! {
            heard = listen(&agent, &session) => heard,
            () = agent.sessions.replaced(session.id) => Ok(()),
        };
        if began.elapsed() > STOOD {
            waits = pauses();
        }
        agent.sessions.contact.pause(waits.next().unwrap_or(STOOD)).await;
    }
}

/// Listens until the stream ends.
async fn listen(agent: &Inner, session: &Session) -> Result<(), tonic::Status> {
    let request = v1::CommandsRequest { session_id: session.id.to_string() };
    let mut stream = agent.client.clone().commands(request).await?.into_inner();
    while let Some(answer) = stream.message().await? {
        match answer.command {
            Some(Command::Kill(kill)) => {
                if let Ok(job) = kill.job_id.parse() {
                    agent.held.order(job, LeaseToken::new(kill.lease_token), Order::Kill);
                }
            }
            Some(Command::SessionOver(_)) => {
                agent.sessions.renew(session.id, &agent.held).await;
                return Ok(());
            }
            Some(Command::Drain(_)) => agent.set_paused(true),
            Some(Command::Resume(_)) => agent.set_paused(false),
            // A newer server's order that this agent does not know.
            None => {}
        }
    }
    Ok(())
}
