//! How a long-running program ends: in two stages, and with a roll-call.
//!
//! The first signal is the *soft* stage: accept and claim nothing new, finish or release what is held. The second
//! signal, or the deadline, is the *hard* one: drop what is left. A task that ends although nobody asked it to begins
//! the soft stage too, and the exit code says so.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use orchestrator_worker::signals::Signals;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{Instrument as _, error, info, info_span, warn};

/// The tasks of a program and the two tokens that end them. A cheap clone.
#[derive(Debug, Clone)]
pub struct Lifecycle {
    hard: CancellationToken,
    soft: CancellationToken,
    tasks: TaskTracker,
    died: Arc<Mutex<Option<&'static str>>>,
}

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It was asked to, and every task finished.
    Orderly,
    /// It was asked to twice, or the deadline passed; tasks were dropped.
    Forced,
    /// This task ended by itself, which none may; the others finished.
    TaskDied(&'static str),
}

impl Ended {
    /// Whether the program may say that all went well.
    pub fn is_success(self) -> bool {
        self == Self::Orderly
    }
}

impl Default for Lifecycle {
    fn default() -> Self {
        Self::new()
    }
}

impl Lifecycle {
    /// No tasks yet.
    pub fn new() -> Self {
        let hard = CancellationToken::new();
        let soft = hard.child_token();
        Self { hard, soft, tasks: TaskTracker::new(), died: Arc::default() }
    }

    /// Cancelled when nothing new may begin.
    pub fn soft(&self) -> CancellationToken {
        self.soft.clone()
    }

    /// Cancelled when everything must end at once.
    pub fn hard(&self) -> CancellationToken {
        self.hard.clone()
    }

    /// Spawns a task that runs until the soft token is cancelled. The hard stage drops it.
    pub fn spawn(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        // Dropped when the task returns, and also when it panics.
        let watch = Watch { name, lifecycle: self.clone() };
        let hard = self.hard.clone();
        let task = async move {
            let _watch = watch;
            tokio::select! {
                () = task => {}
                () = hard.cancelled() => warn!(task.name = name, "task dropped before it was done"),
            }
        };
        drop(self.tasks.spawn(task.instrument(info_span!("task", task.name = name))));
    }

    /// Begins the soft stage without a signal.
    pub fn shut_down(&self) {
        self.soft.cancel();
    }

    /// Waits for signals of the operating system and for the tasks. `grace` is how long the soft stage may take.
    pub async fn run(self, grace: Duration) -> std::io::Result<Ended> {
        let mut signals = Signals::new()?;
        Ok(self.run_with(grace, async || signals.next().await).await)
    }

    /// As [`Lifecycle::run`], with another source of signals.
    pub async fn run_with(self, grace: Duration, mut next_signal: impl AsyncFnMut()) -> Ended {
        tokio::select! {
            () = next_signal() => info!("stopping; a second signal stops at once"),
            () = self.soft.cancelled() => {}
        }
        self.soft.cancel();
        self.tasks.close();
        let forced = tokio::select! {
            biased;
            () = self.tasks.wait() => false,
            () = next_signal() => true,
            () = tokio::time::sleep(grace) => true,
        };
        if forced {
            self.hard.cancel();
            self.tasks.wait().await;
            return Ended::Forced;
        }
        let died = *self.died.lock().unwrap_or_else(PoisonError::into_inner);
        died.map_or(Ended::Orderly, Ended::TaskDied)
    }
}

/// Notices a task that ends although nobody asked it to.
struct Watch {
    name: &'static str,
    lifecycle: Lifecycle,
}

impl Drop for Watch {
    fn drop(&mut self) {
        if !self.lifecycle.soft.is_cancelled() {
            error!(task.name = self.name, "task ended by itself; stopping");
            self.lifecycle.died.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(self.name);
            self.lifecycle.soft.cancel();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::sync::atomic::{AtomicBool, Ordering};

    use tokio::sync::mpsc;

    use super::*;

    const GRACE: Duration = Duration::from_secs(30);

    /// So many signals at once, then none.
    async fn run(lifecycle: Lifecycle, signals: u32) -> Ended {
        let (sender, mut receiver) = mpsc::channel::<()>(8);
        for _ in 0..signals {
            sender.send(()).await.unwrap();
        }
        let _kept_open = sender;
        lifecycle.run_with(GRACE, async || receiver.recv().await.unwrap_or_default()).await
    }

    #[tokio::test(start_paused = true)]
    async fn one_signal_lets_tasks_finish() {
        let lifecycle = Lifecycle::new();
        let finished = Arc::new(AtomicBool::new(false));
        let (soft, done) = (lifecycle.soft(), Arc::clone(&finished));
        lifecycle.spawn("loop", async move {
            soft.cancelled().await;
            tokio::time::sleep(Duration::from_secs(5)).await;
            done.store(true, Ordering::SeqCst);
        });
        assert_eq!(run(lifecycle, 1).await, Ended::Orderly);
        assert!(finished.load(Ordering::SeqCst));
    }

    #[tokio::test(start_paused = true)]
    async fn a_second_signal_drops_what_is_left() {
        let lifecycle = Lifecycle::new();
        lifecycle.spawn("stubborn", pending());
        assert_eq!(run(lifecycle, 2).await, Ended::Forced);
    }

    #[tokio::test(start_paused = true)]
    async fn the_deadline_drops_what_is_left() {
        let lifecycle = Lifecycle::new();
        lifecycle.spawn("stubborn", pending());
        assert_eq!(run(lifecycle, 1).await, Ended::Forced);
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_dies_stops_the_others_and_is_named() {
        let lifecycle = Lifecycle::new();
        let soft = lifecycle.soft();
        lifecycle.spawn("loop", async move { soft.cancelled().await });
        lifecycle.spawn("fragile", async { panic!("on purpose") });
        let ended = run(lifecycle, 0).await;
        assert_eq!((ended, ended.is_success()), (Ended::TaskDied("fragile"), false));
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_to_wait_for_ends_at_once() {
        let lifecycle = Lifecycle::new();
        lifecycle.shut_down();
        assert_eq!(run(lifecycle, 0).await, Ended::Orderly);
    }
}
