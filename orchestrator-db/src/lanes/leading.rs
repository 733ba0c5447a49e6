//! Who finds nobody at work on a lane is at work on it until its own answer is there.
//!
//! A task of its own for a call that comes alone would be woken twice on its way, on other processors that have to wake up
//! for it. What is left when the caller has its answer, or goes away, is a task's.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

/// Work on a lane, inside of the call that found nobody at it.
pub(super) struct Leading {
    /// None once it is done.
    work: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    tasks: TaskTracker,
    /// Whoever waits for the tasks to end waits for this, too.
    _counted: TaskTrackerToken,
}

impl Leading {
    pub(super) fn new(work: impl Future<Output = ()> + Send + 'static, tasks: TaskTracker) -> Self {
        Self { work: Some(Box::pin(work)), _counted: tasks.token(), tasks }
    }

    /// Works until the answer is there.
    pub(super) async fn until<T>(mut self, mut answer: oneshot::Receiver<T>) -> Result<T, oneshot::error::RecvError> {
        std::future::poll_fn(|context| {
            self.go_on(context);
            Pin::new(&mut answer).poll(context)
        })
        .await
    }

    /// What breaks down has told so by letting go of the lane; whoever leads is told as all others are.
    fn go_on(&mut self, context: &mut Context<'_>) {
        let Some(mut work) = self.work.take() else { return };
        if let Ok(Poll::Pending) = catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context))) {
            self.work = Some(work);
        }
    }
}

impl Drop for Leading {
    fn drop(&mut self) {
        // Without a runtime nobody waits any more.
        if let (Some(work), Ok(runtime)) = (self.work.take(), Handle::try_current()) {
            self.tasks.spawn_on(work, &runtime);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::Notify;

    use super::*;

    /// Work that answers at once, and then has a step left that waits.
    struct Steps {
        gate: Arc<Notify>,
        done: Arc<AtomicUsize>,
        tasks: TaskTracker,
    }

    impl Steps {
        fn new() -> Self {
            Self { gate: Arc::default(), done: Arc::default(), tasks: TaskTracker::new() }
        }

        fn leading(&self, door: oneshot::Sender<u32>) -> Leading {
            let (gate, done) = (self.gate.clone(), self.done.clone());
            let work = async move {
                let _ = door.send(7);
                gate.notified().await;
                done.fetch_add(1, Ordering::SeqCst);
            };
            Leading::new(work, self.tasks.clone())
        }

        async fn finish(self) -> usize {
            self.gate.notify_one();
            self.tasks.close();
            self.tasks.wait().await;
            self.done.load(Ordering::SeqCst)
        }
    }

    #[tokio::test]
    async fn what_is_left_behind_the_answer_is_done_by_a_task() {
        let steps = Steps::new();
        let (door, answer) = oneshot::channel();
        assert_eq!(steps.leading(door).until(answer).await, Ok(7));
        assert_eq!(steps.tasks.len(), 1);
        assert_eq!(steps.finish().await, 1);
    }

    #[tokio::test]
    async fn what_a_caller_leaves_that_goes_away_is_done_by_a_task() {
        let steps = Steps::new();
        let (door, _) = oneshot::channel();
        let (_other, never) = oneshot::channel::<u32>();
        let left = tokio::time::timeout(std::time::Duration::ZERO, steps.leading(door).until(never)).await;
        assert!(left.is_err());
        assert_eq!(steps.finish().await, 1);
    }

    #[tokio::test]
    async fn work_that_ends_with_its_answer_leaves_no_task() {
        let tasks = TaskTracker::new();
        let (door, answer) = oneshot::channel();
        let work = async move {
            let _ = door.send(7);
        };
        assert_eq!(Leading::new(work, tasks.clone()).until(answer).await, Ok(7));
        assert!(tasks.is_empty());
    }

    #[tokio::test]
    async fn who_leads_hears_of_a_breakdown_as_others_do() {
        let (door, answer) = oneshot::channel::<u32>();
        let work = async move {
            let _door = door;
            panic!("broken");
        };
        assert!(Leading::new(work, TaskTracker::new()).until(answer).await.is_err());
    }
}
