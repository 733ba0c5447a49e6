//! How a tree of processes is started.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::PathBuf;
use std::process::Stdio;

use process_wrap::tokio::CommandWrap;
use tokio::process::Command;

use super::platform::{self, kernel_now};
use super::registry::Registry;
use super::scan::Snapshot;
use super::{Identity, JobCookie, RunningProcess};

/// Variables of the worker that begin like this are its own configuration (its token may be among them), not a robot's.
const OWN_PREFIX: &str = "ORCHESTRATOR_";

/// What is to be started.
///
/// The process inherits the worker's environment except for variables that begin with `ORCHESTRATOR_`, then gets `env`
/// and the cookie. It reads nothing from its standard input.
#[derive(Clone)]
pub struct LaunchSpec {
    /// The program: a path, or a name that is looked up in `PATH`.
    pub program: OsString,
    /// Its arguments, each passed as it is.
    pub args: Vec<OsString>,
    /// The folder it starts in; the worker's own when absent.
    pub cwd: Option<PathBuf>,
    /// Variables to set, or (`None`) to remove.
    pub env: BTreeMap<OsString, Option<OsString>>,
    /// The mark of the job that the process belongs to.
    pub cookie: JobCookie,
}

impl LaunchSpec {
    /// A program without arguments in the worker's own folder.
    pub fn new(program: impl Into<OsString>, cookie: JobCookie) -> Self {
        Self { program: program.into(), args: Vec::new(), cwd: None, env: BTreeMap::new(), cookie }
    }

    /// Sets one variable.
    pub fn set_env(&mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> &mut Self {
        self.env.insert(name.into(), Some(value.into()));
        self
    }

    /// Removes one variable that would be inherited.
    pub fn remove_env(&mut self, name: impl Into<OsString>) -> &mut Self {
        self.env.insert(name.into(), None);
        self
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        if let Some(folder) = &self.cwd {
            command.current_dir(folder);
        }
        for (name, _) in std::env::vars_os().filter(|(name, _)| is_own(name)) {
            command.env_remove(name);
        }
        for (name, value) in &self.env {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command.envs(self.cookie.variables());
        command
    }
}

/// Arguments and variables may hold secrets: neither is shown.
impl std::fmt::Debug for LaunchSpec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LaunchSpec")
            .field("program", &self.program)
            .field("args_count", &self.args.len())
            .field("cwd", &self.cwd)
            .field("cookie", &self.cookie)
            .finish_non_exhaustive()
    }
}

fn is_own(name: &OsStr) -> bool {
    name.to_string_lossy().to_ascii_uppercase().starts_with(OWN_PREFIX)
}

/// Why a process could not be started.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    /// The folder to start in is not there.
    #[error("the folder '{}' to start in does not exist", folder.display())]
    NoFolder {
        /// The folder.
        folder: PathBuf,
    },
    /// The operating system refused.
    #[error("failed to start '{}': {source}", program.to_string_lossy())]
    Refused {
        /// The program as given.
        program: OsString,
        /// What the system said.
        source: io::Error,
    },
}

/// Starts processes. The only way in which a worker starts any, so that it knows its own children from those it adopted.
#[derive(Debug, Clone)]
pub struct Launcher {
    registry: &'static Registry,
}

impl Launcher {
    /// Prepares this process to supervise others: on Linux it becomes the one that adopts orphans of its children.
    pub fn new() -> io::Result<Self> {
        platform::adopt_orphans()?;
        Ok(Self { registry: Registry::of_this_process() })
    }

    /// Starts a process in a group of its own. Needs a tokio runtime.
    pub fn spawn(&self, spec: &LaunchSpec) -> Result<RunningProcess, SpawnError> {
        if let Some(folder) = spec.cwd.as_ref().filter(|folder| !folder.is_dir()) {
            return Err(SpawnError::NoFolder { folder: folder.clone() });
        }
        let refused = |source| SpawnError::Refused { program: spec.program.clone(), source };
        let mut command = CommandWrap::from(spec.command());
        platform::isolate(&mut command);
        let (child, process, tree) = self
            .registry
            .track(spec.cookie, || {
                let child = command.spawn()?;
                let pid = child.id().ok_or_else(|| io::Error::other("the process has no id"))?;
                let seen = Snapshot::of(pid);
                Ok((child, seen.map_or_else(|| Identity { pid, started: kernel_now() }, |seen| seen.identity)))
            })
            .map_err(refused)?;
        Ok(RunningProcess::new(child, process, tree, self.registry))
    }

    pub(super) fn registry(&self) -> &'static Registry {
        self.registry
    }

    /// Collects the exit status of adopted orphans that have ended. Cheap when there are none; to be called every few
    /// seconds. Orphans seen for the first time are left until the next call. Blocks for some milliseconds.
    pub fn reap_adopted(&self) {
        if platform::has_ended_children() {
            self.registry.reap_unknown(&Snapshot::take());
        }
    }
}
