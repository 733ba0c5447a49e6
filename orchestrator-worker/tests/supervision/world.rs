//! The world of the scenarios: a folder, a launcher, and ways to see what runs.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use orchestrator_core::clock::SystemClock;
use orchestrator_core::id::{InstanceId, JobId};
use orchestrator_core::lease::LeaseToken;
use orchestrator_worker::output::{Drain, OutputChunk, OutputLimit};
use orchestrator_worker::process::{Grant, JobCookie, LaunchSpec, Launcher, RunningProcess};
use sysinfo::{Pid, ProcessRefreshKind, ProcessStatus, ProcessesToUpdate, System};
use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard, mpsc};
use tokio_util::task::TaskTracker;

/// How long anything may take to become true before a scenario fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// All scenarios run in one process, which adopts the orphans of all: some need it for themselves.
static PROCESS: RwLock<()> = RwLock::const_new(());

/// Held as long as a scenario runs.
#[expect(dead_code, reason = "held, never read")]
enum Turn {
    Shared(RwLockReadGuard<'static, ()>),
    Alone(RwLockWriteGuard<'static, ()>),
}

pub(crate) struct World {
    folder: tempfile::TempDir,
    pub(crate) launcher: Launcher,
    pub(crate) job: JobId,
    pub(crate) installation: InstanceId,
    pub(crate) tasks: TaskTracker,
    _turn: Turn,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(Turn::Shared(PROCESS.read().await))
    }

    /// No other scenario runs beside this one.
    pub(crate) async fn alone() -> Self {
        Self::with(Turn::Alone(PROCESS.write().await))
    }

    fn with(turn: Turn) -> Self {
        Self {
            folder: tempfile::tempdir().expect("a temporary folder"),
            launcher: Launcher::new().expect("a launcher"),
            job: JobId::generate(),
            installation: InstanceId::generate(),
            tasks: TaskTracker::new(),
            _turn: turn,
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder is made");
        std::fs::write(&path, text).expect("a file is written");
        path
    }

    /// What the processes of a job bear under the first grant to this installation.
    pub(crate) fn cookie(&self, job: JobId) -> JobCookie {
        JobCookie::new(job, Grant { installation: self.installation, lease_token: LeaseToken::new(1) })
    }

    /// A job's process; it starts in the world's folder.
    pub(crate) fn spec(&self, job: JobId, command: &[&str]) -> LaunchSpec {
        let mut spec = LaunchSpec::new(command[0], self.cookie(job));
        spec.args = command[1..].iter().map(Into::into).collect();
        spec.cwd = Some(self.folder.path().to_owned());
        spec
    }

    pub(crate) fn bash(&self, script: &str) -> RunningProcess {
        self.bash_for(self.job, script)
    }

    pub(crate) fn bash_for(&self, job: JobId, script: &str) -> RunningProcess {
        self.launcher.spawn(&self.spec(job, &["bash", "-c", script])).expect("bash starts")
    }

    pub(crate) fn python(&self, script: &str) -> RunningProcess {
        self.launcher.spawn(&self.spec(self.job, &["python3", "-c", script])).expect("python starts")
    }

    /// Reads a process's output as a job's is read.
    pub(crate) fn drain(
        &self,
        process: &mut RunningProcess,
        limit: OutputLimit,
    ) -> (Drain, mpsc::Receiver<OutputChunk>) {
        let (stdout, stderr) = process.take_output().expect("both pipes");
        let (sender, receiver) = mpsc::channel(4);
        (Drain::start(&self.tasks, stdout, stderr, limit, Arc::new(SystemClock), sender), receiver)
    }

    /// The process id that a script writes into a file.
    pub(crate) async fn pid_in(&self, name: &str) -> u32 {
        let path = self.path(name);
        eventually(&format!("a process id in {name}"), || read_pid(&path).is_some()).await;
        read_pid(&path).expect("still there")
    }
}

fn read_pid(path: &Path) -> Option<u32> {
    std::fs::read_to_string(path).ok()?.strip_suffix('\n')?.parse().ok()
}

/// Whether a process runs; one that ended and was not collected does not.
pub(crate) fn is_alive(pid: u32) -> bool {
    let pid = Pid::from_u32(pid);
    let mut system = System::new().expect("a known system");
    let kind = ProcessRefreshKind::nothing().without_tasks();
    system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), true, kind);
    system.process(pid).is_some_and(|process| process.status() != ProcessStatus::Zombie)
}

/// Whether a process is there, ended or not.
pub(crate) fn exists(pid: u32) -> bool {
    let pid = rustix::process::Pid::from_raw(pid.try_into().expect("a process id")).expect("a process id");
    rustix::process::test_kill_process(pid).is_ok()
}

/// The parent of a process that is there.
pub(crate) fn parent_of(pid: u32) -> u32 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("it is there");
    let after_name = stat.rsplit_once(')').expect("a name").1;
    after_name.split_whitespace().nth(1).and_then(|parent| parent.parse().ok()).expect("a parent")
}

/// Waits for something to become true.
pub(crate) async fn eventually(what: &str, mut is_true: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_true() {
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Programs marked as a job's, which somebody starts again whenever they have ended. More than one, so that some run while
/// another is started.
pub(crate) struct Again(Vec<Child>);

impl Again {
    pub(crate) fn start(cookie: JobCookie) -> Self {
        let mark = format!("ORCHESTRATOR_JOB_ID={} ORCHESTRATOR_JOB_GRANT={}", cookie.job(), cookie.grant());
        let script = format!("while :; do {mark} sleep 1000; done 2> /dev/null");
        let start = || Command::new("bash").args(["-c", &script]).stdin(Stdio::null()).spawn().expect("bash starts");
        Self((0..4).map(|_| start()).collect())
    }

    /// Starts them no more; the last ones still have to be ended.
    pub(crate) fn stop(self) {
        drop(self);
    }
}

/// A scenario that fails leaves none behind.
impl Drop for Again {
    fn drop(&mut self) {
        for keeper in &mut self.0 {
            keeper.kill().and_then(|()| keeper.wait()).expect("nobody else ends it");
        }
    }
}
