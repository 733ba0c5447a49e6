//! The agent as a whole: from its start to the end of its last job.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use orchestrator_core::clock::SystemClock;
use orchestrator_core::id::InstanceId;
use orchestrator_proto::v1;
use tokio::sync::{Notify, Semaphore, mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::call::reason;
use super::held::{HeldJobs, Order};
use super::installation::{Installation, InstallationError};
use super::job::Granted;
use super::options::{AgentOptions, Client, ConnectError, client};
use super::session::Sessions;
use super::{claims, commands, heartbeat, ship};
use crate::checkout::{CheckoutOptions, Checkouts};
use crate::output::OutputChunk;
use crate::process::{JobCookie, Launcher, kill_leftovers};
use crate::state_file::{StateFile, StateFileError};

/// How often adopted orphans that have ended are collected.
const REAP: Duration = Duration::from_secs(3);

/// How long the agent tries to say good-bye.
const FAREWELL: Duration = Duration::from_secs(3);

/// How an agent is told to end.
#[derive(Debug, Clone, Default)]
pub struct Stopping {
    /// Take nothing new; stop robots with their `stop_grace`, and end when the last one has.
    pub soft: CancellationToken,
    /// Kill what still runs.
    pub hard: CancellationToken,
}

/// Why an agent could not begin.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// Its folder cannot be used.
    #[error(transparent)]
    Installation(#[from] InstallationError),
    /// The list of what ran cannot be read.
    #[error(transparent)]
    State(#[from] StateFileError),
    /// This machine does not let it supervise processes.
    #[error("this machine does not let the agent supervise processes: {0}")]
    Launcher(#[source] std::io::Error),
    /// The server's address or the token cannot be used.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The server refuses it.
    #[error("the server refuses this worker: {message}{}", .code.as_ref().map(|code| format!(" [{code}]")).unwrap_or_default())]
    Refused {
        /// What the server says.
        message: String,
        /// The stable code.
        code: Option<String>,
    },
}

/// An agent that is registered and works.
#[derive(Debug)]
pub struct Agent {
    inner: Arc<Inner>,
    loops: Vec<JoinHandle<()>>,
    worker_name: String,
    _installation: Installation,
}

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) options: AgentOptions,
    pub(super) client: Client,
    pub(super) sessions: Sessions,
    pub(super) held: HeldJobs,
    pub(super) state: StateFile,
    pub(super) launcher: Launcher,
    pub(super) checkouts: Checkouts,
    pub(super) slots: Arc<Semaphore>,
    pub(super) tasks: TaskTracker,
    pub(super) stopping: Stopping,
    pub(super) beat_now: Notify,
    paused: watch::Sender<bool>,
    this: std::sync::Weak<Inner>,
}

impl Inner {
    /// Sends a job's output from a task of its own, so that it goes on after the job's end was told.
    pub(super) fn ship(&self, granted: Granted, chunks: mpsc::Receiver<OutputChunk>) -> JoinHandle<String> {
        let this = self.this.clone();
        self.tasks.spawn(async move {
            match this.upgrade() {
                Some(agent) => ship::run(&agent, &granted, chunks).await,
                None => String::new(),
            }
        })
    }

    /// An administrator asked to take nothing new, or to take jobs again.
    pub(super) fn set_paused(&self, paused: bool) {
        self.paused.send_if_modified(|current| std::mem::replace(current, paused) != paused);
    }

    pub(super) async fn paused(&self) {
        let _ = self.paused.subscribe().wait_for(|paused| *paused).await;
    }

    pub(super) async fn until_unpaused(&self) {
        let _ = self.paused.subscribe().wait_for(|paused| !*paused).await;
    }
}

impl Agent {
    /// Ends what an earlier agent left behind, registers, and begins to take jobs.
    pub async fn start(options: AgentOptions, stopping: Stopping) -> Result<Self, AgentError> {
        let installation = Installation::open(&options.data)?;
        let launcher = Launcher::new().map_err(AgentError::Launcher)?;
        let state = StateFile::open(installation.folder.join("jobs.json"))?;
        let tasks = TaskTracker::new();
        let checkouts = checkouts(&options, &installation, &launcher, &tasks);
        end_leftovers(&launcher, &state, &checkouts).await?;
        let client = client(&options)?;
        let inner = inner(options, stopping, installation.instance, client, state, launcher, checkouts, tasks);
        let session = tokio::select! {
            session = inner.sessions.begin(&inner.held) => session,
            () = inner.stopping.soft.cancelled() => Err(tonic::Status::cancelled("stopped before the server answered")),
        };
        let session = session
            .map_err(|status| AgentError::Refused { message: status.message().to_owned(), code: reason(&status) })?;
        let loops = vec![
            inner.tasks.spawn(heartbeat::run(inner.clone())),
            inner.tasks.spawn(commands::run(inner.clone())),
            inner.tasks.spawn(reap(inner.launcher.clone())),
            inner.tasks.spawn(claims::run(inner.clone())),
        ];
        Ok(Self { inner, loops, worker_name: session.worker_name, _installation: installation })
    }

    /// The name that the worker's token is bound to.
    pub fn worker_name(&self) -> &str {
        &self.worker_name
    }

    /// Works until told to end, then sees the last job to its end and says good-bye.
    pub async fn run(self) {
        let stopping = self.inner.stopping.clone();
        stopping.soft.cancelled().await;
        tracing::info!("stopping: nothing new is taken");
        self.inner.beat_now.notify_one();
        self.inner.held.order_all(Order::Stop);
        tokio::select! {
            () = self.drained() => {}
            () = async {
                stopping.hard.cancelled().await;
                tracing::warn!("killing what still runs");
                self.inner.held.order_all(Order::Abort);
                let _ = tokio::time::timeout(FAREWELL, self.drained()).await;
            } => {}
        }
        let session = tokio::time::timeout(FAREWELL, self.inner.sessions.current()).await;
        if let Ok(session) = session {
            let mut request = tonic::Request::new(v1::LeaveRequest { session_id: session.id.to_string() });
            request.set_timeout(FAREWELL);
            if let Err(status) = self.inner.client.clone().leave(request).await {
                tracing::debug!(error = status.message(), "the server did not take the good-bye");
            }
        }
        self.loops.iter().for_each(JoinHandle::abort);
    }

    /// Waits until no job is held. Jobs whose grant arrives while the agent stops are among them.
    async fn drained(&self) {
        while !self.inner.held.is_empty() {
            self.inner.held.order_all(Order::Stop);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

fn checkouts(
    options: &AgentOptions,
    installation: &Installation,
    launcher: &Launcher,
    tasks: &TaskTracker,
) -> Checkouts {
    let checkout_options = CheckoutOptions {
        root: installation.folder.join("checkouts"),
        allowed_paths: options.allowed_paths.clone(),
        git: options.git.clone(),
    };
    Checkouts::new(checkout_options, launcher.clone(), Arc::new(SystemClock), tasks.clone())
}

#[expect(clippy::too_many_arguments, reason = "called once, to put the agent together")]
fn inner(
    options: AgentOptions,
    stopping: Stopping,
    instance: InstanceId,
    client: Client,
    state: StateFile,
    launcher: Launcher,
    checkouts: Checkouts,
    tasks: TaskTracker,
) -> Arc<Inner> {
    let (paused, _) = watch::channel(false);
    Arc::new_cyclic(|this| Inner {
        sessions: Sessions::new(client.clone(), instance, &options),
        slots: Arc::new(Semaphore::new(options.slots as usize)),
        options,
        client,
        held: HeldJobs::default(),
        state,
        launcher,
        checkouts,
        tasks,
        stopping,
        beat_now: Notify::new(),
        paused,
        this: this.clone(),
    })
}

/// Kills robots that an earlier agent left running, and removes its checkouts: the server takes what is not listed at
/// registration for ended.
async fn end_leftovers(launcher: &Launcher, state: &StateFile, checkouts: &Checkouts) -> Result<(), AgentError> {
    let left = state.jobs();
    if !left.is_empty() {
        let sweep = kill_leftovers(launcher, left.iter().map(|job| JobCookie::new(job.job_id))).await;
        tracing::warn!(jobs = left.len(), ?sweep, "ended what an earlier agent had left running");
        for job in left {
            state.remove(job.job_id).await?;
        }
    }
    match checkouts.remove_leftovers(&HashSet::new()).await {
        Ok(0) => {}
        Ok(count) => tracing::info!(count, "removed checkouts that an earlier agent had left"),
        Err(error) => tracing::warn!(error = %error, "checkouts of an earlier agent could not be removed"),
    }
    Ok(())
}

async fn reap(launcher: Launcher) {
    loop {
        tokio::time::sleep(REAP).await;
        let launcher = launcher.clone();
        let _ = tokio::task::spawn_blocking(move || launcher.reap_adopted()).await;
    }
}
