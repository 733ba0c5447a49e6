use std::collections::VecDeque;
use std::sync::atomic::AtomicUsize;

use tokio::sync::oneshot;

use super::*;

/// Counts how often the task of the connection was woken.
#[derive(Debug, Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// What a connection does when it has its turn.
type Step = Box<dyn FnMut(&Calls, &Waker) + Send>;

/// A connection that takes one step a turn, and ends after the last one if it was told to.
struct Scripted {
    steps: VecDeque<Step>,
    calls: Calls,
    turns: Arc<AtomicUsize>,
    is_ending: bool,
}

impl Future for Scripted {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        this.turns.fetch_add(1, Ordering::SeqCst);
        match this.steps.pop_front() {
            Some(mut step) => step(&this.calls, cx.waker()),
            None if this.is_ending => return Poll::Ready(()),
            None => {}
        }
        Poll::Pending
    }
}

impl Connection for Scripted {
    fn graceful_shutdown(mut self: Pin<&mut Self>) {
        self.is_ending = true;
    }
}

struct World {
    together: Together<Scripted>,
    calls: Calls,
    turns: Arc<AtomicUsize>,
    woken: Arc<Woken>,
    shutdown: Shutdown,
    tasks: TaskTracker,
}

fn world(steps: impl IntoIterator<Item = Step>) -> World {
    let (tasks, shutdown, turns) = (TaskTracker::new(), Shutdown::new(), Arc::new(AtomicUsize::new(0)));
    let calls = Calls::new(tasks.clone());
    let steps = steps.into_iter().collect();
    let scripted = Scripted { steps, calls: calls.clone(), turns: turns.clone(), is_ending: false };
    let together = together(scripted, calls.clone(), &shutdown);
    World { together, calls, turns, woken: Arc::default(), shutdown, tasks }
}

impl World {
    fn run(&mut self) -> Poll<Option<()>> {
        let waker = Waker::from(self.woken.clone());
        Pin::new(&mut self.together).poll(&mut Context::from_waker(&waker))
    }

    fn woken(&self) -> usize {
        self.woken.0.load(Ordering::SeqCst)
    }

    fn within(&self) -> usize {
        self.calls.begun.within.load(Ordering::SeqCst)
    }
}

fn step(step: impl FnMut(&Calls, &Waker) + Send + 'static) -> Step {
    Box::new(step)
}

#[test]
fn a_call_begins_in_the_turn_in_which_it_came_and_the_connection_has_another_for_its_answer() {
    let answered = Arc::new(Mutex::new(None::<Waker>));
    let of_connection = answered.clone();
    let mut world = world([step(move |calls, waker| {
        *of_connection.lock().unwrap() = Some(waker.clone());
        let answered = of_connection.clone();
        // As HTTP/2 does: an answer asks the connection to send it.
        calls.execute(async move { answered.lock().unwrap().as_ref().unwrap().wake_by_ref() });
    })]);
    assert!(world.run().is_pending());
    assert_eq!(world.turns.load(Ordering::SeqCst), 2);
    assert_eq!(world.within(), 0, "it has ended");
    assert_eq!(world.woken(), 0, "the task ran anyway");
}

#[test]
fn what_a_connection_brings_for_a_call_is_taken_in_the_same_run() {
    let (sender, receiver) = oneshot::channel();
    let (mut receiver, mut sender) = (Some(receiver), Some(sender));
    let mut world = world([
        step(move |calls, waker| {
            let body = receiver.take().unwrap();
            calls.execute(async move { body.await.unwrap() });
            waker.wake_by_ref();
        }),
        step(move |_, _| sender.take().unwrap().send(()).unwrap()),
    ]);
    assert!(world.run().is_pending());
    assert_eq!((world.within(), world.woken()), (0, 0));
}

#[test]
fn an_answer_that_comes_later_wakes_the_task_once() {
    let (sender, receiver) = oneshot::channel();
    let mut receiver = Some(receiver);
    let mut world = world([step(move |calls, _| {
        let answer = receiver.take().unwrap();
        calls.execute(async move { answer.await.unwrap() });
    })]);
    assert!(world.run().is_pending());
    assert_eq!((world.within(), world.woken()), (1, 0));
    sender.send(()).unwrap();
    assert_eq!(world.woken(), 1);
    assert!(world.run().is_pending());
    assert_eq!((world.within(), world.woken()), (0, 1));
    assert_eq!(world.turns.load(Ordering::SeqCst), 1, "the connection had nothing to do");
}

#[test]
fn a_connection_that_always_wants_its_turn_leaves_some_to_others() {
    let again = || step(|_, waker| waker.wake_by_ref());
    let mut world = world((0..100).map(|_| again()));
    assert!(world.run().is_pending());
    assert_eq!((world.turns.load(Ordering::SeqCst), world.woken()), (MOST_TURNS, 1));
}

#[test]
fn a_call_that_panics_ends_alone() {
    let mut world = world([
        step(|calls, waker| {
            calls.execute(async { std::panic::resume_unwind(Box::new("an error in a service")) });
            waker.wake_by_ref();
        }),
        step(|calls, _| calls.execute(std::future::pending())),
    ]);
    assert!(world.run().is_pending());
    assert_eq!(world.within(), 1, "the other one goes on");
}

#[tokio::test]
async fn more_calls_than_a_few_get_tasks_of_their_own() {
    let mut world = world([step(|calls, _| {
        for _ in 0..WITHIN + 2 {
            calls.execute(std::future::pending());
        }
    })]);
    assert!(world.run().is_pending());
    assert_eq!((world.within(), world.tasks.len()), (WITHIN, 2));
}

#[test]
fn when_the_server_stops_a_connection_takes_nothing_new_and_is_cut_at_the_second_word() {
    let mut world = world([step(|calls, _| calls.execute(std::future::pending()))]);
    assert!(world.run().is_pending());
    world.shutdown.hard.cancel();
    assert_eq!(world.run(), Poll::Ready(None));

    let mut world = self::world([]);
    assert!(world.run().is_pending());
    world.shutdown.soft.cancel();
    assert!(world.woken() > 0);
    assert_eq!(world.run(), Poll::Ready(Some(())));
}
