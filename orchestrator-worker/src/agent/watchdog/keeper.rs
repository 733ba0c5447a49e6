//! The agent's side: it has a watchdog for as long as it lives.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use tokio::process::Command;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::FAREWELL;
use crate::process::{Companion, Launcher};

/// The pause before another one is started; doubled each time.
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);
/// The longest such pause.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);
/// A watchdog that lived so long did not end for a reason that ends the next one as well.
const LONG: Duration = Duration::from_mins(1);
/// How long a dismissed one may take to end.
const PATIENCE: Duration = Duration::from_secs(1);

/// Starts the agent's watchdog, and another one when it ends.
#[derive(Debug)]
pub(crate) struct Keeper {
    launcher: Launcher,
    program: PathBuf,
    folder: PathBuf,
    /// Its process, for whoever looks.
    pid: watch::Sender<Option<u32>>,
    current: Option<(Companion, Instant)>,
    pause: Duration,
}

impl Keeper {
    /// Starts the first one, for the agent of this folder.
    pub(crate) fn begin(launcher: Launcher, program: &Path, folder: &Path, pid: watch::Sender<Option<u32>>) -> Self {
        let (program, folder) = (program.to_owned(), folder.to_owned());
        let mut keeper = Self { launcher, program, folder, pid, current: None, pause: SHORTEST_PAUSE };
        keeper.start();
        keeper
    }

    /// Sees to it that there is one, until the agent's end is near. Dismisses it then, if nothing is left for it to do.
    pub(crate) async fn run(mut self, ending: CancellationToken) {
        loop {
            let Some((companion, since)) = &mut self.current else {
                tokio::select! {
                    () = ending.cancelled() => return,
                    () = sleep(self.pause) => self.start(),
                }
                continue;
            };
            tokio::select! {
                () = ending.cancelled() => break,
                ended = companion.ended() => {
                    let (pid, lived) = (companion.pid(), since.elapsed());
                    self.has_ended(pid, lived, ended);
                }
            }
        }
        if let Some((companion, _)) = self.current.take()
            && let Err(error) = companion.dismiss(FAREWELL, PATIENCE).await
        {
            tracing::debug!(%error, "the watchdog did not hear that the agent ends");
        }
    }

    fn has_ended(&mut self, pid: u32, lived: Duration, ended: io::Result<ExitStatus>) {
        self.current = None;
        self.pid.send_replace(None);
        self.pause = if lived > LONG { SHORTEST_PAUSE } else { (self.pause * 2).min(LONGEST_PAUSE) };
        let ended = ended.map_or_else(|error| error.to_string(), |status| status.to_string());
        tracing::warn!(process.pid = pid, ended, "the watchdog has ended; another one is started");
    }

    fn start(&mut self) {
        match self.launcher.start_companion(self.command()) {
            Ok(companion) => {
                let pid = companion.pid();
                tracing::info!(process.pid = pid, "a watchdog ends the robots if this agent is killed");
                self.pid.send_replace(Some(pid));
                self.current = Some((companion, Instant::now()));
            }
            Err(error) => {
                self.pause = (self.pause * 2).min(LONGEST_PAUSE);
                tracing::warn!(
                    %error,
                    program = %self.program.display(),
                    "the watchdog could not be started, and is tried again: if this agent is killed meanwhile, its robots run on"
                );
            }
        }
    }

    /// It is told nothing but its folder, by being in it: names of folders are what people kill processes by.
    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        #[cfg(unix)]
        command.arg0(super::NAME);
        command.current_dir(&self.folder);
        // The agent's environment may hold its token, and the marks of a robot that started it.
        command.env_clear().envs(std::env::var_os("RUST_LOG").map(|filter| ("RUST_LOG", filter)));
        command
    }
}
