//! Putting an agent together, and clearing away what an earlier one left.

use std::collections::HashSet;
use std::sync::Arc;

use orchestrator_core::clock::SystemClock;
use tokio::sync::{Notify, Semaphore, watch};
use tokio_util::task::TaskTracker;

use super::held::HeldJobs;
use super::installation::Installation;
use super::options::{AgentOptions, client, connection};
use super::run::{AgentError, Inner, Stopping};
use super::session::Sessions;
use crate::checkout::{CheckoutOptions, Checkouts, Mirroring};
use crate::process::{JobCookie, Launcher, kill_leftovers};
use crate::python_package::PythonPackage;
use crate::robot_api::{CallsAs, RobotApi};
use crate::spool::Spools;
use crate::state_file::StateFile;

/// How often it is tried to kill what an earlier agent left.
const KILL_ATTEMPTS: u32 = 5;

/// An agent that has not registered yet. Nothing that an earlier one left is there any more.
pub(super) async fn assemble(
    options: AgentOptions,
    stopping: Stopping,
    installation: &Installation,
    endpoint_url: &str,
) -> Result<Arc<Inner>, AgentError> {
    let launcher = Launcher::new().map_err(AgentError::Launcher)?;
    let state = StateFile::open(installation.folder.join("jobs.json"))?;
    let tasks = TaskTracker::new();
    let checkout_options = CheckoutOptions {
        root: installation.folder.join("checkouts"),
        allowed_paths: options.allowed_paths.clone(),
        open_file_urls: options.open_file_urls,
        git: options.git.clone(),
        mirrors: (options.mirrors_max_bytes > 0).then(|| Mirroring {
            root: installation.folder.join("mirrors"),
            max_bytes: options.mirrors_max_bytes,
            max_age: options.mirrors_max_age,
        }),
    };
    let checkouts = Checkouts::new(checkout_options, launcher.clone(), Arc::new(SystemClock), tasks.clone());
    end_leftovers(&launcher, &state, &checkouts).await?;
    let python = PythonPackage::below(&installation.folder.join("python"));
    unpack(&python);
    let client = client(&options)?;
    let spools = Spools::open(&installation.folder.join("spool"), options.robot_api.spool)?;
    let stop = stopping.soft.clone();
    let way = (connection(&options)?, CallsAs::Worker);
    let robots = RobotApi::new(way, spools, options.robot_api, tasks.clone(), stop)?;
    let robots = Arc::new(robots);
    Ok(Arc::new_cyclic(|this| Inner {
        sessions: Sessions::new(client.clone(), installation.instance, &options),
        slots: Arc::new(Semaphore::new(options.slots as usize)),
        options,
        client,
        held: HeldJobs::default(),
        state,
        launcher,
        checkouts,
        python,
        robots,
        endpoint_url: endpoint_url.to_owned(),
        tasks,
        jobs: TaskTracker::new(),
        shipping: TaskTracker::new(),
        stopping,
        beat_now: Notify::new(),
        paused: watch::channel(false).0,
        complaint: std::sync::Mutex::default(),
        this: this.clone(),
    }))
}

/// Has the Python package in its place before the first robot needs it. If that fails now, it is tried again then.
fn unpack(python: &PythonPackage) {
    if let Err(error) = python.forget_the_past().and_then(|()| python.ensure()) {
        tracing::error!(error = %error, "robots cannot be given the Python package");
    }
}

/// Kills robots that an earlier agent left running, and removes its checkouts: the server takes what is not listed at
/// registration for ended.
async fn end_leftovers(launcher: &Launcher, state: &StateFile, checkouts: &Checkouts) -> Result<(), AgentError> {
    let left = state.jobs();
    if !left.is_empty() {
        for attempt in 1..=KILL_ATTEMPTS {
            let sweep = kill_leftovers(launcher, left.iter().map(|job| JobCookie::new(job.job_id))).await;
            tracing::warn!(jobs = left.len(), ?sweep, "ended what an earlier agent had left running");
            if sweep.survivors.is_empty() {
                break;
            }
            tracing::error!(attempt, survivors = ?sweep.survivors, "processes of an earlier agent's jobs do not end");
        }
        for job in left {
            state.remove(job.job_id).await?;
        }
    }
    match checkouts.remove_leftovers(&HashSet::new()).await {
        Ok(0) => {}
        Ok(count) => tracing::info!(count, "removed checkouts that an earlier agent had left"),
        Err(error) => tracing::warn!(error = %error, "checkouts of an earlier agent could not be removed"),
    }
    checkouts.prune_mirrors().await;
    Ok(())
}
