//! Whether this machine can start anything. Where it could not (a full disk, no room for a process), jobs that the agent claimed
//! would come back one after the other, while another worker is fit for them. So it says so, asks for nothing, and looks
//! again after a while, each time a longer one.

use std::io;
use std::path::Path;
use std::time::Duration;

use tokio::sync::watch;

use super::run::Inner;

/// The longest pause between two looks.
const LONGEST: Duration = Duration::from_mins(5);

/// What must fit on the disk before anything is claimed again: a job writes more than its line in the list.
const ROOM: usize = 1 << 20;

/// What keeps this machine from starting jobs, since when a robot was started last.
#[derive(Debug)]
pub(super) struct Fitness {
    first_pause: Duration,
    state: watch::Sender<State>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct State {
    trouble: Option<String>,
    /// How often in a row something could not be started.
    failures: u32,
}

impl Fitness {
    /// Of a machine that nothing is known of; after the first failure it is looked at again after so long.
    pub(super) fn new(first_pause: Duration) -> Self {
        Self { first_pause, state: watch::channel(State::default()).0 }
    }

    /// What the server is told; empty when nothing is wrong.
    pub(super) fn trouble(&self) -> String {
        self.state.borrow().trouble.clone().unwrap_or_default()
    }

    /// Something could not be started for a reason of this machine. For how long nothing is tried. Of several that were claimed
    /// together the first counts.
    pub(super) fn failed(&self, reason: &str) -> Duration {
        self.note(reason, |state| state.trouble.is_none())
    }

    /// A look found that nothing can be started yet. How long it is to the next one.
    fn still_fails(&self, reason: &str) -> Duration {
        self.note(reason, |_| true)
    }

    fn note(&self, reason: &str, counts: impl Fn(&State) -> bool) -> Duration {
        self.state.send_modify(|state| {
            state.failures = state.failures.saturating_add(u32::from(counts(state)));
            state.trouble = Some(reason.to_owned());
        });
        self.pause()
    }

    /// A robot was started. One that was under way when another could not be says nothing of what comes next.
    pub(super) fn started(&self) {
        self.state.send_if_modified(|state| state.trouble.is_none() && std::mem::take(&mut state.failures) > 0);
    }

    /// It may be tried again.
    fn may_try(&self) {
        self.state.send_modify(|state| state.trouble = None);
    }

    fn pause(&self) -> Duration {
        let doublings = self.state.borrow().failures.saturating_sub(1).min(16);
        self.first_pause.saturating_mul(1 << doublings).min(LONGEST)
    }
}

impl Inner {
    /// A job could not be started for a reason of this machine: the server hears of it before the job is handed back.
    pub(super) async fn is_unfit(&self, reason: &str) {
        let pause = self.fitness.failed(reason);
        tracing::warn!(
            reason,
            pause_s = pause.as_secs(),
            "this machine could not start a job; no more are taken until a look, after this pause, finds room"
        );
        super::heartbeat::tell(self).await;
    }

    /// Waits while this machine could start nothing.
    pub(super) async fn until_fit(&self) {
        while !self.fitness.trouble().is_empty() {
            tokio::time::sleep(self.fitness.pause()).await;
            match self.look().await {
                Ok(()) => {
                    tracing::info!("there is room again; jobs are taken again");
                    self.fitness.may_try();
                    super::heartbeat::tell(self).await;
                }
                Err(reason) => {
                    let pause = self.fitness.still_fails(&reason);
                    tracing::warn!(reason, pause_s = pause.as_secs(), "this machine can start nothing yet");
                }
            }
        }
    }

    /// Writes what each job needs to be written.
    async fn look(&self) -> Result<(), String> {
        self.state.rewrite().await.map_err(|error| error.to_string())?;
        let folder = self.options.data.clone();
        let tried = tokio::task::spawn_blocking(move || try_to_write(&folder)).await;
        tried.map_err(io::Error::other).and_then(|tried| tried).map_err(|error| {
            format!("failed to write 1 MiB into the worker's data folder '{}': {error}", self.options.data.display())
        })
    }
}

fn try_to_write(folder: &Path) -> io::Result<()> {
    let mut file = tempfile::tempfile_in(folder)?;
    io::Write::write_all(&mut file, &vec![0; ROOM])?;
    file.sync_data()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_until_a_robot_was_started() {
        let fitness = Fitness::new(Duration::from_secs(10));
        assert_eq!([fitness.failed("full").as_secs(), fitness.failed("full").as_secs()], [10, 10], "claimed together");
        let pauses: Vec<u64> = (0..6).map(|_| fitness.still_fails("full").as_secs()).collect();
        assert_eq!(pauses, [20, 40, 80, 160, 300, 300]);
        fitness.may_try();
        assert_eq!(
            (fitness.trouble(), fitness.failed("full").as_secs()),
            (String::new(), 300),
            "it may fail at once again"
        );
        fitness.started();
        assert_eq!(fitness.failed("full").as_secs(), 300, "what started had begun before");
        fitness.may_try();
        fitness.started();
        assert_eq!(fitness.failed("full").as_secs(), 10);
    }
}
