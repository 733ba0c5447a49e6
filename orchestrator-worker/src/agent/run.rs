//! The agent as a whole: from its start to the end of its last job.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use orchestrator_core::id::InstanceId;
use orchestrator_proto::v1;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::assemble::{Assembled, assemble};
use super::call::{reason, said};
use super::fitness::Fitness;
use super::granted::Granted;
use super::held::{HeldJobs, Order, Watch};
use super::installation::{Installation, InstallationError};
use super::options::{AgentOptions, Client, ConnectError};
use super::report::Reporting;
use super::residue::{self, Residue};
use super::session::Sessions;
use super::ship::{Shipment, Shipped};
use super::{claims, commands, heartbeat, ship};
use crate::checkout::Checkouts;
use crate::process::Launcher;
use crate::python_package::PythonPackage;
use crate::robot_api::{Endpoint, RobotApi, UnusableDescriptors};
use crate::spool::SpoolError;
use crate::state_file::{StateFile, StateFileError};

/// How often it is looked what became of processes.
const LOOK: Duration = Duration::from_secs(3);

/// How long the agent tries to say good-bye.
const FAREWELL: Duration = Duration::from_secs(3);

/// How long killed robots and the word of their end may take: a kill takes less than two seconds.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// How long the output of ended jobs is still sent when the agent stops.
const LAST_OUTPUT: Duration = Duration::from_secs(30);

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
    /// The port for robots cannot be used.
    #[error("robots cannot be served at {address}: {source}; choose another robot_listen")]
    Endpoint {
        /// Where the agent was to listen.
        address: std::net::SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// What robots write cannot be kept.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// A mistake in this program.
    #[error(transparent)]
    Descriptors(#[from] UnusableDescriptors),
    /// The server's address or the token cannot be used.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// It was told to end before a server had answered.
    #[error("stopped before the server answered")]
    Stopped,
    /// The server refuses it.
    #[error("the server refuses this worker: {message}")]
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
    /// Keeps the watchdog, until this is cancelled.
    keeping: Option<(JoinHandle<()>, CancellationToken)>,
    worker_name: String,
    _installation: Installation,
}

#[derive(Debug)]
pub(super) struct Inner {
    /// Which agent this is, whatever its process.
    pub(super) installation: InstanceId,
    pub(super) options: AgentOptions,
    pub(super) client: Client,
    pub(super) sessions: Sessions,
    pub(super) held: HeldJobs,
    pub(super) state: StateFile,
    pub(super) launcher: Launcher,
    pub(super) checkouts: Checkouts,
    /// What Python robots import.
    pub(super) python: PythonPackage,
    /// What robots call.
    pub(super) robots: Arc<RobotApi>,
    /// Where robots call.
    pub(super) endpoint_url: String,
    pub(super) slots: Arc<Semaphore>,
    /// What ends by itself, or with the program.
    pub(super) tasks: TaskTracker,
    /// Claims and jobs: the agent has drained when they are over.
    pub(super) jobs: TaskTracker,
    /// Output on its way.
    pub(super) shipping: TaskTracker,
    pub(super) stopping: Stopping,
    pub(super) beat_now: Notify,
    pub(super) paused: watch::Sender<bool>,
    pub(super) fitness: Fitness,
    /// The process of the agent's watchdog.
    pub(super) watchdog: watch::Sender<Option<u32>>,
    pub(super) complaint: Mutex<String>,
    pub(super) this: std::sync::Weak<Inner>,
}

impl Inner {
    /// Sends a job's output from a task of its own, so that it goes on after the job's end was told.
    pub(super) fn ship(&self, granted: Granted, shipment: Shipment) -> Shipped {
        let shipped = Shipped::default();
        let (this, done) = (self.this.clone(), shipped.when_dropped());
        self.shipping.spawn(async move {
            let _done = done;
            if let Some(agent) = this.upgrade() {
                ship::run(&agent, &granted, shipment).await;
            }
        });
        shipped
    }

    /// Runs what must never end while the agent works: if it does, the agent stops.
    fn spawn_loop(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
        let watch = LoopWatch { name, soft: self.stopping.soft.clone() };
        self.tasks.spawn(async move {
            let _watch = watch;
            task.await;
        })
    }

    /// An administrator asked to take nothing new, or to take jobs again.
    pub(super) fn set_paused(&self, paused: bool) {
        self.paused.send_if_modified(|current| std::mem::replace(current, paused) != paused);
    }

    pub(super) async fn until_unpaused(&self) {
        // The sender lives as long as this.
        let _ = self.paused.subscribe().wait_for(|paused| !*paused).await;
    }

    /// Logs what will be said again and again, once in a row.
    pub(super) fn complain(&self, what: &'static str, words: &str) {
        let mut last = self.complaint.lock().unwrap_or_else(PoisonError::into_inner);
        if *last != words {
            words.clone_into(&mut last);
            tracing::error!(error = words, "{what}");
        }
    }
}

/// Notices a loop that ends although nobody asked it to.
struct LoopWatch {
    name: &'static str,
    soft: CancellationToken,
}

impl Drop for LoopWatch {
    fn drop(&mut self) {
        if !self.soft.is_cancelled() {
            tracing::error!(task.name = self.name, "a task of the agent ended by itself; the agent stops");
            self.soft.cancel();
        }
    }
}

impl Agent {
    /// Ends what an earlier agent left behind, registers, and begins to take jobs.
    pub async fn start(options: AgentOptions, stopping: Stopping) -> Result<Self, AgentError> {
        let installation = Installation::open(&options.data).await?;
        let address = options.robot_api.listen;
        let endpoint = Endpoint::bind(address).await.map_err(|source| AgentError::Endpoint { address, source })?;
        tracing::info!(robots.endpoint = endpoint.url(), "robots are served here");
        let assembled = assemble(options, stopping, &installation, endpoint.url()).await?;
        let Assembled { inner, residues, keeper } = assembled;
        let soft = inner.stopping.soft.clone();
        let residues = hold(&inner, residues).await;
        // Before the server hears that the jobs of an earlier agent are over.
        soft.run_until_cancelled(inner.robots.deliver_left()).await.ok_or(AgentError::Stopped)??;
        let session = soft.run_until_cancelled(inner.sessions.begin(&inner.held)).await.ok_or(AgentError::Stopped)?;
        let session =
            session.map_err(|status| AgentError::Refused { message: said(&status), code: reason(&status) })?;
        let reporting = Reporting::begin(inner.clone(), &installation.folder, &session.worker_name);
        let loops = vec![
            inner.spawn_loop("heartbeat", heartbeat::run(inner.clone())),
            inner.spawn_loop("commands", commands::run(inner.clone())),
            inner.spawn_loop("look after processes", look_after_processes(inner.clone())),
            inner.spawn_loop("robots", endpoint.serve(inner.robots.clone())),
            inner.spawn_loop("report", reporting.run()),
        ];
        let keeping = keeper.map(|keeper| {
            let ending = CancellationToken::new();
            (inner.spawn_loop("watchdog", keeper.run(ending.clone())), ending)
        });
        for (residue, watch) in residues {
            let slot = inner.slots.clone().try_acquire_owned().ok();
            inner.jobs.spawn(residue::see_to_the_end(inner.clone(), residue, watch, slot));
        }
        inner.jobs.spawn(claims::run(inner.clone()));
        Ok(Self { inner, loops, keeping, worker_name: session.worker_name, _installation: installation })
    }

    /// The name that the worker's token is bound to.
    pub fn worker_name(&self) -> &str {
        &self.worker_name
    }

    /// Works until told to end, then sees the last job to its end and says good-bye.
    pub async fn run(mut self) {
        self.inner.stopping.soft.cancelled().await;
        let jobs = self.inner.held.list().len();
        if jobs == 0 {
            tracing::info!("stopping: nothing new is taken");
        } else {
            let message = "stopping: nothing new is taken; robots are told to stop, and the server is told how these jobs end, \
                           however long it is away; a second signal kills the robots and ends that wait";
            tracing::warn!(jobs, "{message}");
        }
        self.inner.held.order_all(Order::Stop);
        self.inner.beat_now.notify_one();
        let is_drained = self.drain().await;
        self.send_last_output().await;
        self.leave().await;
        if is_drained && let Some((keeping, ending)) = self.keeping.take() {
            ending.cancel();
            // It catches no panic of ours.
            let _ = keeping.await;
        }
        self.loops.iter().for_each(JoinHandle::abort);
    }

    /// Waits until no job is held, those among them whose grant arrives while the agent stops. Where that takes too long, robots
    /// may live.
    async fn drain(&self) -> bool {
        self.inner.jobs.close();
        let hard = &self.inner.stopping.hard;
        if hard.run_until_cancelled(self.inner.jobs.wait()).await.is_some() {
            return true;
        }
        tracing::warn!("killing what still runs");
        self.inner.held.order_all(Order::Abort);
        let is_drained = timeout(LAST_WORDS, self.inner.jobs.wait()).await.is_ok();
        if !is_drained {
            let jobs = self.inner.held.list().len();
            tracing::error!(jobs, "the ends of jobs were not told; the next start of the agent clears up");
        }
        is_drained
    }

    /// What ended robots wrote goes on to the server for a while.
    async fn send_last_output(&self) {
        self.inner.shipping.close();
        let hard = self.inner.stopping.hard.clone();
        let patience = if hard.is_cancelled() { FAREWELL } else { LAST_OUTPUT };
        let waiting = async {
            tokio::select! {
                () = self.inner.shipping.wait() => true,
                () = hard.cancelled(), if patience == LAST_OUTPUT => false,
            }
        };
        if !timeout(patience, waiting).await.unwrap_or(false) {
            let jobs = self.inner.shipping.len();
            tracing::error!(jobs, "the server did not take the rest of these jobs' output; it is lost");
        }
    }

    async fn leave(&self) {
        let Ok(session) = timeout(FAREWELL, self.inner.sessions.current()).await else { return };
        let mut request = tonic::Request::new(v1::LeaveRequest { session_id: session.id.to_string() });
        request.set_timeout(FAREWELL);
        if let Err(status) = self.inner.client.clone().leave(request).await {
            tracing::debug!(error = said(&status), "the server did not take the good-bye");
        }
    }
}

/// Lists jobs of an earlier agent that are not over, so that registration does not end them.
async fn hold(agent: &Inner, residues: Vec<Residue>) -> Vec<(Residue, Watch)> {
    let mut held = Vec::new();
    for residue in residues {
        // One grant of each job is in the state file, and nothing else is held yet.
        if let Some(watch) = agent.held.take(residue.job.job_id, residue.job.lease_token).await {
            held.push((residue, watch));
        }
    }
    held
}

/// Collects orphans that have ended, and notes for the next agent what it would not recognise as a job's.
async fn look_after_processes(agent: Arc<Inner>) {
    loop {
        tokio::time::sleep(LOOK).await;
        let launcher = agent.launcher.clone();
        let look = tokio::task::spawn_blocking(move || {
            launcher.reap_adopted();
            launcher.observe()
        });
        for seen in look.await.unwrap_or_default() {
            if let Err(error) = agent.state.note_strays(seen.cookie, seen.processes).await {
                agent.complain("the state file could not be written", &error.to_string());
            }
        }
    }
}
