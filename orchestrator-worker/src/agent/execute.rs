//! The part of a job in which its robot runs.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use orchestrator_core::clock::SystemClock;
use tokio::sync::{mpsc, oneshot};

use super::granted::Granted;
use super::held::{Orders, Watch};
use super::job::unstarted;
use super::lease::LeaseEnd;
use super::outcome::Outcome;
use super::prepare::Prepared;
use super::run::Inner;
use super::ship::{self, Shipment, Shipped};
use super::stderr_tail::StderrTail;
use super::supervise::{Around, supervise};
use crate::output::Drain;
use crate::process::{RunningProcess, SpawnError};
use crate::state_file::RunningJob;

/// How long the pipes of an ended robot are read on while something still holds them.
const PIPE_PATIENCE: Duration = Duration::from_millis(500);

/// Starts the robot and sees it to its end. No outcome: the job is not ours any more.
pub(super) async fn execute(
    agent: &Inner,
    granted: &Granted,
    prepared: &Prepared,
    watch: &mut Watch,
    lease: LeaseEnd,
) -> (Option<Outcome>, Shipped) {
    // An order that comes before the instant is seen at the spawn.
    tokio::select! {
        _ = watch.until(Orders::any) => {}
        () = tokio::time::sleep_until(granted.instant) => {}
    }
    let mut process = match spawn(agent, prepared, watch, lease) {
        Ok(process) => process,
        Err(outcome) => return (outcome, Shipped::nothing()),
    };
    agent.fitness.started();
    if let Err(error) = agent.state.insert(RunningJob::started(granted.cookie, &process)).await {
        tracing::error!(error = %error, "the state file could not be written");
    }
    let tail = StderrTail::default();
    let (sender, chunks) = mpsc::channel(ship::WAITING_CHUNKS);
    let drain = process.take_output().map(|(stdout, stderr)| {
        let (limit, clock) = (agent.options.output, Arc::new(SystemClock));
        Drain::start(&agent.tasks, stdout, tail.of(stderr), limit, clock, sender)
    });
    let (remark, closing) = oneshot::channel();
    let (remarking, remarks) = mpsc::channel(ship::WAITING_REMARKS);
    let shipped = agent.ship(granted.clone(), Shipment { chunks, remarks, closing });
    let (outcome, said) = supervise(&mut process, Around { granted, agent, remarking }, watch).await;
    if let Some(said) = said {
        // Nobody listens when the server takes no more of this job's output.
        let _ = remark.send(said);
    }
    drop(agent.tasks.spawn(async move {
        if let Some(drain) = drain {
            drain.end(PIPE_PATIENCE).await;
        }
    }));
    tail.complete(2 * PIPE_PATIENCE).await;
    (outcome.map(|outcome| outcome.explained_by(&tail.text())), shipped)
}

/// Starts the robot, if that is still right. From the look at the lease to the start nothing waits.
fn spawn(
    agent: &Inner,
    prepared: &Prepared,
    watch: &Watch,
    lease: LeaseEnd,
) -> Result<RunningProcess, Option<Outcome>> {
    let orders = watch.orders();
    if orders.any() {
        return Err(unstarted(orders));
    }
    if lease.left().is_zero() {
        return Err(Some(Outcome::never_started("the answer to the start came after the lease had ended")));
    }
    agent.launcher.spawn(&prepared.spec).map_err(|error| Some(refused(&error)))
}

/// What a machine without room refuses may succeed later, or elsewhere; anything else fails again.
fn refused(error: &SpawnError) -> Outcome {
    use io::ErrorKind::{ExecutableFileBusy, OutOfMemory, WouldBlock};

    match error {
        SpawnError::Refused { source, .. } if matches!(source.kind(), WouldBlock | OutOfMemory) => {
            Outcome::unfit(error.to_string())
        }
        SpawnError::Refused { source, .. } if source.kind() == ExecutableFileBusy => {
            Outcome::never_started(error.to_string())
        }
        SpawnError::Refused { .. } | SpawnError::NoFolder { .. } => Outcome::failed(None, error.to_string()),
    }
}
