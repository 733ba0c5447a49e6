//! A tree of processes that runs, from its start to its end.

use std::fmt;
use std::io;
use std::time::Duration;

use process_wrap::tokio::ChildWrapper;
use tokio::process::{ChildStderr, ChildStdout};
use tokio::time::timeout;

use super::registry::{Registry, TreeId};
use super::scan::Snapshot;
use super::sweep::{Children, SWEEP_LIMIT, Sweep};
use super::{Identity, platform};

/// How long a killed main process gets to disappear.
const KILL_LIMIT: Duration = Duration::from_millis(500);

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// By itself, with this exit code.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

impl Exit {
    /// Whether the process says that it succeeded.
    pub fn is_success(self) -> bool {
        self == Self::Code(0)
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit code {code}"),
            Self::Signal(signal) => write!(f, "signal {signal}"),
        }
    }
}

/// What a stop came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stopped {
    /// How the main process ended; absent if even KILL did not end it in time.
    pub exit: Option<Exit>,
    /// What was done about the rest of the tree.
    pub sweep: Sweep,
}

/// A started process and everything it starts. Dropping it kills its process group; [`RunningProcess::stop`] or
/// [`RunningProcess::sweep`] ends the whole tree.
#[derive(Debug)]
pub struct RunningProcess {
    child: Box<dyn ChildWrapper>,
    identity: Identity,
    tree: TreeId,
    registry: &'static Registry,
    exit: Option<Exit>,
    is_released: bool,
}

impl RunningProcess {
    pub(crate) fn new(
        child: Box<dyn ChildWrapper>,
        identity: Identity,
        tree: TreeId,
        registry: &'static Registry,
    ) -> Self {
        Self { child, identity, tree, registry, exit: None, is_released: false }
    }

    /// The main process.
    pub fn identity(&self) -> Identity {
        self.identity
    }

    /// The ends of its two output pipes, once. Both must be read until the process is over, or it blocks.
    pub fn take_output(&mut self) -> Option<(ChildStdout, ChildStderr)> {
        self.child.stdout().take().zip(self.child.stderr().take())
    }

    /// Waits until the main process ends, whoever still holds its pipes. May be dropped and called again.
    pub async fn wait(&mut self) -> io::Result<Exit> {
        if let Some(exit) = self.exit {
            return Ok(exit);
        }
        let exit = platform::exited(&mut self.child, self.identity.pid).await?;
        self.exit = Some(exit);
        Ok(exit)
    }

    /// Ends the tree: TERM to the group, up to `grace` for the main process to end, KILL for all that is left.
    pub async fn stop(&mut self, grace: Duration) -> Stopped {
        self.observe().await;
        if self.exit.is_none() && platform::ask_to_end(self.child.as_ref()) && !grace.is_zero() {
            let ended = timeout(grace, self.wait()).await;
            if ended.is_err() {
                self.observe().await;
            }
        }
        platform::kill_group(&mut self.child);
        let _ = timeout(KILL_LIMIT, self.wait()).await;
        let sweep = self.sweep(Children::Kill).await;
        Stopped { exit: self.exit, sweep }
    }

    /// Deals with what the main process left behind, after [`RunningProcess::wait`] has returned, and lets go of it.
    pub async fn sweep(&mut self, children: Children) -> Sweep {
        if self.is_released {
            return Sweep::default();
        }
        self.registry.tree_ended(self.tree, children == Children::Keep);
        let sweep = match children {
            Children::Keep => Sweep::default(),
            Children::Kill => {
                platform::kill_group(&mut self.child);
                match self.registry.quarry(self.tree) {
                    Some(quarry) => quarry.sweep(self.registry, SWEEP_LIMIT).await,
                    None => Sweep::default(),
                }
            }
        };
        self.release().await;
        sweep
    }

    /// Notes who belongs to the tree now: once parents are gone, descent cannot be seen any more.
    async fn observe(&mut self) {
        let Some(mut quarry) = self.registry.quarry(self.tree) else { return };
        let look = tokio::task::spawn_blocking(move || {
            quarry.observe(&Snapshot::take());
            quarry
        });
        if let Ok(quarry) = look.await {
            self.registry.note_known(quarry);
        }
    }

    /// Collects the main process's exit status at last; its id and its group's number are free from here on.
    async fn release(&mut self) {
        if self.exit.is_some() && platform::release(&mut self.child).await {
            self.registry.main_reaped(self.tree);
            self.is_released = true;
        }
    }
}

impl Drop for RunningProcess {
    fn drop(&mut self) {
        if !self.is_released {
            platform::kill_group(&mut self.child);
            self.registry.tree_ended(self.tree, false);
            self.registry.main_reaped(self.tree);
        }
    }
}
