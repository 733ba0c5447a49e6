//! Jobs of an earlier agent of which something lives on: they are not over, whatever this agent would like to say.
//!
//! Such a job is held as any other is, so that nothing is started in its place: it is listed at registration and with each
//! heartbeat, and keeps a slot. Other slots take other jobs. Its end is told when the last of its processes is gone.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;

use super::held::{Orders, Watch};
use super::outcome::{Outcome, report};
use super::run::Inner;
use super::ship::{self, Shipped};
use super::supervise::remark_on_survivors;
use crate::process::{Launcher, Leftover, SweptProcess, kill_leftovers, kill_survivors};
use crate::state_file::RunningJob;

/// How often it is tried to kill what an earlier agent left, before the server hears of this one.
const ATTEMPTS: u32 = 5;

/// How often it is tried from then on.
const AGAIN: Duration = Duration::from_secs(2);

/// A job, and what lives of it.
#[derive(Debug)]
pub(super) struct Residue {
    pub(super) job: RunningJob,
    pub(super) left: Leftover,
    pub(super) survivors: Vec<SweptProcess>,
}

impl Residue {
    /// Says in the agent's log what lives.
    pub(super) fn tell(&self) {
        tell(&self.left, &self.survivors);
    }
}

/// Kills what is left of a job. What does not end in some seconds is what this returns.
pub(super) async fn end(launcher: &Launcher, job: RunningJob) -> Result<RunningJob, Residue> {
    let mut left = job.leftover();
    let mut attempt = 1;
    loop {
        let sweep = kill_leftovers(launcher, &left).await;
        if !sweep.killed.is_empty() {
            tracing::warn!(job.id = %job.job_id, killed = ?sweep.killed, "ended what an earlier agent had left running");
        }
        if !sweep.has_survivors() {
            return Ok(job);
        }
        left.remember(&sweep.survivors);
        if attempt == ATTEMPTS {
            return Err(Residue { job, left, survivors: sweep.survivors });
        }
        attempt += 1;
    }
}

/// Goes on to kill until nothing is left, and then tells the server that the job is over. When the agent stops before that, the
/// job stays in the state file for the next one.
pub(super) async fn see_to_the_end(
    agent: Arc<Inner>,
    residue: Residue,
    mut watch: Watch,
    mut slot: Option<OwnedSemaphorePermit>,
) {
    let Residue { job, mut left, mut survivors } = residue;
    agent.note_survivors(&left).await;
    let (telling, text) = (agent.clone(), remark_on_survivors(&survivors));
    agent.shipping.spawn(async move { ship::send_remark(&telling, (job.job_id, job.lease_token), text).await });
    let held = super::claims::Holding { agent: agent.clone(), held: (job.job_id, job.lease_token) };
    loop {
        let has_slot = slot.is_some();
        tokio::select! {
            orders = watch.until(|orders| orders.stop || orders.abort || (orders.gone && has_slot)) => {
                if orders.stop || orders.abort {
                    return;
                }
                tracing::warn!(job.id = %job.job_id, "the server has ended a job of which processes live on; its slot is free");
                slot = None;
                continue;
            }
            () = tokio::time::sleep(AGAIN) => {}
        }
        let sweep = kill_survivors(&agent.launcher, &left).await;
        if !sweep.has_survivors() {
            break;
        }
        left.remember(&sweep.survivors);
        agent.note_survivors(&left).await;
        let is_known = |found: &SweptProcess| survivors.iter().any(|known| known.identity == found.identity);
        // What survives may start others all the time.
        if !sweep.survivors.is_empty() && !sweep.survivors.iter().any(is_known) {
            tell(&left, &sweep.survivors);
        }
        survivors = sweep.survivors;
    }
    tracing::info!(job.id = %job.job_id, "nothing is left any more of a job that an earlier agent ran");
    let orders = watch.orders();
    if !orders.gone {
        let (outcome, shipped) = (outcome(orders), Shipped::nothing());
        tokio::select! {
            () = report(&agent, (job.job_id, job.lease_token), &outcome, &shipped) => {}
            _ = watch.until(|orders| orders.gone) => {}
        }
    }
    if let Err(error) = agent.state.remove(job.job_id).await {
        tracing::error!(error = %error, "the state file could not be written");
    }
    drop((held, slot));
}

impl Inner {
    /// For the next agent: what is known by its parents only cannot be found again once these are gone.
    pub(super) async fn note_survivors(&self, left: &Leftover) {
        if let Err(error) = self.state.note_survivors(left.job, left.strays.clone()).await {
            tracing::error!(error = %error, "the state file could not be written");
        }
    }
}

fn outcome(orders: Orders) -> Outcome {
    if orders.kill {
        Outcome::killed(None)
    } else {
        let reason =
            "the worker was restarted while the robot ran; what was left of the robot could be killed only later";
        Outcome::failed(None, reason)
    }
}

fn tell(left: &Leftover, survivors: &[SweptProcess]) {
    for process in survivors {
        tracing::error!(
            job.id = %left.job, process.pid = process.identity.pid, process.name, refused = process.refused,
            "a process of a job that an earlier agent ran does not end, so the job is not over: it keeps a slot of this \
             worker, and the kill is tried again every 2 s. Look at the process (ps -fp PID). One of another user: end it \
             as root (kill -9 PID). One in state D waits for a disk or a network drive: it ends when that answers, or when \
             the machine starts anew. One that somebody starts again: stop who does"
        );
    }
}
