//! A program that runs beside this process, is of no job, and outlives this process if need be.

use std::io;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use process_wrap::tokio::{ChildWrapper, CommandWrap};
use tokio::io::AsyncWriteExt as _;
use tokio::process::{ChildStdin, Command};
use tokio::time::timeout;

use super::registry::Registry;
use super::{Launcher, platform};

/// A program in a session of its own: no signal to this process's group or terminal reaches it.
///
/// Its standard input is a pipe of which this process alone has the other end, and which no robot inherits. It ends when this
/// process does, however that ends.
#[derive(Debug)]
pub(crate) struct Companion {
    child: Box<dyn ChildWrapper>,
    pid: u32,
    life_line: ChildStdin,
    registry: &'static Registry,
}

impl Launcher {
    /// Starts such a program; its standard error is this process's. Needs a tokio runtime.
    pub(crate) fn start_companion(&self, mut command: Command) -> io::Result<Companion> {
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::inherit());
        let mut command = CommandWrap::from(command);
        platform::set_apart(&mut command);
        let registry = self.registry();
        let (mut child, pid) = registry.track_companion(|| {
            let child = command.spawn()?;
            let pid = child.id().ok_or_else(|| io::Error::other("the process has no id"))?;
            Ok((child, pid))
        })?;
        let life_line = child.stdin().take().ok_or_else(|| io::Error::other("the process has no standard input"))?;
        Ok(Companion { child, pid, life_line, registry })
    }
}

impl Companion {
    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// Waits for its end. May be dropped and called again.
    pub(crate) async fn ended(&mut self) -> io::Result<ExitStatus> {
        let status = self.child.inner_mut().wait().await;
        self.registry.companion_ended(self.pid);
        status
    }

    /// Writes a word into its standard input, upon which it is to end, and waits for that as long as this.
    pub(crate) async fn dismiss(mut self, word: &[u8], patience: Duration) -> io::Result<()> {
        self.life_line.write_all(word).await?;
        self.life_line.flush().await?;
        timeout(patience, self.ended()).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?.map(drop)
    }
}
