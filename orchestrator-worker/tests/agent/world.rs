//! The world of the scenarios: a server, an agent, and robots made of shell.

use std::path::PathBuf;
use std::time::Duration;

use orchestrator_core::id::{JobId, TriggerId};
use orchestrator_proto::v1;
use orchestrator_worker::agent::{Agent, AgentError, AgentOptions, Stopping};
use orchestrator_worker::configuration::Configuration;
use tokio::sync::{Mutex, MutexGuard};
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;

use crate::fake::Fake;

/// All scenarios run in one process, which adopts the orphans of all: one at a time.
static PROCESS: Mutex<()> = Mutex::const_new(());

pub(crate) struct World {
    pub(crate) fake: Fake,
    pub(crate) stopping: Stopping,
    slots: u32,
    /// What agents start as their watchdog.
    pub(crate) watchdog: Option<PathBuf>,
    pub(crate) folder: tempfile::TempDir,
    tasks: TaskTracker,
    _turn: MutexGuard<'static, ()>,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with_slots(1).await
    }

    /// The agent can hold so many jobs at once.
    pub(crate) async fn with_slots(slots: u32) -> Self {
        let turn = PROCESS.lock().await;
        let fake = Fake::start().await;
        fake.leases(Duration::from_secs(15), Duration::from_secs(15), Duration::from_millis(200));
        Self {
            fake,
            stopping: Stopping::default(),
            slots,
            watchdog: None,
            folder: tempfile::tempdir().expect("a folder"),
            tasks: TaskTracker::new(),
            _turn: turn,
        }
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("worker")
    }

    fn options(&self) -> AgentOptions {
        let configuration = Configuration::default();
        AgentOptions {
            server: self.fake.url(),
            token: "orc_worker_test".to_owned().into(),
            ca: None,
            data: self.data(),
            slots: self.slots,
            exclusive: false,
            allowed_paths: Vec::new(),
            open_file_urls: true,
            git: configuration.git.clone(),
            mirrors_max_bytes: 1024 * 1024 * 1024,
            mirrors_max_age: Duration::from_hours(24),
            checkout_limit: Duration::from_secs(30),
            interpreters: configuration.interpreters(),
            process_interpreters: configuration.process_interpreters(),
            output: configuration.output(),
            robot_api: configuration.robot_api(),
            watchdog: self.watchdog.clone(),
            unfit_pause: Duration::from_millis(50),
        }
    }

    /// The outcome of starting an agent.
    pub(crate) async fn try_agent(&self) -> Result<Agent, AgentError> {
        Agent::start(self.options(), self.stopping.clone()).await
    }

    /// A running agent.
    pub(crate) async fn agent(&self) -> Running {
        let agent = self.try_agent().await.expect("an agent");
        Running(self.tasks.spawn(agent.run()))
    }

    /// A job whose robot is a shell script; `$DIR` is the world's folder.
    pub(crate) fn job(&self, script: &str) -> v1::Assignment {
        let job = JobId::generate();
        let path = self.folder.path().join(format!("{job}.sh"));
        let script = format!("DIR='{}'\n{script}\n", self.folder.path().display());
        std::fs::write(&path, script).expect("a script");
        v1::Assignment {
            job_id: job.to_string(),
            lease_token: 1,
            lease: prost_types::Duration::try_from(Duration::from_secs(15)).ok(),
            trigger_id: TriggerId::generate().to_string(),
            process_name: "Test".to_owned(),
            process_path: path.display().to_string(),
            policies: Some(v1::Policies {
                stop_grace: Some(prost_types::Duration { seconds: 10, nanos: 0 }),
                ..v1::Policies::default()
            }),
            attempt: 1,
            ..v1::Assignment::default()
        }
    }

    /// Waits for a file that a robot writes.
    pub(crate) async fn written(&self, name: &str) -> String {
        let path = self.folder.path().join(name);
        let waiting = async {
            loop {
                match std::fs::read_to_string(&path) {
                    Ok(text) if text.ends_with('\n') => return text.trim().to_owned(),
                    _ => tokio::time::sleep(Duration::from_millis(5)).await,
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(20), waiting).await.unwrap_or_else(|_| panic!("no {name}"))
    }

    pub(crate) fn exists(&self, name: &str) -> bool {
        self.folder.path().join(name).exists()
    }

    pub(crate) fn write(&self, name: &str) {
        std::fs::write(self.folder.path().join(name), "\n").expect("a file");
    }

    /// Ends the agent in good order.
    pub(crate) async fn stop(&self, agent: Running) {
        self.stopping.soft.cancel();
        agent.ended().await;
    }
}

/// An agent at work.
pub(crate) struct Running(JoinHandle<()>);

impl Running {
    pub(crate) async fn ended(self) {
        tokio::time::timeout(Duration::from_secs(30), self.0).await.expect("in time").expect("without panic");
    }
}

/// Whether a process runs.
pub(crate) fn is_alive(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"));
    stat.is_ok_and(|stat| !stat.rsplit(')').next().unwrap_or_default().trim_start().starts_with('Z'))
}
