//! The watchdog's side: waits without a thread beside its first one, and then does what the next agent would do first.

use std::io;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::sleep;

use super::super::installation;
use super::super::residue::{self, Residue};
use super::NAME;
use crate::process::{Launcher, set_name};
use crate::state_file::{RunningJob, StateFile, StateFileError, listed};

/// How long an agent that has died may keep its lock after the end of its pipe: both go in one moment, in no certain order.
const LOCK_PATIENCE: Duration = Duration::from_secs(1);

/// When it is looked again for a robot that was being started when the agent died: it bears no mark until its program runs.
const SECOND_LOOK: Duration = Duration::from_millis(500);

/// Why a watchdog cannot do its work.
#[derive(Debug, thiserror::Error)]
enum WatchdogError {
    /// The list of what ran cannot be read or written.
    #[error(transparent)]
    State(#[from] StateFileError),
    /// The system refused.
    #[error("failed to {verb}: {source}")]
    System {
        /// What was tried.
        verb: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

/// Whether this process was started to be a watchdog, and not by a person. To be asked before anything else is done: [`watch`]
/// is then all that it is to do.
pub fn is_watchdog() -> bool {
    std::env::args_os().next().is_some_and(|name| name == NAME)
}

/// Waits until the agent of the present folder has ended, and kills what it has left, if it was killed itself. Blocks. What fails
/// is told in the log: who started this is gone by then.
pub fn watch() -> ExitCode {
    match wait_and_clear_up() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let what = "the watchdog cannot do its work: robots may run on until the next agent starts";
            tracing::error!(error = %error, "{what}");
            ExitCode::FAILURE
        }
    }
}

fn wait_and_clear_up() -> Result<(), WatchdogError> {
    set_name(NAME);
    if says_farewell(io::stdin().lock()) {
        return Ok(());
    }
    let failed = |verb| move |source| WatchdogError::System { verb, source };
    let folder = std::env::current_dir().map_err(failed("find its folder"))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    runtime.map_err(failed("begin to work"))?.block_on(clear_up(&folder))
}

/// Whether the agent says that it ends in good order, before the pipe ends.
fn says_farewell(mut pipe: impl io::Read) -> bool {
    loop {
        match pipe.read(&mut [0]) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // What cannot be read has ended. Should the agent live, its lock says so.
            Ok(0) | Err(_) => return false,
            Ok(_) => return true,
        }
    }
}

/// Kills what an agent left that was killed, unless there is an agent.
async fn clear_up(folder: &Path) -> Result<(), WatchdogError> {
    let list = folder.join("jobs.json");
    if listed(&list)?.is_empty() {
        return Ok(());
    }
    let lock = installation::share(folder, LOCK_PATIENCE).await;
    let Some(_lock) = lock.map_err(|source| WatchdogError::System { verb: "lock the agent's folder", source })? else {
        tracing::info!(folder = %folder.display(), "an agent has the folder, and sees to the robots itself");
        return Ok(());
    };
    // From here on nobody else writes the list.
    let state = StateFile::open(list)?;
    let jobs = state.jobs();
    tracing::warn!(folder = %folder.display(), jobs = jobs.len(), "the agent was killed; its robots are killed now");
    let launcher = Launcher::new().map_err(|source| WatchdogError::System { verb: "supervise processes", source })?;
    for job in join_all(jobs.into_iter().map(|job| end(&launcher, job))).await {
        match job {
            Ok(job) => state.remove(job.job_id).await?,
            Err(residue) => leave(&state, &residue).await?,
        }
    }
    tracing::info!(jobs_left = state.jobs().len(), "the watchdog ends");
    Ok(())
}

async fn end(launcher: &Launcher, job: RunningJob) -> Result<RunningJob, Residue> {
    let job = residue::end(launcher, job).await?;
    if job.process.is_some() {
        return Ok(job);
    }
    sleep(SECOND_LOOK).await;
    residue::end(launcher, job).await
}

/// What does not end is left to the next agent, which is to find it again when its parents are gone.
async fn leave(state: &StateFile, residue: &Residue) -> Result<(), StateFileError> {
    for process in &residue.survivors {
        tracing::error!(
            job.id = %residue.job.job_id, process.pid = process.identity.pid, process.name, refused = process.refused,
            "a process of a job does not end, and the watchdog tries it no longer; the next agent does. Until then the robot may \
             run beside another try of its job (retry_lost). Look at the process (ps -fp PID)"
        );
    }
    state.note_survivors(residue.job.job_id, residue.left.strays.clone()).await
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A pipe that is interrupted by a signal first.
    struct Interrupted<'a>(bool, &'a [u8]);

    impl io::Read for Interrupted<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            if std::mem::take(&mut self.0) { Err(io::ErrorKind::Interrupted.into()) } else { self.1.read(buffer) }
        }
    }

    #[test]
    fn only_a_word_before_its_end_makes_the_end_of_the_pipe_an_orderly_one() {
        assert!(says_farewell(Interrupted(true, super::super::FAREWELL)));
        assert!(!says_farewell(Interrupted(true, b"")));
    }
}
