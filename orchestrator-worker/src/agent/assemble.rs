//! Putting an agent together, and clearing away what an earlier one left.

use std::collections::HashSet;
use std::sync::Arc;

use futures_util::future::join_all;
use orchestrator_core::clock::SystemClock;
use tokio::sync::{Notify, Semaphore, watch};
use tokio_util::task::TaskTracker;

use super::fitness::Fitness;
use super::held::HeldJobs;
use super::installation::Installation;
use super::options::{AgentOptions, client, connection};
use super::residue::{self, Residue};
use super::run::{AgentError, Inner, Stopping};
use super::session::Sessions;
use super::watchdog::Keeper;
use crate::checkout::{CheckoutOptions, Checkouts, Mirroring};
use crate::process::{Launcher, sees_others};
use crate::python_package::PythonPackage;
use crate::robot_api::{CallsAs, RobotApi};
use crate::spool::Spools;
use crate::state_file::StateFile;

/// An agent that has not registered yet.
pub(super) struct Assembled {
    pub(super) inner: Arc<Inner>,
    /// What an earlier one left and is still there.
    pub(super) residues: Vec<Residue>,
    /// Has a watchdog already, if there is to be one.
    pub(super) keeper: Option<Keeper>,
}

/// Puts an agent together, after it has ended what an earlier one left.
pub(super) async fn assemble(
    options: AgentOptions,
    stopping: Stopping,
    installation: &Installation,
    endpoint_url: &str,
) -> Result<Assembled, AgentError> {
    let launcher = Launcher::new().map_err(AgentError::Launcher)?;
    let state = StateFile::open(installation.folder.join("jobs.json"))?;
    let watchdog = watch::channel(None).0;
    let keeper = options.watchdog.as_deref();
    let keeper = keeper.map(|program| Keeper::begin(launcher.clone(), program, &installation.folder, watchdog.clone()));
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
    if !sees_others() {
        tracing::warn!(
            "processes of other users are hidden from this one (/proc with hidepid): a robot that becomes another user is not \
             found when it outlives its job. Mount /proc without hidepid, or give the worker's user the group of gid="
        );
    }
    let residues = end_leftovers(&launcher, &state, &checkouts).await?;
    let python = PythonPackage::below(&installation.folder.join("python"));
    unpack(&python);
    let client = client(&options)?;
    let spools = Spools::open(&installation.folder.join("spool"), options.robot_api.spool)?;
    let stop = stopping.soft.clone();
    let way = (connection(&options)?, CallsAs::Worker);
    let robots = RobotApi::new(way, spools, options.robot_api, tasks.clone(), stop)?;
    let robots = Arc::new(robots);
    let fitness = Fitness::new(options.unfit_pause);
    let inner = Arc::new_cyclic(|this| Inner {
        installation: installation.instance,
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
        fitness,
        watchdog,
        complaint: std::sync::Mutex::default(),
        this: this.clone(),
    });
    Ok(Assembled { inner, residues, keeper })
}

/// Has the Python package in its place before the first robot needs it. If that fails now, it is tried again then.
fn unpack(python: &PythonPackage) {
    if let Err(error) = python.forget_the_past().and_then(|()| python.ensure()) {
        tracing::error!(error = %error, "robots cannot be given the Python package");
    }
}

/// Kills robots that an earlier agent left running, and removes its checkouts: the server takes what is not listed at
/// registration for ended. Returns the jobs of which something lives on.
async fn end_leftovers(
    launcher: &Launcher,
    state: &StateFile,
    checkouts: &Checkouts,
) -> Result<Vec<Residue>, AgentError> {
    let mut residues = Vec::new();
    for ended in join_all(state.jobs().into_iter().map(|job| residue::end(launcher, job))).await {
        match ended {
            Ok(job) => state.remove(job.job_id).await?,
            Err(residue) => {
                residue.tell();
                residues.push(residue);
            }
        }
    }
    let living: HashSet<_> = residues.iter().map(|residue| (residue.job.job_id, residue.job.lease_token)).collect();
    match checkouts.remove_leftovers(&living).await {
        Ok(0) => {}
        Ok(count) => tracing::info!(count, "removed checkouts that an earlier agent had left"),
        Err(error) => tracing::warn!(error = %error, "checkouts of an earlier agent could not be removed"),
    }
    checkouts.prune_mirrors().await;
    Ok(residues)
}
